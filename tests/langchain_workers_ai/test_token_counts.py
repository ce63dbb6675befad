"""Tokens counted without transformers, and the window they are checked against."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core.exceptions import ContextOverflowError
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage, trim_messages
from langchain_core.tools import tool

from langchain_workers_ai import ChatWorkersAI, ContextLengthError
from workers_ai.token_estimate import CORRECTION, estimate_tokens

WORD = " the"
LLAMA = "@cf/meta/llama-3.3-70b-instruct-fp8-fast"  # a window of 24,000 tokens


@pytest.fixture(autouse=True)
def forgetful() -> Iterator[None]:
    CORRECTION.clear()
    yield
    CORRECTION.clear()


@pytest.fixture(params=["chat", "llm"])
def model(request: pytest.FixtureRequest, service: Any) -> Any:
    return getattr(service, request.param)(model=LLAMA)


def history(turns: int) -> list[Any]:
    said = [[HumanMessage(f"{number}{WORD * 300}"), AIMessage("Yes.")] for number in range(turns)]
    return [SystemMessage("Be brief."), *(message for turn in said for message in turn), HumanMessage("And now?")]


def test_a_text_is_estimated_rather_too_high(model: Any):
    assert model.get_num_tokens(WORD * 300) == estimate_tokens(WORD * 300).high == 330


def test_messages_and_tools_are_counted_with_what_stands_around_them(model: Any):
    @tool
    def tide(station: str) -> str:
        """Height of the tide."""
        return station

    call = {"name": "tide", "args": {"station": "Kiel"}, "id": "c1"}
    messages = [HumanMessage("How high?"), AIMessage("", tool_calls=[call]), ToolMessage("2 m", tool_call_id="c1")]
    plain = model.get_num_tokens_from_messages(messages)
    assert plain > sum(model.get_num_tokens(str(message.content)) for message in messages) + 20
    assert model.get_num_tokens_from_messages(messages, tools=[tide]) > plain + 20


def test_a_tokenizer_of_one_s_own_goes_before(service: Any):
    model = service.chat(custom_get_token_ids=lambda text: list(range(len(text.split()))))
    assert model.get_num_tokens("one two three") == 3
    assert model.get_token_ids("one two three") == [0, 1, 2]


def test_trim_messages_counts_with_the_model(service: Any):
    """LangChain's own function, offline."""
    model = service.chat(model=LLAMA)
    kept = trim_messages(
        history(20), max_tokens=2000, token_counter=model, strategy="last", include_system=True, start_on="human"
    )
    assert isinstance(kept[0], SystemMessage)
    assert kept[-1].content == "And now?"
    assert len(kept) == 12
    assert 1500 < model.get_num_tokens_from_messages(kept) <= 2000


ASK = ["invoke", "ainvoke", "stream", "astream"]


async def ask(model: ChatWorkersAI, way: str, messages: list[Any], **options: Any) -> None:
    match way:
        case "invoke":
            model.invoke(messages, **options)
        case "ainvoke":
            await model.ainvoke(messages, **options)
        case "stream":
            list(model.stream(messages, **options))
        case _:
            assert [chunk async for chunk in model.astream(messages, **options)]


@pytest.mark.parametrize("way", ASK)
async def test_what_cannot_fit_is_refused_before_it_is_sent(service: Any, way: str):
    """As an error of both families: LangChain's middleware summarises at its own."""
    with pytest.raises(ContextLengthError) as caught:
        await ask(service.chat(model=LLAMA), way, [HumanMessage(WORD * 48_000)])
    assert isinstance(caught.value, ContextOverflowError)
    assert caught.value.limit == 24_000
    assert not service.requests


@pytest.mark.parametrize("way", ASK)
async def test_a_call_may_ask_for_less_of_the_history(service: Any, way: str):
    model = service.chat(model=LLAMA)
    await ask(model, way, history(200), check_context="trim")
    (body,) = service.bodies
    assert body["messages"][0]["role"] == "system"
    assert 60 < len(body["messages"]) < 402
    assert "check_context" not in body


def test_an_object_may_ask_for_it_as_well_and_a_call_for_no_check(service: Any):
    model = service.chat(model=LLAMA, check_context="trim")
    model.invoke(history(200))
    model.invoke(history(200), check_context=None)
    trimmed, whole = (len(body["messages"]) for body in service.bodies)
    assert trimmed < whole == 402


def test_the_tokenizer_of_the_model_counts_for_the_check(service: Any):
    model = service.chat(model=LLAMA, custom_get_token_ids=lambda text: [0] * (2 * len(text.split())))
    with pytest.raises(ContextLengthError) as caught:
        model.invoke(WORD * 12_100)
    assert caught.value.tokens is not None
    assert 24_200 <= caught.value.tokens < 24_500
