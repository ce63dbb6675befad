"""Server-sent events, from bytes, at any cut. Knows nothing of JSON and nothing of the service's frames."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from workers_ai.errors import InvalidResponseError

DONE = b"[DONE]"
MAX_EVENT = 16 * 1024 * 1024
"""Bytes of one line, and of one event: none of the service comes near it, and one without end must not fill the
memory."""

_BOM = b"\xef\xbb\xbf"
_AT_ONCE = 64 * 1024
"""Bytes that are cut into lines at once: what was compressed can come in pieces of any size, and each line is an
object."""


class Event(NamedTuple):
    """One event: its name ("" when unnamed) and its data lines joined by LF."""

    name: str
    data: bytes


class EventDecoder:
    """Feed it bytes as they come; it gives each event once it is complete.

    Lines end with LF, CR or CRLF and nothing else: `str.splitlines` and httpx's `iter_lines` also cut at
    U+2028, U+2029 and U+0085, which are legal inside JSON text (quirk 23). Working on bytes, no character
    can be cut in two either.
    """

    __slots__ = ("_begun", "_data", "_held", "_length", "_lines_end_with_cr", "_name", "_rest")

    def __init__(self) -> None:
        self._begun = False
        self._rest: list[bytes] = []  # the pieces of an unfinished line: joined once, when it is whole
        self._length = 0
        self._lines_end_with_cr = False  # the last line ended with CR: a following LF belongs to it
        self._name = ""
        self._data: list[bytes] = []
        self._held = 0  # bytes of these

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """Events that `chunk` completes. Raises InvalidResponseError for a line or an event over 16 MiB."""
        if len(chunk) > _AT_ONCE:
            for start in range(0, len(chunk), _AT_ONCE):
                yield from self.feed(chunk[start : start + _AT_ONCE])
            return
        if not self._begun:
            self._begun, chunk = True, chunk.removeprefix(_BOM)
        if not self._rest and not self._data and not self._name and _is_one_event(chunk):
            # The usual case: the service flushes each frame, so a read holds just one.
            yield Event("", chunk[6:-2])
            return
        for line in self._lines(chunk):
            if (event := self._take(line)) is not None:
                yield event

    def close(self) -> Iterator[Event]:
        """The event that was still open: a last line or a last blank line may be missing (quirk 24)."""
        if self._rest and (event := self._take(self._unfinished())) is not None:
            yield event
        if (event := self._dispatch()) is not None:
            yield event

    def _lines(self, chunk: bytes) -> list[bytes]:
        if self._lines_end_with_cr and chunk:
            self._lines_end_with_cr = False
            if chunk.startswith(b"\n"):
                chunk = chunk[1:]
        if b"\n" not in chunk and b"\r" not in chunk:
            self._keep(chunk)
            return []
        data = self._unfinished() + chunk
        if b"\r" in data:
            self._lines_end_with_cr = data.endswith(b"\r")
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        lines = data.split(b"\n")
        self._keep(lines.pop())
        return lines

    def _keep(self, piece: bytes) -> None:
        if piece:
            self._rest.append(piece)
            self._length += len(piece)
        if self._length > MAX_EVENT:
            raise InvalidResponseError(f"A line of the stream is longer than {MAX_EVENT // 2**20} MiB")

    def _unfinished(self) -> bytes:
        rest, self._rest, self._length = b"".join(self._rest), [], 0
        return rest

    def _take(self, line: bytes) -> Event | None:
        if not line:
            return self._dispatch()
        if line == DONE:  # seen without its "data: " (quirk 24)
            self._data.append(line)
            return None
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            self._data.append(value)
            self._held += len(value) + 1
            if self._held > MAX_EVENT:
                raise InvalidResponseError(f"An event of the stream is longer than {MAX_EVENT // 2**20} MiB")
        elif field == b"event":
            self._name = value.decode("utf-8", "replace")
        return None  # a comment (": ..."), or a field that says nothing about text: id, retry

    def _dispatch(self) -> Event | None:
        name, data = self._name, self._data
        self._name, self._data, self._held = "", [], 0
        return Event(name, b"\n".join(data)) if data else None


def _is_one_event(chunk: bytes) -> bool:
    return (
        chunk.startswith(b"data: ")
        and chunk.endswith(b"\n\n")
        and chunk.find(b"\n") == len(chunk) - 2
        and b"\r" not in chunk
    )
