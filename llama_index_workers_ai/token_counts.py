"""A tokenizer as LlamaIndex's users hand it in, as what counts tokens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def counter_of(tokenizer: Any) -> Callable[[str], int] | None:
    """Counts by `tokenizer`: a function of a text, or an object with `encode`. None for anything else, names too."""
    encode = getattr(tokenizer, "encode", None) or tokenizer
    if isinstance(tokenizer, str) or not callable(encode):
        return None
    return lambda text: len(encode(text))
