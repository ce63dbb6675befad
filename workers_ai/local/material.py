"""What a text offers to fill in: labelled values, quotations, numbers, names. Each thing is taken once."""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from . import extract, proper_names, words
from .proper_names import Name

# What is filled in is looked for in the first so many characters of a text, and near a number in so many around it.
_LONGEST = 20_000
_WINDOW = 80
_QUOTED = re.compile(
    r"[\"“„«](?P<a>[^\"”“»\n]+)[\"”“»]|(?<![\w])['‘](?P<b>[^'’\n]+)['’](?!\w)|「(?P<c>[^」\n]+)」|`(?P<d>[^`\n]+)`"
)
_NUMBER = re.compile(r"(?<![\w.,])(?:(?<![\w)\]])-)?\d+(?:,\d{3})*(?:\.\d+)?(?!\d|(?:st|nd|rd|th)\b)(?![.,]\d)")
_NUMBER_WORDS = {
    word: number
    for number, word in enumerate(
        """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
        seventeen eighteen nineteen twenty""".split()
    )
} | {"thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90, "hundred": 100}
_NUMBER_WORD = re.compile(rf"\b(?:{'|'.join(_NUMBER_WORDS)})\b", re.IGNORECASE)
_LOWER_PLACE = re.compile(
    r"\b(?P<before>in|at|near|for|from|to)\s+(?:the\s+)?"
    r"(?P<names>[^\W\d_][\w'’-]*(?:(?:\s*,\s*(?:and\s+)?|\s+and\s+)[^\W\d_][\w'’-]*)*)",
    re.IGNORECASE,
)
_LIST = re.compile(
    r"(?P<items>[^\W_][\w'’ -]*?(?:\s*,\s*[^\W_][\w'’ -]*?)*\s*,?\s+(?:and|or|&)\s+[^\W_][\w'’-]*)(?=[^\w'’-]|$)"
)
_SEPARATOR = re.compile(r"\s*,\s*(?:and\s+|or\s+)?|\s+(?:and|or|&)\s+", re.IGNORECASE)
_CLAUSE = re.compile(r"[^\s,.;:!?\n][^,.;:!?\n]*")
_ABOUT = re.compile(r"\b(?:about|on|regarding|concerning|topic(?: is|:)?)\s+(?P<topic>[^.?!,;:\n]+)", re.IGNORECASE)
_VALUE = (
    r"[\"'“‘「`](?P<quoted>[^\"'”’」`\n]+)[\"'”’」`]"
    r"|(?P<number>-?\d+(?:\.\d+)?)|(?P<plain>[^\s,.;:!?()\[\]{}\"']+(?:-[^\s,.;:!?()]+)*)"
)
_TIME_WORDS = frozenset("today tomorrow tonight now right yesterday moment morning evening me you general".split())


@dataclass(frozen=True, slots=True)
class Number:
    """A number, how it was written, and the stems of the words around it."""

    value: float
    start: int
    end: int
    around: frozenset[str]


class Source:
    """One text and what was taken from it so far."""

    def __init__(self, text: str) -> None:
        self.text = text[:_LONGEST]
        self._taken: list[tuple[int, int]] = []

    def take(self, start: int, end: int) -> None:
        """Nothing of this stretch is offered again."""
        self._taken.append((start, end))

    def is_free(self, start: int, end: int) -> bool:
        """Whether nothing of this stretch was taken."""
        return all(end <= first or start >= last for first, last in self._taken)

    def free(self, pattern: re.Pattern[str]) -> Iterator[re.Match[str]]:
        """The matches of which nothing was taken."""
        return (match for match in pattern.finditer(self.text) if self.is_free(*match.span()))

    def numbers(self) -> list[Number]:
        """Free numbers: those in digits, or else those in words."""
        found = [
            Number(float(m.group().replace(",", "")), *m.span(), self._around(*m.span())) for m in self.free(_NUMBER)
        ]
        return found or [
            Number(float(_NUMBER_WORDS[m.group().lower()]), *m.span(), self._around(*m.span()))
            for m in self.free(_NUMBER_WORD)
        ]

    def names(self) -> list[Name]:
        """Free names."""
        return [name for name in proper_names.find(self.text) if self.is_free(name.start, name.end)]

    def quotations(self) -> list[Name]:
        """Free quotations, without their marks."""
        found = []
        for match in self.free(_QUOTED):
            group = next(name for name in "abcd" if match[name] is not None)
            found.append(Name(match[group].strip(), match.start(), match.end()))
        return found

    def lower_places(self) -> list[Name]:
        """What stands after "in", "at", "for" and the like without a capital: "the weather in paris"."""
        found = []
        for match in self.free(_LOWER_PLACE):
            at = match.start("names")
            for word in re.finditer(r"[^\s,]+", match["names"]):
                if word.group().lower() in _TIME_WORDS | words.STOPWORDS | {"and"}:
                    continue
                start, end = at + word.start(), at + word.end()
                found.append(Name(word.group(), start, end, match["before"].lower()))
        return found

    def rest(self) -> str:
        """What is left after the last thing taken, or the whole if nothing was."""
        end = max((last for _, last in self._taken), default=0)
        return _trimmed(self.text[end:])

    def _around(self, start: int, end: int) -> frozenset[str]:
        before = re.split(r"[,.;:!?\n]", self.text[max(0, start - _WINDOW) : start])[-1].split()[-3:]
        after = re.split(r"[,.;:!?\n]", self.text[end : end + _WINDOW])[0].split()[:3]
        unit = "degrees" if self.text[end : end + 3].lstrip().startswith("°") else ""
        return frozenset(extract.terms(" ".join([*before, *after, unit])))


class Material:
    """Several texts in the order in which they are asked: the clause at hand, the message, what was said before."""

    def __init__(self, *texts: str) -> None:
        self.sources = [Source(text) for text in dict.fromkeys(filter(None, texts))]
        self._given: set[str] = set()

    @property
    def text(self) -> str:
        """The first text."""
        return self.sources[0].text if self.sources else ""

    def labelled(self, labels: Iterable[str], *, numeric: bool = False) -> str | None:
        """A value that stands beside its own name: "city: Paris", "city exactly Paris", "user named 'X'"."""
        is_value = _is_number if numeric else _is_value
        for label in labels:
            pattern = re.compile(
                rf"(?<![\w'\"]){label}['\"]?(?:(?P<link>\s*[:=]\s*|\s+(?:is|are|exactly|of|to|named|called)\s+)|\s+)"
                rf"(?:{_VALUE})",
                re.IGNORECASE,
            )
            for source in self.sources:
                if found := next(filter(is_value, source.free(pattern)), None):
                    group = found.lastgroup or "plain"
                    start, end = _grown(source, *found.span(group), plain=group == "plain")
                    source.take(start, end)
                    return source.text[start:end].strip()
        return None

    def matching(self, pattern: re.Pattern[str]) -> str | None:
        """The first free match."""
        for source in self.sources:
            if found := next(source.free(pattern), None):
                source.take(*found.span())
                return found.group()
        return None

    def number(self, near: Collection[str] = (), *, anywhere: bool = True) -> float | None:
        """The number that stands nearest to one of these stems; or the first, if `anywhere`."""
        for source in self.sources:
            numbers = source.numbers()
            best = max(numbers, key=lambda number: len(number.around & set(near)), default=None)
            if best is not None and (anywhere or best.around & set(near)):
                source.take(best.start, best.end)
                return best.value
        return None

    def quotation(self) -> str | None:
        """The first free quotation."""
        return self._first([(source, source.quotations()) for source in self.sources])

    def name(self, after: Collection[str] = (), *, unlike: Collection[str] = (), region: bool = False) -> str | None:
        """The first free name; with `after` only one that stands after one of these words, without `unlike`."""
        for source in self.sources:
            for name in source.names():
                if (after and name.before not in after) or name.before in unlike:
                    continue
                whole = proper_names.with_region(source.text, name) if region else name
                source.take(whole.start, whole.end)
                return whole.text
        return None

    def lower_place(self, after: Collection[str] = ()) -> str | None:
        """The same without a capital."""
        places = [(s, [p for p in s.lower_places() if not after or p.before in after]) for s in self.sources]
        return self._first(places)

    def after(self, pattern: re.Pattern[str]) -> str | None:
        """What stands behind the first free match, up to the end of its clause."""
        for source in self.sources:
            for found in source.free(pattern):
                end = found.end() + len(re.split(r"[.?!;\n]", source.text[found.end() :])[0])
                if (text := _trimmed(source.text[found.end() : end])) and source.is_free(found.end(), end):
                    source.take(found.end(), end)
                    return text
        return None

    def topic(self) -> str | None:
        """What it is about, if it says so."""
        for source in self.sources:
            if found := next(source.free(_ABOUT), None):
                source.take(*found.span("topic"))
                return found["topic"].strip()
        return None

    def listed(self) -> list[str]:
        """The items of the first enumeration; quotations or names if there are several; else nothing."""
        for source in self.sources:
            for several in (source.quotations(), _chained(source)):
                if len(several) > 1:
                    for item in several:
                        source.take(item.start, item.end)
                    return [item.text for item in several]
            if found := next(source.free(_LIST), None):
                source.take(*found.span("items"))
                first, *others = _SEPARATOR.split(found["items"])
                return [first.rsplit(" ", 1)[-1], *others]
        return []

    def clause(self) -> str:
        """The next clause of two words or more, the first again when all were given; "" for none."""
        clauses = [
            _trimmed(found.group())
            for source in self.sources
            for found in _CLAUSE.finditer(source.text)
            if len(re.findall(r"[^\W\d_]{2,}", found.group())) > 1
        ]
        chosen = next((clause for clause in clauses if clause not in self._given), next(iter(clauses), ""))
        self._given.add(chosen)
        return chosen

    def all_numbers(self) -> list[float]:
        """Every free number of the first text that has one."""
        for source in self.sources:
            if numbers := source.numbers():
                for number in numbers:
                    source.take(number.start, number.end)
                return [number.value for number in numbers]
        return []

    def rest(self) -> str:
        """What is left of the first text, or all of it if nothing is."""
        return next((rest for source in self.sources[:1] if (rest := source.rest())), self.text)

    def _first(self, offered: Sequence[tuple[Source, Sequence[Name]]]) -> str | None:
        for source, found in offered:
            if found:
                source.take(found[0].start, found[0].end)
                return found[0].text
        return None


def _trimmed(text: str) -> str:
    """The text without punctuation at its ends, and without a bracket that has no partner."""
    text = text.strip(" \t\n,;:.!?-–—'\"")
    if text.count("(") != text.count(")"):
        text = text.replace("(", "").replace(")", "")
    return text.strip()


def _chained(source: Source) -> list[Name]:
    names = source.names()
    chains = [proper_names.chain(source.text, names, at) for at in range(len(names))]
    return max(chains, key=len, default=[])


def _is_number(found: re.Match[str]) -> bool:
    return found["number"] is not None


def _is_value(found: re.Match[str]) -> bool:
    """A bare word counts if it is no function word; without a link only a name: "the user account" labels nothing."""
    plain = found["plain"]
    return plain is None or (plain.lower() not in words.STOPWORDS and bool(found["link"] or plain[0].isupper()))


def _grown(source: Source, start: int, end: int, *, plain: bool) -> tuple[int, int]:
    """A bare value grown to the whole name that it begins."""
    if plain:
        for name in proper_names.find(source.text):
            if name.start <= start < name.end:
                return start, name.end
    return start, end


def one_phrase(text: str, places: Sequence[Name]) -> bool:
    """Whether these words form one enumeration, with nothing but "," and "and" between them."""
    between = [text[a.end : b.start] for a, b in pairwise(places)]
    return len(places) > 1 and all(_SEPARATOR.fullmatch(piece) for piece in between)
