"""Stream frames become deltas, in both forms, in streams that mix them, at any cut of the bytes (quirks 13 to 31)."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers_ai import errors as e
from workers_ai.answers import ChatDelta
from workers_ai.call import Call
from workers_ai.exchange import Reply, StreamReader
from workers_ai.tasks.chat import ChatRequest, exchange

PAYLOADS = Path(__file__).parents[2] / "payloads"
STREAMS = sorted(path.stem for path in PAYLOADS.glob("stream-*.json"))
HEAD = Reply(200, {"content-type": "text/event-stream", "cf-ai-req-id": "req-1"})
MODEL = "@cf/example/model"


def reader(head: Reply = HEAD) -> StreamReader[ChatDelta]:
    asked = exchange(ChatRequest(Call(MODEL), [{"role": "user", "content": "x"}]), stream=True)
    assert asked.reader is not None
    return asked.reader(head)


def read(body: bytes, cuts: Iterable[int] = ()) -> list[ChatDelta]:
    """The deltas of a body that comes in pieces."""
    made, deltas, start = reader(), [], 0
    for cut in [*sorted(cuts), len(body)]:
        deltas += made.feed(body[start:cut])
        start = cut
    return [*deltas, *made.close()]


def frames(*told: object, done: bool = True) -> bytes:
    lines = [f"data: {json.dumps(frame)}\n\n" for frame in told]
    return "".join([*lines, "data: [DONE]\n\n" if done else ""]).encode()


def text_of(deltas: Iterable[ChatDelta]) -> str:
    return "".join(delta.text for delta in deltas)


def outcome(body: bytes, cuts: Iterable[int] = ()) -> object:
    """What a stream gave: its text, reasoning and facts, or its error with what had arrived."""
    try:
        deltas = read(body, cuts)
    except e.WorkersAIError as error:
        return type(error), error.code, error.message, error.partial
    return text_of(deltas), "".join(delta.reasoning for delta in deltas), deltas[-1].facts


def choice(delta: dict[str, Any], finish: str | None = None, **more: Any) -> dict[str, Any]:
    return {"id": "id-1", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more}


# At any cut


@pytest.mark.parametrize("name", STREAMS)
def test_byte_by_byte_is_the_same_as_whole(payload: Callable[[str], Any], name: str):
    body = payload(name).body
    assert outcome(body, range(1, len(body))) == outcome(body)


@given(data=st.data())
@pytest.mark.parametrize("name", STREAMS)
def test_any_cut_gives_the_same(payload: Callable[[str], Any], name: str, data: st.DataObject):
    body = payload(name).body
    cuts = data.draw(st.sets(st.integers(1, len(body) - 1), max_size=6))
    assert outcome(body, cuts) == outcome(body)


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("end", [b"\r\n", b"\r"], ids=["CRLF", "CR"])
def test_the_kind_of_line_end_changes_nothing(payload: Callable[[str], Any], name: str, end: bytes):
    body = payload(name).body
    other = body.replace(b"\n", end)
    assert outcome(other) == outcome(other, range(1, len(other))) == outcome(body)


@pytest.mark.parametrize("name", STREAMS)
def test_the_last_line_need_not_end(payload: Callable[[str], Any], name: str):
    body = payload(name).body
    assert outcome(body.rstrip(b"\n")) == outcome(body)


@given(texts=st.lists(st.text(max_size=8), max_size=6), native=st.booleans())
def test_the_text_is_that_of_all_frames_joined(texts: list[str], native: bool):
    told = [{"response": text} if native else choice({"content": text}) for text in texts]
    end = {"response": ""} if native else choice({}, "stop")
    assert text_of(read(frames(*told, end))) == "".join(texts)


# Usage, whose meaning differs by model (quirk 16)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("stream-total-then-zeros", (38, 3, 41, None)),
        ("stream-gpt-oss-tools", (99, 21, 120, None)),
        ("stream-increments-then-total", (120, 4, 124, 1.2)),
        ("stream-increments-alone", (50, 3, 53, 0.53)),
        ("stream-increments-one-token", (50, 1, 51, None)),
        ("stream-running-totals", (17, 306, 323, None)),
        ("stream-native-tail-in-openai", (14, 2, 16, None)),
        ("stream-no-blank-lines", (10, 20, 30, 2.5)),
    ],
)
def test_usage_is_right_under_each_of_its_meanings(
    payload: Callable[[str], Any], name: str, told: tuple[int, int, int, float | None]
):
    facts = read(payload(name).body)[-1].facts
    assert facts is not None
    assert facts.usage is not None
    usage = facts.usage
    assert (usage.input_tokens, usage.output_tokens, usage.total_tokens) == told[:3]
    assert usage.neurons == pytest.approx(told[3])


def test_a_stream_that_tells_no_usage_has_none_and_not_zeros(payload: Callable[[str], Any]):
    facts = read(payload("stream-old-tail").body)[-1].facts
    assert facts is not None
    assert (facts.usage, facts.cost) == (None, None)


# Text and reasoning


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("stream-dual-format", "Salt and wind"),
        ("stream-numeric-token", "Pier 9 or 3.5true"),
        ("stream-old-tail", "  Good day!"),
        ("stream-padding", "Moin!"),
        ("stream-frame-without-text", "One piece"),
        ("stream-native-tail-in-openai", "Fog"),
        ("stream-line-separators", "a\u2028b\u2029c\u0085d"),
        ("stream-named-event", " The reef is near"),
        ("stream-flat-tool-call", ""),
    ],
)
def test_the_text_is_whole_and_comes_once(payload: Callable[[str], Any], name: str, text: str):
    assert text_of(read(payload(name).body)) == text


@pytest.mark.parametrize(
    ("frame", "text"),
    [
        ({"response": "a"}, "a"),
        ({"response": 6}, "6"),
        ({"response": 0}, "0"),
        ({"response": False}, "false"),
        ({"response": None}, ""),
        (choice({"content": 6}), "6"),
        (choice({"content": 0}), "0"),
        (choice({"content": None}), ""),
        (choice({}), ""),
        ({"choices": [{"text": "completion"}]}, "completion"),
        ({"choices": [{"delta": None}]}, ""),
        ({"choices": [{"message": {"content": "whole"}}]}, "whole"),
        ({"response": "native", "choices": [{"delta": {"content": ""}}]}, "native"),
        ({"response": "same", "choices": [{"delta": {"content": "same"}}]}, "same"),
        ({"response": "native", "choices": []}, "native"),
        ({"choices": None, "response": "native"}, "native"),
        ({"p": "abc"}, ""),
        ({"unknown": {"deep": [1]}}, ""),
    ],
)
def test_a_frame_is_read_by_the_keys_that_are_there(frame: dict[str, Any], text: str):
    assert text_of(read(frames(frame, {"response": ""}))) == text


def test_reasoning_is_read_under_either_key_and_once_when_both_hold_it(payload: Callable[[str], Any]):
    deltas = read(payload("stream-both-reasoning-keys").body)
    assert "".join(delta.reasoning for delta in deltas) == "Let me see"
    assert text_of(deltas) == "Yes"


def test_log_probabilities_come_with_their_delta():
    told = {"content": [{"token": "a", "logprob": -0.25}]}
    frame = {"choices": [{"index": 0, "delta": {"content": "a"}, "logprobs": told}]}
    assert read(frames(frame))[0].logprobs == told


@pytest.mark.parametrize(("event", "text"), [("", "x"), ("message", "x"), ("chunks", ""), ("ping", "")])
def test_only_unnamed_events_and_messages_are_text(event: str, text: str):
    name = f"event: {event}\n" if event else ""
    body = f'{name}data: {{"response":"x"}}\n\n'.encode() + frames({"response": ""})
    assert text_of(read(body)) == text


# The end


@pytest.mark.parametrize(
    ("name", "finish_reason"),
    [
        ("stream-total-then-zeros", "stop"),
        ("stream-gpt-oss-tools", "tool_calls"),
        ("stream-old-tail", "stop"),
        ("stream-named-event", "stop"),
        ("stream-leaked-call", "stop"),
    ],
)
def test_the_finish_reason_is_the_last_one_told(payload: Callable[[str], Any], name: str, finish_reason: str):
    deltas = read(payload(name).body)
    assert [delta.facts.finish_reason for delta in deltas if delta.facts] == [finish_reason]
    assert deltas[-1].facts is not None


def test_the_facts_hold_the_first_id_and_the_answering_model_and_come_once(payload: Callable[[str], Any]):
    deltas = read(payload("stream-running-totals").body)
    (facts,) = [delta.facts for delta in deltas if delta.facts]
    assert (facts.id, facts.model, facts.answering_model) == ("chatcmpl-one", MODEL, "@cf/qwen/qwq-32b")
    assert (facts.created, facts.request_id) == (1790000000, "req-1")


def test_a_finish_reason_ends_a_stream_without_done():
    deltas = read(frames(choice({"content": "x"}), choice({}, "content_filter"), done=False))
    assert deltas[-1].facts is not None
    assert deltas[-1].facts.finish_reason == "content_filter"


@pytest.mark.parametrize(
    "done", ["data: [DONE]\n\n", "data: [DONE]\n", "data: [DONE]", "data:[DONE]", "[DONE]\n", "[DONE]"]
)
@pytest.mark.parametrize("blank", ["\n\n", "\n"])
def test_every_form_of_the_terminator_ends_a_stream(done: str, blank: str):
    deltas = read(f'data: {{"response":"x"}}{blank}{done}'.encode())
    assert text_of(deltas) == "x"
    assert deltas[-1].facts is not None


def test_a_stream_that_just_ends_is_an_error_with_what_had_arrived(payload: Callable[[str], Any]):
    with pytest.raises(e.StreamInterruptedError) as caught:
        read(payload("stream-truncated").body)
    assert (caught.value.partial, caught.value.model) == ("half an ans", MODEL)
    assert (caught.value.request_id, caught.value.retryable) == ("req-1", False)


@pytest.mark.parametrize("body", [b"", b"\n\n", b": keep-alive\n\n", b"data: "])
def test_a_stream_that_brings_nothing_is_an_error(body: bytes):
    with pytest.raises((e.StreamInterruptedError, e.InvalidResponseError)):
        read(body)


# Errors inside a 200 stream (quirk 25)


def test_an_error_frame_raises_the_error_it_carries(payload: Callable[[str], Any]):
    with pytest.raises(e.CapacityError) as caught:
        read(payload("stream-error-first").body + b"\n")
    assert (caught.value.code, caught.value.partial, caught.value.retryable) == (3040, "", True)


def test_an_error_frame_after_some_text_tells_what_had_arrived(payload: Callable[[str], Any]):
    made = reader()
    deltas = []
    with pytest.raises(e.ServerError) as caught:
        deltas.extend(made.feed(payload("stream-error-later").body + b"\n"))
    assert (caught.value.code, caught.value.partial) == (3043, "So far")
    assert caught.value.message == "a model server fell over"


@pytest.mark.parametrize(
    "frame",
    [
        {"errors": [{"message": "no"}]},
        {"error": {"message": "no"}},
        {"error": "no"},
        {"success": False},
        {"success": False, "errors": [], "result": None},
    ],
)
def test_every_shape_of_an_error_frame_is_seen(frame: dict[str, Any]):
    with pytest.raises(e.WorkersAIError):
        read(frames(frame))


def test_an_event_named_error_is_read_although_other_names_are_not():
    with pytest.raises(e.WorkersAIError, match="no"):
        read(b'event: error\ndata: {"error":{"message":"no"}}\n\n')


# What is none of ours


def test_frames_of_another_kind_are_an_error_and_never_an_empty_answer(payload: Callable[[str], Any]):
    with pytest.raises(e.InvalidResponseError):
        read(payload("stream-moondream").body)


def test_a_stream_without_a_single_frame_of_ours_is_an_error():
    with pytest.raises(e.InvalidResponseError):
        read(frames({"chunk": {"answer": "A"}}, {"chunk": {"answer": "A b"}}))


@pytest.mark.parametrize("data", ["{", "nonsense", '{"response":', "{]"])
def test_a_frame_that_is_no_json_is_an_error_with_what_had_arrived(data: str):
    with pytest.raises(e.InvalidResponseError) as caught:
        read(f'data: {{"response":"x"}}\n\ndata: {data}\n\n'.encode())
    assert caught.value.partial == "x"


def test_an_event_without_data_is_passed_over():
    assert text_of(read(b'data:\n\ndata: {"response":"x"}\n\ndata: \n\ndata: [DONE]\n\n')) == "x"


@pytest.mark.parametrize("data", ["17", '"text"', "[]", "null", "true"])
def test_a_frame_that_is_json_but_no_object_is_passed_over(data: str):
    assert text_of(read(f'data: {data}\n\ndata: {{"response":"x"}}\n\ndata: [DONE]\n\n'.encode())) == "x"


ODD = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                [
                    "choices",
                    "delta",
                    "content",
                    "message",
                    "text",
                    "response",
                    "usage",
                    "finish_reason",
                    "reasoning",
                    "id",
                ]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@given(told=st.lists(ODD, max_size=3))
def test_any_json_gives_deltas_or_an_error_of_the_family(told: list[object]):
    with contextlib.suppress(e.WorkersAIError):
        read(frames(*told))
