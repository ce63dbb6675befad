"""The log of attempts: one record each, its facts as attributes, no bodies unless they are asked for."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from workers_ai import APIConnectionError, telemetry
from workers_ai.retry import RetryPolicy

FACTS = ("method", "path", "model", "attempt", "status", "request_id", "error", "code")
TOKEN = "tok-Zx81-secret-Qq47"


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.DEBUG, logger="workers_ai")
    return caplog


@pytest.fixture
def bodies() -> Iterator[None]:
    telemetry.log_bodies()
    yield
    telemetry.log_bodies(on=False)


def facts(record: logging.LogRecord) -> dict[str, Any]:
    return {name: getattr(record, name) for name in FACTS}


def test_a_good_attempt_is_one_record(service, way, told):
    way(service("answer-native-usage" if not way.streams else "stream-total-then-zeros").transport())
    (record,) = told.records
    assert (record.name, record.levelname) == ("workers_ai.transport", "DEBUG")
    shown = facts(record)
    assert (shown["method"], shown["attempt"], shown["status"], shown["error"]) == ("POST", 1, 200, None)
    assert shown["path"] == "ai/run/@cf/meta/llama-3.3-70b-instruct-fp8-fast"
    assert shown["model"] in record.getMessage()
    assert 0 <= record.duration < 60


def test_each_failed_attempt_is_a_record_and_each_pause_another(service, way, told):
    answer = "answer-native-usage" if not way.streams else "stream-total-then-zeros"
    way(service("error-3040-short", "error-7009-upstream", answer).transport())
    shown = [(record.levelname, record.attempt, record.status, record.error) for record in told.records]
    assert shown == [
        ("INFO", 1, 429, "CapacityError"),
        ("DEBUG", 1, 429, "CapacityError"),
        ("INFO", 2, 504, "ServerError"),
        ("DEBUG", 2, 504, "ServerError"),
        ("DEBUG", 3, 200, None),
    ]
    assert [record.code for record in told.records] == [3040, 3040, 7009, 7009, None]


def test_an_attempt_without_an_answer_has_no_status(service, whole_way, told):
    transport = service(httpx.ConnectError("refused")).transport(retry=RetryPolicy(max_retries=0))
    with pytest.raises(APIConnectionError):
        whole_way(transport)
    (record,) = told.records
    assert (record.status, record.error) == (None, "APIConnectionError")
    assert "no answer" in record.getMessage()


def test_bodies_are_not_told_unasked(service, way, told):
    way(service("answer-native-usage" if not way.streams else "stream-total-then-zeros").transport())
    assert "How is the tide?" not in told.text
    assert not [record for record in told.records if record.name == "workers_ai.bodies"]


def test_bodies_are_told_when_asked_for_and_the_token_is_masked(service, way, told, bodies):
    def echo(request: httpx.Request) -> httpx.Response:
        message = f"Bad headers: {request.headers['authorization']}"
        return httpx.Response(400, json={"errors": [{"code": 5006, "message": message}], "success": False})

    with pytest.raises(ValueError, match="Bad headers"):
        way(service(echo).transport())
    request, reply = [record for record in told.records if record.name == "workers_ai.bodies"]
    assert (request.direction, reply.direction) == ("request", "reply")
    assert "How is the tide?" in request.body
    assert "Bad headers" in reply.body
    assert TOKEN not in told.text


def test_of_a_stream_the_text_is_told(service, stream_way, told, bodies):
    text = stream_way(service("stream-total-then-zeros").transport()).text
    (reply,) = [record for record in told.records if getattr(record, "direction", "") == "reply"]
    assert text
    assert reply.body == text


def test_the_account_stands_in_no_record(service, way, told, bodies):
    way(service("answer-native-usage" if not way.streams else "stream-total-then-zeros").transport())
    assert "0123456789abcdef" * 2 not in told.text
    assert not any("0123456789abcdef" * 2 in str(vars(record)) for record in told.records)
