"""A JSON schema as the service accepts it: equal to the one given, in the words that it takes.

One function for tools and structured output of both frameworks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_LISTS_OF_SCHEMAS = ("anyOf", "allOf", "prefixItems")
_SCHEMAS = ("items", "additionalProperties", "not", "contains", "propertyNames")
_NAMED_SCHEMAS = ("properties", "patternProperties")


def accepted(schema: Mapping[str, Any]) -> dict[str, Any]:
    """`schema` with what the service does not take rewritten.

    References are put in place (`$defs` go, unless a type holds itself), `oneOf` becomes `anyOf`, an object says its
    `type` and `properties`, and every property has a description: the older schema of the service demands one of
    each (http-api, trap 7). The given schema is not changed.
    """
    definitions = {**schema.get("$defs", {}), **schema.get("definitions", {})}
    recursive = {name for name in definitions if _holds_itself(name, definitions)}
    whole: dict[str, Any] = _rewritten(schema, definitions, recursive)
    if (name := _referred(whole)) in recursive:
        # A type that holds itself is all of the schema: its outermost layer stands in place.
        beside = {key: value for key, value in whole.items() if key != "$ref"}
        whole = {**_rewritten(definitions[name], definitions, recursive), **beside}
    for key in ("$defs", "definitions", "$schema"):
        whole.pop(key, None)
    if recursive:
        whole["$defs"] = {name: _rewritten(definitions[name], definitions, recursive) for name in sorted(recursive)}
    if "anyOf" not in whole and "$ref" not in whole:
        whole.setdefault("type", "object")
    if whole.get("type") == "object":
        whole.setdefault("properties", {})
    return whole


def _rewritten(schema: Any, definitions: Mapping[str, Any], recursive: set[str]) -> Any:
    if not isinstance(schema, Mapping):
        return schema
    if (name := _referred(schema)) is not None and name in definitions and name not in recursive:
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        return _rewritten({**definitions[name], **beside}, definitions, recursive)
    written = {key: value for key, value in schema.items() if key not in ("$defs", "definitions")}
    if "oneOf" in written:
        # For a model that writes JSON the two ask the same; the service's checker knows the second.
        written["anyOf"] = [*written.pop("oneOf"), *written.get("anyOf", [])]
    for key in _LISTS_OF_SCHEMAS:
        if isinstance(written.get(key), Sequence):
            written[key] = [_rewritten(each, definitions, recursive) for each in written[key]]
    for key in _SCHEMAS:
        if isinstance(written.get(key), Mapping):
            written[key] = _rewritten(written[key], definitions, recursive)
    for key in _NAMED_SCHEMAS:
        if isinstance(written.get(key), Mapping):
            written[key] = {
                name: _described(name, _rewritten(each, definitions, recursive)) for name, each in written[key].items()
            }
    return written


def _described(name: str, schema: Any) -> Any:
    if isinstance(schema, dict) and not isinstance(schema.get("description"), str):
        return {**schema, "description": str(schema.get("title") or name)}
    return schema


def _referred(schema: Mapping[str, Any]) -> str | None:
    target = schema.get("$ref")
    return target.rpartition("/")[2] if isinstance(target, str) and target.startswith("#/") else None


def _holds_itself(name: str, definitions: Mapping[str, Any]) -> bool:
    """Whether a definition leads back to itself, by any way."""
    seen: set[str] = set()
    waiting = _references(definitions[name])
    while waiting:
        found = waiting.pop()
        if found == name:
            return True
        if found in definitions and found not in seen:
            seen.add(found)
            waiting |= _references(definitions[found])
    return False


def _references(schema: Any) -> set[str]:
    if isinstance(schema, Mapping):
        own = {name} if (name := _referred(schema)) is not None else set()
        return own.union(*(_references(value) for value in schema.values()))
    if isinstance(schema, list):
        return set().union(*(_references(value) for value in schema))
    return set()
