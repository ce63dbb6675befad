"""Everything that LangChain takes for a tool, as the service takes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_json_schema, convert_to_openai_tool

from workers_ai.wire.response_format import WireFormat, wire_format
from workers_ai.wire.tools import WireTool, wire_tool

Tool = Mapping[str, Any] | type | Callable[..., Any] | BaseTool
"""Functions, pydantic classes, TypedDicts, JSON schemas, tools, and OpenAI's, Anthropic's or flat dicts."""


def to_wire_tools(tools: Sequence[Tool], *, strict: bool | None = None) -> list[WireTool]:
    """`tools` as the service takes them; made once, when they are bound. strict: keep to the schema to the letter."""
    return [_to_wire(tool, strict=strict) for tool in tools]


def _to_wire(tool: Tool, *, strict: bool | None) -> WireTool:
    if isinstance(tool, WireTool):
        return tool
    if isinstance(tool, Mapping):
        if isinstance(tool.get("function"), Mapping):
            return wire_tool(tool)  # already OpenAI's form
        tool = dict(tool)
        tool.pop("cache_control", None)  # Anthropic's, about its own cache
    return wire_tool(convert_to_openai_tool(tool, strict=strict))


def response_format_of(asked: dict[str, Any] | type | None) -> WireFormat | None:
    """What users write for a response format, as OpenAI's `response_format`: that, or a schema; rewritten once."""
    if asked is None:
        return None
    if isinstance(asked, dict) and asked.get("type") in ("text", "json_object", "json_schema"):
        return wire_format(asked)
    schema = convert_to_json_schema(asked)
    told = {"name": schema.get("title") or "answer", "schema": schema}
    return wire_format({"type": "json_schema", "json_schema": told})
