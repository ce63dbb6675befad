"""Flat objects, OpenAI's objects, pieces of a stream and text that leaked become calls (quirks 32 to 40)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers_ai.wire.call_ids import inward_id, outward_id
from workers_ai.wire.tool_calls import CallAssembler, ToolCall, coerced, leaked_call, parsed_arguments, read_calls
from workers_ai.wire.tools import wire_tool

TOOL = wire_tool(
    {
        "function": {
            "name": "book",
            "parameters": {
                "type": "object",
                "properties": {
                    "seats": {"type": "integer"},
                    "price": {"type": ["number", "null"]},
                    "tags": {"anyOf": [{"type": "array"}, {"type": "null"}]},
                    "who": {"type": "object", "properties": {"age": {"type": "integer"}}},
                    "code": {"type": "string"},
                    "vip": {"type": "boolean"},
                    "any": {},
                },
            },
        }
    }
)


def whole(name: str, arguments: object, **more: Any) -> dict[str, Any]:
    return {**more, "function": {"name": name, "arguments": arguments}}


def told(calls: list[ToolCall]) -> list[tuple[str, Any]]:
    return [(call.name, call.arguments) for call in calls]


def joined(assembler_frames: list[Any], assembler: CallAssembler | None = None) -> list[tuple[str, str]]:
    """Names and argument texts of the calls that frames add up to; also that their pieces are well formed."""
    assembler = assembler or CallAssembler()
    calls: dict[int, tuple[str, str]] = {}
    for frame in assembler_frames:
        pieces = assembler.add(frame)
        assert len({piece.index for piece in pieces}) == len(pieces), "one piece for each call in a frame"
        for piece in pieces:
            if piece.index not in calls:
                assert piece.name
                assert piece.id
                calls[piece.index] = (piece.name, piece.arguments)
            else:
                assert piece.name is None
                assert piece.id is None
                name, text = calls[piece.index]
                calls[piece.index] = (name, text + piece.arguments)
    assert set(calls) == set(range(len(calls)))
    return [calls[index] for index in sorted(calls)]


# Whole answers


@pytest.mark.parametrize(
    "call",
    [
        {"name": "f", "arguments": {"a": 1}},
        {"name": "f", "arguments": '{"a": 1}'},
        whole("f", {"a": 1}, id="x", type="function"),
        whole("f", '{"a": 1}', id="x"),
        whole("f", '{"a": 1}', id=None, index=0),
    ],
)
def test_either_form_is_read(call: dict[str, Any]):
    (found,) = read_calls([call])
    assert (found.name, found.arguments) == ("f", {"a": 1})
    assert json.loads(found.arguments_text) == {"a": 1}
    assert found.id


@pytest.mark.parametrize("calls", [None, [], {}, "f", 1, [None], ["f"], [{}], [{"function": None}], [{"name": 1}]])
def test_what_is_no_call_is_none(calls: object):
    assert read_calls(calls) == []


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("", {}),
        (" ", {}),
        ("{}", {}),
        ('{"a": [1]}', {"a": [1]}),
        ("[1]", None),
        ("{", None),
        ("null", None),
        ("x", None),
    ],
)
def test_arguments_are_a_json_object_or_none(text: str, arguments: object):
    assert parsed_arguments(text) == arguments


def test_invalid_arguments_stay_as_they_came():
    (call,) = read_calls([whole("f", '{"a": ')])
    assert call.arguments is None
    assert call.text == call.arguments_text == '{"a": '


@pytest.mark.parametrize(
    ("name", "value", "typed"),
    [
        ("seats", "2", 2),
        ("seats", "two", "two"),
        ("seats", "2.5", "2.5"),
        ("seats", "true", "true"),
        ("price", "2", 2),
        ("price", "2.5", 2.5),
        ("price", "null", None),
        ("tags", '["a"]', ["a"]),
        ("tags", "a", "a"),
        ("who", '{"age": 3}', {"age": 3}),
        ("who", {"age": "3"}, {"age": 3}),
        ("code", "007", "007"),
        ("code", "7", "7"),
        ("vip", "true", True),
        ("vip", "1", "1"),
        ("any", "1", "1"),
        ("unknown", "1", "1"),
        ("seats", 2, 2),
    ],
)
def test_a_string_takes_the_type_of_the_schema_where_it_is_one_of_it(name: str, value: object, typed: object):
    """quirk 40."""
    found = coerced({name: value}, TOOL["function"]["parameters"])
    assert found == {name: typed}
    assert type(found[name]) is type(typed)


# Text that leaked


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ('{"name": "book", "arguments": {"seats": 2}}', {"seats": 2}),
        ('{"name": "book", "parameters": {"seats": "2"}}', {"seats": 2}),
        ('{"type": "function", "name": "book", "seats": 2}', {"seats": 2}),
        ('\n {"name": "book", "arguments": "{\\"seats\\": 2}"} ', {"seats": 2}),
        ('{"name": "book"}', {}),
    ],
)
def test_a_leaked_call_is_one_where_its_tool_was_forced(text: str, arguments: dict[str, Any]):
    call = leaked_call(text, ["book"], [TOOL])
    assert call is not None
    assert (call.name, call.arguments) == ("book", arguments)
    assert leaked_call(text, [], [TOOL]) is None
    assert leaked_call(text, ["other"], [TOOL]) is None


@pytest.mark.parametrize("text", ["", "book", "[]", '{"name": "book"', '{"seats": 2}', 'Sure: {"name": "book"}'])
def test_other_text_is_no_call(text: str):
    assert leaked_call(text, ["book"], [TOOL]) is None


# Ids


def test_ids_are_the_wires_own_where_it_does_not_repeat_them():
    assert outward_id("chatcmpl-tool-1") == "chatcmpl-tool-1"
    assert outward_id(None) != outward_id(None)
    assert outward_id("") != outward_id("")


@given(st.text(max_size=20))
def test_any_id_comes_back_as_the_model_wrote_it(wire_id: str):
    """quirk 34, for those that a model repeats too."""
    for each in (wire_id, f"functions.{wire_id}:0"):
        if each and "\n" not in each and inward_id(each) == each:
            assert inward_id(outward_id(each)) == each


def test_ids_that_models_repeat_are_marked():
    first, second = outward_id("functions.f:0"), outward_id("functions.f:0")
    assert first != second
    assert inward_id(first) == inward_id(second) == "functions.f:0"


# Streams


ARGUMENTS = st.dictionaries(st.text(max_size=4), st.none() | st.integers() | st.text(max_size=6), max_size=3).map(
    json.dumps
)
CALLS = st.lists(st.tuples(st.sampled_from(["f", "g", "book"]), ARGUMENTS), min_size=1, max_size=4)


def cut(draw: Any, text: str) -> list[str]:
    """The text in pieces, some of them empty."""
    places = sorted(draw(st.lists(st.integers(0, len(text)), max_size=4)))
    return [text[start:end] for start, end in zip([0, *places], [*places, len(text)], strict=True)]


@st.composite
def streams(draw: Any) -> tuple[list[tuple[str, str]], list[list[dict[str, Any]]]]:
    """Calls, and the frames of a stream that cuts them in some way a model could."""
    calls = draw(CALLS)
    # How a piece says which call it belongs to: by index, by id, by both, or by coming in turn.
    by = draw(st.sampled_from(["index", "both", "id", "zero", "turn"]))
    repeats = draw(st.booleans()) and by in ("both", "id", "zero")  # names and ids in every piece
    late = draw(st.booleans()) and by in ("index", "both")  # the name in the last piece
    closes = draw(st.booleans()) and by in ("index", "both")  # with a piece of nulls
    pieces: list[list[dict[str, Any]]] = []
    for place, (name, text) in enumerate(calls):
        cuts = cut(draw, text)
        own = []
        for at, part in enumerate(cuts):
            function: dict[str, Any] = {"arguments": part}
            piece: dict[str, Any] = {"function": function}
            if by in ("index", "both"):
                piece["index"] = place
            elif by == "zero":
                piece["index"] = 0
            tells_id = by == "id" or (by in ("both", "zero") and (at == 0 or repeats))
            if tells_id or (by == "turn" and at == 0):
                piece["id"] = f"id-{place}"
            if at == (len(cuts) - 1 if late else 0) or (repeats and not late):
                function["name"] = name
            own.append(piece)
        if closes:
            own.append({"id": None, "type": None, "index": place, "function": {"name": None, "arguments": ""}})
        pieces.append(own)
    if by in ("index", "both", "id") and draw(st.booleans()):
        order = interleaved(draw, pieces)
    else:
        order = [piece for own in pieces for piece in own]
    frames: list[list[dict[str, Any]]] = [[]]
    for piece in order:
        if frames[-1] and draw(st.booleans()):
            frames.append([])
        frames[-1].append(piece)
    return calls, frames


def interleaved(draw: Any, pieces: list[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """The pieces of all calls by turns, each call's own in their order, the calls begun in theirs."""
    waiting, order = [list(own) for own in pieces], [own[0] for own in pieces]
    for own in waiting:
        own.pop(0)
    while any(waiting):
        own = draw(st.sampled_from([own for own in waiting if own]))
        order.append(own.pop(0))
    return order


