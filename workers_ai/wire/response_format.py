"""JSON mode as each model's schema asks for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from workers_ai.json_schema import accepted

if TYPE_CHECKING:
    from workers_ai.catalog import ModelInfo


class WireFormat(dict[str, Any]):
    """A `response_format` whose schema, bare or in OpenAI's wrapper, is in the words that the service takes.

    A class of its own so that a schema is rewritten once, when it is bound, and not at each call.
    """


def wire_format(asked: Mapping[str, Any]) -> WireFormat:
    """A `response_format` with its schema rewritten. One that has been through here comes back as it is."""
    if isinstance(asked, WireFormat):
        return asked
    if asked.get("type") != "json_schema":
        return WireFormat(asked)
    held = asked.get("json_schema") or {}
    wrapped = isinstance(held.get("schema"), Mapping)
    written = {**held, "schema": accepted(held["schema"])} if wrapped else accepted(held)
    return WireFormat({**asked, "json_schema": written})


def response_format(asked: Mapping[str, Any], info: ModelInfo) -> dict[str, Any]:
    """A `response_format` with its schema as `info`'s model takes it.

    Models that answer chat completions want OpenAI's wrapper `{name, schema, strict}`, classic ones the bare schema;
    a name goes into its `title` there (quirk 54). Either is understood here.
    """
    if asked.get("type") != "json_schema":
        return dict(asked)
    held = wire_format(asked)["json_schema"]
    wrapped = isinstance(held.get("schema"), Mapping)
    schema = held["schema"] if wrapped else held
    name = str((held.get("name") if wrapped else None) or schema.get("title") or "answer")
    if info.api == "openai":
        rest = {key: value for key, value in held.items() if key not in ("schema", "name")} if wrapped else {}
        told = {key: value for key, value in rest.items() if value is not None}
        return {"type": "json_schema", "json_schema": {"name": _plain(name), **told, "schema": schema}}
    return {"type": "json_schema", "json_schema": {"title": name, **schema}}


def wants_json(options: Mapping[str, Any]) -> bool:
    """Whether the options ask for JSON mode, of either kind."""
    asked = options.get("response_format")
    return isinstance(asked, Mapping) and asked.get("type") in ("json_object", "json_schema")


def _plain(name: str) -> str:
    """A name of the characters that OpenAI's form allows, at most 64."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "_-") else "_" for c in name)[:64] or "answer"
