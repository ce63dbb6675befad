"""What texts cost before the service has counted their tokens. An estimate: tokenizers differ from model to model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers_ai.catalog import lookup
from workers_ai.cost import Cost, cost_of
from workers_ai.text_tokens import likely
from workers_ai.usage import Usage

if TYPE_CHECKING:
    from workers_ai.text_embedder import TextEmbedder

AT_MOST = 2
"""Times the estimate: what the count hardly ever passes, for limits that must hold."""


def likely_tokens(text: str, embedder: TextEmbedder) -> int:
    """Tokens of a text as it is sent."""
    besides = likely(embedder.text_instruction) if embedder.text_instruction else 0
    return likely(text) + besides


def cost_of_tokens(tokens: int, model: str) -> Cost | None:
    """What `tokens` cost by list price; None where the catalogue has no price of the model."""
    return cost_of(Usage(input_tokens=tokens, total_tokens=tokens), lookup(model))


def neurons_at_most(tokens: int, model: str) -> float:
    """Neurons that texts of so many estimated tokens hardly ever pass; 0 where no price is known."""
    cost = cost_of_tokens(AT_MOST * tokens, model)
    return 0.0 if cost is None else cost.neurons
