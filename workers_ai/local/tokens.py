"""Text in pieces, about the size of a language model's tokens.

The pieces joined give the text back, byte for byte. Digits never share a piece with letters or blanks, as in the
tokenizers of the Llama family: only so can a piece be a number by itself (quirk 6).
"""

import re
from collections.abc import Iterable, Sequence

from .images import TOKENS_PER_IMAGE
from .message import Message

# A word carries the blank before it; a number of up to three digits and a longer run of blanks stand alone.
_PIECE = re.compile(r"\s?[^\W0-9]{1,8}|[0-9]{1,3}|\s?[^\w\s]{1,3}|\s+")

# What a chat template spends on each message and on opening the answer; a round figure, models differ.
_TOKENS_PER_MESSAGE = 4
_TOKENS_PER_PROMPT = 3


def split(text: str) -> list[str]:
    """The pieces of `text` in order; `"".join(split(text)) == text`, and no piece is empty."""
    return _PIECE.findall(text)


def count(text: str) -> int:
    """How many pieces `text` has."""
    return sum(1 for _ in _PIECE.finditer(text))


def count_prompt(messages: Sequence[Message], extras: Iterable[str] = ()) -> int:
    """Tokens of a prompt: its messages, the template around them, and other texts put in (tools)."""
    texts = sum(
        count(message.cost) + _TOKENS_PER_MESSAGE + TOKENS_PER_IMAGE * len(message.images) for message in messages
    )
    return texts + _TOKENS_PER_PROMPT + sum(map(count, extras))


def truncate(text: str, limit: int) -> str:
    """The first `limit` pieces of `text`."""
    return "".join(split(text)[:limit])
