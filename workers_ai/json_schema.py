"""A JSON schema as the service accepts it: equal to the one given, in the words that it takes.

One function for tools and structured output of both frameworks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

MAX_INLINED = 4000
"""JSON values, some 64 kB of text: a schema that would grow beyond keeps its shared definitions as references."""

_LISTS_OF_SCHEMAS = ("anyOf", "allOf", "prefixItems", "items")
_SCHEMAS = (
    "items",
    "additionalItems",
    "unevaluatedItems",
    "additionalProperties",
    "unevaluatedProperties",
    "contains",
    "propertyNames",
    "contentSchema",
    "not",
    "if",
    "then",
    "else",
)
_NAMED_SCHEMAS = ("patternProperties", "dependentSchemas", "dependencies")
_DEFINITIONS = ("$defs", "definitions")


def accepted(schema: Mapping[str, Any]) -> dict[str, Any]:
    """`schema` with what the service does not take rewritten.

    References are put in place, `oneOf` becomes `anyOf`, an object says its `type` and `properties`, and every property
    has a description: the older schema of the service demands one of each (http-api, trap 7). `$defs` go, but for types
    that hold themselves, and, where the whole would pass MAX_INLINED, for those used more than once: references in
    references grow by powers. The given schema is not changed.
    """
    document = _Document(schema)
    whole: dict[str, Any] = document.rewritten(schema)
    if (kept := document.kept_target(schema)) is not None:
        # A type that stays a reference is all of the schema: its outermost layer stands in place.
        beside = {key: value for key, value in whole.items() if key != "$ref"}
        whole = {**document.rewritten(kept), **beside}
    for key in (*_DEFINITIONS, "$schema"):
        whole.pop(key, None)
    if definitions := document.definitions():
        whole["$defs"] = definitions
    if "anyOf" not in whole and "$ref" not in whole:
        whole.setdefault("type", "object")
    if whole.get("type") == "object":
        whole.setdefault("properties", {})
    return whole


class _Document:
    """A schema and what its references lead to: those of `names` stay references, all others are put in place."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root
        self._targets: dict[str, Mapping[str, Any]] = {}
        self._led_to: dict[str, Counter[str]] = {}
        used = self._explore()
        kept = {reference for reference in self._targets if self._holds_itself(reference)}
        if self._inlined_size(kept) > MAX_INLINED:
            kept |= {reference for reference, times in used.items() if times > 1}
        self.names = _names(sorted(kept))

    def rewritten(self, schema: Any) -> Any:
        """A schema of this document in the service's words."""
        if not isinstance(schema, Mapping):
            return schema
        if (reference := _reference(schema)) in self._targets:
            beside = {key: value for key, value in schema.items() if key != "$ref"}
            if reference not in self.names:
                return self.rewritten({**self._targets[reference], **beside})
            schema = {"$ref": f"#/$defs/{self.names[reference]}", **beside}
        written = {key: value for key, value in schema.items() if key not in _DEFINITIONS}
        if "oneOf" in written:
            # For a model that writes JSON the two ask the same; the service's checker knows the second.
            written["anyOf"] = [*written.pop("oneOf"), *written.get("anyOf", [])]
        return {key: self._part(key, held) for key, held in written.items()}

    def _part(self, key: str, held: Any) -> Any:
        """What stands under one key of a schema: schemas, or anything else, which stays."""
        if key in _LISTS_OF_SCHEMAS and isinstance(held, (list, tuple)):
            return [self.rewritten(each) for each in held]
        if not isinstance(held, Mapping):
            return held
        if key == "properties":
            return {name: _described(name, self.rewritten(each)) for name, each in held.items()}
        if key in _NAMED_SCHEMAS:
            return {name: self.rewritten(each) for name, each in held.items()}
        return self.rewritten(held) if key in _SCHEMAS else held

    def kept_target(self, schema: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """What `schema` is a reference to, where that stays a reference."""
        while (reference := _reference(schema)) in self._targets:
            schema = self._targets[reference]
            if reference in self.names:
                return schema
        return None

    def definitions(self) -> dict[str, Any]:
        """The types that stay references, by name."""
        return {name: self.rewritten(self._targets[reference]) for reference, name in self.names.items()}

    def _explore(self) -> Counter[str]:
        """Follows every reference that can be reached. Answers how often each is made."""
        used = _references(_without_definitions(self._root))
        waiting = list(used)
        while waiting:
            reference = waiting.pop()
            if reference in self._targets or (target := self._find(reference)) is None:
                continue
            self._targets[reference] = target
            self._led_to[reference] = _references(_without_definitions(target))
            used += self._led_to[reference]
            waiting += self._led_to[reference]
        return Counter({reference: times for reference, times in used.items() if reference in self._targets})

    def _find(self, reference: str) -> Mapping[str, Any] | None:
        """The schema at a JSON pointer; None where there is none."""
        held: Any = self._root
        for step in _steps(reference):
            if isinstance(held, list) and step.isdecimal() and int(step) < len(held):
                held = held[int(step)]
            elif isinstance(held, Mapping) and step in held:
                held = held[step]
            else:  # a schema that was put into another with its definitions and its own idea of where the root is
                held = next(_definitions_called(_steps(reference)[-1], self._root), None)
                break
        if isinstance(held, bool):
            return {} if held else {"not": {}}
        return held if isinstance(held, Mapping) else None

    def _holds_itself(self, reference: str) -> bool:
        """Whether a type leads back to itself, by any way."""
        seen: set[str] = set()
        waiting = set(self._led_to[reference])
        while waiting:
            found = waiting.pop()
            if found == reference:
                return True
            if found in self._targets and found not in seen:
                seen.add(found)
                waiting |= set(self._led_to[found])
        return False

    def _inlined_size(self, kept: set[str]) -> int:
        """How many JSON values the whole has with all references but `kept` in place, found without making it."""
        sizes: dict[str, int] = dict.fromkeys(kept, 1)

        def size(schema: Mapping[str, Any], led_to: Mapping[str, int]) -> int:
            return _values(schema) + sum(
                times * size_of(reference) for reference, times in led_to.items() if reference in self._targets
            )

        def size_of(reference: str) -> int:
            if reference not in sizes:
                sizes[reference] = size(_without_definitions(self._targets[reference]), self._led_to[reference])
            return sizes[reference]

        root = _without_definitions(self._root)
        return size(root, _references(root)) + sum(
            size(_without_definitions(self._targets[reference]), self._led_to[reference]) for reference in kept
        )


def _described(name: str, schema: Any) -> Any:
    if isinstance(schema, dict) and not isinstance(schema.get("description"), str):
        return {**schema, "description": str(schema.get("title") or name)}
    return schema


def _reference(schema: Mapping[str, Any]) -> str:
    """The reference into its own document that a schema is; "" for none. "#" alone, the root, stays as it is."""
    target = schema.get("$ref")
    return target if isinstance(target, str) and target.startswith("#/") else ""


def _references(held: Any) -> Counter[str]:
    """Every reference in a value, and how often it stands there."""
    found: Counter[str] = Counter()
    for each in _within(held):
        if isinstance(each, Mapping) and (reference := _reference(each)):
            found[reference] += 1
    return found


def _values(held: Any) -> int:
    return sum(1 for _ in _within(held))


def _within(held: Any) -> Iterator[Any]:
    """A JSON value and all values in it."""
    waiting = [held]
    while waiting:
        yield (each := waiting.pop())
        if isinstance(each, Mapping):
            waiting += each.values()
        elif isinstance(each, (list, tuple)):
            waiting += each


def _without_definitions(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    return {key: value for key, value in schema.items() if key not in _DEFINITIONS}


def _definitions_called(name: str, root: Mapping[str, Any]) -> Iterator[Any]:
    for each in _within(root):
        if isinstance(each, Mapping):
            for key in _DEFINITIONS:
                if isinstance(each.get(key), Mapping) and name in each[key]:
                    yield each[key][name]


def _steps(reference: str) -> list[str]:
    return [unquote(step).replace("~1", "/").replace("~0", "~") for step in reference.split("/")[1:]]


def _names(references: list[str]) -> dict[str, str]:
    """A name for each reference: the last part of it, with a number where several are called the same."""
    named: dict[str, str] = {}
    for reference in references:
        name = plain = "".join("_" if letter in "/~%" else letter for letter in _steps(reference)[-1])
        count = 2
        while name in named.values():
            name, count = f"{plain}_{count}", count + 1
        named[reference] = name
    return named
