"""The sans-IO contract: values and nothing else."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError

import pytest

from workers_ai.exchange import Exchange, Reply, Request


@pytest.mark.parametrize(
    ("content_type", "is_json"),
    [
        ("application/json", True),
        ("application/json; charset=utf-8", True),
        ("application/problem+json", True),
        ("Application/JSON", True),
        ("text/event-stream", False),
        ("text/html", False),
        (None, False),
    ],
)
def test_a_reply_is_json_when_the_service_calls_it_so(content_type: str | None, is_json: bool):
    assert Reply(200, {"content-type": content_type} if content_type else {}).is_json is is_json


@pytest.mark.parametrize(
    ("headers", "request_id"),
    [
        ({}, None),
        ({"cf-ray": "ray"}, "ray"),
        ({"cf-ai-req-id": "req"}, "req"),
        ({"cf-ai-req-id": "req", "cf-ray": "ray"}, "req"),
        ({"cf-ai-req-id": "", "cf-ray": "ray"}, "ray"),
    ],
)
def test_the_service_s_own_id_goes_before_the_edge_s(headers: dict[str, str], request_id: str | None):
    assert Reply(200, headers).request_id == request_id


def test_a_body_that_is_no_utf_8_can_still_be_read():
    assert Reply(200, {}, b"caf\xe9").text == "caf\ufffd"


def test_a_body_that_is_no_json_is_a_value_error():
    with pytest.raises(ValueError):  # noqa: PT011 - the parser's own words
        Reply(200, {}, b"<html>").json()


def test_requests_and_replies_are_frozen_and_survive_pickle_and_copy():
    request = Request("ai/run/@cf/a/b", b"{}", "@cf/a/b", {"x": "y"})
    reply = Reply(200, {"x": "y"}, b"{}")
    for value in (request, reply):
        assert pickle.loads(pickle.dumps(value)) == value == copy.deepcopy(value)
    with pytest.raises(FrozenInstanceError):
        request.path = "elsewhere"  # type: ignore[misc]


def test_an_exchange_is_not_asked_twice_unless_it_says_so():
    exchange = Exchange(Request("p", b"", "m"), lambda reply: reply.body)
    assert (exchange.idempotent, exchange.reader, exchange.unstreamed) == (False, None, None)
