"""What the service answered, decoded: whole answers, the deltas of a stream, vectors, rankings. Values only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from workers_ai.cost import Cost
from workers_ai.provider import PROVIDER
from workers_ai.usage import Usage

if TYPE_CHECKING:
    from workers_ai.wire.tool_calls import CallPiece, ToolCall


_PLACES = 12
"""Decimal places of the USD that are shown: below a millionth of a neuron's price all is rounding."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known about an answer besides its text.

    model: the one asked for. answering_model: as the reply names it, else the one asked for. id: the answer's own.
    request_id: the service's id of the HTTP request. usage, cost: None where neither service nor catalogue know.
    gateway: what AI Gateway told (log_id, cache_status, step, ...). headers: the reply's, secrets left out.
    fallback_step: with `fallback`, which of the models answered: 0 is the one that was asked for, 1 the first of the
        others, ...; None without.
    """

    model: str
    answering_model: str
    finish_reason: str | None = None
    id: str | None = None
    created: int | None = None
    request_id: str | None = None
    usage: Usage | None = None
    cost: Cost | None = None
    gateway: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    fallback_step: int | None = None

    def metadata(self) -> dict[str, Any]:
        """The facts under the names that both adapters show; what is not known is left out.

        Neurons and USD stand here and not in a usage object: floats break the frameworks' sums.
        """
        told: dict[str, Any] = {
            "model_name": self.answering_model,
            "model_requested": self.model,
            "model_provider": PROVIDER,
            "finish_reason": self.finish_reason,
            "id": self.id,
            "created": self.created,
            "request_id": self.request_id,
            "fallback_step": self.fallback_step,
        }
        if self.cost is not None:
            told |= {
                "neurons": self.cost.neurons,
                "cost_usd": round(self.cost.usd, _PLACES),
                "cost_source": self.cost.source,
            }
        told["gateway"] = dict(self.gateway) or None
        return {name: value for name, value in told.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the `n` answers: text, reasoning apart from it, calls, finish reason, log probabilities as they came."""

    text: str
    reasoning: str = ""
    finish_reason: str | None = None
    logprobs: Any = None
    parsed: Any = None  # JSON mode on older models answers an object: kept beside its text (quirk 5)
    tool_calls: Sequence[ToolCall] = ()
    refusal: str | None = None  # the model declined, in words


@dataclass(frozen=True, slots=True)
class ChatAnswer:
    """A whole answer. `raw` is the object the service sent, without its envelope."""

    choices: Sequence[Choice]
    facts: Facts
    raw: Mapping[str, Any]

    @property
    def text(self) -> str:
        """Text of the first choice."""
        return self.choices[0].text

    @property
    def reasoning(self) -> str:
        """Reasoning of the first choice, "" where there is none."""
        return self.choices[0].reasoning

    @property
    def tool_calls(self) -> Sequence[ToolCall]:
        """Calls of the first choice."""
        return self.choices[0].tool_calls

    @property
    def finish_reason(self) -> str | None:
        """Why the first choice ended: "stop", "length", "tool_calls", ..."""
        return self.choices[0].finish_reason

    @property
    def usage(self) -> Usage | None:
        """Tokens, and the service's own neurons; None where it told none."""
        return self.facts.usage

    @property
    def cost(self) -> Cost | None:
        """Neurons and USD, and whose figures they are."""
        return self.facts.cost


@dataclass(slots=True)
class ChatDelta:
    """What one frame of a stream adds. The last delta of a stream, and no other, has `facts`, and a refusal whole."""

    text: str = ""
    reasoning: str = ""
    logprobs: Any = None
    facts: Facts | None = None
    calls: Sequence[CallPiece] = ()
    refusal: str | None = None


@dataclass(frozen=True, slots=True)
class Vectors:
    """Embeddings: one row of floats for each text, in the texts' order."""

    rows: list[list[float]]
    facts: Facts

    @property
    def usage(self) -> Usage | None:
        """Tokens and neurons; many embedding models tell none (quirk 66)."""
        return self.facts.usage

    @property
    def cost(self) -> Cost | None:
        """Neurons and USD, and whose figures they are."""
        return self.facts.cost


@dataclass(frozen=True, slots=True)
class Ranked:
    """One text of a ranking: its place among those that were given, how well it meets the query, and itself.

    score: the model's own, higher is better. bge-reranker-base was recorded between 0 and 1; its page calls scores raw.
    """

    index: int
    score: float
    text: str


@dataclass(frozen=True, slots=True)
class Ranking:
    """Texts in the order of how well they meet a query, best first; perhaps fewer than were given, or none.

    facts: of one request; of several, what holds for all of them and the sums of usage and cost.
    """

    items: Sequence[Ranked]
    facts: Facts

    @property
    def usage(self) -> Usage | None:
        """Tokens and neurons; None where the model tells none (quirk 66)."""
        return self.facts.usage

    @property
    def cost(self) -> Cost | None:
        """Neurons and USD, and whose figures they are."""
        return self.facts.cost

    def __iter__(self) -> Iterator[Ranked]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)
