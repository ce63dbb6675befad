"""Tokens of a text before the service has counted them. An estimate: tokenizers differ from model to model."""

from __future__ import annotations

from workers_ai.catalog import lookup
from workers_ai.cost import Cost, cost_of
from workers_ai.usage import Usage

_ASCII_A_TOKEN = 4
_OTHERS_A_TOKEN = 1.5
_ADDED = 2  # what a tokenizer puts around each text
AT_MOST = 2
"""Times the estimate: what the count hardly ever passes, for limits that must hold."""


def likely_tokens(text: str) -> int:
    """Four ASCII letters a token, three of any others two."""
    others = 0 if text.isascii() else sum(letter > "\x7f" for letter in text)
    return round((len(text) - others) / _ASCII_A_TOKEN + others / _OTHERS_A_TOKEN) + _ADDED


def cost_of_tokens(tokens: int, model: str) -> Cost | None:
    """What `tokens` cost by list price; None where the catalogue has no price of the model."""
    return cost_of(Usage(input_tokens=tokens, total_tokens=tokens), lookup(model))
