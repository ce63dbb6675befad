"""JSON that is mostly numbers."""

from __future__ import annotations

import builtins
import math
from typing import Any

import pytest

from workers_ai.wire import numbers


@pytest.fixture(params=["orjson", "pydantic"])
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Both parsers: orjson is there under LangChain, and need not be elsewhere."""
    real = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "orjson" and request.param != "orjson":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    if request.param == "orjson":
        pytest.importorskip("orjson")
    monkeypatch.setattr(builtins, "__import__", without)
    numbers._parser.cache_clear()
    yield numbers.parse_numbers
    numbers._parser.cache_clear()


@pytest.mark.parametrize("text", ['{"data": [[0.5, 1, -2e-3]]}', "[]", "null", '"\\u00e9"', "[1e999]"])
def test_both_parsers_give_the_same(parser: Any, text: str):
    assert parser(text.encode()) == numbers.from_json(text.encode())


def test_what_only_one_of_them_takes_is_taken(parser: Any):
    assert math.isnan(parser(b"[NaN]")[0])


@pytest.mark.parametrize("body", [b"", b"{", b"<html>", b"\xff", b"[1,]"])
def test_what_is_no_json_is_a_value_error(parser: Any, body: bytes):
    with pytest.raises(ValueError, match=r".+") as caught:
        parser(body)
    assert caught.value.__context__ is None, "another parser's error would hold the body, and what is secret in it"


def test_every_number_becomes_a_float():
    (row,) = numbers.rows_of_floats([[1, -0.5, 0]])
    assert (row, set(map(type, row))) == ([1.0, -0.5, 0.0], {float})


@pytest.mark.parametrize("bad", [[0.5, None], [0.5, "1.5"], [True], [[0.5]], "0.5", None, {"0": 1.0}, 0.5])
def test_a_row_with_anything_else_is_empty_and_the_others_stay(bad: object):
    assert numbers.rows_of_floats([[1.0], bad, [2.0]]) == [[1.0], [], [2.0]]
