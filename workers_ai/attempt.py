"""One attempt at an exchange: what was sent, with which secrets, and how far its answer has come."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from workers_ai.diagnosis import diagnose
from workers_ai.errors import InvalidResponseError
from workers_ai.exchange import Reply, StreamReader
from workers_ai.redaction import SECRET_HEADERS

if TYPE_CHECKING:
    import httpx
    from pydantic import SecretStr

    from workers_ai.errors import WorkersAIError
    from workers_ai.exchange import Exchange
    from workers_ai.limiter import Permit

MAX_BODY = 128 * 1024 * 1024
"""Bytes of an answer that are read: a server without end must not fill the memory."""

MAX_ERROR_BODY = 256 * 1024
"""Bytes of an error page that are read: more would say nothing more."""


class Attempt:
    """The state of one attempt. The transport drives it; it decides nothing.

    number: from 1. began: seconds, for the log.
    head: status and headers, once they have come. reader: of a streamed answer. body: of one in one piece.
    finished: every part of the answer has been handed out; whatever fails now fails too late to matter.
    permit: the limiter's leave to send, None where it wants to hear no more of it.
    error: what it failed with.
    """

    __slots__ = (
        "_whole",
        "began",
        "body",
        "error",
        "exchange",
        "finished",
        "head",
        "number",
        "permit",
        "reader",
        "response",
        "secrets",
    )

    def __init__(self, exchange: Exchange[Any, Any], number: int = 1) -> None:
        self.exchange = exchange
        self.number = number
        self.began = time.perf_counter()
        self.body = b""
        self.error: WorkersAIError | None = None
        self.secrets: Sequence[SecretStr] = ()
        self.response: Any = None
        self.head: Reply | None = None
        self.permit: Permit | None = None
        self.reader: StreamReader[Any] | None = None
        self.finished = False
        self._whole = False

    @property
    def begun(self) -> bool:
        """Whether a part of the answer has come, and not the whole: it was made, and is paid for."""
        if self.reader is not None:
            return self.reader.begun
        return self.head is not None and self.head.status < 300 and not self._whole

    def answered(self, response: Any) -> Reply:
        """Takes in the head of a reply."""
        self.response = response
        self.head = Reply(response.status_code, _shown(response.headers))
        return self.head

    def stream_reader(self) -> StreamReader[Any]:
        """The reader of this attempt's stream."""
        assert self.exchange.reader is not None, "an exchange that is streamed has a reader"
        assert self.head is not None
        self.reader = self.exchange.reader(self.head)
        return self.reader

    def reply(self, body: bytes) -> Reply:
        """The whole reply."""
        assert self.head is not None
        self._whole = True
        self.body = body
        return Reply(self.head.status, self.head.headers, body)

    def release(self) -> None:
        """Lets the next one go that waits for this attempt's place."""
        if self.permit is not None:
            self.permit.release()

    def check(self, body: bytes) -> None:
        """Raises what a refusing reply means. body: as much of it as says anything."""
        request = self.exchange.request
        raise diagnose(self.reply(body), model=request.model, gateway=request.gateway)

    @property
    def most(self) -> int:
        """Bytes of the body that are read."""
        assert self.head is not None
        return MAX_BODY if self.head.status < 300 else MAX_ERROR_BODY


def bounded(chunks: Iterator[bytes], most: int) -> bytes:
    """A body of at most `most` bytes; an error page is cut there, an answer refused."""
    pieces: list[bytes] = []
    for chunk in chunks:
        pieces.append(chunk)
        if (most := most - len(chunk)) <= 0:
            break
    return _joined(pieces, most)


async def abounded(chunks: AsyncIterator[bytes], most: int) -> bytes:
    """As `bounded`."""
    pieces: list[bytes] = []
    async for chunk in chunks:
        pieces.append(chunk)
        if (most := most - len(chunk)) <= 0:
            break
    return _joined(pieces, most)


def _joined(pieces: list[bytes], left: int) -> bytes:
    body = b"".join(pieces)
    if left < 0 and len(body) > MAX_BODY:
        raise InvalidResponseError(f"The answer is longer than {MAX_BODY // 2**20} MiB")
    return body[: len(body) + min(left, 0)]


def _shown(headers: Mapping[str, str] | httpx.Headers) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name not in SECRET_HEADERS}
