"""Whether a prompt fits, before it is sent; and what is left of a history that does not."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers_ai import Client, NeuronMeter, catalog
from workers_ai import errors as e
from workers_ai.call import Call
from workers_ai.context import ContextLengthWarning, fit_window
from workers_ai.token_estimate import CORRECTION, estimate_tokens
from workers_ai.wire.message import WireMessage

MODEL = "@cf/meta/llama-3.3-70b-instruct-fp8-fast"  # 24,000 tokens
WINDOW = 24_000
# Every word is one token of every vocabulary here, and so is the space that belongs to it.
WORD = " the"

TEXT_MODELS = [info for info in catalog.models("Text Generation") if info.context_window is not None]


@pytest.fixture(autouse=True)
def forgetful() -> Iterator[None]:
    CORRECTION.clear()
    yield
    CORRECTION.clear()


@pytest.fixture
def client(account: str, token: str) -> Iterator[tuple[Client, list[dict[str, Any]]]]:
    """A client, and the bodies that it sends."""
    sent: list[dict[str, Any]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(json.loads(request.content))
        usage = {"prompt_tokens": request.content.count(WORD.encode()), "completion_tokens": 1}
        message = {"role": "assistant", "content": "Yes."}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return httpx.Response(200, json={"choices": [choice], "usage": usage})

    with httpx.Client(transport=httpx.MockTransport(answer)) as http:
        yield Client(account_id=account, api_token=token, http_client=http, max_retries=0), sent


@pytest.mark.parametrize("info", TEXT_MODELS, ids=[info.id for info in TEXT_MODELS])
def test_for_every_text_model_twice_the_window_is_refused_and_just_inside_is_sent(
    info: catalog.ModelInfo, client: tuple[Client, list[dict[str, Any]]]
):
    asked, sent = client
    assert info.context_window is not None
    answer = info.default_max_tokens or 0
    with pytest.raises(e.ContextLengthError) as caught:
        asked.chat(WORD * (2 * info.context_window), model=info.id)
    assert not sent
    assert caught.value.maybe_sent is False
    assert caught.value.limit == info.context_window
    assert caught.value.tokens is not None
    assert info.context_window < caught.value.tokens <= 2 * info.context_window + answer + 20
    assert asked.chat(WORD * (info.context_window - answer - 20), model=info.id).text
    assert len(sent) == 1


def test_the_catalogue_tells_the_window_of_nearly_all_text_models():
    assert len(TEXT_MODELS) >= 70


def test_max_tokens_count_with_the_prompt(client: tuple[Client, list[dict[str, Any]]]):
    """The prompt is 15,341 tokens by the lowest estimate, the window 24,000."""
    asked, sent = client
    asked.chat(WORD * 23_000, model=MODEL, max_tokens=8000)
    assert len(sent) == 1
    with pytest.raises(e.ContextLengthError, match=r"max_tokens=9000.*24000") as caught:
        asked.chat(WORD * 23_000, model=MODEL, max_tokens=9000)
    assert len(sent) == 1
    assert (caught.value.tokens, caught.value.limit) == (24_334, 24_000)


def test_a_completion_is_checked_too(client: tuple[Client, list[dict[str, Any]]]):
    asked, sent = client
    for check in ("error", "trim"):
        with pytest.raises(e.ContextLengthError):
            asked.complete(WORD * 48_000, model=MODEL, check_context=check)
    assert not sent


def test_without_the_check_everything_is_sent(client: tuple[Client, list[dict[str, Any]]]):
    asked, sent = client
    asked.chat(WORD * 48_000, model=MODEL, check_context=None)
    assert len(sent) == 1


def test_a_model_that_nobody_knows_is_not_checked(client: tuple[Client, list[dict[str, Any]]]):
    asked, sent = client
    asked.chat(WORD * 2_000_000, model="@cf/nobody/knows")
    assert len(sent) == 1


def test_what_probably_does_not_fit_is_warned_of_and_sent(client: tuple[Client, list[dict[str, Any]]]):
    asked, sent = client
    with pytest.warns(ContextLengthWarning, match=r"about \d+ tokens .* 24000 of @cf/meta"):
        asked.chat(WORD * 28_000, model=MODEL, check_context="warn")
    asked.chat(WORD * 15_000, model=MODEL, check_context="warn")
    assert len(sent) == 2
    with pytest.raises(e.ContextLengthError):
        asked.chat(WORD * 48_000, model=MODEL, check_context="warn")


@pytest.mark.parametrize("wrong", ["yes", True, 5, ""])
def test_what_is_no_such_choice_is_refused(client: tuple[Client, list[dict[str, Any]]], wrong: Any):
    with pytest.raises(e.BadRequestError, match='"error", "warn", "trim" or None'):
        client[0].chat("Hello", check_context=wrong)


def test_a_short_prompt_costs_no_estimate(monkeypatch: pytest.MonkeyPatch):
    """Its characters alone show that it fits."""

    def never(text: str) -> int:
        raise AssertionError("estimated")

    messages: list[WireMessage] = [{"role": "user", "content": "x" * 50}] * 20
    assert fit_window(Call(MODEL), messages, check="error", max_tokens=None, count=never).estimate is None


# What the service counted


@pytest.mark.parametrize("way", ["chat", "stream_chat"])
def test_the_usage_of_an_answer_corrects_the_next_estimate(way: str, account: str, token: str):
    text = "Der Hafen erwacht, bevor die Stadt aufsteht. " * 100
    before = estimate_tokens(text, model=MODEL).likely

    def answer(request: httpx.Request) -> httpx.Response:
        usage = {"prompt_tokens": 2 * before, "completion_tokens": 1, "total_tokens": 2 * before + 1}
        if json.loads(request.content).get("stream"):
            frames = [{"response": "Yes."}, {"response": "", "usage": usage}]
            body = "".join(f"data: {json.dumps(frame)}\n\n" for frame in frames) + "data: [DONE]\n\n"
            return httpx.Response(200, headers={"content-type": "text/event-stream"}, content=body.encode())
        return httpx.Response(200, json={"result": {"response": "Yes.", "usage": usage}, "success": True})

    with httpx.Client(transport=httpx.MockTransport(answer)) as http:
        made = Client(account_id=account, api_token=token, http_client=http)
        answered = getattr(made, way)(text, model=MODEL)
        assert answered.text if way == "chat" else list(answered)
    assert estimate_tokens(text, model=MODEL).likely == pytest.approx(2 * before, rel=0.02)


def test_a_stream_that_is_learnt_from_can_be_left(account: str, token: str):
    """A meter asks its reader what is known so far."""
    frames = "".join(f"data: {json.dumps({'response': word})}\n\n" for word in ("Yes", " and", " no"))

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"content-type": "text/event-stream"}, content=frames.encode())

    with httpx.Client(transport=httpx.MockTransport(answer)) as http, NeuronMeter() as meter:
        made = Client(account_id=account, api_token=token, http_client=http)
        deltas = made.stream_chat(WORD * 1000, model=MODEL)
        assert next(iter(deltas)).text == "Yes"
        deltas.close()  # type: ignore[attr-defined]
    assert meter.calls == 1


# Trimmed


def turn(number: int, words: int = 1000) -> list[WireMessage]:
    return [
        {"role": "user", "content": f"question {number}" + WORD * words},
        {"role": "assistant", "content": f"answer {number}"},
    ]


def called(number: int, words: int = 1000, results: int = 2) -> list[WireMessage]:
    calls = [
        {"id": f"c{number}-{place}", "type": "function", "function": {"name": "f", "arguments": "{}"}}
        for place in range(results)
    ]
    answers: list[WireMessage] = [
        {"role": "tool", "tool_call_id": call["id"], "content": WORD * words} for call in calls
    ]
    return [{"role": "assistant", "content": "", "tool_calls": calls}, *answers]


SYSTEM: WireMessage = {"role": "system", "content": "Be brief."}
NEWEST: WireMessage = {"role": "user", "content": "And now?"}


def trimmed(messages: list[WireMessage], **more: Any) -> list[WireMessage]:
    return list(
        fit_window(Call(MODEL), messages, check="trim", max_tokens=more.pop("max_tokens", 1000), **more).messages
    )


def test_a_history_that_fits_is_left_as_it_is():
    messages = [SYSTEM, *turn(1), *turn(2), NEWEST]
    assert trimmed(messages) == messages


def test_the_oldest_turns_go_and_what_the_system_says_stays():
    messages = [SYSTEM, *(message for number in range(30) for message in turn(number)), NEWEST]
    kept = trimmed(messages)
    assert kept[0] == SYSTEM
    assert kept[1]["role"] == "user"
    assert kept[-1] == NEWEST
    assert kept[1:] == messages[-len(kept) + 1 :]
    assert 15_000 < estimate_tokens(kept).high <= WINDOW - 1000


def test_calls_go_with_their_results():
    """A result without its call is refused by the service."""
    old = [*turn(1)[:1], *called(1), {"role": "assistant", "content": "done"}]
    messages: list[WireMessage] = [SYSTEM, *old, *(m for number in range(19) for m in turn(number)), NEWEST]
    kept = trimmed(messages)
    assert not any("tool_call_id" in message or "tool_calls" in message for message in kept)


def test_within_the_newest_turn_the_oldest_calls_go():
    """An agent's one question, and call after call: the question and the last results stay."""
    rounds = [called(number) for number in range(20)]
    messages = [SYSTEM, NEWEST, *(message for each in rounds for message in each)]
    kept = trimmed(messages)
    assert kept[:2] == [SYSTEM, NEWEST]
    assert kept[-3:] == rounds[-1]
    assert 0 < len(kept[2:]) < 60
    assert kept[2:] == messages[-len(kept[2:]) :]
    assert kept[2]["role"] == "assistant"


