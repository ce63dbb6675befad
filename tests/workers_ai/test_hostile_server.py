"""A server that means harm gives an error of the family, in bounded time and memory: never a crash, never a hang."""

from __future__ import annotations

import gzip
import itertools
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from workers_ai import errors as e
from workers_ai.retry import RetryPolicy
from workers_ai.transport import Transport

Make = Callable[..., Any]
MIB = 2**20
MOST_MEMORY = 500 * MIB
"""What a call may take at most: an answer of 128 MiB is held once in pieces and once whole."""

HEAD = b"HTTP/1.1 %d Told\r\ncontent-type: %s\r\n%s\r\n"
JSON, SSE, HTML = b"application/json", b"text/event-stream", b"text/html"
STATUS = Path("/proc/self/status")


def head(status: int = 200, kind: bytes = JSON, **headers: bytes) -> bytes:
    more = b"".join(b"%s: %s\r\n" % (name.replace("_", "-").encode(), value) for name, value in headers.items())
    return HEAD % (status, kind, more)


def whole(body: bytes, status: int = 200, kind: bytes = JSON, **headers: bytes) -> list[bytes]:
    return [head(status, kind, content_length=b"%d" % len(body), **headers), body]


def without_end(piece: bytes, status: int = 200, kind: bytes = SSE) -> Iterator[bytes]:
    yield head(status, kind, connection=b"close")
    yield from itertools.repeat(piece)


def of_a_gigabyte(status: int, kind: bytes) -> Iterator[bytes]:
    yield head(status, kind, content_length=b"%d" % 2**30)
    yield from itertools.repeat(b"x" * MIB, 1024)


def bomb(coding: bytes, body: bytes, kind: bytes = JSON) -> list[bytes]:
    return whole(body, kind=kind, content_encoding=coding)


def zipped(mib: int, line: bytes = b" " * 1023 + b"\n") -> bytes:
    """The beginning of a gzip stream of so many MiB."""
    packer = zlib.compressobj(9, wbits=31)
    first, again = (packer.compress(line * 1024) + packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    return first + again * (mib - 1)


def framed(*data: bytes) -> list[bytes]:
    return whole(b"".join(b"data: %s\n\n" % each for each in data), kind=SSE)


def chat_of(text: bytes) -> bytes:
    return b'{"choices": [{"message": {"content": %s}, "delta": {"content": %s}}]}' % (text, text)


HOSTILE: dict[str, Callable[[], Iterable[bytes]]] = {
    "deep JSON": lambda: whole(b"[" * 10_000_000),
    "deep JSON, well-formed": lambda: whole(b'{"a":' * 1_000_000 + b"1" + b"}" * 1_000_000),
    "deep JSON in the text": lambda: whole(chat_of(b"[" * 500_000 + b"]" * 500_000)),
    "deep JSON in an error": lambda: whole(b'{"errors":' * 30_000 + b"1" + b"}" * 30_000, 400),
    "a deep frame": lambda: framed(b"[" * 1_000_000),
    "a number of a million digits": lambda: whole(chat_of(b"1" * 1_000_000)),
    "a number of a million digits as a code": lambda: whole(b'{"errors":[{"code":%s}]}' % (b"1" * 1_000_000), 400),
    "a number of a million digits in a frame": lambda: framed(b'{"response": %s}' % (b"1" * 1_000_000)),
    "a gigabyte as an answer": lambda: of_a_gigabyte(200, JSON),
    "a gigabyte as an error page": lambda: of_a_gigabyte(500, HTML),
    "a gigabyte as a redirect": lambda: of_a_gigabyte(302, HTML),
    "an answer without end": lambda: without_end(b" " * MIB, kind=JSON),
    "a line without end": lambda: without_end(b"x" * MIB),
    "an event without end": lambda: without_end(b"data: x\n" * 8192),
    "comments without end": lambda: without_end(b": %s\n" % (b"x" * MIB)),
    "frames without a word, without end": lambda: without_end(b"data: %s\n\n" % (b" " * MIB)),
    "a bomb": lambda: bomb(b"gzip", zipped(1024)),
    "a bomb as a stream": lambda: bomb(b"gzip", zipped(1024, b":" * 1023 + b"\n"), SSE),
    "a bomb in a bomb": lambda: bomb(b"gzip, gzip", gzip.compress(zipped(1024))),
    "a coding that nobody asked for": lambda: bomb(b"br", b"\x0b\x02\x80{}\x03"),
    "a broken coding": lambda: bomb(b"gzip", b"no gzip at all"),
    "a flood of headers": lambda: [b"HTTP/1.1 200 OK\r\n", *[b"x-%d: y\r\n" % n for n in range(100_000)]],
    "a header without end": lambda: itertools.chain([b"HTTP/1.1 200 OK\r\nx: "], itertools.repeat(b"x" * 65536)),
    "no HTTP": lambda: [b"\x00\xff" * 1000],
    "a length that is none": lambda: [head(content_length=b"-5"), b"{}"],
    "a chunk of a million digits": lambda: [head(transfer_encoding=b"chunked"), b"f" * 1_000_000],
    "another protocol": lambda: [b"HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"],
    "headers that are no numbers": lambda: whole(
        b"{}", 429, retry_after=b"9" * 5000, cf_ai_neurons=b"1e999", cf_aig_step=b"9" * 5000
    ),
}


@pytest.fixture
def most_memory() -> Iterator[Callable[[], int]]:
    """The most that the process has held since the test began, over what it held then, in bytes; 0 where unknown."""
    try:
        Path("/proc/self/clear_refs").write_text("5")  # the high-water mark begins anew
        before = _held()
    except OSError:
        yield lambda: 0
    else:
        yield lambda: _held() - before


def _held() -> int:
    return next(int(line.split()[1]) * 1024 for line in STATUS.read_text().splitlines() if line.startswith("VmHWM"))


@pytest.mark.parametrize("kind", HOSTILE)
def test_harm_is_an_error_of_the_family_within_bounds(
    kind: str, way: Any, listen: Make, acts: Any, most_memory: Callable[[], int]
):
    server = listen(lambda *_: itertools.chain(HOSTILE[kind](), [acts.CUT]))
    with pytest.raises(e.WorkersAIError) as caught:
        way(Transport(server.settings(), retry=RetryPolicy(max_retries=0)))
    assert len(str(caught.value)) < 5000
    assert most_memory() < MOST_MEMORY


@pytest.mark.parametrize("tail", [b"data: more\n\n" * 8192, b"\n", b": x" * MIB])
def test_what_never_ends_behind_the_end_of_a_stream_is_not_waited_for(
    stream_way: Any, listen: Make, payload: Make, tail: bytes
):
    body = payload("stream-old-tail").body + b"\n\n"
    server = listen(lambda *_: itertools.chain([head(200, SSE, connection=b"close"), body], itertools.repeat(tail)))
    assert stream_way(Transport(server.settings())).text == "  Good day!"


def test_what_may_come_packed_is_said(way: Any, service: Make):
    """Of br and zstd a few kilobytes can unpack to gigabytes at once."""
    fake = service("stream-old-tail" if way.streams else "answer-native-usage")
    way(fake.transport())
    assert fake.requests[0].headers["accept-encoding"] == "gzip, deflate"


def test_a_refusal_that_is_packed_unasked_is_what_its_status_says(way: Any, service: Make):
    fake = service(lambda _: httpx.Response(503, headers={"content-encoding": "br"}, stream=httpx.ByteStream(b"...")))
    with pytest.raises(e.ServerError) as caught:
        way(fake.transport())
    assert (caught.value.status, len(fake.requests)) == (503, 3)
