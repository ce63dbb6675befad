"""A meter over both frameworks, against the emulator's own books, which are kept without a line of the core's."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.globals import set_llm_cache
from langchain_core.runnables import RunnableParallel
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.llms import ChatMessage

import langchain_workers_ai as langchain
import llama_index_workers_ai as llama_index
from workers_ai import BudgetExceededError, Client, NeuronMeter
from workers_ai.local import LocalServer

GEMMA = "@cf/google/gemma-4-26b-a4b-it"
LLAMA = "@cf/meta/llama-3.3-70b-instruct-fp8-fast"
GPT = "@cf/openai/gpt-oss-20b"
SMALL = "@cf/meta/llama-3.2-3b-instruct"
QUESTION = "What does the tide mill of Velmouth grind, and when?"


@pytest.fixture
def server() -> Iterator[LocalServer]:
    """An emulator whose books are empty."""
    with LocalServer() as server:
        yield server


Make = Callable[..., Any]


@pytest.fixture
def make(server: LocalServer) -> Make:
    """Makes an object of a class that speaks to it."""

    def made(cls: Any, **arguments: Any) -> Any:
        connection = {
            "account_id": server.account_id,
            "api_token": server.api_token,
            "base_url": server.base_url,
        }
        return cls(**{**connection, **arguments})

    return made


async def drained(items: Any) -> None:
    async for _ in items:
        pass


async def drained_later(items: Any) -> None:
    await drained(await items)


class Flaky(httpx.HTTPTransport):
    """Every other request is refused before it reaches the service."""

    asked = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        if self.asked % 2:
            return httpx.Response(503, headers={"retry-after": "0"}, json={"errors": [{"code": 3043, "message": "no"}]})
        return super().handle_request(request)


def langchain_work(make: Make, model: str) -> None:
    chat = make(langchain.ChatWorkersAI, model=model, max_tokens=60)
    chat.invoke(QUESTION)
    list(chat.stream(QUESTION))
    chat.batch([f"{QUESTION} {n}" for n in range(4)])
    (RunnableParallel(a=chat, b=chat)).invoke(QUESTION)
    asyncio.run(chat.ainvoke(QUESTION))
    asyncio.run(drained(chat.astream(QUESTION)))
    plain = make(langchain.WorkersAI, model=model, max_tokens=120)
    plain.generate([QUESTION, "The ferry leaves", "The comet"])
    list(plain.stream(QUESTION))


def llama_index_work(make: Make, model: str) -> None:
    llm = make(llama_index.WorkersAI, model=model, max_tokens=60)
    messages = [ChatMessage(role="user", content=QUESTION)]
    llm.chat(messages)
    llm.complete(QUESTION)
    list(llm.stream_chat(messages))
    list(llm.stream_complete(QUESTION))
    asyncio.run(llm.achat(messages))
    asyncio.run(drained_later(llm.astream_chat(messages)))


def embedding_work(make: Make, model: str) -> None:
    texts = [f"Passage {n} of the harbour book." for n in range(130)]
    make(langchain.WorkersAIEmbeddings, model=model).embed_documents(texts)
    asyncio.run(make(langchain.WorkersAIEmbeddings, model=model).aembed_query(QUESTION))
    make(llama_index.WorkersAIEmbedding, model_name=model).get_text_embedding_batch(texts)
    make(Client).embed(texts, model=model)


def ranking_work(make: Make, model: str) -> None:
    texts = [f"Passage {n} of the harbour book." for n in range(7)]
    client = make(Client)
    client.rerank(QUESTION, texts, model=model)
    asyncio.run(client.arerank(QUESTION, texts, model=model))


@pytest.mark.parametrize("model", [GEMMA, LLAMA, GPT, SMALL])
@pytest.mark.parametrize("work", [langchain_work, llama_index_work])
def test_the_totals_are_those_of_the_emulators_books(server: LocalServer, make: Make, work: Any, model: str):
    with NeuronMeter() as meter:
        work(make, model)
    agree(meter, server, apart=0)


@pytest.mark.parametrize("model", ["@cf/baai/bge-m3", "@cf/qwen/qwen3-embedding-0.6b", "@cf/baai/bge-base-en-v1.5"])
def test_the_totals_of_embeddings_are_those_of_the_books(server: LocalServer, make: Make, model: str):
    """bge-base tells its neurons in a header alone, to two places (quirk 72)."""
    with NeuronMeter() as meter:
        embedding_work(make, model)
    agree(meter, server, apart=0.005 * meter.calls if "base" in model else 0, tokens="qwen3" in model)


def test_the_totals_of_rankings_are_those_of_the_books(server: LocalServer, make: Make):
    with NeuronMeter() as meter:
        ranking_work(make, "@cf/baai/bge-reranker-base")
    agree(meter, server, apart=0)


def test_a_mixed_run_comes_out_to_the_last_neuron(server: LocalServer, make: Make):
    """Both frameworks, four models, streams, threads, embeddings, refused attempts and cached answers in one meter."""
    with NeuronMeter() as meter, ThreadPoolExecutor(1) as pool:
        for model in (GEMMA, LLAMA):
            langchain_work(make, model)
            llama_index_work(make, model)
        embedding_work(make, "@cf/baai/bge-m3")
        ranking_work(make, "@cf/baai/bge-reranker-base")
        cached = make(langchain.ChatWorkersAI, model=GEMMA, gateway={"id": "default", "cache_ttl": 3600})
        for _ in range(3):
            cached.invoke(QUESTION)
            list(cached.stream(QUESTION))
        with httpx.Client(transport=Flaky()) as refusing:
            flaky = make(langchain.ChatWorkersAI, model=GEMMA, http_client=refusing)
            assert flaky.invoke(QUESTION).text
            assert list(flaky.stream(QUESTION))
        with pytest.raises(langchain.ModelNotFoundError):
            make(llama_index.WorkersAI, model="@cf/does/not-exist").complete(QUESTION)
        pool.submit(make(langchain.ChatWorkersAI, model=GEMMA).invoke, QUESTION).result()  # inherits no meter
    assert meter.total.cache_hits == 4
    books = server.account.usage
    outside = books.charges[-1]
    assert meter.calls - meter.total.cache_hits == books.calls - 1
    assert math.isclose(meter.neurons, books.neurons - outside.neurons, abs_tol=0.5)


def agree(meter: NeuronMeter, server: LocalServer, *, apart: float, tokens: bool = True) -> None:
    """The meter and the books tell the same, call for call.

    apart: neurons by which they may differ besides rounding: prices stand in the catalogue in neurons, in the books in
    USD, both as printed, to a few thousandths.
    """
    books = server.account.usage
    total = meter.total
    assert (total.calls, total.unknown, total.estimated) == (books.calls, 0, 0)
    assert total.calls == len(books.charges)
    if tokens:
        assert (total.input_tokens, total.output_tokens) == (books.prompt_tokens, books.completion_tokens)
    rounded = 0.01 * total.neurons if total.computed else 1e-9
    assert math.isclose(total.neurons, books.neurons, rel_tol=1e-9, abs_tol=min(0.5, rounded + apart))


def test_a_budget_refuses_before_anything_is_sent(server: LocalServer, make: Make):
    chat = make(langchain.ChatWorkersAI, model=GEMMA)
    llm = make(llama_index.WorkersAI, model=GEMMA)
    with NeuronMeter(budget_neurons=0.5):
        chat.invoke(QUESTION)
        sent = len(server.requests)
        for use in (chat.invoke, llm.complete, make(langchain.WorkersAIEmbeddings).embed_query):
            with pytest.raises(BudgetExceededError):
                use(QUESTION)
        for stream in (chat.stream, llm.stream_complete):
            with pytest.raises(BudgetExceededError):
                list(stream(QUESTION))
    assert len(server.requests) == sent


def test_langchains_error_is_langchains_too(make: Make):
    from langchain_core.exceptions import ModelError

    with NeuronMeter(budget_neurons=0), pytest.raises(ModelError) as refused:
        make(langchain.ChatWorkersAI).invoke(QUESTION)
    assert isinstance(refused.value, BudgetExceededError)
    assert refused.value.is_retryable is False


# Handlers


def in_a_thread_without_context(work: Callable[[], Any]) -> Any:
    """As a library does that starts threads of its own: no context variable is inherited."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


