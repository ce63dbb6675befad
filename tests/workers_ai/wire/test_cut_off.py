"""Answers that ended at their token limit: told by the service or inferred, and said once (quirks 22 and 57)."""

from __future__ import annotations

import json
import warnings

import pytest

from workers_ai.exchange import Reply
from workers_ai.usage import Usage
from workers_ai.wire.answer import read_chat
from workers_ai.wire.cut_off import AnswerCutWarning, _tell_of_default, inferred_finish_reason, tell_if_cut
from workers_ai.wire.frame import stream_reader
from workers_ai.wire.reading import Reading

MODEL = "@cf/example/model"


@pytest.fixture(autouse=True)
def _nothing_was_said_before():
    _tell_of_default.cache_clear()


@pytest.mark.parametrize(
    ("output", "max_tokens", "default", "reason"),
    [
        (256, None, 256, "length"),
        (255, None, 256, "stop"),
        (10, 10, 256, "length"),
        (256, 1000, 256, "stop"),
        (9, 10, None, "stop"),
        (99999, None, None, "stop"),
    ],
)
def test_the_reason_is_inferred_from_the_tokens(output: int, max_tokens: int | None, default: int | None, reason: str):
    """The native form tells none."""
    usage = Usage(input_tokens=5, output_tokens=output)
    reading = Reading(MODEL, max_tokens=max_tokens, default_max_tokens=default)
    assert inferred_finish_reason(usage, reading) == reason


def test_without_usage_an_answer_just_stopped():
    assert inferred_finish_reason(None, Reading(MODEL, default_max_tokens=256)) == "stop"


def told(
    finish_reason: str | None, text: str, *, max_tokens: int | None = None, default: int | None = 256
) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        reading = Reading(MODEL, max_tokens=max_tokens, default_max_tokens=default)
        tell_if_cut(finish_reason, empty=not text, reading=reading)
    assert all(issubclass(each.category, AnswerCutWarning) for each in caught)
    return [str(each.message) for each in caught]


def test_an_answer_cut_at_the_models_own_limit_is_said_once_per_model():
    (said,) = told("length", "Once upon a")
    assert said == f"an answer of {MODEL} was cut off at the model's own limit of 256 tokens; set max_tokens"
    assert told("length", "Once upon a") == []


def test_where_the_limit_is_not_known_no_number_is_made_up():
    (said,) = told("length", "Once", default=None)
    assert said == f"an answer of {MODEL} was cut off at the model's own limit; set max_tokens"


def test_an_empty_answer_spent_its_tokens_on_reasoning_and_says_so_each_time():
    for _ in range(2):
        assert told("length", "", max_tokens=50) == [f"{MODEL} gave no text: reasoning used up max_tokens=50; raise it"]


@pytest.mark.parametrize("reason", ["stop", "tool_calls", None, "content_filter"])
def test_an_answer_that_ended_by_itself_says_nothing(reason: str | None):
    assert told(reason, "") == []


def test_who_set_a_limit_is_not_told_of_it():
    assert told("length", "Once upon", max_tokens=10) == []


@pytest.mark.filterwarnings("ignore:an answer of")
def test_a_call_that_was_cut_off_is_no_empty_answer():
    """It did not spend its tokens on reasoning."""
    call = {"id": "a", "function": {"name": "f", "arguments": '{"a": '}}
    body = {"choices": [{"message": {"content": None, "tool_calls": [call]}, "finish_reason": "length"}]}
    answer = read_chat(Reply(200, {}, json.dumps(body).encode()), Reading(MODEL, max_tokens=3))
    assert answer.choices[0].tool_calls[0].arguments is None
    frame = {"choices": [{"delta": {"tool_calls": [{"index": 0, **call}]}, "finish_reason": "length"}]}
    reader = stream_reader(Reading(MODEL, max_tokens=3))(Reply(200, {}))
    deltas = [*reader.feed(f"data: {json.dumps(frame)}\n\ndata: [DONE]\n\n".encode()), *reader.close()]
    assert deltas[-1].facts is not None
    assert deltas[-1].facts.finish_reason == "length"
