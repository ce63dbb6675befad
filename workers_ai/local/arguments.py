"""Filling a JSON schema from a text, by lexical rules.

Two passes over an object's properties: first what stands beside its own name or is plainly of its kind, then, for
what is still missing and must be there, whatever the text has left. What may be left out is left out.
"""

import re
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from . import extract, schemas, words
from .material import Material
from .schemas import Schema, choices_in, kind_of, resolved
from .tools import required_of

if TYPE_CHECKING:
    from .inventions import Inventor

# Objects within objects that are filled; a schema may contain itself.
_DEEPEST = 6

MISSING: Any = object()

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[_\W]+")
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]*\w")
_URL = re.compile(r"https?://[^\s\"'<>)]+")
_MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
_DATE = re.compile(
    r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2})?(?:Z|[+-]\d{2}:\d{2})?)?"
    rf"|\d{{1,2}}(?:st|nd|rd|th)? (?:{_MONTHS})(?: \d{{4}})?|(?:{_MONTHS}) \d{{1,2}}(?:, \d{{4}})?"
    r"|\b(?:today|tomorrow|tonight|yesterday|(?:next )?(?:mon|tues|wednes|thurs|fri|satur|sun)day)\b",
    re.IGNORECASE,
)
_TIME = re.compile(r"\b\d{1,2}:\d{2}(?: ?[ap]m)?|\b\d{1,2} ?[ap]m\b", re.IGNORECASE)
_PLACES = frozenset(
    "city room location place town country address destination region where area state origin venue".split()
)
_PEOPLE = frozenset("person name who user customer author recipient employee contact guest owner student".split())
_FREE_TEXTS = frozenset(
    """query question text message prompt input content request topic subject search term sentence task reason
    description detail note comment instruction body keyword phrase code""".split()
)
_ADDRESSEES = frozenset("recipient to cc sender address attendee".split())
_QUERIES = frozenset("query search keyword keywords term phrase".split())
_FOR = re.compile(r"\b(?:for|about|regarding)\s+", re.IGNORECASE)
_QUANTITIES = frozenset("age count number amount price year rating score temperature total quantity".split())
_IN = frozenset("in at near for of".split())
_ROLES: Mapping[str, frozenset[str]] = {
    "from": frozenset({"from"}),
    "origin": frozenset({"from"}),
    "source": frozenset({"from"}),
    "departure": frozenset({"from"}),
    "sender": frozenset({"from"}),
    "to": frozenset({"to", "into"}),
    "destination": frozenset({"to"}),
    "target": frozenset({"to", "into"}),
    "arrival": frozenset({"to"}),
    "recipient": frozenset({"to"}),
    "artist": frozenset({"by"}),
    "author": frozenset({"by"}),
    "writer": frozenset({"by"}),
}
_NAMED = re.compile(r"\b(?:named|called|name is|am|I'm)\s+(?:[\"'“‘](?P<quoted>[^\"'”’]+)[\"'”’])", re.IGNORECASE)
_NEGATED = re.compile(r"\b(?:no|not|without|don't|do not|never|exclude|skip|disable|isn't|off)\b", re.IGNORECASE)
_YES = frozenset("true yes on enabled".split())
# What stands behind a number of this kind.
_UNITS = {
    kind: tuple(words.stem(unit) for unit in units.split())
    for kind, units in {
        "age": "year years",
        "duration": "minute minutes hour hours",
        "price": "dollar dollars euro euros",
        "cost": "dollar dollars euro euros",
        "temperature": "degree degrees",
    }.items()
}


