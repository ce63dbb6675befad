"""Tokens and neurons of one answer, and how the usage objects of a stream become one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeGuard, TypeVar

Number = TypeVar("Number", int, float)


@dataclass(frozen=True, slots=True)
class Usage:
    """What one answer used.

    input_tokens, output_tokens, total_tokens: as the service counted them.
    cached_tokens: the part of input_tokens that came from the prompt cache; None where it is not said.
    reasoning_tokens: the part of output_tokens that was reasoning; None where it is not said.
    neurons: the service's own figure, None where it gave none.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int = 0
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None
    neurons: float | None = None

    @classmethod
    def read(cls, wire: object, *, neurons: float | None = None) -> Usage | None:
        """A usage object of the wire, in any of its forms; None for null, {} or anything else.

        neurons: a figure from elsewhere (the `cf-ai-neurons` header), used where the object holds none:
        the body's is finer (quirk 72).
        """
        if not isinstance(wire, Mapping) or not wire:
            return cls(neurons=neurons) if neurons is not None else None
        prompt, completion = _count(wire.get("prompt_tokens")), _count(wire.get("completion_tokens"))
        cached = _detail(wire.get("prompt_tokens_details"), "cached_tokens")
        stated = wire.get("neurons")
        return cls(
            input_tokens=prompt,
            output_tokens=completion,
            total_tokens=_count(wire.get("total_tokens")) or prompt + completion,
            cached_tokens=None if cached is None else min(cached, prompt),  # a part of the prompt (quirk 73)
            reasoning_tokens=_detail(wire.get("completion_tokens_details"), "reasoning_tokens"),
            neurons=float(stated) if _is_finite(stated) else neurons,
        )

    def __add__(self, other: Usage) -> Usage:
        """The sum of two answers' (or two increments') usage."""
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.total_tokens + other.total_tokens,
            _sum(self.cached_tokens, other.cached_tokens),
            _sum(self.reasoning_tokens, other.reasoning_tokens),
            _sum(self.neurons, other.neurons),
        )

    def or_larger(self, other: Usage) -> Usage:
        """The one with more tokens; of two that count the same, one that has the details of both."""
        if other.total_tokens != self.total_tokens:
            return max(self, other, key=lambda usage: usage.total_tokens)
        told = {name: getattr(other, name) for name in _DETAILS if getattr(self, name) is None}
        return replace(self, **told)


_DETAILS = ("cached_tokens", "reasoning_tokens", "neurons")


class StreamUsage:
    """Merges the usage objects of one stream, whose meaning differs by model (quirk 16).

    They are totals sent once or twice, a total followed by zeros, running totals, or increments that may
    end in a total. Neither "the last wins" nor "add up" is right for all of them:

    1. the final native frame (it has no `choices`) is the total, where its token count is above zero;
    2. else, where only one frame counts the prompt and others count tokens of the answer alone, they are
       increments and are added up;
    3. else the largest total is the total.
    """

    __slots__ = ("_answer_alone", "_counted_prompt", "_largest", "_native", "_sum")

    def __init__(self) -> None:
        self._native: Usage | None = None
        self._largest: Usage | None = None
        self._sum: Usage | None = None
        self._counted_prompt = 0
        self._answer_alone = 0

    def add(self, wire: object, *, native: bool) -> None:
        """Take in the usage object of one frame. native: the frame has no `choices`."""
        usage = Usage.read(wire)
        if usage is None:
            return
        if native and usage.total_tokens > 0:
            self._native = usage
        self._largest = usage if self._largest is None else self._largest.or_larger(usage)
        self._sum = usage if self._sum is None else self._sum + usage
        self._counted_prompt += usage.input_tokens > 0
        self._answer_alone += usage.output_tokens > 0 and usage.input_tokens == 0

    def total(self) -> Usage | None:
        """The usage of the whole stream, None where no frame told any."""
        if self._native is not None:
            return self._native
        increments = self._counted_prompt <= 1 and self._answer_alone > 0
        return self._sum if increments else self._largest


_TOO_MANY = 1e18


def _count(value: object) -> int:
    return int(value) if _is_finite(value) and value > 0 else 0


def _is_finite(value: object) -> TypeGuard[int | float]:
    """Whether `value` is a number to count with: the parser takes NaN, 1e999 and integers of any length."""
    return isinstance(value, (int, float)) and abs(value) < _TOO_MANY


def _detail(details: object, name: str) -> int | None:
    value: Any = details.get(name) if isinstance(details, Mapping) else None
    return _count(value) if _is_finite(value) else None


def _sum(one: Number | None, other: Number | None) -> Number | None:
    if one is None or other is None:
        return other if one is None else one
    return one + other
