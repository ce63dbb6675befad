"""Whether a value fits a JSON schema, and where it does not: for calls that a script makes.

Stricter than the standard in one thing: where an object's properties are listed and nothing is said of others, another
one does not fit. A model writes what it was shown, and a misspelt optional argument is to be noticed.
"""

import operator
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from .schemas import choices_in, resolved
from .tools import compact

_TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "boolean": bool,
    "array": list,
    "object": dict,
    "null": type(None),
    "number": (int, float),
    "integer": int,
}
_BOUNDS: tuple[tuple[str, Callable[[float, float], bool], str], ...] = (
    ("minimum", operator.ge, "at least"),
    ("maximum", operator.le, "at most"),
    ("exclusiveMinimum", operator.gt, "more than"),
    ("exclusiveMaximum", operator.lt, "less than"),
)
_LENGTHS = (("minLength", "maxLength", str), ("minItems", "maxItems", list))


def misfits(value: Any, schema: Any, root: Mapping[str, Any] | None = None, at: str = "") -> list[str]:
    """What keeps `value` from fitting, one sentence each; [] if it fits. `at`: the place of the value, for the words.

    root: where `$ref` points into; the schema itself if None. Keywords that are not known here are passed over.
    """
    whole = root if root is not None else (schema if isinstance(schema, Mapping) else {})
    if schema is False:
        return [f"{at or 'it'} is not allowed"]
    return list(_misfits(value, resolved(schema, whole), whole, at))


def _misfits(value: Any, schema: Mapping[str, Any], root: Mapping[str, Any], at: str) -> Iterator[str]:
    for key in ("anyOf", "oneOf"):
        if branches := schema.get(key):
            found = [misfits(value, branch, root, at) for branch in branches]
            if all(found):
                yield min(found, key=len)[0]
    allowed = choices_in(schema)
    if allowed is not None and value not in allowed:
        yield f"{at or 'it'} is {compact(value)}, not one of {compact(allowed)}"
    kinds = schema.get("type")
    kinds = [kinds] if isinstance(kinds, str) else kinds or []
    if kinds and not any(_is(value, kind) for kind in kinds):
        yield f"{at or 'it'} is {compact(value)}, not of type {' or '.join(kinds)}"
        return
    yield from _out_of_bounds(value, schema, at or "it")
    if isinstance(value, dict):
        yield from _in_object(value, schema, root, at)
    if isinstance(value, list):
        yield from _in_array(value, schema, root, at)


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    if kind == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _TYPES.get(kind, object))


def _out_of_bounds(value: Any, schema: Mapping[str, Any], at: str) -> Iterator[str]:
    if isinstance(value, int | float) and not isinstance(value, bool):
        for key, holds, words in _BOUNDS:
            bound = schema.get(key)
            if isinstance(bound, int | float) and not holds(value, bound):
                yield f"{at} is {value}, not {words} {bound}"
    for least, most, kind in _LENGTHS:
        if isinstance(value, kind):
            low, high = schema.get(least, 0), schema.get(most, len(value))
            if not low <= len(value) <= high:
                yield f"{at} has length {len(value)}, not {low} to {high}"
    if isinstance(value, str) and "pattern" in schema and not _matches(schema["pattern"], value):
        yield f"{at} is {compact(value)}, which does not match {schema['pattern']}"


def _matches(pattern: str, value: str) -> bool:
    try:
        return re.search(pattern, value) is not None
    except re.error:  # another dialect than Python's
        return True


def _in_object(value: dict[str, Any], schema: Mapping[str, Any], root: Mapping[str, Any], at: str) -> Iterator[str]:
    properties = schema.get("properties") or {}
    for name in schema.get("required") or ():
        if name not in value:
            yield f"{_below(at, name)} is missing"
    others = schema.get("additionalProperties", not properties)
    for name, each in value.items():
        if name in properties:
            yield from misfits(each, properties[name], root, _below(at, name))
        elif others is False:
            known = f"; it has {', '.join(properties)}" if properties else ""
            yield f"{_below(at, name)} is unknown{known}"
        else:
            yield from misfits(each, others, root, _below(at, name))


def _in_array(value: list[Any], schema: Mapping[str, Any], root: Mapping[str, Any], at: str) -> Iterator[str]:
    first = schema.get("prefixItems") or []
    for number, each in enumerate(value):
        wanted = first[number] if number < len(first) else schema.get("items", True)
        yield from misfits(each, wanted, root, f"{at or 'it'}[{number}]")


def _below(at: str, name: str) -> str:
    return f"{at}.{name}" if at else name
