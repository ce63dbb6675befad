"""The batch queue on the wire: what goes out, and what a poll tells."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers_ai import errors as e
from workers_ai.exchange import Reply
from workers_ai.wire import queue

MODEL = "@cf/baai/bge-m3"


def reply(result: Any, **headers: str) -> Reply:
    body = {"result": result, "success": True, "errors": [], "messages": []}
    return Reply(200, {"content-type": "application/json", **headers}, json.dumps(body).encode())


@given(body=st.dictionaries(st.text(), st.text() | st.integers()), reference=st.text())
def test_an_item_is_its_own_body_with_a_reference_on_it(body: dict[str, Any], reference: str):
    item = queue.encode_item(json.dumps(body).encode(), reference.encode("utf-8", "replace").decode())
    assert json.loads(queue.encode([item]))["requests"] == [
        {**body, "external_reference": json.loads(item)["external_reference"]}
    ]


@given(
    items=st.lists(st.integers(0, 40).map(lambda size: b"x" * size), max_size=30),
    max_bytes=st.integers(60, 120),
    max_items=st.integers(1, 9),
)
def test_items_are_cut_into_requests_within_both_limits_and_none_is_lost(
    items: list[bytes], max_bytes: int, max_items: int
):
    parts = list(queue.cut(items, max_bytes=max_bytes, max_items=max_items))
    assert [item for part in parts for item in part] == items
    assert all(0 < len(part) <= max_items and len(queue.encode(part)) < max_bytes for part in parts)


def test_as_many_items_as_fit_share_a_request():
    assert list(map(len, queue.cut([b"{}"] * 2500))) == [1000, 1000, 500]
    assert list(map(len, queue.cut([b"x" * 4_000_000] * 5))) == [2, 2, 1]


def test_a_submission_is_answered_by_an_id():
    assert queue.read_request_id(reply({"status": "queued", "request_id": "r-1", "model": MODEL}), model=MODEL) == "r-1"


@pytest.mark.parametrize("result", [{}, None, {"request_id": None}, {"request_id": 5}, {"data": [[1.0]]}, "r-1"])
def test_a_submission_without_an_id_is_no_success(result: Any):
    with pytest.raises(e.InvalidResponseError, match="request_id"):
        queue.read_request_id(reply(result), model=MODEL)


@pytest.mark.parametrize(
    ("status", "state"), [("queued", "queued"), ("running", "running"), ("in_progress", "running")]
)
def test_a_status_alone_means_unfinished(status: str, state: str):
    polled = queue.read_poll(reply({"status": status, "request_id": "r-1", "model": MODEL}), model=MODEL)
    assert (polled.state, polled.answers) == (state, None)


@pytest.mark.parametrize("extra", [{}, {"status": "completed"}, {"status": "queued"}])
def test_responses_mean_done_whatever_the_status_says(extra: dict[str, Any]):
    told = {"responses": [{"id": 0, "result": {"x": 1}, "success": True, "external_reference": None}], **extra}
    polled = queue.read_poll(reply(told), model=MODEL)
    assert (polled.state, polled.answers) == ("done", [queue.Answered(0, None, {"x": 1})])


@pytest.mark.parametrize("key", ["results", None])
def test_other_places_of_the_answers_are_known(key: str | None):
    answers = [{"id": 0, "result": {"x": 1}, "success": True}]
    polled = queue.read_poll(reply({key: answers} if key else answers), model=MODEL)
    assert polled.answers == [queue.Answered(0, None, {"x": 1})]


def test_an_answer_without_its_wrapping_is_the_answer():
    polled = queue.read_poll(reply({"responses": [{"response": "Hi", "id": "chat-1"}]}), model=MODEL)
    assert polled.answers == [queue.Answered(None, None, {"response": "Hi", "id": "chat-1"})]


@pytest.mark.parametrize(
    "failed",
    [
        {"success": False, "errors": [{"message": "AiError: Sequence too long", "code": 3030}]},
        {"success": False, "error": {"message": "Sequence too long", "code": 3030}},
        {"success": False, "error": "Sequence too long"},
    ],
)
def test_an_item_that_failed_holds_its_error_in_any_shape(failed: dict[str, Any]):
    (answer,) = queue.read_poll(reply({"responses": [{"id": 3, **failed}]}), model=MODEL).answers or ()
    assert answer.id == 3
    assert isinstance(answer.error, e.ContextLengthError)
    assert "Sequence too long" in answer.error.message
    assert answer.error.model == MODEL


def test_an_item_that_failed_without_a_word_is_a_failure_all_the_same():
    (answer,) = queue.read_poll(reply({"responses": [{"id": 0, "success": False}]}), model=MODEL).answers or ()
    assert isinstance(answer.error, e.WorkersAIError)


@pytest.mark.parametrize(
    "result", [{"status": "failed", "error": "out of memory"}, {"status": "error"}, {"error": {"message": "gone"}}]
)
def test_work_that_failed_as_a_whole_raises_and_is_not_asked_for_again(result: dict[str, Any]):
    with pytest.raises(e.WorkersAIError) as caught:
        queue.read_poll(reply(result), model=MODEL)
    assert caught.value.retryable is False


@pytest.mark.parametrize("result", [{}, None, {"responses": None}, "queued", 5])
def test_a_poll_that_tells_nothing_is_unreadable(result: Any):
    with pytest.raises(e.InvalidResponseError, match="Neither responses nor a status"):
        queue.read_poll(reply(result), model=MODEL)


def test_the_tokens_of_the_whole_are_no_answers_own():
    """The header tells of all inputs together: no single answer may claim it."""
    told = {"responses": [], "usage": {"prompt_tokens": 12, "completion_tokens": 0, "total_tokens": 12}}
    polled = queue.read_poll(reply(told, **{"cf-ai-neurons": "0.5", "cf-ray": "r"}), model=MODEL)
    assert polled.facts is not None
    assert polled.facts.usage is not None
    assert (polled.facts.usage.total_tokens, polled.facts.usage.neurons) == (12, 0.5)
    assert polled.head.headers == {"content-type": "application/json", "cf-ray": "r"}


@pytest.mark.parametrize("whole", [{}, {"usage": None}, {"usage": {"total_tokens": 0}}])
def test_tokens_that_are_not_told_of_the_whole_are_those_of_the_answers(whole: dict[str, Any]):
    items = [{"id": at, "success": True, "result": {"usage": {"prompt_tokens": at, "neurons": 1.5}}} for at in (1, 2)]
    polled = queue.read_poll(reply({"responses": items, **whole}), model=MODEL)
    assert polled.facts is not None
    assert polled.facts.usage is not None
    assert polled.facts.cost is not None
    assert (polled.facts.usage.total_tokens, polled.facts.cost.neurons) == (3, 3.0)


def test_unfinished_work_has_no_facts():
    """Whoever counts answers by their facts counts the work once, when it is there."""
    assert queue.read_poll(reply({"status": "running"}), model=MODEL).facts is None
