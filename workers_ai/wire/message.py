"""The messages of the wire, in the one shape that both forms take."""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict


class WireMessage(TypedDict):
    """One message as `/ai/run` and `/ai/v1` take it. content is never null (quirk 45)."""

    role: str
    content: str | list[dict[str, Any]]
    name: NotRequired[str]
    tool_calls: NotRequired[list[dict[str, Any]]]
    tool_call_id: NotRequired[str]


def text_of_parts(content: str | list[dict[str, Any]]) -> str:
    """Content as one string: its text parts joined. Raises ValueError naming the kind of any other part."""
    if isinstance(content, str):
        return content
    for part in content:
        if part.get("type") != "text":
            raise ValueError(f"content of type {part.get('type')!r}")
    return "\n".join(part.get("text") or "" for part in content)
