"""Sums over answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workers_ai.counted import Counted


@dataclass(slots=True)
class Tally:
    """What some answers used together.

    calls: answers, those from a gateway's cache among them; cache_hits: those alone.
    neurons, usd: of the answers whose cost is known. unknown: answers whose cost is not: they are not in the sums.
    computed: answers whose cost comes from list prices. estimated: answers whose tokens are an estimate as well,
    because their stream was left or broke off before it told them.
    """

    calls: int = 0
    cache_hits: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    neurons: float = 0.0
    usd: float = 0.0
    unknown: int = 0
    computed: int = 0
    estimated: int = 0

    @property
    def tokens(self) -> int:
        """Tokens in and out."""
        return self.input_tokens + self.output_tokens

    def add(self, counted: Counted) -> None:
        """Takes in one answer."""
        self.calls += 1
        self.cache_hits += counted.cached
        self.input_tokens += counted.input_tokens
        self.output_tokens += counted.output_tokens
        self.neurons += counted.neurons or 0.0
        self.usd += counted.usd or 0.0
        self.unknown += counted.neurons is None and counted.usd is None
        self.computed += counted.source == "catalog"
        self.estimated += counted.source == "estimate"