@given(streams())
def test_any_way_to_cut_the_calls_gives_the_same(told_stream: tuple[list[tuple[str, str]], list[list[dict[str, Any]]]]):
    """Several pieces in a frame, interleaved, all at index 0, names repeated or late, nulls at the end."""
    calls, frames = told_stream
    assert joined(frames) == calls


@given(CALLS)
def test_calls_in_one_piece_each_are_the_calls_of_a_whole_answer(calls: list[tuple[str, str]]):
    listed = [whole(name, text, id=f"id-{at}", index=at) for at, (name, text) in enumerate(calls)]
    read = [(call.name, call.arguments) for call in read_calls(listed)]
    for frames in ([listed], [[call] for call in listed]):
        assert [(name, parsed_arguments(text)) for name, text in joined(frames)] == read


def test_flat_calls_come_whole_and_the_same_frame_again_is_no_new_one():
    """quirk 37."""
    frame = [{"name": "f", "arguments": {"a": 1}}, {"name": "g", "arguments": {}}]
    assert joined([frame, frame]) == [("f", '{"a":1}'), ("g", "")]


def test_two_equal_flat_calls_in_one_frame_are_two():
    call = {"name": "f", "arguments": {"a": 1}}
    assert joined([[call, call]]) == [("f", '{"a":1}')] * 2


