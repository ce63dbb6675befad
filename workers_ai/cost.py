"""Tokens to neurons to USD, and which of the figures is whose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from workers_ai.catalog import ModelInfo
    from workers_ai.usage import Usage

USD_PER_NEURON = 0.011 / 1000
"""Workers AI's list price (pricing page, 2026): 1,000 neurons for 0.011 USD."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one answer cost: neurons, USD, and whose figures they are.

    source: "service" where the answer told its neurons, "catalog" where they were computed from list prices.
    """

    neurons: float
    usd: float
    source: Literal["service", "catalog"]


def cost_of(usage: Usage | None, info: ModelInfo, *, from_cache: bool = False) -> Cost | None:
    """The cost of an answer; None where neither the service nor the catalogue knows.

    from_cache: the gateway answered from its cache, which costs nothing (quirk 92).
    """
    if from_cache:
        return Cost(0.0, 0.0, "service")
    if usage is None:
        return None
    if usage.neurons is not None:
        return Cost(usage.neurons, usage.neurons * USD_PER_NEURON, "service")
    neurons = _list_neurons(usage, info)
    return None if neurons is None else Cost(neurons, neurons * USD_PER_NEURON, "catalog")


def _list_neurons(usage: Usage, info: ModelInfo) -> float | None:
    """Neurons by list price: the page prints neurons per million tokens too, finer than its rounded USD."""
    price = info.price
    if price is None:
        return None
    prompt = _rate(price.input_neurons, price.input)
    if prompt is None:
        return None
    cached = usage.cached_tokens or 0
    cached_rate = _rate(price.cached_input_neurons, price.cached_input)
    answer = _rate(price.output_neurons, price.output) or 0.0
    millionths = (usage.input_tokens - cached) * prompt + cached * (prompt if cached_rate is None else cached_rate)
    return (millionths + usage.output_tokens * answer) / 1e6


def _rate(neurons: float | None, usd: float | None) -> float | None:
    """Neurons per million tokens."""
    return neurons if neurons is not None or usd is None else usd / USD_PER_NEURON