def test_where_even_the_newest_turn_cannot_fit_it_is_an_error():
    with pytest.raises(e.ContextLengthError):
        trimmed([SYSTEM, *turn(1), {"role": "user", "content": WORD * 48_000}])


def test_tools_take_their_part_of_the_window():
    tool = {"type": "function", "function": {"name": "f", "description": WORD * 8000, "parameters": {}}}
    messages = [SYSTEM, *(message for number in range(15) for message in turn(number)), NEWEST]
    assert len(trimmed(messages, tools=[tool])) < len(trimmed(messages))


def test_with_a_tokenizer_the_window_is_used_to_its_end():
    messages = [SYSTEM, *(message for number in range(40) for message in turn(number)), NEWEST]
    count: Callable[[str], int] = lambda text: len(text.split())  # noqa: E731
    kept = trimmed(messages, count=count)
    assert 21_500 < sum(count(str(message["content"])) for message in kept) <= 23_000


roles = st.lists(
    st.sampled_from(["turn", "call", "system", "note"]),
    max_size=12,
)


@given(kinds=roles, words=st.integers(1, 6000))
def test_whatever_is_left_is_in_order_and_whole(kinds: list[str], words: int):
    """System messages stay, each result has its call, each call all its results, and nothing is made up."""
    messages: list[WireMessage] = []
    for number, kind in enumerate(kinds):
        messages += {
            "turn": turn(number, words),
            "call": called(number, words // 4),
            "system": [{"role": "system", "content": f"rule {number}"}],
            "note": [{"role": "assistant", "content": f"note {number}"}],
        }[kind]
    messages.append(NEWEST)
    kept = trimmed(messages)
    rest = iter(messages)
    assert all(message in rest for message in kept)
    assert [m for m in kept if m["role"] == "system"] == [m for m in messages if m["role"] == "system"]
    assert kept[-1] == NEWEST
    asked = [call["id"] for message in kept for call in message.get("tool_calls", [])]
    assert asked == [message["tool_call_id"] for message in kept if message["role"] == "tool"]
