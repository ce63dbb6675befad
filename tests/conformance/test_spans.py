"""OpenInference's instrumentations of both frameworks see our classes: one LLM span a call, right tokens, no secret."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

pytest.importorskip("opentelemetry.sdk", reason="needs the dependency group `otel`")
pytest.importorskip("openinference.instrumentation.langchain", reason="needs the dependency group `otel`")
pytest.importorskip("openinference.instrumentation.llama_index", reason="needs the dependency group `otel`")

from llama_index.core.llms import ChatMessage
from openinference.instrumentation.langchain import LangChainInstrumentor
from openinference.instrumentation.llama_index import LlamaIndexInstrumentor
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import langchain_workers_ai
import llama_index_workers_ai
from workers_ai import Client, Gateway

# The instrumentation asks LlamaIndex's metadata for `.json()`.
pytestmark = pytest.mark.filterwarnings("ignore:The `json` method:pydantic.warnings.PydanticDeprecatedSince20")

QUESTION = "Reply exactly with: low tide"
MODELS = ("@cf/meta/llama-3.3-70b-instruct-fp8-fast", "@cf/google/gemma-4-26b-a4b-it")
MARK = "S3CR3T"


@pytest.fixture(scope="module")
def instrumented() -> Iterator[InMemorySpanExporter]:
    """Both instrumentations, exporting in memory."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    instrumentors: list[Any] = [LangChainInstrumentor(), LlamaIndexInstrumentor()]
    for instrumentor in instrumentors:
        instrumentor.instrument(tracer_provider=provider)
    yield exporter
    for instrumentor in instrumentors:
        instrumentor.uninstrument()


@pytest.fixture
def spans(instrumented) -> InMemorySpanExporter:
    """The finished spans of a test."""
    instrumented.clear()
    return instrumented


async def _drained(items: Any) -> list[Any]:
    return [item async for item in items]


async def _drained_later(items: Any) -> list[Any]:
    return [item async for item in await items]


MESSAGES = [ChatMessage(role="user", content=QUESTION)]

LANGCHAIN: dict[str, Callable[[Any], Any]] = {
    "invoke": lambda model: model.invoke(QUESTION),
    "ainvoke": lambda model: asyncio.run(model.ainvoke(QUESTION)),
    "stream": lambda model: list(model.stream(QUESTION)),
    "astream": lambda model: asyncio.run(_drained(model.astream(QUESTION))),
}
LLAMA_INDEX: dict[str, Callable[[Any], Any]] = {
    "chat": lambda model: model.chat(MESSAGES),
    "achat": lambda model: asyncio.run(model.achat(MESSAGES)),
    "complete": lambda model: model.complete(QUESTION),
    "acomplete": lambda model: asyncio.run(model.acomplete(QUESTION)),
    "stream_chat": lambda model: list(model.stream_chat(MESSAGES)),
    "astream_chat": lambda model: asyncio.run(_drained_later(model.astream_chat(MESSAGES))),
    "stream_complete": lambda model: list(model.stream_complete(QUESTION)),
    "astream_complete": lambda model: asyncio.run(_drained_later(model.astream_complete(QUESTION))),
}


def connection(emulator: Any) -> dict[str, Any]:
    return {"account_id": emulator.account_id, "api_token": emulator.api_token, "base_url": emulator.base_url}


def llm_span(spans: InMemorySpanExporter) -> ReadableSpan:
    """The one LLM span there is."""
    (span,) = [one for one in spans.get_finished_spans() if one.attributes["openinference.span.kind"] == "LLM"]
    return span


def check(span: ReadableSpan, emulator: Any, model: str) -> None:
    """Model and tokens, as the core reads them from the same question."""
    usage = Client(**connection(emulator)).chat(QUESTION, model=model).usage
    told = span.attributes
    assert told["llm.model_name"].removesuffix("-external") == model
    assert told["llm.token_count.prompt"] == usage.input_tokens
    assert told["llm.token_count.completion"] == usage.output_tokens
    assert told["llm.token_count.total"] == usage.total_tokens
    assert emulator.api_token not in span.to_json()


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("way", LANGCHAIN)
def test_a_call_of_langchains_chat_model_is_one_llm_span(emulator, spans, way, model):
    LANGCHAIN[way](langchain_workers_ai.ChatWorkersAI(model=model, **connection(emulator)))
    span = llm_span(spans)
    check(span, emulator, model)
    assert span.attributes["llm.provider"] == "cloudflare-workers-ai"


@pytest.mark.parametrize("way", ["invoke", "ainvoke"])
def test_a_call_of_langchains_plain_llm_is_one_llm_span(emulator, spans, way):
    """In one piece: LangChain hands a plain LLM's streamed tokens to no tracer, whoever makes the LLM."""
    LANGCHAIN[way](langchain_workers_ai.WorkersAI(model=MODELS[0], **connection(emulator)))
    check(llm_span(spans), emulator, MODELS[0])


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("way", LLAMA_INDEX)
def test_a_call_of_llama_indexs_llm_is_one_llm_span(emulator, spans, way, model):
    LLAMA_INDEX[way](llama_index_workers_ai.WorkersAI(model=model, **connection(emulator)))
    check(llm_span(spans), emulator, model)


def test_embeddings_are_embedding_spans_with_the_models_name(emulator, spans):
    llama_index_workers_ai.WorkersAIEmbedding(**connection(emulator)).get_text_embedding_batch(["a", "b"])
    told = [span.attributes for span in spans.get_finished_spans()]
    assert {each["openinference.span.kind"] for each in told} == {"EMBEDDING"}
    assert {each["embedding.model_name"] for each in told} == {"@cf/baai/bge-m3"}


def refuse(request: httpx.Request) -> httpx.Response:
    """A refusal that repeats every header it was sent."""
    told = " ".join(request.headers.values())
    return httpx.Response(400, json={"errors": [{"code": 5006, "message": f"Bad headers: {told}"}], "success": False})


def answer(request: httpx.Request) -> httpx.Response:
    choice = {"message": {"content": "Hi"}, "finish_reason": "stop"}
    return httpx.Response(200, headers={"set-cookie": f"__cf_bm={MARK}"}, json={"choices": [choice]})


@pytest.mark.parametrize("service", [answer, refuse])
@pytest.mark.parametrize(
    ("cls", "ask"),
    [
        (langchain_workers_ai.ChatWorkersAI, LANGCHAIN["invoke"]),
        (langchain_workers_ai.WorkersAI, LANGCHAIN["invoke"]),
        (llama_index_workers_ai.WorkersAI, LLAMA_INDEX["chat"]),
    ],
)
def test_no_secret_stands_in_a_span_of_an_answer_or_of_a_refusal(spans, service, cls, ask):
    model = cls(
        account_id="0" * 32,
        api_token=f"api-{MARK}",
        gateway=Gateway("docs", token=f"gateway-{MARK}", route="url"),
        default_headers={"X-Api-Key": f"header-{MARK}"},
        http_client=httpx.Client(transport=httpx.MockTransport(service)),
        max_retries=0,
    )
    if service is refuse:
        with pytest.raises(ValueError, match="Bad headers"):
            ask(model)
    else:
        ask(model)
    told = "".join(span.to_json() for span in spans.get_finished_spans())
    assert "LLM" in told
    assert MARK not in told
