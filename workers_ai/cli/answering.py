"""What the two halves of the demo have in common: the models they are given, and what they tell of an answer."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from workers_ai.cli.corpus_files import Passage
    from workers_ai.options import ConnectionOptions

RETRIEVED = 3
"""Passages that a question is answered from."""


@dataclass(frozen=True, slots=True)
class Models:
    """Ids of the models, and the connection arguments that both classes take."""

    chat: str
    embedding: str
    connection: ConnectionOptions


@dataclass(frozen=True, slots=True)
class Answered:
    """What is known of an answer when it has been told.

    sources: the files of the passages that were retrieved, the nearest first. model: the one that answered.
    pieces: how many the text came in. neurons, usd, cost_source: None where nobody knows.
    log_id, cache_status: of the gateway that it passed, None without one.
    """

    sources: Sequence[str]
    pieces: int
    model: str
    input_tokens: int = 0
    output_tokens: int = 0
    neurons: float | None = None
    usd: float | None = None
    cost_source: str | None = None
    log_id: str | None = None
    cache_status: str | None = None

    @classmethod
    def read(
        cls, facts: Mapping[str, Any], *, sources: Sequence[str], pieces: int, input_tokens: int, output_tokens: int
    ) -> Answered:
        """The record of an answer from the facts that both frameworks carry under the same names."""
        gateway = facts.get("gateway") or {}
        return cls(
            sources=tuple(dict.fromkeys(sources)),
            pieces=pieces,
            model=facts.get("model_name") or "?",
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            neurons=facts.get("neurons"),
            usd=facts.get("cost_usd"),
            cost_source=facts.get("cost_source"),
            log_id=gateway.get("log_id"),
            cache_status=gateway.get("cache_status"),
        )


Telling = Generator[str, None, Answered]
"""The pieces of an answer as they arrive; it returns what is known at the end."""


class Engine(Protocol):
    """A framework that answers questions over passages it has embedded."""

    def ask(self, question: str) -> Telling:
        """Answer from the passages nearest to the question."""
        ...


class Half(Protocol):
    """A module of the demo: one framework."""

    def build(self, passages: Sequence[Passage], models: Models) -> Engine:
        """Embed the passages, and stand ready for questions."""
        ...


def tell(telling: Telling, show: Callable[[str], None]) -> Answered:
    """Show each piece of an answer as it arrives. Returns what is known at the end."""
    while True:
        try:
            piece = next(telling)
        except StopIteration as end:
            answered: Answered = end.value
            return answered
        show(piece)
