"""A request that the emulator saw, as a test asks about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from workers_ai.redaction import visible_headers

if TYPE_CHECKING:
    from workers_ai.local import RecordedRequest


@dataclass(frozen=True, slots=True)
class SeenRequest:
    """What was sent, at the address and in the form in which it was sent.

    path: decoded, without the query. model: the id asked for, in the path or in the body; None where there is none.
    headers: names in lower case, the values of secret ones masked. json: the parsed body, None where there was none.
    """

    method: str
    path: str
    query: Mapping[str, list[str]]
    model: str | None
    headers: Mapping[str, str] = field(repr=False)
    json: Any = field(repr=False, default=None)

    @classmethod
    def of(cls, request: RecordedRequest) -> SeenRequest:
        """What the emulator recorded, without its secrets."""
        headers = visible_headers(request.headers)
        return cls(request.method, request.path, request.query, request.model, headers, request.json)

    @property
    def stream(self) -> bool:
        """Whether a stream was asked for."""
        return self._body.get("stream") is True

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The messages of a chat, oldest first, as they were sent; [] if it is none."""
        return list(self._body.get("messages") or ())

    @property
    def text(self) -> str:
        """What the last message says, the texts of its parts joined by newlines; else the prompt, or ""."""
        if not self.messages:
            return str(self._body.get("prompt") or "")
        content = self.messages[-1].get("content")
        if isinstance(content, list):
            return "\n".join(str(part["text"]) for part in content if isinstance(part, dict) and "text" in part)
        return "" if content is None else str(content)

    @property
    def tools(self) -> list[str]:
        """The names of the tools offered; their schemas stand in `json["tools"]`."""
        tools = [tool for tool in self._body.get("tools") or () if isinstance(tool, dict)]
        return [str((tool.get("function") or tool).get("name")) for tool in tools]

    @property
    def _body(self) -> Mapping[str, Any]:
        return self.json if isinstance(self.json, dict) else {}
