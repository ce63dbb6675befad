"""What a job has spent, over all its runs and by day, kept beside the parts."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from workers_ai.bulk_files.durable import written

if TYPE_CHECKING:
    from workers_ai.answers import Vectors

_NAME = "ledger.json"


def today() -> str:
    """The day by which the free allocation counts: UTC's."""
    return datetime.now(UTC).date().isoformat()


@dataclass(slots=True)
class Spent:
    """Requests answered, tokens and neurons; `unknown`: answers of which neither service nor catalogue tell them."""

    requests: int = 0
    tokens: int = 0
    neurons: float = 0.0
    unknown: int = 0

    def add(self, answer: Vectors) -> None:
        """Counts one answer."""
        self.requests += 1
        self.tokens += answer.usage.total_tokens if answer.usage else 0
        if answer.cost is None:
            self.unknown += 1
        else:
            self.neurons += answer.cost.neurons


@dataclass(slots=True)
class Ledger:
    """Neurons by day. What a checkpoint may cost is written down before it is sent, so that a kill hides nothing."""

    path: Path
    neurons: dict[str, float] = field(default_factory=dict)
    day: Callable[[], str] = today

    @classmethod
    def of(cls, folder: Path) -> Ledger:
        """The ledger in the folder of a job's parts, empty at first."""
        path = folder / _NAME
        kept = json.loads(path.read_bytes()) if path.exists() else {}
        return cls(path, {day: float(neurons) for day, neurons in kept.items()})

    @property
    def total(self) -> float:
        """Neurons of all days."""
        return sum(self.neurons.values())

    @property
    def of_today(self) -> float:
        """Neurons of this day (UTC)."""
        return self.neurons.get(self.day(), 0.0)

    def reserve(self, neurons: float) -> str:
        """Counts on the disk what the next checkpoint may cost; the day it counts for."""
        day = self.day()
        self._write({**self.neurons, day: self.neurons.get(day, 0.0) + neurons})
        return day

    def settle(self, day: str, neurons: float) -> None:
        """Puts what it did cost in the place of what was reserved."""
        self.neurons[day] = self.neurons.get(day, 0.0) + neurons
        self._write(self.neurons)

    def _write(self, neurons: dict[str, float]) -> None:
        with written(self.path) as file:
            file.write(json.dumps(neurons).encode())
