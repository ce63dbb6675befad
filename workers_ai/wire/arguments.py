"""Arguments of tool calls: text to values, and values into the types that their schema gives them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic_core import from_json, to_json


def arguments_text(held: object) -> str:
    """Arguments as JSON text: the wire has an object, a string or nothing."""
    if isinstance(held, str):
        return held
    return to_json(held).decode() if held else ""


def parsed_arguments(text: str) -> dict[str, Any] | None:
    """The arguments in a text; {} for none, None for what is no JSON object."""
    if not text.strip():
        return {}
    try:
        found = from_json(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def coerced(arguments: dict[str, Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """`arguments` with values that a model wrote as strings in the type that the schema gives them (quirk 40)."""
    properties = parameters.get("properties")
    known = properties if isinstance(properties, Mapping) else {}
    return {name: _value(value, known.get(name)) for name, value in arguments.items()}


def _value(value: Any, schema: object) -> Any:
    if not isinstance(schema, Mapping):  # `true` and `false` are schemas too
        return value
    if not isinstance(value, str):
        return coerced(value, schema) if isinstance(value, dict) else value
    kinds = _kinds(schema)
    if not kinds or "string" in kinds:
        return value
    try:
        found = from_json(value.strip())
    except ValueError:
        return value
    return found if any(_is(found, kind) for kind in kinds) else value


def _kinds(schema: object) -> set[str]:
    if not isinstance(schema, Mapping):
        return {"string"} if schema is True else set()
    kind = schema.get("type")
    own = {kind} if isinstance(kind, str) else set(kind or ())
    return own.union(*(_kinds(each) for each in schema.get("anyOf") or ()))


_PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}


def _is(value: object, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, _PYTHON_TYPES.get(kind, ()))
