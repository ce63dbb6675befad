"""Where many texts are cut, so that each request stays within the model's limits."""

from __future__ import annotations

from collections.abc import Callable, Sequence


def cut(texts: Sequence[str], *, most_texts: int, most_tokens: int, tokens: Callable[[str], int]) -> list[slice]:
    """`texts` in order, as slices of at most `most_texts` with at most `most_tokens` together; none for no texts.

    tokens: of one text. One that alone has more than `most_tokens` gets a slice of its own.
    """
    slices: list[slice] = []
    begin, held = 0, 0
    for place, text in enumerate(texts):
        count = tokens(text)
        if place > begin and (place - begin == most_texts or held + count > most_tokens):
            slices.append(slice(begin, place))
            begin, held = place, 0
        held += count
    if begin < len(texts):
        slices.append(slice(begin, len(texts)))
    return slices
