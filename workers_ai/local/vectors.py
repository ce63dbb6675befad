"""Texts as vectors by their words: real nearness for texts that share words, without a model.

Each word, its stem and its runs of three to five letters are hashed to a place and a sign; a text is the sum over
its words, of length 1. So the cosine of two texts grows with what they share, "Norwegian" is near "Norway", and the
same text gives the same numbers on every machine.
"""

import hashlib
import math
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache

from .words import STOPWORDS, stem, words

Vector = list[float]
_Entries = tuple[tuple[int, float], ...]

_STEM = 1.0
_GRAM = 0.25
# Words that stand in every text say little about any.
_STOPWORD = 0.1


def embed(text: str, dimensions: int, *, salt: str) -> Vector:
    """The vector of `text`: `dimensions` floats, length 1. `salt` names the space: other salts, unrelated vectors."""
    vector = [0.0] * dimensions
    # Without a word (only signs, say) the text itself counts as one.
    for word, times in Counter(words(text) or [text]).items():
        tf = 1 + math.log(times)
        for place, weight in _entries(word, dimensions, salt):
            vector[place] += tf * weight
    return normalise(vector)


def normalise(vector: Iterable[float]) -> Vector:
    """The same direction with length 1, rounded to 8 places; a vector of zeros becomes the first unit vector."""
    values = list(vector)
    length = math.sqrt(sum(v * v for v in values))
    if not length:
        return [1.0, *values[1:]]
    return [round(v / length, 8) for v in values]


def cosine(a: Vector, b: Vector) -> float:
    """Nearness of two vectors of length 1, from -1 to 1."""
    return sum(x * y for x, y in zip(a, b, strict=True))


@lru_cache(maxsize=100_000)
def _entries(word: str, dimensions: int, salt: str) -> _Entries:
    """What one occurrence of `word` adds, as places and signed weights."""
    weight = _STOPWORD if word in STOPWORDS else 1.0
    grams = _grams(f"<{word}>")
    features = [(f"s:{stem(word)}", _STEM * weight)]
    features += [(f"g:{gram}", _GRAM * weight) for gram in grams]
    return tuple(_place(name, value, dimensions, salt) for name, value in features)


def _grams(text: str) -> list[str]:
    return [text[i : i + n] for n in (3, 4, 5) for i in range(len(text) - n + 1)]


def _place(feature: str, weight: float, dimensions: int, salt: str) -> tuple[int, float]:
    digest = hashlib.blake2b(feature.encode("utf-8", "surrogatepass"), digest_size=8, key=salt.encode()[:64]).digest()
    number = int.from_bytes(digest, "big")
    return (number >> 1) % dimensions, weight if number & 1 else -weight
