"""Streamed tool calls: the pieces of a generation as entries of `delta.tool_calls`."""

from typing import Any

from . import ids, tools
from .backend import CallPiece
from .families import ChatFamily
from .tools import compact

Entry = dict[str, Any]
# Quirks under which the pieces of several calls take turns.
TAKING_TURNS = frozenset({"interleaved", "two-per-delta"})
# Types of values that some models give as strings (quirk 40).
_STRINGIFIED = (int, float, list, dict)


class CallEntries:
    """Turns pieces into entries, one stream long: knows which calls have begun, and their ids."""

    def __init__(self, family: ChatFamily, quirks: frozenset[str]) -> None:
        self._family = family
        self._quirks = quirks
        self._ids: dict[int, str] = {}
        self._open: dict[int, CallPiece] = {}
        self._in_step: set[int] = set()

    def of(self, piece: CallPiece) -> list[Entry]:
        """The entries that this piece comes to: none, one, or the end of the call before as well."""
        entries = []
        if not self._quirks & TAKING_TURNS and piece.index not in self._open:
            entries += self.close()
        self._open[piece.index] = piece
        if piece.index not in self._ids:
            self._ids[piece.index] = ids.tool_call_id(self._family.call_ids, piece.name, piece.index)
            entries += self._opening(piece)
        elif piece.arguments:
            entries.append(self._entry(piece, named="names-repeated" in self._quirks, arguments=piece.arguments))
        return entries

    def gathered(self, held: list[Entry], piece: CallPiece) -> tuple[list[list[Entry]], list[Entry]]:
        """With the entries of this piece: the full lists of entries, one for each frame, and what is held back."""
        entries = self.of(piece)
        if "two-per-delta" in self._quirks:
            # All calls take a step together: a list is full when it has a piece of each.
            again = piece.index in self._in_step
            self._in_step = {piece.index} if again else self._in_step | {piece.index}
            return ([held], entries) if again else ([], held + entries)
        held, most = held + entries, self._family.pieces_per_delta
        whole = len(held) - len(held) % most
        return [held[at : at + most] for at in range(0, whole, most)], held[whole:]

    def close(self) -> list[Entry]:
        """What ends the calls that are open."""
        entries = [entry for piece in self._open.values() for entry in self._closing(piece)]
        self._open.clear()
        return entries

    def _opening(self, piece: CallPiece) -> list[Entry]:
        if "names-late" in self._quirks:
            entry = self._entry(piece, named=True, arguments=piece.arguments)
            del entry["function"]["name"]
            return [entry]
        return [self._entry(piece, named=True, arguments=piece.arguments)]

    def _closing(self, piece: CallPiece) -> list[Entry]:
        if "names-late" in self._quirks:
            return [{"index": self._index(piece), "function": {"name": piece.name}}]
        if "null-sentinel" in self._quirks:
            function = {"name": None, "arguments": ""}
            return [{"id": None, "type": None, "index": self._index(piece), "function": function}]
        return []

    def _entry(self, piece: CallPiece, *, named: bool, arguments: str) -> Entry:
        entry: Entry = {}
        function: dict[str, Any] = {"arguments": arguments}
        if named:
            if "no-ids" not in self._quirks:
                entry["id"] = self._ids[piece.index]
            entry["type"] = "function"
            function = {"name": piece.name, **function}
        return {**entry, "index": self._index(piece), "function": function}

    def _index(self, piece: CallPiece) -> int:
        return 0 if "index-zero" in self._quirks else piece.index


def whole_call(family: ChatFamily, index: int, name: str, arguments: str, quirks: frozenset[str]) -> Entry:
    """A call of a whole answer in OpenAI's form."""
    call: Entry = {"type": "function", "function": {"name": name, "arguments": arguments}}
    return call if "no-ids" in quirks else {"id": ids.tool_call_id(family.call_ids, name, index), **call}


def flat_call(family: ChatFamily, name: str, arguments: str, quirks: frozenset[str]) -> Entry:
    """A native classic call: no id, arguments an object; a string where they are no whole JSON (quirk 32)."""
    values = tools.parsed(arguments)
    if compact(values) != arguments or "string-arguments" in quirks:
        return {"name": name, "arguments": arguments}
    if family.stringifies or "stringified-values" in quirks:
        values = {key: _stringified(value) for key, value in values.items()}
    return {"name": name, "arguments": values}


def _stringified(value: Any) -> Any:
    return compact(value) if isinstance(value, _STRINGIFIED) and not isinstance(value, bool) else value