class Filler:
    """Fills schemas below one `root` (where `$defs` are) from `material`."""

    def __init__(self, material: Material, root: Schema, *, inventor: "Inventor | None" = None) -> None:
        self.material = material
        self.root = root
        self.inventor = inventor
        self._depth = 0

    def object(self, schema: Schema, *, given: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """An object with all that is required, in the order of the schema; `given` is put in as it is.

        A schema that contains itself ends somewhere: with an empty object.
        """
        if self._depth > _DEEPEST:
            return {}
        self._depth += 1
        try:
            return self._object(schema, dict(given or {}))
        finally:
            self._depth -= 1

    def _object(self, schema: Schema, found: dict[str, Any]) -> dict[str, Any]:
        properties = {name: resolved(facts, self.root) for name, facts in (schema.get("properties") or {}).items()}
        for name, facts in sorted(properties.items(), key=_pickiness):
            if name not in found and (value := self.precise(name, facts)) is not MISSING:
                found[name] = value
        required = required_of(schema)
        for name, facts in properties.items():
            if name not in found and (name in required or self.is_wanted(name, facts)):
                found[name] = self.loose(name, facts)
        return {name: found[name] for name in properties if name in found}

    def is_wanted(self, name: str, schema: Schema) -> bool:
        """Whether a property that may be left out is filled although the text does not give it."""
        return False

    def precise(self, name: str, schema: Schema) -> Any:
        """A value that the text gives for this very property; `MISSING` if there is none."""
        for branch in schemas.branches(schema, self.root):
            value = self._precise(name, branch)
            if value is not MISSING:
                return value
        return MISSING

    def loose(self, name: str, schema: Schema) -> Any:
        """A value that fits the schema, whatever the text offers: default, null, the next thing left, a plain guess."""
        if schema.get("default") is not None:
            return schema["default"]
        if schemas.takes_null(schema, self.root) and not self.is_wanted(name, schema):
            return None
        branches = schemas.branches(schema, self.root)
        return self._loose(name, next((branch for branch in branches if kind_of(branch) != "null"), branches[0]))

    def _precise(self, name: str, schema: Schema) -> Any:
        choices = choices_in(schema)
        if choices is not None:
            return self._mentioned(choices)
        match kind_of(schema):
            case "integer" | "number":
                return self._near_number(name, schema)
            case "boolean":
                return self._switch(name)
            case "string" | "":
                value = self._precise_text(name, schema)
                return MISSING if value is None else _cut(value, schema)
            case "array":
                return self._precise_list(name, schema)
            case "object":
                return self._precise_object(schema)
        return MISSING

    def _loose(self, name: str, schema: Schema) -> Any:
        choices = choices_in(schema)
        if choices:
            return choices[0]
        match kind_of(schema):
            case "integer" | "number":
                return _bounded(self.material.number() or 0, schema)
            case "" if set(words_of(name)) & _QUANTITIES and (number := self.material.number()) is not None:
                return _bounded(number, schema)
            case "boolean":
                return False
            case "array":
                return self._loose_list(name, schema)
            case "object":
                return self.object(schema)
            case "null":
                return None
        return _cut(self.loose_text(name, schema), schema)

    # Strings.

    def _precise_text(self, name: str, schema: Schema) -> str | None:
        if (listed := self._listed_option(schema)) is not None:
            return listed
        if pattern := _pattern_of(name, schema):
            return self.material.matching(pattern)
        value: str | None
        if value := self.material.labelled(label for label in _labels(name) if len(label) > 1):
            return value
        about = set(words_of(name))
        if about & _ADDRESSEES and (address := self.material.matching(_EMAIL)):
            return address
        for word in words_of(name):
            if word in _ROLES and (found := self._named(after=_ROLES[word])):
                return found
        if about & _PLACES:
            return self._named(after=_IN, region=True)
        if about & _PEOPLE and not about & _PLACES:
            return self._person()
        return None

    def loose_text(self, name: str, schema: Schema) -> str:
        """Some text for a string of which nothing is said: a quotation, a name, what is left."""
        material = self.material
        if self.inventor is not None and (made_up := self.inventor.text(name, schema)):
            return made_up
        if self.inventor is not None and self.inventor.from_results and (clause := material.clause()):
            return clause
        if set(words_of(name)) & _QUERIES and (found := material.quotation() or material.after(_FOR)):
            return found
        if set(words_of(name)) & _FREE_TEXTS:
            return material.quotation() or material.topic() or material.rest()
        place = bool(set(words_of(name)) & _PLACES)
        return (
            material.quotation()
            or material.name(region=place)
            or material.lower_place()
            or material.topic()
            or material.rest()
        )

    def _named(self, *, after: Collection[str], region: bool = False) -> str | None:
        return self.material.name(after, region=region) or self.material.lower_place(after)

    def _person(self) -> str | None:
        for source in self.material.sources:
            if found := next(source.free(_NAMED), None):
                source.take(*found.span())
                return str(found["quoted"])
        return self.material.name(unlike=_IN | {"from", "to", "on"})

    def _listed_option(self, schema: Schema) -> str | None:
        """One of the options that a tool's description lists ("Name: what for"), the one whose text fits best."""
        options = schema.get("x-options")
        if not isinstance(options, Mapping) or not options:
            return None
        asked = set(extract.terms(" ".join(source.text for source in self.material.sources)))
        scores = {name: len(asked & set(extract.terms(f"{name} {text}"))) for name, text in options.items()}
        return str(max(options, key=lambda name: scores[name]))

    # Numbers and switches.

    def _near_number(self, name: str, schema: Schema) -> Any:
        value: str | None
        if (value := self.material.labelled(_labels(name), numeric=True)) is not None:
            return _bounded(float(value), schema)
        near = {*extract.terms(" ".join(words_of(name))), *extract.terms(str(schema.get("description", "")))}
        near.update(stem for word in words_of(name) for stem in _UNITS.get(word, ()))
        number = self.material.number(near, anywhere=False)
        return MISSING if number is None else _bounded(number, schema)

    def _switch(self, name: str) -> Any:
        if (value := self.material.labelled(_labels(name))) is not None and value.lower() in _YES | {
            "false",
            "no",
            "off",
        }:
            return value.lower() in _YES
        stems = set(extract.terms(" ".join(words_of(name))))
        for source in self.material.sources:
            for clause in re.split(r"[,.;!?]|\b(?:and|but)\b", source.text):
                if stems & set(extract.terms(clause)):
                    return not _NEGATED.search(clause)
        return MISSING

    def _mentioned(self, choices: Collection[Any]) -> Any:
        """The choice that the text mentions first, of equal places the longest."""
        for source in self.material.sources:
            found: list[tuple[int, int, int, Any]] = []
            for choice in choices:
                pattern = re.escape(str(choice)).replace("_", "[_ ]")
                if match := re.search(rf"(?<!\w){pattern}(?!\w)", source.text, re.IGNORECASE):
                    found.append((match.start(), -len(match.group()), len(found), choice))
            if found:
                start, length, _, choice = min(found)
                source.take(start, start - length)
                return choice
        return MISSING

    # Lists and objects.

    def _precise_list(self, name: str, schema: Schema) -> Any:
        items = resolved(schema.get("items"), self.root)
        choices = choices_in(items)
        if choices is not None:
            mentioned = [choice for choice in choices if self._mentioned([choice]) is not MISSING]
            return _counted(mentioned, schema) if mentioned else MISSING
        if kind_of(items) == "string" or schemas.is_open(items):
            listed = [_cut(item, items) for item in self.material.listed()]
            return _counted(listed, schema) if listed else MISSING
        if kind_of(items) in {"integer", "number"}:
            numbers = self.material.all_numbers()
            return _counted([_bounded(n, items) for n in numbers], schema) if len(numbers) > 1 else MISSING
        return MISSING

    def _loose_list(self, name: str, schema: Schema) -> list[Any]:
        if schema.get("maxItems") == 0:
            return []
        tuple_items = schema.get("prefixItems")
        if isinstance(tuple_items, list):
            return [self._loose(name, resolved(item, self.root)) for item in tuple_items]
        items = resolved(schema.get("items"), self.root)
        numeric = kind_of(items) in {"integer", "number"}
        if numeric and (numbers := self.material.all_numbers()):
            return _counted([_bounded(number, items) for number in numbers], schema)
        if kind_of(items) == "array" or numeric:
            return [self._loose(name, items)] * int(schema.get("minItems", 0))
        count = max(1, int(schema.get("minItems", 1)))
        return [self.loose(_singular(name), items) for _ in range(count)]

    def _precise_object(self, schema: Schema) -> Any:
        if self._depth > _DEEPEST:
            return MISSING
        self._depth += 1
        properties = {name: resolved(facts, self.root) for name, facts in (schema.get("properties") or {}).items()}
        values = {name: self.precise(name, facts) for name, facts in properties.items()}
        found = {name: value for name, value in values.items() if value is not MISSING}
        self._depth -= 1
        return self.object(schema, given=found) if found else MISSING


def _pickiness(item: tuple[str, Schema]) -> int:
    """Who chooses first: what stands behind a preposition of its own, then lists, then what takes any name."""
    name, facts = item
    return 0 if _ROLES.keys() & set(words_of(name)) else 1 if kind_of(facts) == "array" else 2


def words_of(name: str) -> list[str]:
    """The words of a name in snake or camel case, in lower case."""
    return [word.lower() for word in _CAMEL.split(name) if word]


def _labels(name: str) -> list[str]:
    """What a value may be labelled with: the whole name, and its last word ("user_age": "age")."""
    parts = [re.escape(word) for word in words_of(name)]
    whole = "[ _-]?".join(parts)
    return list(dict.fromkeys([whole, parts[-1], parts[0]])) if parts else []


def _pattern_of(name: str, schema: Schema) -> re.Pattern[str] | None:
    """What a string of a known form looks like."""
    form, parts = schema.get("format"), set(words_of(name))
    if form == "email" or parts & {"email", "mail"}:
        return _EMAIL
    if form in {"uri", "url"} or parts & {"url", "uri", "link"}:
        return _URL
    if form in {"date", "date-time"} or parts & {"date", "day", "when"}:
        return _DATE
    if form == "time" or parts == {"time"}:
        return _TIME
    if isinstance(schema.get("pattern"), str):
        try:
            return re.compile(schema["pattern"].strip("^$"))
        except re.error:
            return None
    return None


def _bounded(value: float, schema: Schema) -> int | float:
    """The number within the schema's bounds, whole where it must be."""
    whole = kind_of(schema) == "integer"
    least, most = schema.get("minimum"), schema.get("maximum")
    step = 1 if whole else 0.5
    if isinstance(above := schema.get("exclusiveMinimum"), int | float) and not isinstance(above, bool):
        least = above + step if value <= above else least
    if isinstance(below := schema.get("exclusiveMaximum"), int | float) and not isinstance(below, bool):
        most = below - step if value >= below else most
    if isinstance(least, int | float):
        value = max(value, least)
    if isinstance(most, int | float):
        value = min(value, most)
    return int(value) if whole or float(value).is_integer() else value


def _cut(text: str, schema: Schema) -> str:
    most, least = schema.get("maxLength"), schema.get("minLength")
    text = text[:most] if isinstance(most, int) else text
    return text.ljust(least, ".") if isinstance(least, int) else text


def _counted(items: list[Any], schema: Schema) -> list[Any]:
    most, least = schema.get("maxItems"), schema.get("minItems")
    items = items[:most] if isinstance(most, int) else items
    while items and isinstance(least, int) and len(items) < least:
        items = [*items, items[-1]]
    return items


def _singular(name: str) -> str:
    return name[:-1] if name.endswith("s") and not name.endswith("ss") else name
