"""What a call will cost, before it is made: tokens estimated, prices from the catalogue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from workers_ai.catalog import lookup
from workers_ai.cost import Cost, cost_of
from workers_ai.token_estimate import TokenEstimate, estimate_tokens
from workers_ai.usage import Usage

if TYPE_CHECKING:
    from workers_ai.catalog import ModelInfo
    from workers_ai.wire.message import WireMessage

AN_ANSWER = 250
"""Tokens of a chat's answer that are called likely: nothing is known of it beforehand, so this is an assumption."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """At least, probably, at most."""

    low: float
    likely: float
    high: float


@dataclass(frozen=True, slots=True)
class Estimate:
    """What one call will use and cost.

    input_tokens, output_tokens: `low`, `likely` and `high`. neurons, usd: likewise, by list price; None where the
    catalogue has no price by tokens for the model, which does not mean that it is free.
    """

    model: str
    input_tokens: TokenEstimate
    output_tokens: TokenEstimate
    neurons: Bounds | None = None
    usd: Bounds | None = None


def estimate(messages: object, *, model: str, max_tokens: int | None = None) -> Estimate:
    """What a call with `messages` will use and cost, without asking anybody.

    messages: a text, a list of texts, or messages: `{"role", "content"}`, or those of either framework.
    max_tokens: that of the call; without it the upper bound is the model's own default, or what its window leaves.

    The prompt's tokens are estimated as `check_context` does; the answer has one token at least, `AN_ANSWER` probably,
    `max_tokens` at most, and embeddings and rankings have none. Raises TypeError for what holds no text.
    """
    info = lookup(model)
    asked = estimate_tokens(_wire(messages), model=model)
    answered = _answer(info, asked, max_tokens)
    costs = [_cost(info, getattr(asked, end), getattr(answered, end)) for end in ("low", "likely", "high")]
    known = [each for each in costs if each is not None]
    if len(known) < len(costs):
        return Estimate(model, asked, answered)
    return Estimate(
        model,
        asked,
        answered,
        neurons=Bounds(*(each.neurons for each in known)),
        usd=Bounds(*(each.usd for each in known)),
    )


def _answer(info: ModelInfo, asked: TokenEstimate, max_tokens: int | None) -> TokenEstimate:
    if info.does("text") is False:
        return TokenEstimate()
    left = info.context_window - asked.low if info.context_window is not None else None
    limits = [each for each in (max_tokens or info.default_max_tokens, left) if each is not None]
    high = max(1, min(limits, default=AN_ANSWER))
    return TokenEstimate(1, min(AN_ANSWER, high), high)


def _cost(info: ModelInfo, asked: int, answered: int) -> Cost | None:
    return cost_of(Usage(asked, answered, asked + answered), info)


def _wire(messages: object) -> str | list[WireMessage]:
    if isinstance(messages, str):
        return messages
    if isinstance(messages, Mapping) or not isinstance(messages, Sequence):
        messages = [messages]
    return [_message(each) for each in messages]


def _message(message: Any) -> WireMessage:
    """One message. Both frameworks' have their text in `content`."""
    if isinstance(message, str):
        return {"role": "user", "content": message}
    if isinstance(message, Mapping):
        return cast("WireMessage", message)
    if not hasattr(message, "content"):
        raise TypeError(f"messages: texts or messages are expected, not {type(message).__name__}")
    return {"role": "user", "content": message.content or ""}
