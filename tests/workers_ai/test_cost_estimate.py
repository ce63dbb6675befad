"""`estimate`: what a call will cost, before it is made."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from llama_index.core.llms import ChatMessage

from workers_ai import Client, estimate
from workers_ai.cost_estimate import AN_ANSWER, Bounds, Estimate
from workers_ai.local import LocalServer

LLAMA = "@cf/meta/llama-3.3-70b-instruct-fp8-fast"
TEXT = "The tide mill of Velmouth grinds buckwheat in the hours after the flood. " * 20


def bounds(value: Any) -> list[float]:
    return [value.low, value.likely, value.high]


def test_what_the_call_then_costs_lies_within(emulator: LocalServer):
    told = estimate(TEXT, model=LLAMA, max_tokens=300)
    client = Client(account_id=emulator.account_id, api_token=emulator.api_token, base_url=emulator.base_url)
    answer = client.chat(TEXT, model=LLAMA, max_tokens=300)
    assert told.neurons is not None
    assert told.neurons.low <= answer.cost.neurons <= told.neurons.high
    assert bounds(told.neurons) == sorted(bounds(told.neurons))


def test_prices_are_the_catalogues():
    told = estimate("Hi", model=LLAMA, max_tokens=100)
    asked = told.input_tokens.high
    assert told.neurons is not None
    assert told.neurons.high == pytest.approx((asked * 26668 + 100 * 204805) / 1e6)
    assert told.usd is not None
    assert told.usd.high == pytest.approx(told.neurons.high * 0.011 / 1000)


@pytest.mark.parametrize(
    ("max_tokens", "high"),
    [(10, 10), (1000, 1000), (None, 256)],
)
def test_an_answer_ends_at_max_tokens_or_the_models_own_default(max_tokens: int | None, high: int):
    told = estimate("Hi", model=LLAMA, max_tokens=max_tokens).output_tokens
    assert bounds(told) == [1, min(AN_ANSWER, high), high]


def test_an_answer_ends_at_the_window():
    told = estimate("Hi", model=LLAMA, max_tokens=10**9)
    assert told.output_tokens.high == 24_000 - told.input_tokens.low


def test_embeddings_have_no_answer():
    told = estimate([TEXT, TEXT], model="@cf/baai/bge-m3")
    assert bounds(told.output_tokens) == [0, 0, 0]
    assert told.neurons is not None
    assert told.neurons.low > 0


def test_an_unknown_price_is_unknown():
    told = estimate("Hi", model="@cf/nobody/knows")
    assert isinstance(told, Estimate)
    assert (told.neurons, told.usd) == (None, None)


def test_messages_of_any_kind_are_counted_alike():
    wire = {"role": "user", "content": TEXT}
    alike = [
        estimate(each, model=LLAMA)
        for each in ([wire], [HumanMessage(TEXT)], [ChatMessage(content=TEXT)], [TEXT], HumanMessage(TEXT))
    ]
    assert all(each == alike[0] for each in alike)
    assert isinstance(alike[0].neurons, Bounds)


def test_what_is_no_message_is_refused():
    with pytest.raises(TypeError, match="not int"):
        estimate([7], model=LLAMA)
