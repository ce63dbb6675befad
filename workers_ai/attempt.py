"""One attempt at an exchange: what was sent, with which secrets, and how far its answer has come."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, cast

from workers_ai.counted import Counted
from workers_ai.diagnosis import diagnose
from workers_ai.errors import InvalidResponseError
from workers_ai.exchange import Answer, Delta, Reply, StreamReader
from workers_ai.gateway import step_of
from workers_ai.pool import closed_whole
from workers_ai.redaction import SECRET_HEADERS

if TYPE_CHECKING:
    import httpx
    from pydantic import SecretStr

    from workers_ai.errors import WorkersAIError
    from workers_ai.exchange import Exchange, Request
    from workers_ai.limiter import Permit

MAX_BODY = 128 * 1024 * 1024
"""Bytes of an answer that are read: a server without end must not fill the memory."""

MAX_STREAM = 512 * 1024 * 1024
"""Bytes of a stream that are read: some thousand for each token of the largest window there is."""

MAX_TAIL = 64 * 1024
"""Bytes behind the end of a stream that are read, so that the connection can be used again."""

ACCEPT_ENCODING = "gzip, deflate"
"""What an answer may be packed in: a few kilobytes of br or zstd can unpack to gigabytes in one step."""

_CODINGS = frozenset({"", "identity", "gzip", "x-gzip", "deflate"})

MAX_ERROR_BODY = 256 * 1024
"""Bytes of an error page that are read: more would say nothing more."""


class Attempt(Generic[Answer, Delta]):
    """The state of one attempt. The transport drives it; it decides nothing.

    Whatever answer passes through `read` or `rest`, or breaks off, it tells the meters of its exchange, once.

    number: from 1. began: seconds, for the log.
    head: status and headers, once they have come. reader: of a streamed answer. body: of one in one piece.
    finished: every part of the answer has been handed out; whatever fails now fails too late to matter.
    permit: the limiter's leave to send, None where it wants to hear no more of it.
    error: what it failed with.
    """

    __slots__ = (
        "_achunks",
        "_chunks",
        "_counted",
        "_read",
        "_tail",
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

    def __init__(self, exchange: Exchange[Answer, Delta], number: int = 1) -> None:
        self.exchange = exchange
        self.number = number
        self.began = time.perf_counter()
        self.body = b""
        self.error: WorkersAIError | None = None
        self.secrets: Sequence[SecretStr] = ()
        self.response: Any = None
        self.head: Reply | None = None
        self.permit: Permit | None = None
        self.reader: StreamReader[Delta] | None = None
        self._achunks: AsyncGenerator[bytes, None] | None = None
        self._chunks: Generator[bytes, None, None] | None = None
        self._counted = False
        self._read = 0
        self._tail = 0
        self.finished = False
        self._whole = False

    @property
    def begun(self) -> bool:
        """Whether a part of the answer has come, and not the whole: it was made, and is paid for."""
        if self.reader is not None:
            return self.reader.begun
        return self.head is not None and self.head.status < 300 and not self._whole

    def admit(self) -> None:
        """Raises BudgetExceededError, before anything is sent, where a meter's budget is spent."""
        for each in self.exchange.counting:
            each.meter.admit(self.exchange.request.model)

    def answered(self, response: Any) -> Reply:
        """Takes in the head of a reply.

        Raises for a body that is packed in a way that was not offered: InvalidResponseError, or what the status means.
        """
        self.response = response
        self.head = Reply(response.status_code, _shown(response.headers))
        if (coding := self.head.headers.get("content-encoding", "").strip().lower()) not in _CODINGS:
            if self.head.status >= 300:
                self.check(b"")
            raise InvalidResponseError(f"The answer is packed as {coding[:60]!r}, which was not asked for")
        return self.head

    def hold(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """Keeps what a stream is read from until `hang_up`.

        While a stream waits to be read on, it is nobody's but its reader's. Were that reader garbage, the collector
        would close httpx's own generators one by one, in the middle of whatever its thread does (see `garbage`).
        """
        self._chunks = cast("Generator[bytes, None, None]", chunks)
        _HELD.add(self)
        return chunks

    def hang_up(self) -> None:
        """Closes the connection, or gives it back where the answer was read to its end."""
        _HELD.discard(self)
        if self._chunks is not None:
            self._chunks.close()
        if self.response is not None:
            self.response.close()

    def ahold(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """As `hold`. An event loop closes what is garbage from a task, and a loop that has ended needs it no more."""
        self._achunks = cast("AsyncGenerator[bytes, None]", chunks)
        return chunks

    async def ahang_up(self) -> None:
        """As `hang_up`."""
        if self.response is None:
            return
        try:
            if self._achunks is not None:
                await self._achunks.aclose()
            await self.response.aclose()
        except GeneratorExit:
            raise  # the loop has ended, and closes its clients
        except BaseException:
            await closed_whole(self.response)
            raise
        await closed_whole(self.response)

    def part(self, chunk: bytes) -> bytes:
        """`chunk`, a piece of a stream. Raises InvalidResponseError where there have been too many."""
        self._read += len(chunk)
        if self._read > MAX_STREAM:
            raise InvalidResponseError(f"The stream is longer than {MAX_STREAM // 2**20} MiB")
        return chunk

    def is_endless(self, chunk: bytes) -> bool:
        """Whether what follows the end of a stream is too much to be read; `chunk`: a piece of it."""
        self._tail += len(chunk)
        return self._tail > MAX_TAIL

    def stream_reader(self) -> StreamReader[Delta]:
        """The reader of this attempt's stream."""
        assert self.exchange.reader is not None, "an exchange that is streamed has a reader"
        assert self.head is not None
        self.reader = self.exchange.reader(self.head)
        return self.reader

    def read(self, body: bytes) -> Answer:
        """The answer in a whole body."""
        answer = self.exchange.read(self.reply(body))
        self._count(answer)
        return answer

    def rest(self) -> Iterator[Delta]:
        """What the reader of a stream has left at its end."""
        assert self.reader is not None
        for delta in self.reader.close():
            self._count(delta)  # before it is handed out: nobody may ask for anything after it
            yield delta

    def end(self) -> None:
        """The attempt is over. What was used and has not been counted yet is counted now."""
        if self.exchange.counting and not self._counted:
            from workers_ai.breakage import broken_off

            if (counted := broken_off(self)) is not None:
                self._tell(counted)

    def _count(self, answer: Any) -> None:
        """Tells the meters, if this has the facts that the last delta of a stream and every whole answer have."""
        if self.exchange.counting and (facts := getattr(answer, "facts", None)) is not None:
            self._tell(Counted.of(facts, self.exchange.request.gateway))

    def _tell(self, counted: Counted) -> None:
        if not self._counted:
            self._counted = True
            for each in self.exchange.counting:
                each.meter.count(counted, tags=each.tags)

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

    @property
    def asked(self) -> Request:
        """The request that was answered: of those that a gateway tried in turn, the one that its reply names."""
        request = self.exchange.request
        if not request.steps or self.head is None:
            return request
        return request.steps[step_of(self.head.headers, len(request.steps))]

    def check(self, body: bytes) -> None:
        """Raises what a refusing reply means. body: as much of it as says anything."""
        request = self.asked
        raise diagnose(self.reply(body), model=request.model, gateway=request.gateway)

    @property
    def most(self) -> int:
        """Bytes of the body that are read."""
        assert self.head is not None
        return MAX_BODY if self.head.status < 300 else MAX_ERROR_BODY


_HELD: set[Attempt[Any, Any]] = set()
"""The sync streams that are open."""


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
