"""Tools and the choice among them go out as the service takes them (quirks 41 and 43)."""

from __future__ import annotations

from typing import Any

import pytest

from workers_ai.errors import BadRequestError
from workers_ai.wire.tools import WireTool, forced_names, tool_choice, tool_names, wire_tool


def tool(name: str, **more: Any) -> WireTool:
    return wire_tool({"type": "function", "function": {"name": name, **more}})


ADD, SUBTRACT = tool("add"), tool("subtract")


def named(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name}}


def test_name_description_and_parameters_are_always_there():
    """The older schema demands them."""
    assert ADD == {
        "type": "function",
        "function": {"name": "add", "description": "add", "parameters": {"type": "object", "properties": {}}},
    }


@pytest.mark.parametrize("nothing", [None, False, ""])
def test_a_description_without_a_value_is_not_sent(nothing: object):
    """quirk 43: `description: false` is refused, without a word."""
    assert tool("add", description=nothing)["function"]["description"] == "add"


def test_keys_without_a_value_are_left_out_and_others_kept():
    function = tool("add", strict=True, other=None)["function"]
    assert function["strict"] is True
    assert "other" not in function


@pytest.mark.parametrize("held", [{}, {"function": {}}, {"function": {"name": ""}}, {"function": None}])
def test_a_tool_without_a_name_is_refused_before_anything_is_sent(held: dict[str, Any]):
    with pytest.raises(BadRequestError, match="no name") as raised:
        wire_tool(held)
    assert raised.value.maybe_sent is False


def test_a_tool_is_rewritten_once():
    assert wire_tool(ADD) is ADD


def test_names_come_in_their_order():
    assert tool_names([SUBTRACT, ADD]) == ["subtract", "add"]


@pytest.mark.parametrize(
    ("choice", "one", "two", "forced"),
    [
        (None, None, None, []),
        (False, None, None, []),
        ("auto", "auto", "auto", []),
        ("none", "none", "none", []),
        ({"type": "auto"}, "auto", "auto", []),
        ("any", named("add"), "required", ["add", "subtract"]),
        ("required", named("add"), "required", ["add", "subtract"]),
        (True, named("add"), "required", ["add", "subtract"]),
        ({"type": "any"}, named("add"), "required", ["add", "subtract"]),
        ("add", named("add"), named("add"), ["add"]),
        (named("add"), named("add"), named("add"), ["add"]),
        ({"type": "tool", "name": "add"}, named("add"), named("add"), ["add"]),
    ],
)
def test_a_choice_becomes(choice: object, one: object, two: object, forced: list[str]):
    assert tool_choice(choice, [ADD]) == one
    assert tool_choice(choice, [ADD, SUBTRACT]) == two
    assert forced_names(two, [ADD, SUBTRACT]) == forced
    assert forced_names(one, [ADD]) == forced[:1]


@pytest.mark.parametrize("choice", ["any", "add", True, "nobody"])
def test_without_tools_there_is_no_choice(choice: object):
    assert tool_choice(choice, []) is None


@pytest.mark.parametrize("choice", ["multiply", named("multiply"), {"type": "tool", "name": "multiply"}])
def test_a_name_that_is_none_of_the_tools_is_an_error_that_tells_them(choice: object):
    with pytest.raises(BadRequestError, match=r"'multiply' is none of the tools \(add, subtract\)") as raised:
        tool_choice(choice, [ADD, SUBTRACT])
    assert raised.value.maybe_sent is False


@pytest.mark.parametrize("word", ["auto", "none", "any", "required"])
def test_a_tool_may_be_called_like_a_word_of_the_choice(word: str):
    assert tool_choice(word, [tool(word), ADD]) == named(word)
