"""`response_format`: which schema it demands, in which of two forms, and what each family takes (quirks 54, 55)."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from . import errors
from .families import ChatFamily

_PATH = "/response_format"
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


def schema_in(wanted: Any) -> Mapping[str, Any] | None:
    """The schema, out of its wrapper; {} where any object will do; None where words are wanted."""
    if not asks_json(wanted):
        return None
    given = wanted.get("json_schema") if wanted["type"] == "json_schema" else {}
    if not isinstance(given, dict):
        return {}
    inner = given.get("schema") if _is_wrapped(given) else given
    return inner if isinstance(inner, dict) else {}


def asks_json(wanted: Any) -> bool:
    """Whether it asks for JSON at all: `{"type": "text"}` does not."""
    return isinstance(wanted, dict) and wanted.get("type") in {"json_object", "json_schema"}


def mismatches(wanted: Any, family: ChatFamily, *, openai: bool) -> Iterator[str]:
    """What this family's schema says against it."""
    if wanted is None:
        return
    if not isinstance(wanted, dict):
        yield f"Type mismatch of '{_PATH}', not in 'object'"
    elif wanted.get("type") not in {"text", "json_object", "json_schema"}:
        yield f"Value mismatch of '{_PATH}/type', must be one of json_object, json_schema"
    elif wanted["type"] == "json_schema":
        yield from _schema_mismatches(wanted.get("json_schema"), family, openai=openai)


def _schema_mismatches(given: Any, family: ChatFamily, *, openai: bool) -> Iterator[str]:
    path = f"{_PATH}/json_schema"
    if not isinstance(given, dict):
        yield f"required properties at '{_PATH}' are 'json_schema'"
    elif family.json_schema == "wrapped" and not isinstance(given.get("name"), str):
        yield f"required properties at '{path}' are 'name'"
    elif _is_wrapped(given) and not openai and family.json_schema == "bare":
        # Natively the classic models take the bare schema (quirk 54). What they make of the wrapper is not recorded.
        yield f"required properties at '{path}' are 'type,properties'"
    elif _is_wrapped(given) and "name" in given and not _NAME.fullmatch(str(given["name"])):
        yield f"Pattern mismatch of '{path}/name', must match '^[a-zA-Z0-9_-]{{1,64}}$'"


def _is_wrapped(given: Mapping[str, Any]) -> bool:
    """OpenAI's `{name, schema, strict}`, as against the schema itself."""
    return isinstance(given.get("schema"), dict) and "properties" not in given and "type" not in given


def unmet() -> errors.ServiceError:
    """The refusal on `/ai/v1`; natively it is a 200. No code is documented (quirk 55)."""
    return errors.ServiceError(400, unmet_body({}))


def unmet_body(result: Mapping[str, Any]) -> dict[str, Any]:
    """The envelope of an answer that broke its promise, with whatever was generated."""
    errors_ = [{"message": "JSON Mode couldn't be met"}]
    return {"result": dict(result), "success": False, "errors": errors_, "messages": []}
