"""Tools and the choice among them, as the service takes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from workers_ai.errors import BadRequestError
from workers_ai.json_schema import accepted


class WireTool(dict[str, Any]):
    """`{"type": "function", "function": {"name", "description", "parameters", ...}}`: both schemas take this form.

    A class of its own so that a tool is rewritten once, when it is bound, and not at each call.
    """


def wire_tool(tool: Mapping[str, Any]) -> WireTool:
    """An OpenAI-form tool as the service accepts it.

    Keys without a value are left out: `description: false` is refused (quirk 43). Name, description and parameters
    are always there: the older schema demands them. One that has been through here comes back as it is.
    """
    if isinstance(tool, WireTool):
        return tool
    function = tool.get("function") or {}
    told = {key: value for key, value in function.items() if value is not None and value is not False}
    name = str(function.get("name") or "")
    if not name:
        raise BadRequestError("tools: a tool has no name", maybe_sent=False)
    parameters = accepted(function.get("parameters") or {})
    described = {**told, "name": name, "description": told.get("description") or name, "parameters": parameters}
    return WireTool(type="function", function=described)


def tool_names(tools: Sequence[WireTool]) -> list[str]:
    """The names of `tools`, in their order."""
    return [tool["function"]["name"] for tool in tools]


def tool_choice(choice: object, tools: Sequence[WireTool]) -> str | dict[str, Any] | None:
    """What users write for a choice, as the service takes it; None for "not sent".

    "auto" and "none" as they are. "any", "required" and True force a call: with one tool in the named form, which the
    service enforces, else as "required", which some models take as advice (quirk 41). A name, or OpenAI's or
    Anthropic's dict, names the tool. Raises BadRequestError for a name that is none of the tools.
    """
    if choice is None or choice is False or not tools:
        return None
    names = tool_names(tools)
    if isinstance(choice, Mapping):
        choice = (choice.get("function") or {}).get("name") or choice.get("name") or choice.get("type")
    if choice in ("auto", "none") and choice not in names:
        return str(choice)
    if choice is True or (choice in ("any", "required") and choice not in names):
        return _named(names[0]) if len(names) == 1 else "required"
    if choice not in names:
        raise BadRequestError(f"tool_choice: {choice!r} is none of the tools ({', '.join(names)})", maybe_sent=False)
    return _named(str(choice))


def forced_names(choice: object, tools: Sequence[WireTool]) -> list[str]:
    """The tools one of which must be called under this (wire) choice; none where nothing is forced."""
    if isinstance(choice, Mapping):
        return [choice["function"]["name"]]
    return tool_names(tools) if choice == "required" else []


def _named(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name}}
