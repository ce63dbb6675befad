"""A message of a chat, as the emulator reads it: a role, plain text, calls of tools, images."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from . import images
from .images import Image
from .tools import ToolCall, compact


@dataclass(frozen=True, slots=True)
class Message:
    """One turn.

    role: system, developer, user, assistant, tool or function. text: of all parts, joined by newlines.
    calls: what an assistant called. call_id, name: which call, of which tool, a tool's message answers.
    """

    role: str
    text: str
    calls: tuple[ToolCall, ...] = ()
    call_id: str = ""
    name: str = ""
    images: tuple[Image, ...] = ()

    @classmethod
    def from_wire(cls, message: Mapping[str, Any]) -> "Message":
        """A message of a request that passed validation."""
        calls = message.get("tool_calls") or ()
        return cls(
            str(message.get("role", "user")),
            _text_of(message.get("content")),
            tuple(ToolCall.from_wire(call) for call in calls if isinstance(call, dict)),
            str(message.get("tool_call_id") or ""),
            str(message.get("name") or ""),
            images.of_content(message.get("content")),
        )

    @property
    def is_result(self) -> bool:
        """What a tool brought."""
        return self.role in {"tool", "function"}

    @property
    def cost(self) -> str:
        """All that a model would read of it, as one text: what its tokens are counted by."""
        return self.text + "".join(call.name + call.text for call in self.calls)

    def with_text(self, text: str) -> "Message":
        """The same with another text."""
        return replace(self, text=text)


def _text_of(content: Any) -> str:
    if isinstance(content, list):
        return "\n".join(filter(None, map(_text_of_part, content)))
    if content is None or isinstance(content, str):
        return content or ""
    return compact(content)


def _text_of_part(part: Any) -> str:
    if isinstance(part, str):
        return part
    if isinstance(part, dict) and isinstance(part.get("text"), str):
        text: str = part["text"]
        return text
    if images.is_image(part):
        return ""
    return json.dumps(part, ensure_ascii=False)
