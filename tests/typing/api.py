"""Public names and every spelling of their arguments, as a type checker sees them: `make types` reads this file."""

from __future__ import annotations

from typing import assert_type

import httpx
from langchain_core.documents import Document
from langchain_core.messages import AIMessage
from llama_index.core.llms import ChatMessage, ChatResponse
from llama_index.core.schema import NodeWithScore
from pydantic import SecretStr

from langchain_workers_ai import (
    ChatWorkersAI,
    Gateway,
    NeuronMeterHandler,
    RateLimitError,
    WorkersAIEmbeddings,
    WorkersAIRerank,
)
from langchain_workers_ai import GatewayFeedback as LangChainFeedback
from langchain_workers_ai import WorkersAI as LangChainLLM
from llama_index_workers_ai import GatewayFeedback as LlamaIndexFeedback
from llama_index_workers_ai import QuotaExceededError, WorkersAIEmbedding
from llama_index_workers_ai import WorkersAI as LlamaIndexLLM
from llama_index_workers_ai import WorkersAIRerank as LlamaIndexRerank
from workers_ai import (
    BulkEmbedder,
    ChatAnswer,
    Client,
    GatewayLog,
    GatewayLogs,
    NeuronMeter,
    QueuedRequest,
    QueueStatus,
    Ranked,
    Ranking,
    WorkersAIError,
)
from workers_ai.local import FaultRules, LocalServer, Script
from workers_ai.testing import Emulator, SeenRequest, vcr_config


def chat() -> None:
    model = ChatWorkersAI(
        model="@cf/google/gemma-4-26b-a4b-it",
        account_id="0" * 32,
        api_key=SecretStr("token"),
        base_url=None,
        gateway={"id": "docs"},
        timeout=httpx.Timeout(5),
        max_completion_tokens=5,
        stop_sequences=["\n"],
        streaming=True,
        rate_limit="catalog",
        check_context="trim",
        rate_limit_store="redis://127.0.0.1:6379/0",
    )
    assert_type(model.invoke("x"), AIMessage)
    assert_type(model.batch_queue(["x"], timeout=None, tools=[]), list[AIMessage | WorkersAIError])
    ChatWorkersAI(model_name="x", api_token=lambda: "token", api_base=None, request_timeout=3, stop="a", max_tokens=5)
    LangChainLLM(model="x", raw=True, auth_token="token")


def embeddings() -> None:
    made = WorkersAIEmbeddings(model="x", pooling="cls", batch_size=10, show_progress_bar=True, on_usage=print)
    assert_type(made.embed_query("x"), list[float])
    assert_type(made.embed_documents_queue(["x"]), list[list[float]])
    WorkersAIEmbedding(model_name="x", embed_batch_size=10)
    WorkersAIEmbedding(model="x")


def rerank(documents: list[Document], nodes: list[NodeWithScore]) -> None:
    made = WorkersAIRerank(model_name="x", top_n=None, batch_size=10, api_key="token")
    assert_type(made.compress_documents(documents, "x"), list[Document])
    made.rerank(["x", *documents], "x", top_n=1)
    other = LlamaIndexRerank(model="x", top_n=5, keep_retrieval_score=True, max_concurrency=1)
    assert_type(other.postprocess_nodes(nodes, query_str="x"), list[NodeWithScore])


def llama_index() -> None:
    llm = LlamaIndexLLM(model="x", context_window=8000, additional_kwargs={"seed": 1}, async_http_client=None)
    assert_type(llm.chat([ChatMessage(content="x")]), ChatResponse)


def core() -> None:
    with Client(api_token="token", gateway=Gateway("docs", cache_ttl=60)) as client:
        assert_type(client.chat("x", model="y"), ChatAnswer)
        assert_type(client.embed(["x"]), list[list[float]])
        ranking = client.rerank("x", ["y"], top_n=1)
        assert_type(ranking, Ranking)
        assert_type(next(iter(ranking)), Ranked)
        queued = client.queue.submit(["x"], model="y", kind="embedding", references=["z"], pooling="cls")
        assert_type(queued, QueuedRequest)
        assert_type(client.queue.poll(queued), QueueStatus)
        client.queue.collect("id", model="y", timeout=None, on_status=print)


def meter() -> None:
    with NeuronMeter(500, budget_usd=0.1, on_budget="@cf/meta/llama-3.2-1b-instruct") as meter, meter.tag("x"):
        ChatWorkersAI(callbacks=[NeuronMeterHandler(meter)])
    assert_type(meter.neurons, float)
    assert_type(meter.by_model["x"].tokens, int)
    assert_type(meter.table(), str)


def gateways() -> None:
    logs = GatewayLogs("docs", api_key="token", base_url=None)
    assert_type(next(iter(logs.list(limit=3, success=True, min_cost=0.1, order_by="cached"))), GatewayLog)
    logs.feedback("x", -1, score=0.5, metadata={"by": "y"})
    LangChainFeedback(logs, max_runs=10).send("x", 1)
    LlamaIndexFeedback({"id": "docs"}, auth_token="token").send("x", None, score=1)
    ChatWorkersAI(fallback="@cf/x/y").invoke("x", fallback=["@cf/x/z"])
    ChatWorkersAI(gateway=False).invoke("x", gateway={"skip_cache": True})


def bulk() -> None:
    embedder = BulkEmbedder(model_name="x", column="body", output="vector", key=None, batch_size=10, api_key="token")
    assert_type(embedder({"body": ["x"]}), dict[str, list[str]])


def errors(error: WorkersAIError) -> int | None:
    if isinstance(error, (RateLimitError, QuotaExceededError)):
        return error.code
    return error.status


def testing(workers_ai_server: Emulator, workers_ai_faults: FaultRules) -> None:
    workers_ai_server.reply({"name": "a"}, reasoning="b", cut=True)
    workers_ai_server.call_tool("f", name="a", count=1)
    workers_ai_server.call_tools(("f", {"a": 1}), ("g", {}), text="x")
    workers_ai_server.fail(3040, "busy", status=429)
    workers_ai_faults.next("429", model="m", times=2)
    assert_type(workers_ai_server.requests, list[SeenRequest])
    assert_type(workers_ai_server.last.tools, list[str])
    LocalServer(script=Script()).script.check()
    vcr_config(secrets=["x"])
