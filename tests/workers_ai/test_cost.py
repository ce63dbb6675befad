"""Tokens to neurons to USD, and whose figures they are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers_ai.catalog import ModelInfo, Price, lookup
from workers_ai.cost import USD_PER_NEURON, Cost, cost_of
from workers_ai.usage import Usage

LLAMA = lookup("@cf/meta/llama-3.2-3b-instruct")  # 4,625 neurons per million tokens in, 30,475 out
GLM = lookup("@cf/zai-org/glm-5.2")  # 127,273 in, 23,636 cached, 400,000 out


def priced(**price: float) -> ModelInfo:
    return ModelInfo(
        id="@cf/x/y", known=True, task="Text Generation", status="current", api="native", price=Price(**price)
    )


@pytest.mark.parametrize(
    ("usage", "info", "neurons", "source"),
    [
        (Usage(1_000_000, 0, 1_000_000), LLAMA, 4625, "catalog"),
        (Usage(0, 1_000_000, 1_000_000), LLAMA, 30475, "catalog"),
        (Usage(40, 3, 43), LLAMA, 0.276425, "catalog"),
        (Usage(40, 3, 43, neurons=0.25), LLAMA, 0.25, "service"),
        (Usage(40, 3, 43, neurons=0.0), LLAMA, 0.0, "service"),
        (Usage(1_000_000, 0, 1_000_000, cached_tokens=1_000_000), GLM, 23636, "catalog"),
        (Usage(1_000_000, 0, 1_000_000, cached_tokens=400_000), GLM, 0.6 * 127273 + 0.4 * 23636, "catalog"),
        (Usage(1_000_000, 0, 1_000_000, cached_tokens=1_000_000), LLAMA, 4625, "catalog"),
        (Usage(1_000_000, 0, 1_000_000), priced(input=0.011), 1000, "catalog"),
        (Usage(1_000_000, 1_000_000, 2_000_000), priced(input=0.011, output=0.022), 3000, "catalog"),
        (Usage(1_000_000, 5, 1_000_005), priced(input_neurons=7.0, input=0.011), 7, "catalog"),
    ],
)
def test_the_service_s_figure_goes_before_the_list_price(usage: Usage, info: ModelInfo, neurons: float, source: str):
    cost = cost_of(usage, info)
    assert cost is not None
    assert cost.neurons == pytest.approx(neurons)
    assert cost.usd == pytest.approx(neurons * 0.011 / 1000)
    assert cost.source == source


@pytest.mark.parametrize(
    ("usage", "info"),
    [(None, LLAMA), (Usage(5, 5, 10), lookup("@cf/nobody/knows")), (Usage(5, 5, 10), priced(output=1.0))],
)
def test_what_nobody_knows_is_none_and_not_zero(usage: Usage | None, info: ModelInfo):
    assert cost_of(usage, info) is None


def test_an_answer_from_the_gateway_s_cache_costs_nothing():
    assert cost_of(Usage(5, 5, 10, neurons=3.0), LLAMA, from_cache=True) == Cost(0.0, 0.0, "service")
    assert cost_of(None, LLAMA, from_cache=True) == Cost(0.0, 0.0, "service")


def test_the_list_price_is_that_of_the_pricing_page():
    assert pytest.approx(0.11) == 10_000 * USD_PER_NEURON


@given(tokens=st.integers(0, 10**7), cached=st.integers(0, 10**7), answer=st.integers(0, 10**7))
def test_a_cost_is_never_negative_and_a_cached_token_never_dearer(tokens: int, cached: int, answer: int):
    whole = cost_of(Usage(tokens, answer, tokens + answer), GLM)
    part = cost_of(Usage(tokens, answer, tokens + answer, cached_tokens=min(cached, tokens)), GLM)
    assert whole is not None
    assert part is not None
    assert 0 <= part.neurons <= whole.neurons * (1 + 1e-12)  # the two sums round differently
