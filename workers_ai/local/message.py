"""A message of a chat, as the emulator reads it: a role and plain text."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Message:
    """One turn: `role` (system, developer, user, assistant, tool) and its text, parts joined by newlines."""

    role: str
    text: str

    @classmethod
    def from_wire(cls, message: Mapping[str, Any]) -> "Message":
        """A message of a request that passed validation. Images count as the word "[image]"."""
        return cls(str(message.get("role", "user")), _text_of(message))


def _text_of(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, list):
        return "\n".join(_text_of_part(part) for part in content)
    if content is None or content == "":
        calls = message.get("tool_calls")
        return json.dumps(calls, ensure_ascii=False) if calls else ""
    return content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)


def _text_of_part(part: Any) -> str:
    if isinstance(part, dict) and isinstance(part.get("text"), str):
        text: str = part["text"]
        return text
    return "[image]"
