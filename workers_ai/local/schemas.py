"""Reading JSON schemas: references followed, alternatives told apart."""

from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Any]
# A reference to itself is followed this often, then it counts as open.
_DEEPEST = 12


def resolved(schema: Any, root: Schema, *, depth: int = 0) -> dict[str, Any]:
    """The schema with `$ref` followed and `allOf` merged; `true` and what is no schema are {}."""
    if not isinstance(schema, Mapping) or depth > _DEEPEST:
        return {}
    merged = {key: value for key, value in schema.items() if key not in {"$ref", "allOf"}}
    parts = list(schema.get("allOf") or ())
    if "$ref" in schema:
        parts.append(_target(str(schema["$ref"]), root))
    for part in parts:
        for key, value in resolved(part, root, depth=depth + 1).items():
            if key == "properties" and isinstance(merged.get(key), dict):
                merged[key] = {**value, **merged[key]}
            else:
                merged.setdefault(key, value)
    return merged


def branches(schema: Schema, root: Schema, *, depth: int = 0) -> list[dict[str, Any]]:
    """The alternatives of a resolved schema: `anyOf`, `oneOf`, or a list of types; one where there is no choice."""
    for key in ("anyOf", "oneOf"):
        if isinstance(schema.get(key), list):
            rest = {name: value for name, value in schema.items() if name != key}
            chosen = [{**rest, **resolved(branch, root)} for branch in schema[key]]
            if depth > _DEEPEST:
                return [rest]
            return [leaf for branch in chosen for leaf in branches(branch, root, depth=depth + 1)]
    kinds = schema.get("type")
    if isinstance(kinds, list):
        return [{**schema, "type": kind} for kind in kinds]
    return [dict(schema)]


def kind_of(schema: Schema) -> str:
    """The type, also where only the other keys tell it; "" for an open schema."""
    kind = schema.get("type")
    if isinstance(kind, str):
        return kind
    if "properties" in schema:
        return "object"
    if "items" in schema or "prefixItems" in schema:
        return "array"
    return ""


def is_open(schema: Schema) -> bool:
    """Whether any value will do."""
    return not {"type", "anyOf", "oneOf", "enum", "const", "properties", "items", "prefixItems"} & schema.keys()


def choices_in(schema: Schema) -> list[Any] | None:
    """The values that `enum` or `const` allow; None if any."""
    if "const" in schema:
        return [schema["const"]]
    values = schema.get("enum")
    return list(values) if isinstance(values, list) else None


def takes_null(schema: Schema, root: Schema) -> bool:
    """Whether null is among the alternatives."""
    return any(kind_of(branch) == "null" or None in (choices_in(branch) or ()) for branch in branches(schema, root))


def is_impossible(schema: Any, root: Schema, *, depth: int = 0) -> bool:
    """Whether nothing can meet it, as far as is easily seen: `false`, an empty `enum`, bounds that cross."""
    if schema is False:
        return True
    if not isinstance(schema, Mapping) or depth > _DEEPEST:
        return False
    whole = resolved(schema, root)
    if whole.get("not") in ({}, True) or choices_in(whole) == []:
        return True
    for least, most in (("minimum", "maximum"), ("minLength", "maxLength"), ("minItems", "maxItems")):
        low, high = whole.get(least), whole.get(most)
        if isinstance(low, int | float) and isinstance(high, int | float) and low > high:
            return True
    properties = whole.get("properties") or {}
    needed = [properties[name] for name in whole.get("required") or () if name in properties]
    return any(is_impossible(part, root, depth=depth + 1) for part in needed)


def _target(reference: str, root: Schema) -> Any:
    """What `#/$defs/Name` and the like point at."""
    found: Any = root
    for key in reference.removeprefix("#").strip("/").split("/"):
        if not key:
            continue
        if not isinstance(found, Mapping):
            return {}
        found = found.get(key.replace("~1", "/").replace("~0", "~"), {})
    return found