def test_a_whole_call_that_comes_again_is_the_same_one():
    call = [whole("f", '{"a": 1}', id="x", index=0)]
    assert joined([call, call]) == [("f", '{"a": 1}')]


def test_without_index_and_id_another_name_begins_another_call():
    frames = [[whole("f", '{"a":')], [whole("", "1}")], [whole("g", "{}")]]
    assert joined(frames) == [("f", '{"a":1}'), ("g", "{}")]


def test_at_one_index_without_ids_another_name_begins_another_call():
    frames = [[whole("f", '{"a":', index=0)], [whole("", "1}", index=0)], [whole("g", "{}", index=0)]]
    assert joined(frames) == [("f", '{"a":1}'), ("g", "{}")]


def test_an_id_may_come_after_the_first_piece():
    frames = [[whole("f", "", index=0)], [whole("", "{}", index=0, id="x")]]
    assert joined(frames) == [("f", "{}")]


def test_a_call_that_never_gets_a_name_is_none():
    assembler = CallAssembler()
    assert joined([[whole("", "{}", index=0, id="x")]], assembler) == []
    assert not assembler.any


def test_stringified_values_of_a_call_that_comes_whole_get_their_types():
    """quirk 40, in a stream."""
    frames = [[whole("book", '{"seats": "2", "code": "7"}', id="x", index=0)]]
    assert joined(frames, CallAssembler([TOOL])) == [("book", '{"seats":2,"code":"7"}')]


@given(
    st.lists(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=4),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(["function", "name", "arguments", "id", "index", "type"]), inner, max_size=4
                )
            ),
            max_leaves=12,
        ),
        max_size=4,
    )
)
def test_any_json_gives_calls_or_none_and_never_an_error(frames: list[Any]):
    joined(frames)
    for frame in frames:
        read_calls(frame)
