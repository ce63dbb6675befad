"""What a chat asks, and what it refuses before anything is sent."""

from __future__ import annotations

import json
from typing import Any

import pytest

from workers_ai import errors as e
from workers_ai.call import Call
from workers_ai.tasks.chat import ChatRequest, exchange

CLASSIC = "@cf/meta/llama-3.3-70b-instruct-fp8-fast"  # native; no stop, no n, no content parts
MODERN = "@cf/google/gemma-4-26b-a4b-it"  # /ai/v1; takes them all
UNKNOWN = "@cf/nobody/knows-this-one"

PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}


def body(model: str, options: dict[str, Any] | None = None, *, stream: bool = False, content: Any = "x") -> Any:
    told: Any = [{"role": "user", "content": content}]
    return json.loads(exchange(ChatRequest(Call(model), told, options or {}), stream=stream).request.body)


@pytest.mark.parametrize(
    ("model", "stream", "told"),
    [
        (CLASSIC, False, {"messages": [{"role": "user", "content": "x"}]}),
        (CLASSIC, True, {"messages": [{"role": "user", "content": "x"}], "stream": True}),
        (MODERN, False, {"model": MODERN, "messages": [{"role": "user", "content": "x"}]}),
        (
            MODERN,
            True,
            {
                "model": MODERN,
                "messages": [{"role": "user", "content": "x"}],
                "stream": True,
                "stream_options": {"include_usage": True},
            },
        ),
    ],
)
def test_the_body_holds_what_was_asked_and_nothing_else(model: str, stream: bool, told: Any):
    assert body(model, stream=stream) == told


def test_none_is_not_sent_but_reasoning_effort_none_is():
    assert "temperature" not in body(MODERN, {"temperature": None})
    assert body(MODERN, {"reasoning_effort": None})["reasoning_effort"] is None


@pytest.mark.parametrize(
    ("model", "stop", "sent"),
    [
        (MODERN, "x", ["x"]),
        (MODERN, ["x", "y"], ["x", "y"]),
        (MODERN, ["", "x"], ["x"]),
        (MODERN, [], None),
        (MODERN, "", None),
        (MODERN, [""], None),
        (CLASSIC, ["x"], None),
        (UNKNOWN, ["x"], ["x"]),
    ],
)
def test_stop_goes_to_models_that_take_it_and_an_empty_one_nowhere(model: str, stop: Any, sent: Any):
    assert body(model, {"stop": stop}).get("stop") == sent


@pytest.mark.parametrize(
    ("model", "n", "stream", "refused"),
    [
        (CLASSIC, 2, False, True),
        (CLASSIC, 1, False, False),
        (MODERN, 2, False, False),
        (MODERN, 2, True, True),
        (UNKNOWN, 2, False, False),
    ],
)
def test_several_answers_are_refused_where_they_would_be_ignored(model: str, n: int, stream: bool, refused: bool):
    if refused:
        with pytest.raises(e.BadRequestError, match="n=2") as caught:
            body(model, {"n": n}, stream=stream)
        assert caught.value.maybe_sent is False
    else:
        assert body(model, {"n": n}, stream=stream)["n"] == n


def test_no_message_is_refused():
    with pytest.raises(e.BadRequestError, match="messages") as caught:
        exchange(ChatRequest(Call(MODERN), []))
    assert caught.value.maybe_sent is False


@pytest.mark.parametrize("model", [CLASSIC, MODERN])
def test_parts_that_are_all_text_go_as_one_string(model: str):
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert body(model, content=parts)["messages"] == [{"role": "user", "content": "a\nb"}]
    assert body(model, content=[{"type": "text", "text": None}])["messages"][0]["content"] == ""


def test_a_picture_goes_to_a_model_that_sees_and_is_refused_for_one_that_does_not():
    parts = [{"type": "text", "text": "a"}, PICTURE]
    assert body(MODERN, content=parts)["messages"][0]["content"] == parts
    with pytest.raises(e.BadRequestError, match="text only, not pictures") as caught:
        body(CLASSIC, content=parts)
    assert caught.value.maybe_sent is False
    assert caught.value.hint


def test_the_unstreamed_twin_of_a_stream_asks_the_same():
    asked = exchange(ChatRequest(Call(MODERN), [{"role": "user", "content": "x"}], {"seed": 1}), stream=True)
    assert asked.unstreamed is not None
    assert json.loads(asked.unstreamed().request.body) == body(MODERN, {"seed": 1})
    assert (asked.idempotent, asked.unstreamed().idempotent) == (False, False)


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ({"role": "user"}, "no content"),
        ({"role": "assistant", "content": None, "tool_calls": []}, "no content"),
        ({"role": "user", "content": 3}, "neither a text nor a list"),
        ({"role": "user", "content": ["x"]}, "neither a text nor a list"),
        ({"content": "x"}, "no role"),
        ({"role": None, "content": "x"}, "no role"),
        ("x", "not str"),
    ],
)
def test_what_is_no_message_is_refused_by_its_place(message: Any, words: str):
    with pytest.raises(e.BadRequestError, match=rf"messages\[1\]: .*{words}") as caught:
        exchange(ChatRequest(Call(MODERN), [{"role": "user", "content": ""}, message]))
    assert caught.value.maybe_sent is False


def test_a_null_beside_calls_is_no_text_at_all():
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages: Any = [
        {"role": "user", "content": "x"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "1"},
    ]
    sent = json.loads(exchange(ChatRequest(Call("@cf/meta/llama-3.3-70b-instruct-fp8-fast"), messages)).request.body)
    assert sent["messages"][1]["content"] == ""
