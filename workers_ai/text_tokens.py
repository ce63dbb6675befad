"""How many tokens a text has, without a tokenizer: never more than it has, and about as many."""

from __future__ import annotations

_BYTES_PER_TOKEN = 4  # English prose has more; code, figures and scripts without blanks have fewer


def at_least(text: str) -> int:
    """Tokens that `text` has in any case: the tokenizers of the embedding models join no two words."""
    return len(text.split())


def likely(text: str) -> int:
    """Tokens that `text` has probably. Rather too many: what is cut too early costs a request, no refusal."""
    size = len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
    return max(size // _BYTES_PER_TOKEN, text.count(" ")) + 1
