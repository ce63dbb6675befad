"""Stop sequences for models whose input has none."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers_ai import errors as e
from workers_ai.answers import ChatDelta
from workers_ai.call import Call
from workers_ai.exchange import Reply
from workers_ai.tasks.chat import ChatRequest, exchange
from workers_ai.wire.stop import cut

CLASSIC = "@cf/meta/llama-3.2-3b-instruct"  # its input has no `stop`
HEAD = Reply(200, {"content-type": "text/event-stream"})


def asked(stops: Sequence[str], *, stream: bool) -> Any:
    return exchange(ChatRequest(Call(CLASSIC), [{"role": "user", "content": "x"}], {"stop": stops}), stream=stream)


def frame(told: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(told)}\n\n".encode()


def read(pieces: Sequence[str], stops: Sequence[str]) -> list[ChatDelta]:
    reader = asked(stops, stream=True).reader(HEAD)
    deltas = [delta for piece in pieces for delta in reader.feed(frame({"response": piece}))]
    usage = {"prompt_tokens": 3, "completion_tokens": 9, "total_tokens": 12}
    deltas += reader.feed(frame({"response": "", "usage": usage}) + b"data: [DONE]\n\n")
    return [*deltas, *reader.close()]


def text_of(deltas: Sequence[ChatDelta]) -> str:
    return "".join(delta.text for delta in deltas)


@pytest.mark.parametrize(
    ("text", "stops", "kept"),
    [
        ("one two three", ["two"], "one "),
        ("one two three", ["four"], "one two three"),
        ("one two three", ["three", "two"], "one "),
        ("one", ["one"], ""),
        ("aaa", ["aa"], ""),
        ("", ["x"], ""),
        ("a\nb", ["\n"], "a"),
        ("x END", ["END", "EN"], "x "),
    ],
)
def test_a_text_ends_before_the_first_stop_sequence(text: str, stops: list[str], kept: str):
    assert cut(text, stops) == kept
    assert text_of(read([text], stops)) == kept
    assert text_of(read(list(text), stops)) == kept


LETTERS = st.text("ab.", max_size=6)


@given(
    pieces=st.lists(LETTERS, max_size=6), stops=st.lists(st.text("ab.", min_size=1, max_size=3), min_size=1, max_size=2)
)
def test_a_stream_ends_where_the_whole_text_would_whatever_its_pieces(pieces: list[str], stops: list[str]):
    whole = cut("".join(pieces), stops)
    assert text_of(read(pieces, stops)) == whole
    assert text_of(read(list("".join(pieces)), stops)) == whole


def test_a_whole_answer_is_cut_too():
    reply = Reply(200, {"content-type": "application/json"}, b'{"response":"one two three"}')
    assert asked(["two"], stream=False).read(reply).text == "one "


def test_the_stream_is_read_on_for_its_usage():
    deltas = read(["one ", "two ", "three"], ["two"])
    assert deltas[-1].facts is not None
    assert deltas[-1].facts.usage is not None
    assert deltas[-1].facts.usage.total_tokens == 12


def test_no_delta_after_the_stop_sequence_is_empty():
    deltas = read(["one ", "two ", "three"], ["two"])
    assert [bool(delta.text) for delta in deltas] == [True, False]


def test_what_had_arrived_when_a_stream_broke_off_ends_there_too():
    reader = asked(["two"], stream=True).reader(HEAD)
    list(reader.feed(frame({"response": "one two three"})))
    assert reader.partial == "one "
    with pytest.raises(e.StreamInterruptedError) as caught:
        list(reader.close())
    assert caught.value.partial == "one "
