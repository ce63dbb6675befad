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


_KINDS = {"image_url": "pictures", "input_audio": "sound", "file": "files", "video_url": "films"}


def text_of_parts(content: str | list[dict[str, Any]]) -> str:
    """Content as one string: its text parts joined. Raises ValueError naming, in a word, what any other part is."""
    if isinstance(content, str):
        return content
    for part in content:
        if part.get("type") != "text":
            kind = part.get("type")
            raise ValueError(_KINDS.get(str(kind)) or f"content of type {kind!r}")
    return "\n".join(part.get("text") or "" for part in content)
