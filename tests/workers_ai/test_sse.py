"""Server-sent events, from bytes, at any cut."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers_ai.sse import DONE, Event, EventDecoder


def decode(body: bytes, cuts: Iterable[int] = ()) -> list[Event]:
    decoder, events, start = EventDecoder(), [], 0
    for cut in [*sorted(cuts), len(body)]:
        events += decoder.feed(body[start:cut])
        start = cut
    return [*events, *decoder.close()]


def data(*values: bytes) -> list[Event]:
    return [Event("", value) for value in values]


@pytest.mark.parametrize(
    ("body", "events"),
    [
        (b"", []),
        (b"data: a\n\n", data(b"a")),
        (b"data:a\n\n", data(b"a")),
        (b"data:  a\n\n", data(b" a")),
        (b"data: a \n\n", data(b"a ")),
        (b"data: a\n\ndata: b\n\n", data(b"a", b"b")),
        (b"data: a\ndata: b\n\n", data(b"a\nb")),
        (b"data: a: b\n\n", data(b"a: b")),
        (b"\n\n\ndata: a\n\n\n\n", data(b"a")),
        (b": comment\n\ndata: a\n\n", data(b"a")),
        (b"data: a\n: comment between\ndata: b\n\n", data(b"a\nb")),
        (b":\n\n", []),
        (b"id: 7\nretry: 10\ndata: a\n\n", data(b"a")),
        (b"event: chunks\ndata: a\n\ndata: b\n\n", [Event("chunks", b"a"), Event("", b"b")]),
        (b"event:chunks\ndata: a\n\n", [Event("chunks", b"a")]),
        (b"data: a\nevent: late\n\n", [Event("late", b"a")]),
        (b"event: alone\n\ndata: a\n\n", data(b"a")),
        (b"event: \xff\ndata: a\n\n", [Event("\ufffd", b"a")]),
        (b"other: a\n\n", []),
        (b"nonsense\n\n", []),
    ],
)
def test_fields_comments_and_names(body: bytes, events: list[Event]):
    assert decode(body) == events


@pytest.mark.parametrize(
    "body",
    [
        b"data: a\n\ndata: [DONE]\n\n",
        b"data: a\n\ndata: [DONE]\n",
        b"data: a\n\ndata: [DONE]",
        b"data: a\n\n[DONE]\n\n",
        b"data: a\n\n[DONE]",
    ],
)
def test_done_is_an_event_in_every_form(body: bytes):
    assert decode(body) == data(b"a", DONE)


def test_lines_that_no_blank_line_separates_are_one_event():
    assert decode(b"data: a\ndata: b\n[DONE]\n") == data(b"a\nb\n[DONE]")


@pytest.mark.parametrize(
    "body", [b"data: a\n\n", b"data: a\n", b"data: a", b"data: a\r\n\r\n", b"data: a\r\n", b"data: a\r", b"data: a\r\r"]
)
def test_the_last_line_or_the_last_blank_line_may_be_missing(body: bytes):
    assert decode(body) == data(b"a")


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\u0085", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e"])
def test_only_lf_cr_and_crlf_end_a_line(separator: str):
    text = f"a{separator}b".encode()
    assert decode(b"data: " + text + b"\n\n") == data(text)
    assert decode(b"data: " + text + b"\n\n", range(1, len(text) + 8)) == data(text)


def test_a_crlf_cut_in_two_is_one_line_end():
    body = b"data: a\r\ndata: b\r\n\r\n"
    for cut in range(1, len(body)):
        assert decode(body, [cut]) == data(b"a\nb")


def test_an_empty_read_changes_nothing():
    decoder = EventDecoder()
    assert list(decoder.feed(b"data: a\r")) == []
    assert list(decoder.feed(b"")) == []
    assert list(decoder.feed(b"\n\r\n")) == data(b"a")


def test_an_event_comes_as_soon_as_its_blank_line_is_there():
    decoder = EventDecoder()
    assert list(decoder.feed(b"data: a\n")) == []
    assert list(decoder.feed(b"\n")) == data(b"a")
    assert list(decoder.feed(b"data: b\n\ndata: c")) == data(b"b")
    assert list(decoder.feed(b"\n\n")) == data(b"c")


ENDS = st.sampled_from([b"\n", b"\r", b"\r\n"])
LINES = st.sampled_from(
    [b"data: a", b"data:b", b"data", b"data: ", b": c", b"event: e", b"id: 1", b"", b"[DONE]", "data: é\u2028".encode()]
)


@given(lines=st.lists(st.tuples(LINES, ENDS), max_size=12), tail=LINES, picked=st.data())
def test_any_cut_gives_the_same_events(lines: list[tuple[bytes, bytes]], tail: bytes, picked: st.DataObject):
    body = b"".join(line + end for line, end in lines) + tail
    cuts = picked.draw(st.sets(st.integers(0, len(body)), max_size=8))
    whole = decode(body)
    assert decode(body, cuts) == whole
    assert decode(body, range(len(body))) == whole


@given(lines=st.lists(LINES, max_size=12), ends=st.lists(ENDS, min_size=13, max_size=13))
def test_the_kind_of_line_end_changes_nothing(lines: list[bytes], ends: list[bytes]):
    # A lone CR before an empty line that ends with LF would read as CRLF: one kind in one stream.
    plain = decode(b"".join(line + b"\n" for line in lines))
    for end in (b"\r", b"\r\n"):
        assert decode(b"".join(line + end for line in lines)) == plain


@given(body=st.binary(max_size=80), picked=st.data())
def test_any_bytes_at_any_cut_are_read_alike(body: bytes, picked: st.DataObject):
    cuts = picked.draw(st.sets(st.integers(0, len(body)), max_size=6))
    assert decode(body, cuts) == decode(body)