@pytest.mark.parametrize("kind", ["ChatWorkersAI", "WorkersAI"])
def test_langchains_handler_counts_where_the_block_does_not_reach(server: LocalServer, make: Make, kind: str):
    meter = NeuronMeter()
    handler = langchain.NeuronMeterHandler(meter)
    model = make(getattr(langchain, kind), model=GEMMA, callbacks=[handler])
    with meter:
        in_a_thread_without_context(lambda: model.invoke(QUESTION, {"tags": ["nightly"]}))
        in_a_thread_without_context(lambda: list(model.stream(QUESTION)))
        in_a_thread_without_context(lambda: asyncio.run(model.ainvoke(QUESTION)))
        agree(meter, server, apart=0.0, tokens=kind == "ChatWorkersAI")
        assert meter.by_tag["nightly"].calls == 1
        model.invoke(QUESTION, {"tags": ["both"]})  # seen by the block and by the handler
        list(model.stream(QUESTION))
        asyncio.run(model.ainvoke(QUESTION))
    assert meter.by_tag["both"].calls == 1
    agree(meter, server, apart=0.0, tokens=kind == "ChatWorkersAI")


def test_what_langchains_own_cache_gives_does_not_count(make: Make):
    set_llm_cache(InMemoryCache())
    try:
        before = make(langchain.ChatWorkersAI, model=GEMMA)
        before.invoke(QUESTION)
        meter = NeuronMeter()
        with meter:
            before.invoke(QUESTION, {"callbacks": [langchain.NeuronMeterHandler(meter)]})
            plain = make(langchain.WorkersAI, model=GEMMA, callbacks=[langchain.NeuronMeterHandler(meter)])
            plain.invoke(QUESTION)
            plain.invoke(QUESTION)
    finally:
        set_llm_cache(None)
    assert meter.calls == 1


def test_llama_indexs_handler_counts_where_the_block_does_not_reach(server: LocalServer, make: Make):
    meter = NeuronMeter()
    handler = llama_index.NeuronMeterHandler(meter)
    dispatcher = get_dispatcher()
    dispatcher.add_event_handler(handler)

    def work() -> None:
        llama_index_work(make, GEMMA)
        make(llama_index.WorkersAIEmbedding, model_name="@cf/qwen/qwen3-embedding-0.6b").get_text_embedding("One text.")

    try:
        with meter:
            in_a_thread_without_context(work)
            agree(meter, server, apart=0.0)
            work()
    finally:
        dispatcher.event_handlers.remove(handler)
    agree(meter, server, apart=0.0)
