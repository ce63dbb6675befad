"""Feedback by run, on the emulator."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableLambda

from langchain_workers_ai import ChatWorkersAI, GatewayFeedback, WorkersAI
from workers_ai import GatewayLogs, errors
from workers_ai.local import Account, Gateway, Guardrails, LocalServer


@pytest.fixture(scope="module")
def server() -> Iterator[LocalServer]:
    gateways = ["docs", Gateway("calm", guardrails=Guardrails(prompt=["dynamite"]))]
    with LocalServer(account=Account(gateways=gateways)) as running:
        yield running


@pytest.fixture
def connection(server: LocalServer) -> dict[str, Any]:
    return {"account_id": server.account_id, "api_token": server.api_token, "base_url": server.base_url}


@pytest.fixture
def feedback(connection: dict[str, Any]) -> GatewayFeedback:
    return GatewayFeedback("docs", **connection)


def given(server: LocalServer, log_id: str) -> tuple[Any, Any]:
    """Feedback and score of an entry of the log."""
    (entry,) = [entry for entry in server.account.gateway("docs").logs if entry["id"] == log_id]
    return entry.get("feedback"), entry.get("score")


@pytest.mark.parametrize("kind", [ChatWorkersAI, WorkersAI])
@pytest.mark.parametrize("way", ["invoke", "ainvoke", "stream", "astream"])
def test_a_model_s_run_is_judged_by_its_id(
    kind: Any, way: str, feedback: GatewayFeedback, connection: dict[str, Any], server: LocalServer
):
    model, run_id = kind(**connection, gateway="docs"), uuid4()
    config: Any = {"run_id": run_id, "callbacks": [feedback]}

    async def collect() -> None:
        async for _ in model.astream("Hello", config):
            pass

    match way:
        case "invoke":
            model.invoke("Hello", config)
        case "ainvoke":
            asyncio.run(model.ainvoke("Hello", config))
        case "stream":
            list(model.stream("Hello", config))
        case _:
            asyncio.run(collect())
    (log_id,) = feedback.log_ids(run_id)
    feedback.send(run_id, 1, score=0.5)
    assert given(server, log_id) == (1, 0.5)
    asyncio.run(feedback.asend(str(run_id), -1))
    assert given(server, log_id) == (-1, 0.5)


def test_a_chain_s_run_stands_for_every_call_in_it(
    feedback: GatewayFeedback, connection: dict[str, Any], server: LocalServer
):
    model = ChatWorkersAI(**connection, gateway="docs")
    inner = ChatPromptTemplate.from_template("Say only: {x}") | model | StrOutputParser()
    chain = RunnableLambda(lambda x: {"x": x}) | inner | (lambda text: {"x": text}) | inner
    run_id, other = uuid4(), uuid4()
    for id_ in (run_id, other):
        chain.invoke("one", {"run_id": id_, "callbacks": [feedback]})
    assert len(feedback.log_ids(run_id)) == 2
    assert not set(feedback.log_ids(run_id)) & set(feedback.log_ids(other))
    feedback.send(run_id, 1)
    assert {given(server, log_id)[0] for log_id in feedback.log_ids(run_id)} == {1}
    assert {given(server, log_id)[0] for log_id in feedback.log_ids(other)} == {None}


def test_runs_of_a_batch_are_kept_apart(feedback: GatewayFeedback, connection: dict[str, Any]):
    model = ChatWorkersAI(**connection, gateway="docs")
    ids = [uuid4() for _ in range(4)]
    asyncio.run(model.abatch(["Hello"] * 4, [{"run_id": id_, "callbacks": [feedback]} for id_ in ids]))
    found = [feedback.log_ids(id_) for id_ in ids]
    assert all(len(each) == 1 for each in found)
    assert len({each[0] for each in found}) == 4


def test_a_call_that_a_guardrail_blocked_can_be_judged(connection: dict[str, Any], server: LocalServer):
    feedback, run_id = GatewayFeedback(GatewayLogs("calm", **connection)), uuid4()
    with pytest.raises(errors.ContentFilteredError):
        ChatWorkersAI(**connection, gateway="calm").invoke("dynamite", {"run_id": run_id, "callbacks": [feedback]})
    feedback.send(run_id, -1)
    assert server.account.gateway("calm").logs[-1]["feedback"] == -1


def test_a_run_without_a_gateway_says_why_it_cannot_be_judged(feedback: GatewayFeedback, connection: dict[str, Any]):
    run_id = uuid4()
    ChatWorkersAI(**connection).invoke("Hello", {"run_id": run_id, "callbacks": [feedback]})
    with pytest.raises(errors.BadRequestError, match="passed no gateway"):
        feedback.send(run_id, 1)


def test_memory_is_bounded(connection: dict[str, Any]):
    feedback = GatewayFeedback("docs", max_runs=2, **connection)
    model, ids = ChatWorkersAI(**connection, gateway="docs"), [uuid4() for _ in range(3)]
    for run_id in ids:
        model.invoke("Hello", {"run_id": run_id, "callbacks": [feedback]})
    assert [len(feedback.log_ids(run_id)) for run_id in ids] == [0, 1, 1]


def test_it_shows_no_token(feedback: GatewayFeedback, connection: dict[str, Any]):
    assert connection["api_token"] not in f"{feedback!r} {vars(feedback)}"
