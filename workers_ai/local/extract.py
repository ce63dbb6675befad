"""Finding the sentences of a context that answer a question, by the words they share."""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from . import sentences, words
from .sentences import Sentence

_WANTS_NUMBER = re.compile(
    r"\b(?:when|year|date|how (?:many|much|long|old|far|tall|high|often)|number|time)\b", re.IGNORECASE
)
_WANTS_NAME = re.compile(r"\bwho(?:m|se)?\b", re.IGNORECASE)
_NAME = re.compile(r"(?<=\w )[A-Z]\w+")
_POINTS_BACK = re.compile(r"^(?:It|He|She|They|This|That|These|Those|Its|His|Her|Their)\b")
_ANSWER_MARK = re.compile(r"^(?:A|Answer): *")

# Words of the sentences before count for less than a sentence's own.
_CARRIED = 0.4


@dataclass(frozen=True, slots=True)
class Passage:
    """What was found. `coverage`: the share of the question's weight that its own words meet, 0 to 1."""

    text: str
    score: float
    coverage: float


@dataclass(frozen=True, slots=True)
class _Scored:
    at: int
    sentence: Sentence
    matched: frozenset[str]
    score: float


def best_passage(question: str, context: str) -> Passage | None:
    """The sentence that best meets the question, and a second one if it answers another part; None if none does."""
    found = sentences.split(context)
    weights = _weights(question, found)
    scored = [_score(at, found, weights, question) for at in range(len(found))]
    ranked = sorted((s for s in scored if s.matched), key=lambda s: (-s.score, s.at))
    if not ranked:
        return None
    chosen = [ranked[0], *_complement(ranked, weights)]
    matched = frozenset().union(*(s.matched for s in chosen))
    places = sorted({place for s in chosen for place in _readable(s, found)})
    return Passage(
        " ".join(_ANSWER_MARK.sub("", found[at].text) for at in places), ranked[0].score, _share(matched, weights)
    )


def terms(text: str) -> list[str]:
    """The stems that carry a text's meaning; all its words where it has nothing but function words."""
    found = words.words(text)
    return [words.stem(w) for w in found if w not in words.STOPWORDS] or [words.stem(w) for w in found]


def _weights(question: str, found: Sequence[Sentence]) -> dict[str, float]:
    """Weight of each term of the question: the rarer among the sentences, the more."""
    seen = Counter(term for sentence in found for term in {words.stem(w) for w in words.words(sentence.text)})
    return {term: math.log(1 + (len(found) + 1) / (seen[term] + 0.5)) for term in dict.fromkeys(terms(question))}


def _score(at: int, found: Sequence[Sentence], weights: Mapping[str, float], question: str) -> _Scored:
    sentence = found[at]
    stems = [words.stem(w) for w in words.words(sentence.text)]
    matched = _matches(stems, weights)
    if at and _asks(found[at - 1].text):
        # The answer to a question in the context meets whatever that question met.
        matched |= _matches([words.stem(w) for w in words.words(found[at - 1].text)], weights)
    score = sum(weights[term] for term in matched)
    if score:
        before = [s for s in found[max(0, at - 2) : at] if s.paragraph >= sentence.paragraph - 1]
        around = {words.stem(w) for s in before for w in words.words(s.text)}
        score += _CARRIED * sum(weights[term] for term in _matches(around, weights) - matched)
        score += 0.2 * _neighbours(stems, list(weights))
        score *= _fits_kind(question, sentence.text)
        # Among equals the shorter says less beside the point; a question quoted in the context is no answer.
        score /= 1 + 0.004 * len(stems) + 0.5 * _asks(sentence.text)
    return _Scored(at, sentence, matched, score)


def _matches(stems: Sequence[str] | set[str], weights: Mapping[str, float]) -> frozenset[str]:
    present = set(stems)
    # Longer words also meet by their beginning: "founder" and "founded", "Norwegian" and "Norway" differ in the end.
    starts = {stem[:5] for stem in present if len(stem) >= 5}
    return frozenset(term for term in weights if term in present or (len(term) >= 5 and term[:5] in starts))


def _neighbours(stems: Sequence[str], asked: Sequence[str]) -> int:
    """How many pairs of the question's terms stand side by side in the sentence as well."""
    pairs = set(pairwise(stems))
    return sum(pair in pairs for pair in pairwise(asked))


def _fits_kind(question: str, sentence: str) -> float:
    if _WANTS_NUMBER.search(question) and any(c.isdigit() for c in sentence):
        return 1.25
    if _WANTS_NAME.search(question) and _NAME.search(sentence):
        return 1.15
    return 1.0


def _complement(ranked: Sequence[_Scored], weights: Mapping[str, float]) -> list[_Scored]:
    """The best of the other sentences that meets a third of the question which the first leaves open."""
    first = ranked[0]
    for other in ranked[1:4]:
        if _share(other.matched - first.matched, weights) >= 0.34 and other.score >= 0.5 * first.score:
            return [other]
    return []


def _share(matched: frozenset[str], weights: Mapping[str, float]) -> float:
    whole = sum(weights.values())
    return sum(weights[term] for term in matched) / whole if whole else 0.0


def _readable(scored: _Scored, found: Sequence[Sentence]) -> tuple[int, ...]:
    """The sentence's place, after that of the one which it points back to ("It opened in 1971.")."""
    at = scored.at
    before = found[at - 1] if at else None
    if before is None or before.paragraph != scored.sentence.paragraph or not _POINTS_BACK.match(scored.sentence.text):
        return (at,)
    return (at,) if _POINTS_BACK.match(before.text) or _asks(before.text) else (at - 1, at)


def _asks(sentence: str) -> bool:
    return sentence.endswith(("?", "？"))
