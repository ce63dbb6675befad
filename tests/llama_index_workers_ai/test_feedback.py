"""Feedback by run, on the emulator."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from llama_index.core import Document, VectorStoreIndex
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.dispatcher import instrument_tags
from llama_index.core.llms import ChatMessage

from llama_index_workers_ai import GatewayFeedback, WorkersAI, WorkersAIEmbedding
from workers_ai import GatewayLogs, errors
from workers_ai.local import LocalServer

MESSAGES = [ChatMessage(role="user", content="Hello")]


@pytest.fixture
def feedback(connection: dict[str, Any]) -> Iterator[GatewayFeedback]:
    handler = GatewayFeedback("default", **connection)
    yield handler
    handler.detach()


@pytest.fixture
def llm(connection: dict[str, Any]) -> WorkersAI:
    return WorkersAI(**connection, gateway="default")


def given(server: LocalServer, log_id: str) -> Any:
    """The feedback of an entry of the log."""
    (entry,) = [entry for entry in server.account.gateway("default").logs if entry["id"] == log_id]
    return entry.get("feedback")


async def _astream(items: Any) -> None:
    async for _ in await items:
        pass


WAYS = {
    "chat": lambda llm: llm.chat(MESSAGES),
    "achat": lambda llm: asyncio.run(llm.achat(MESSAGES)),
    "stream_chat": lambda llm: list(llm.stream_chat(MESSAGES)),
    "astream_chat": lambda llm: asyncio.run(_astream(llm.astream_chat(MESSAGES))),
    "complete": lambda llm: llm.complete("Hello"),
    "acomplete": lambda llm: asyncio.run(llm.acomplete("Hello")),
    "stream_complete": lambda llm: list(llm.stream_complete("Hello")),
    "astream_complete": lambda llm: asyncio.run(_astream(llm.astream_complete("Hello"))),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
def test_a_run_is_judged_by_its_id(way: Any, feedback: GatewayFeedback, llm: WorkersAI, server: LocalServer):
    with feedback.run() as run_id:
        way(llm)
    (log_id,) = feedback.log_ids(run_id)
    feedback.send(run_id, 1)
    assert given(server, log_id) == 1
    asyncio.run(feedback.asend(run_id, -1))
    assert given(server, log_id) == -1


def test_a_stream_belongs_to_the_block_where_it_began(feedback: GatewayFeedback, llm: WorkersAI):
    with feedback.run() as run_id:
        items = llm.stream_chat(MESSAGES)
    with feedback.run() as other:
        list(items)
    assert len(feedback.log_ids(run_id)) == 1
    assert feedback.log_ids(other) == ()


def test_blocks_in_each_other_both_hold_a_call(feedback: GatewayFeedback, llm: WorkersAI):
    with feedback.run("outer"):
        llm.complete("Hello")
        with feedback.run("inner"):
            llm.complete("Hello")
    assert (len(feedback.log_ids("outer")), len(feedback.log_ids("inner"))) == (2, 1)


def test_tasks_keep_their_runs_apart(feedback: GatewayFeedback, llm: WorkersAI):
    async def one() -> str:
        with feedback.run() as run_id:
            await llm.acomplete("Hello")
        return run_id

    async def several() -> list[str]:
        return await asyncio.gather(*(one() for _ in range(4)))

    found = [feedback.log_ids(run_id) for run_id in asyncio.run(several())]
    assert all(len(each) == 1 for each in found)
    assert len(set(found)) == 4


@pytest.mark.parametrize("streaming", [False, True])
def test_a_query_engine_s_call_is_its_run_s(
    streaming: bool, feedback: GatewayFeedback, llm: WorkersAI, connection: dict[str, Any]
):
    documents = [Document(text="The harbour of Lunden closes at nine in the evening.")]
    index = VectorStoreIndex.from_documents(documents, embed_model=WorkersAIEmbedding(**connection))
    engine = index.as_query_engine(llm=llm, streaming=streaming)
    with feedback.run() as run_id:
        assert "nine" in str(engine.query("When does the harbour close?"))
    assert len(feedback.log_ids(run_id)) == 1


def test_an_agent_s_calls_are_its_run_s(feedback: GatewayFeedback, llm: WorkersAI):
    def weather(city: str) -> str:
        """Current weather in a city."""
        return f"drizzle in {city}"

    async def ask() -> str:
        agent = FunctionAgent(tools=[weather], llm=llm)
        with feedback.run() as run_id:
            await agent.run("What is the weather in Oslo?")
        return run_id

    assert len(feedback.log_ids(asyncio.run(ask()))) == 2


def test_a_tag_names_a_run_too_and_without_one_the_span_does(feedback: GatewayFeedback, llm: WorkersAI):
    feedback.attach()
    feedback.attach()
    assert sum(handler is feedback for handler in get_dispatcher().event_handlers) == 1
    feedback._feedback.runs.begin("mine")
    with instrument_tags({"run_id": "mine"}):
        llm.complete("Hello")
    assert len(feedback.log_ids("mine")) == 1
    feedback.detach()
    with instrument_tags({"run_id": "mine"}):
        llm.complete("Hello")
    assert len(feedback.log_ids("mine")) == 1


def test_a_run_without_a_gateway_says_why_it_cannot_be_judged(feedback: GatewayFeedback, connection: dict[str, Any]):
    with feedback.run() as run_id:
        WorkersAI(**connection).complete("Hello")
    with pytest.raises(errors.BadRequestError, match="passed no gateway"):
        feedback.send(run_id, 1)


def test_it_takes_a_log_and_shows_no_token(connection: dict[str, Any]):
    handler = GatewayFeedback(GatewayLogs("default", **connection))
    assert connection["api_token"] not in f"{handler!r} {handler.model_dump()} {handler.__pydantic_private__}"
