"""What a job may cost, and how many more texts fit in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workers_ai.bulk_files.estimate import cost_of_tokens, likely_tokens, neurons_at_most
from workers_ai.bulk_files.failure import FileError
from workers_ai.cost import USD_PER_NEURON

if TYPE_CHECKING:
    from workers_ai.bulk_files.ledger import Ledger
    from workers_ai.text_embedder import TextEmbedder

FREE_NEURONS_A_DAY = 10_000.0
"""The free allocation of an account (pricing page, 2026)."""


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit. name: the option that set it. left: neurons that may still be spent."""

    name: str
    left: float
    daily: bool = False


@dataclass(frozen=True, slots=True)
class Budget:
    """Limits on what one job costs, all of its runs together.

    max_neurons, max_usd: for the whole job. free_only: for each day (UTC) what an account has free; what else the
    account has used that day is not known here.
    """

    max_neurons: float | None = None
    max_usd: float | None = None
    free_only: bool = False

    def check(self, model: str) -> None:
        """Raises FileError where there is a limit and no price to reckon with."""
        if self.is_limited and cost_of_tokens(1, model) is None:
            raise FileError(f"no price of {model} is known, so no limit on its cost can be kept")

    @property
    def is_limited(self) -> bool:
        """Whether there is any limit."""
        return self.free_only or self.max_neurons is not None or self.max_usd is not None

    def nearest(self, ledger: Ledger) -> Limit | None:
        """The limit that is reached first, None without any."""
        limits = []
        if self.max_neurons is not None:
            limits.append(Limit("--max-neurons", self.max_neurons - ledger.total))
        if self.max_usd is not None:
            limits.append(Limit("--max-usd", self.max_usd / USD_PER_NEURON - ledger.total))
        if self.free_only:
            limits.append(Limit("--free-only", FREE_NEURONS_A_DAY - ledger.of_today, daily=True))
        return min(limits, key=lambda limit: limit.left, default=None)


def at_most(texts: Sequence[str | None], embedder: TextEmbedder) -> float:
    """Neurons that these texts hardly ever pass, each different one sent once; 0 where no price is known."""
    tokens = sum(likely_tokens(text, embedder) for text in set(texts) if text is not None)
    return neurons_at_most(tokens, embedder.model)


def rows_within(texts: Sequence[str | None], neurons: float, embedder: TextEmbedder) -> int:
    """How many of the rows, from the first on, surely cost no more than `neurons`."""
    millionth, seen, tokens = neurons_at_most(1_000_000, embedder.model) / 1e6, set[str](), 0
    for row, text in enumerate(texts):
        if text is not None and text not in seen:
            seen.add(text)
            tokens += likely_tokens(text, embedder)
            if tokens * millionth > neurons:
                return row
    return len(texts)
