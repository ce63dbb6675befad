"""A gateway's log, on the emulator and behind a stand-in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from workers_ai import Client, Gateway, GatewayLog, GatewayLogs, errors
from workers_ai.local import Account, LocalServer
from workers_ai.local import Gateway as Emulated

LLAMA = "@cf/meta/llama-3.3-70b-instruct-fp8-fast"
GEMMA = "@cf/google/gemma-4-26b-a4b-it"


@pytest.fixture(scope="module")
def server() -> Iterator[LocalServer]:
    with LocalServer(account=Account(gateways=["docs", Emulated("late", log_lag=0.25), "empty"])) as running:
        yield running


@pytest.fixture
def connection(server: LocalServer) -> dict[str, Any]:
    server.clear()
    return {"account_id": server.account_id, "api_token": server.api_token, "base_url": server.base_url}


class Plain:
    """The four operations, called as they are."""

    def __init__(self, logs: GatewayLogs) -> None:
        self.logs = logs

    def list(self, **options: Any) -> list[GatewayLog]:
        return list(self.logs.list(**options))

    def get(self, log_id: Any) -> GatewayLog:
        return self.logs.get(log_id)

    def feedback(self, *arguments: Any, **options: Any) -> None:
        self.logs.feedback(*arguments, **options)


class Async(Plain):
    """The same by their async twins."""

    def list(self, **options: Any) -> list[GatewayLog]:
        async def collect() -> list[GatewayLog]:
            return [log async for log in self.logs.alist(**options)]

        return asyncio.run(collect())

    def get(self, log_id: Any) -> GatewayLog:
        return asyncio.run(self.logs.aget(log_id))

    def feedback(self, *arguments: Any, **options: Any) -> None:
        asyncio.run(self.logs.afeedback(*arguments, **options))


Make = Callable[..., Plain]


@pytest.fixture(params=[Plain, Async])
def make(request: pytest.FixtureRequest, connection: dict[str, Any]) -> Make:
    """Makes the log of a gateway, plain and async."""
    return lambda gateway="docs", **more: request.param(GatewayLogs(gateway, **{**connection, **more}))


def ask(
    connection: dict[str, Any], text: str = "Hello", gateway: str = "docs", *, model: str = LLAMA, **options: Any
) -> str:
    """Asks, and gives the id in the log."""
    answer = Client(**connection, gateway=Gateway(gateway, **options)).chat(text, model=model)
    return str(answer.facts.gateway["log_id"])


def test_an_entry_tells_what_it_cost_and_feedback_comes_back(make: Make, connection: dict[str, Any]):
    logs = make()
    log_id = ask(connection, metadata={"team": "docs", "n": 3})
    logs.feedback(log_id, -1, score=0.25, metadata={"reviewer": "r-1"})
    log = logs.get(log_id)
    assert (log.id, log.model, log.provider, log.success, log.cached) == (log_id, LLAMA, "workers-ai", True, False)
    assert (log.feedback, log.score) == (-1, 0.25)
    assert dict(log.metadata) == {"team": "docs", "n": 3, "reviewer": "r-1"}
    assert all([log.tokens_in, log.tokens_out, log.cost])
    assert log.created_at is not None
    assert abs(datetime.now(UTC) - log.created_at) < timedelta(minutes=5)
    logs.feedback(log_id, 1)
    assert (logs.get(log_id).feedback, logs.get(log_id).score) == (1, 0.25)
    logs.feedback(log_id, None, score=1)
    assert (logs.get(log_id).feedback, logs.get(log_id).score) == (1, 1)


def test_an_entry_that_comes_late_is_waited_for(make: Make, connection: dict[str, Any], server: LocalServer):
    """Both to read it and to put feedback on it (quirk 97)."""
    logs = make("late")
    first = ask(connection, gateway="late")
    assert logs.get(first).id == first
    second = ask(connection, gateway="late")
    logs.feedback(second, 1)
    assert logs.get(second).feedback == 1
    assert len(server.requests) > 5


def test_an_entry_that_never_comes_is_told_with_what_to_do(make: Make):
    with pytest.raises(errors.GatewayError, match="a moment after its answer") as caught:
        make("empty").get("no-such-entry")
    assert caught.value.status == 404


def test_a_list_is_read_page_by_page_as_it_is_asked_for(make: Make, connection: dict[str, Any], server: LocalServer):
    server.account.add_gateway("many")
    asked = [ask(connection, f"Say only: {number}", "many") for number in range(5)]
    logs = make("many")
    server.clear()
    found = logs.list(per_page=2)
    assert [log.id for log in found] == asked[::-1]
    assert [request.query["page"] for request in server.requests] == [["1"], ["2"], ["3"]]
    assert [log.id for log in logs.list(per_page=2, limit=3)] == asked[:1:-1]
    assert [log.id for log in logs.list(order_by_direction="asc", limit=1)] == asked[:1]
    assert logs.list(limit=0) == []
    assert logs.list(search="Say only: 3")[0].id == asked[3]


def test_no_second_page_is_asked_for_before_it_is_needed(connection: dict[str, Any], server: LocalServer):
    ask(connection)
    ask(connection)
    server.clear()
    next(iter(GatewayLogs("docs", **connection).list(per_page=1)))
    assert len(server.requests) == 1


FILTERS: list[tuple[dict[str, Any], bool]] = [
    ({"success": True}, True),
    ({"success": False}, False),
    ({"cached": False}, True),
    ({"cached": True}, False),
    ({"provider": "workers-ai"}, True),
    ({"provider": "openai"}, False),
    ({"model": GEMMA}, True),
    ({"model": LLAMA}, False),
    ({"feedback": 1}, True),
    ({"feedback": 0}, False),
    ({"min_tokens_in": 1, "max_tokens_out": 100_000}, True),
    ({"min_total_tokens": 1_000_000}, False),
    ({"min_cost": 1.0}, False),
    ({"max_duration": 600_000}, True),
    ({"meta_info": "t-77"}, True),
    ({"meta_info": "t-78"}, False),
    ({"start_date": datetime(2026, 1, 1, tzinfo=UTC)}, True),
    ({"end_date": "2026-01-01T00:00:00Z"}, False),
    ({"filters": [{"key": "metadata.value", "operator": "eq", "value": ["t-77"]}]}, True),
    ({"filters": [{"key": "metadata.key", "operator": "neq", "value": ["trace"]}]}, False),
    ({"filters": [{"key": "feedback", "operator": "gt", "value": [0]}]}, True),
    ({"filters": [{"key": "model", "operator": "contains", "value": ["gemma"]}]}, True),
]


@pytest.fixture(scope="module")
def marked(server: LocalServer) -> str:
    """An entry that the filters are tried on."""
    told = {"account_id": server.account_id, "api_token": server.api_token, "base_url": server.base_url}
    log_id = ask(told, model=GEMMA, metadata={"trace": "t-77"})
    GatewayLogs("docs", **told).feedback(log_id, 1)
    return log_id


@pytest.mark.parametrize(("filters", "found"), FILTERS)
def test_each_filter_narrows_the_list(connection: dict[str, Any], marked: str, filters: dict[str, Any], found: bool):
    listed = {log.id for log in GatewayLogs("docs", **connection).list(**filters)}
    assert (marked in listed) is found


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"per_page": 0}, "per_page"),
        ({"per_page": 51}, "per_page"),
        ({"limit": -1}, "limit"),
        ({"order_by": "cost"}, "order_by"),
        ({"order_by_direction": "up"}, "order_by_direction"),
        ({"cached": "yes"}, "cached"),
        ({"feedback": -1}, "feedback"),
        ({"min_cost": "1"}, "min_cost"),
        ({"max_tokens_in": True}, "max_tokens_in"),
        ({"start_date": "yesterday"}, "start_date"),
        ({"provider": 7}, "provider"),
        ({"filters": [{"key": "id"}]}, "filters"),
    ],
)
def test_a_wrong_filter_is_refused_before_anything_is_sent(
    make: Make, server: LocalServer, arguments: dict[str, Any], named: str
):
    with pytest.raises(errors.BadRequestError, match=named) as caught:
        make().list(**arguments)
    assert caught.value.maybe_sent is False
    assert not server.requests


def test_an_unknown_filter_names_the_nearest(make: Make):
    with pytest.raises(TypeError, match="did you mean max_cost"):
        make().list(maxcost=1)


@pytest.mark.parametrize(
    ("arguments", "options", "named"),
    [
        (("l", 2), {}, "value"),
        (("l", True), {}, "value"),
        (("l", "good"), {}, "value"),
        (("l", None), {}, "give a value"),
        (("l", 1), {"score": float("nan")}, "score"),
        (("l", 1), {"score": "high"}, "score"),
        (("l", 1), {"metadata": {"a": None}}, "metadata"),
        (("", 1), {}, "log_id"),
        ((None, 1), {}, "log_id"),
    ],
)
def test_wrong_feedback_is_refused_before_anything_is_sent(
    make: Make, server: LocalServer, arguments: Any, options: dict[str, Any], named: str
):
    with pytest.raises(errors.BadRequestError, match=named) as caught:
        make().feedback(*arguments, **options)
    assert caught.value.maybe_sent is False
    assert not server.requests


def test_the_log_of_no_gateway_is_refused_and_the_environment_names_one(
    connection: dict[str, Any], monkeypatch: pytest.MonkeyPatch
):
    with pytest.raises(errors.BadRequestError, match="gateway: name the one"):
        GatewayLogs(**connection).get("l")
    monkeypatch.setenv("CLOUDFLARE_AI_GATEWAY", "docs")
    log_id = ask(connection)
    assert GatewayLogs(**connection).get(log_id).id == log_id


def test_an_unknown_gateway_and_a_wrong_token_say_what_to_do(make: Make):
    with pytest.raises(errors.GatewayError) as unknown:
        make("absent").list()
    assert unknown.value.code == 2001
    with pytest.raises(errors.AuthenticationError, match="AI Gateway Read and Edit"):
        make(api_token="wrong").get("l")


@pytest.mark.parametrize(
    "body",
    [[], {"result": {}}, {"result": [{}]}, {"result": ["x"]}, {"result": None}, {"success": False, "errors": []}],
)
def test_an_answer_of_another_shape_is_an_error_of_the_family(body: Any):
    client = httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(200, json=body)))
    logs = GatewayLogs("docs", account_id="0" * 32, api_token="t", http_client=client)
    with pytest.raises(errors.WorkersAIError):
        list(logs.list())


def test_an_entry_is_read_by_what_is_there():
    log = GatewayLog.read({"id": "l", "metadata": "no json", "created_at": "2026-10-02 10:00:00"})
    assert (log.metadata, log.cost, log.created_at) == ({}, None, datetime(2026, 10, 2, 10, tzinfo=UTC))
