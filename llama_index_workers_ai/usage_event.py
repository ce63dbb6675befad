"""What an embedding request used, as an event: LlamaIndex's own events around embeddings have no place for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llama_index.core.instrumentation.events import BaseEvent
from pydantic import ConfigDict

if TYPE_CHECKING:
    from typing import Self

    from workers_ai.answers import Vectors


class WorkersAIUsageEvent(BaseEvent):
    """The usage of one embedding request, told to the handlers of LlamaIndex's instrumentation.

    model_name: that answered. texts: in the request. input_tokens: as the service counted them. neurons, cost_usd:
    of the request; cost_source: "service", or "catalog" where they were computed from list prices.
    None for what is not known: some models tell nothing.
    """

    model_config = ConfigDict(protected_namespaces=())

    model_name: str
    texts: int
    input_tokens: int | None = None
    neurons: float | None = None
    cost_usd: float | None = None
    cost_source: str | None = None
    request_id: str | None = None

    @classmethod
    def class_name(cls) -> str:
        """The name in traces."""
        return "WorkersAIUsageEvent"

    @classmethod
    def of(cls, answer: Vectors) -> Self:
        """The event of an answer."""
        usage, cost = answer.usage, answer.cost
        return cls(
            model_name=answer.facts.answering_model,
            texts=len(answer.rows),
            input_tokens=(usage.input_tokens or None) if usage is not None else None,
            neurons=cost.neurons if cost is not None else None,
            cost_usd=cost.usd if cost is not None else None,
            cost_source=cost.source if cost is not None else None,
            request_id=answer.facts.request_id,
        )
