"""Tool calls: flat objects, OpenAI's objects, pieces of a stream and text that leaked, to calls with unique ids."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import from_json, to_json

from workers_ai.wire.arguments import arguments_text, coerced, parsed_arguments
from workers_ai.wire.call_ids import outward_id
from workers_ai.wire.tools import WireTool


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call. arguments: a dict, None where `text` is no JSON object; such a call is never executed."""

    id: str
    name: str
    arguments: dict[str, Any] | None
    text: str

    @property
    def arguments_text(self) -> str:
        """The arguments as JSON, or the text as it came where it is none."""
        return self.text if self.arguments is None else to_json(self.arguments).decode()


@dataclass(slots=True)
class CallPiece:
    """What one frame adds to a call. index: of the call, the same for all its pieces and for no other call's.

    The first piece of a call, and no other, has id and name.
    """

    index: int
    arguments: str = ""
    id: str | None = None
    name: str | None = None


def read_calls(calls: object, tools: Sequence[WireTool] = ()) -> list[ToolCall]:
    """The calls of a whole message; flat or OpenAI's form, arguments an object or a string (quirk 32)."""
    listed = calls if isinstance(calls, list) else []  # absent, [] or null when there are none (quirk 8)
    return [_read(call, tools) for call in listed if isinstance(call, Mapping) and _name(call)]


def leaked_call(text: str, forced: Sequence[str], tools: Sequence[WireTool] = ()) -> ToolCall | None:
    """The call in a text that is nothing but one (quirk 39).

    Only where a tool was forced and the name is one of those; anything else stays text: a JSON answer is no call.
    """
    if not forced or not text.lstrip().startswith("{"):
        return None
    try:
        found = from_json(text.strip())
    except ValueError:
        return None
    if not isinstance(found, Mapping) or found.get("name") not in forced:
        return None
    rest = {key: value for key, value in found.items() if key not in ("name", "type")}
    arguments = next((rest[key] for key in ("arguments", "parameters") if key in rest), rest)
    return _read({"name": found["name"], "arguments": arguments}, tools)


def _read(call: Mapping[str, Any], tools: Sequence[WireTool]) -> ToolCall:
    text = arguments_text(_function(call).get("arguments"))
    parsed = parsed_arguments(text)
    name = _name(call)
    if parsed is not None:
        parsed = coerced(parsed, _parameters(name, tools))
    return ToolCall(outward_id(call.get("id")), name, parsed, text)


def _parameters(name: str, tools: Sequence[WireTool]) -> Mapping[str, Any]:
    return next((tool["function"]["parameters"] for tool in tools if tool["function"]["name"] == name), {})


def _function(call: Mapping[str, Any]) -> Mapping[str, Any]:
    """Where name and arguments stand: in the call itself where it is flat."""
    held = call.get("function", call)
    return held if isinstance(held, Mapping) else {}


def _name(call: Mapping[str, Any]) -> str:
    name = _function(call).get("name")
    return name if isinstance(name, str) else ""


@dataclass(slots=True)
class _OpenCall:
    """A call whose pieces are still coming. place: the wire's index, None where it gives none."""

    index: int
    wire_id: str | None
    place: int | None
    name: str = ""
    text: str = ""  # arguments so far
    waiting: str = ""  # arguments that came before the name (quirk 36)
    told: bool = False


@dataclass(slots=True)
class CallAssembler:
    """Joins the pieces of a stream's calls, whatever way a model cuts them (quirks 35 to 37).

    Several in one frame, interleaved, all under index 0 with ids of their own, names repeated or late, nulls at the
    end, whole calls in one frame: nothing is lost, nothing doubled.
    """

    tools: Sequence[WireTool] = ()
    _calls: list[_OpenCall] = field(default_factory=list)
    _flat: list[object] = field(default_factory=list)

    @property
    def any(self) -> bool:
        """Whether any call has come."""
        return any(call.told for call in self._calls)

    def add(self, calls: object) -> list[CallPiece]:
        """What one frame's `tool_calls` add: one piece for each call in it, even where the frame cuts it further."""
        joined: dict[int, CallPiece] = {}
        for piece in self._pieces(calls):
            if (first := joined.setdefault(piece.index, piece)) is not piece:
                first.arguments += piece.arguments
        return list(joined.values())

    def _pieces(self, calls: object) -> Iterator[CallPiece]:
        listed = [call for call in calls if isinstance(call, Mapping)] if isinstance(calls, list) else []
        if listed and not any("function" in call for call in listed):
            if listed in self._flat:
                return  # flat calls come whole: the same frame again is no new call (quirk 37)
            self._flat.append(listed)
        for call in listed:
            if (piece := self._add(call)) is not None:
                yield piece

    def _add(self, call: Mapping[str, Any]) -> CallPiece | None:
        name, text = _name(call), arguments_text(_function(call).get("arguments"))
        opened = self._find(call, name) if "function" in call else self._open(None, None)
        if opened.told and name and text and text == opened.text and parsed_arguments(text) is not None:
            return None  # the whole call once more (quirk 37)
        opened.name = opened.name or name
        opened.waiting += text
        opened.text += text
        return self._piece(opened)

    def _piece(self, opened: _OpenCall) -> CallPiece | None:
        if not opened.name:
            return None
        piece = CallPiece(opened.index, opened.waiting)
        opened.waiting = ""
        if opened.told:
            return piece if piece.arguments else None  # a repeated name, or the nulls that end a call
        opened.told = True
        piece.id, piece.name = outward_id(opened.wire_id), opened.name
        piece.arguments = _typed(piece.arguments, _parameters(opened.name, self.tools))
        return piece

    def _find(self, call: Mapping[str, Any], name: str) -> _OpenCall:
        """The call that a piece belongs to: by id, else by index, else the last one; a new one where none fits."""
        wire_id = call.get("id") if isinstance(call.get("id"), str) else None
        place = call.get("index") if isinstance(call.get("index"), int) else None
        if wire_id:
            known = next((opened for opened in self._calls if opened.wire_id == wire_id), None)
            late = next((opened for opened in self._calls if opened.place == place and not opened.wire_id), None)
            found = known or late or self._open(wire_id, place)
            found.wire_id = wire_id
            return found
        # Models that give every call index 0 mean the last one they began there.
        there = [opened for opened in self._calls if place is None or opened.place == place]
        if there and not (name and there[-1].name and name != there[-1].name):
            return there[-1] if place is not None or not name else self._open(None, None)
        return self._open(None, place)

    def _open(self, wire_id: str | None, place: int | None) -> _OpenCall:
        self._calls.append(_OpenCall(len(self._calls), wire_id, place))
        return self._calls[-1]


def _typed(text: str, parameters: Mapping[str, Any]) -> str:
    """Arguments that came whole, with stringified values in their types; a beginning stays as it is."""
    parsed = parsed_arguments(text) if text.rstrip().endswith("}") else None
    if not parsed:
        return text
    typed = coerced(parsed, parameters)
    return text if typed == parsed else to_json(typed).decode()
