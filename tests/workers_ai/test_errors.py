"""The family of errors: fields, one line of text, pickles, and the classes of a framework in their stead."""

from __future__ import annotations

import copy
import inspect
import pickle
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers_ai import errors as e
from workers_ai.exchange import Reply

FAMILY = [getattr(e, name) for name in e.__all__ if inspect.isclass(getattr(e, name))]

FIELDS: dict[str, Any] = {
    "status": 429,
    "code": 3040,
    "request_id": "req-1",
    "model": "@cf/a/b",
    "hint": "Try later",
    "retryable": True,
    "maybe_sent": False,
    "response": Reply(429, {"retry-after": "1"}, b"{}"),
    "partial": "so far",
}


def test_the_drawing_at_the_head_of_the_file_is_the_family():
    drawn = re.findall(r"(\w+Error)\b  |^(\w+Error)$", inspect.getdoc(e) or "", re.MULTILINE)
    assert {one or other for one, other in drawn} == {kind.__name__ for kind in FAMILY}


@pytest.mark.parametrize("kind", FAMILY)
def test_each_says_in_its_docstring_what_it_is(kind: type[e.WorkersAIError]):
    assert issubclass(kind, e.WorkersAIError)
    assert kind.__doc__


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [
        (e.BadRequestError, ValueError),
        (e.ContextLengthError, ValueError),
        (e.ContentFilteredError, ValueError),
        (e.APIConnectionError, ConnectionError),
        (e.APITimeoutError, TimeoutError),
        (e.ContextLengthError, e.BadRequestError),
        (e.ContentFilteredError, e.BadRequestError),
        (e.CapacityError, e.RateLimitError),
    ],
)
def test_each_is_caught_as_what_it_is(kind: type[e.WorkersAIError], builtin: type[Exception]):
    with pytest.raises(builtin):
        raise kind("no")


@pytest.mark.parametrize("kind", FAMILY)
@pytest.mark.parametrize("copied", [lambda error: pickle.loads(pickle.dumps(error)), copy.copy, copy.deepcopy])
@pytest.mark.parametrize("fields", [{}, FIELDS])
def test_each_survives_pickle_and_copy_with_all_its_fields(
    kind: type[e.WorkersAIError], copied: Any, fields: dict[str, Any]
):
    error = kind("no room", **fields)
    if isinstance(error, e.ContextLengthError):
        error.tokens, error.limit = 9, 8
    other = copied(error)
    assert type(other) is kind
    assert other.fields() == error.fields()
    assert (str(other), other.args) == (str(error), error.args)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_every_pickle_protocol_holds_them(protocol: int):
    error = e.APITimeoutError("late", **FIELDS)
    assert pickle.loads(pickle.dumps(error, protocol)).fields() == error.fields()


@pytest.mark.parametrize("kind", FAMILY)
def test_the_fields_are_all_that_the_constructor_takes(kind: type[e.WorkersAIError]):
    error = kind("no", **FIELDS)
    told = error.fields()
    assert told.items() >= FIELDS.items()
    assert kind.rebuild(told).fields() == told


@pytest.mark.parametrize(
    ("kind", "retryable"),
    [
        (kind, kind in (e.RateLimitError, e.CapacityError, e.ServerError, e.APIConnectionError, e.APITimeoutError))
        for kind in FAMILY
    ],
)
def test_each_class_knows_whether_it_passes(kind: type[e.WorkersAIError], retryable: bool):
    assert kind("no").retryable is retryable
    assert kind("no", retryable=not retryable).retryable is not retryable


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "No room."),
        ({"status": 429}, "No room (HTTP 429)"),
        ({"code": 3040, "status": 429}, "No room (code 3040, HTTP 429)"),
        (
            {"code": 3040, "status": 429, "model": "@cf/a/b", "request_id": "r"},
            "No room (code 3040, HTTP 429, model @cf/a/b, request id r)",
        ),
        ({"hint": "Try later"}, "No room. Try later"),
        ({"status": 429, "hint": "Try later"}, "No room (HTTP 429). Try later"),
        ({"code": 0}, "No room (code 0)"),
    ],
)
def test_the_text_is_what_failed_its_numbers_and_what_to_do(fields: dict[str, Any], text: str):
    assert str(e.RateLimitError("No room.", **fields)) == text


@given(message=st.text(max_size=60), hint=st.sampled_from([None, "Try later"]))
def test_the_text_is_one_line(message: str, hint: str | None):
    text = str(e.ServerError(message, status=500, hint=hint))
    assert len(text.splitlines()) <= 1


def test_the_status_has_the_name_that_others_use_too():
    error = e.ServerError("no", status=503, response=Reply(503, {}, b'{"a": 1}'))
    assert error.status_code == 503
    assert error.response is not None
    assert (error.response.status_code, error.response.text, error.response.json()) == (503, '{"a": 1}', {"a": 1})


class OursAndTheirs(e.ContextLengthError):
    """What an adapter raises: nothing added."""


def test_recast_changes_the_class_and_nothing_else():
    error = e.ContextLengthError("too long", **FIELDS)
    error.tokens, error.limit = 9, 8
    cause = ConnectionResetError("gone")
    error.__cause__ = cause
    other = e.recast(error, {e.ContextLengthError: OursAndTheirs})
    assert type(other) is OursAndTheirs
    assert other.fields() == error.fields()
    assert other.__cause__ is cause


def test_recast_goes_by_the_very_class_and_leaves_the_others_as_they_are():
    error = e.ContextLengthError("too long")
    assert e.recast(error, {}) is error
    assert e.recast(error, {e.BadRequestError: OursAndTheirs}) is error
