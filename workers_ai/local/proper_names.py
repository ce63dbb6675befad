"""Names in a text: capitalised words that belong together, and what was named side by side."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from .words import STOPWORDS

# How many characters around a name are looked at.
_WINDOW = 60
_WORD = re.compile(r"[^\W_]+(?:['’.&-][^\W_]+)*")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]{2,}")
_PREPOSITION = re.compile(r"\b(?P<word>[^\W\d_]+)\s+(?:the\s+)?$", re.IGNORECASE)
_JOINED = re.compile(r"\s*(?:,|;)\s*(?:and\s+|or\s+)?|\s+(?:and|or|und|et|y|e|plus)\s+|\s*&\s*", re.IGNORECASE)
_BEFORE_NEXT = re.compile(r"(?:in|at|for|of|to|from|near|about)\s+", re.IGNORECASE)
_REGION = re.compile(r",\s*(?P<name>[A-Z]{2}\b|[^\W\d_][\w'’-]+(?:\s[A-Z][\w'’-]+)?)")
# A capitalised word that begins a sentence is a name only before one of these.
_VERB = re.compile(
    r"\s*(?:'s|’s|,|\s(?:is|was|has|had|lives?|works?|wants?|likes?|needs?|and|will|can|plays?|owns?|wrote|said|says)\b)"
)
_STARTS_SENTENCE = re.compile(r"(?:\A|[.!?:\n\"“(])\s*$")
_ALONE = frozenset(
    """I OK Hello Hi Hey Yes No Please Thanks Monday Tuesday Wednesday Thursday Friday Saturday Sunday Use Using
    Call Get Give Find Tell Show Return Answer Reply Respond Write Create Make Add Compute Calculate Convert
    Translate Search Send Book Look Check List Set Extract Describe Explain Summarize Name JSON Now Then Also Is
    Are Do Does Did Can Could Would Say Buy Compare Visit Meet Ask Order Reserve Schedule Remind Open Play Turn
    What When Where Which Who Why How""".split()
)


@dataclass(frozen=True, slots=True)
class Name:
    """A name and its place in the text. `before`: the word that stands in front of it, in lower case."""

    text: str
    start: int
    end: int
    before: str = ""


def find(text: str) -> list[Name]:
    """The names of `text` in order."""
    spans = [*_capitalised(text), *(match.span() for match in _CJK.finditer(text))]
    return [_name(text, *span) for span in sorted(set(spans))]


def chain(text: str, names: Sequence[Name], at: int) -> list[Name]:
    """The name at `at` and those listed with it: "A, B and C". One name alone where nothing but a comma joins them."""
    chained, listed = [_with_state(text, names[at])], False
    for name in names[at + 1 :]:
        if name.start < chained[-1].end:
            continue
        between = text[chained[-1].end : name.start]
        joint = _JOINED.match(between)
        rest = between[joint.end() :] if joint else between
        if joint is None or (rest and not _BEFORE_NEXT.fullmatch(rest)):
            break
        listed = listed or "," not in joint.group() or any(w in joint.group().lower() for w in ("and", "or"))
        chained.append(_with_state(text, name))
    return chained if listed else chained[:1]


def with_region(text: str, name: Name) -> Name:
    """A place with the state or country behind its comma: "San Francisco, CA"."""
    found = _REGION.match(text, name.end)
    if found is None or not (found["name"][0].isupper() and found["name"] not in _ALONE):
        return name
    return Name(text[name.start : found.end()], name.start, found.end(), name.before)


def _with_state(text: str, name: Name) -> Name:
    """A place with the two letters of its state: within a list a longer word is another name."""
    found = re.compile(r",\s*[A-Z]{2}\b").match(text, name.end)
    return Name(text[name.start : found.end()], name.start, found.end(), name.before) if found else name


def _capitalised(text: str) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    for word in _WORD.finditer(text):
        if not _counts(text, word):
            continue
        if spans and text[spans[-1][1] : word.start()] == " ":
            spans[-1] = (spans[-1][0], word.end())
        else:
            spans.append(word.span())
    return spans


def _counts(text: str, word: re.Match[str]) -> bool:
    found = word.group()
    if not found[0].isupper() or found in _ALONE:
        return False
    if not _STARTS_SENTENCE.search(text[max(0, word.start() - _WINDOW) : word.start()]):
        return True
    return found.lower() not in STOPWORDS and bool(
        _VERB.match(text, word.end())
        or re.match(r"\s[A-Z]", text[word.end() : word.end() + 2])
        or word.end() == len(text)
    )


def _name(text: str, start: int, end: int) -> Name:
    before = _PREPOSITION.search(text[max(0, start - _WINDOW) : start])
    return Name(text[start:end], start, end, before["word"].lower() if before else "")
