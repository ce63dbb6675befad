"""The stand-in for the service: answers that were made beforehand, so that its own work hardly counts.

    python benchmarks/server.py --tokens 2000

HTTP/1.1 with keep-alive over asyncio; each frame of a stream is a chunk of its own, as the service flushes them. A path
that begins with `/50ms` is answered 50 ms later. `GET /counters` tells what came since the last time it was asked. The
port is printed as the first line; the server goes when its stdin ends, so that no run leaves one behind.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache

DIMENSIONS = 768
WORDS = ["the ", "quick ", "brown ", "fox ", "jumps ", "over ", "a ", "lazy "]
ANSWER = "Cloudflare runs models near its users, and bills them by the neuron. ok."
USAGE = {"prompt_tokens": 21, "completion_tokens": 17, "total_tokens": 38}

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_DELAY = re.compile(rb"/(\d+)ms/")


@dataclass
class Counters:
    """What came since they were last told."""

    connections: int = 0
    requests: int = 0
    in_flight: int = 0
    most_in_flight: int = 0
    cpu: float = field(default_factory=time.process_time)

    def tell(self) -> bytes:
        """The counts as JSON; from here on they are counted anew."""
        told = {
            "connections": self.connections,
            "requests": self.requests,
            "most_in_flight": self.most_in_flight,
            "cpu": time.process_time() - self.cpu,
        }
        self.connections = self.requests = self.most_in_flight = 0
        self.cpu = time.process_time()
        return json.dumps(told).encode()


class Answers:
    """Every answer the stand-in gives, as the bytes of a whole HTTP response."""

    def __init__(self, tokens: int) -> None:
        self.chat = _whole({"response": ANSWER, "usage": USAGE})
        self.stream = _stream(tokens)

    def to(self, path: bytes, body: bytes) -> bytes:
        """The response to one request; a chat is told from an embedding by its model, a stream by its body."""
        if b"/bge-" in path:
            return _vectors(len(json.loads(body)["text"]))
        return self.stream if b'"stream":true' in body else self.chat


class Connection(asyncio.Protocol):
    """One connection: requests are read whole and answered in their order."""

    def __init__(self, answers: Answers, counters: Counters) -> None:
        self.answers = answers
        self.counters = counters
        self.received = b""
        self.transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count the connection."""
        assert isinstance(transport, asyncio.WriteTransport)
        self.transport = transport
        self.counters.connections += 1

    def data_received(self, data: bytes) -> None:
        """Answer each request that `data` completes."""
        self.received += data
        while (end := self.received.find(b"\r\n\r\n")) >= 0:
            head = self.received[:end]
            found = _LENGTH.search(head)
            whole = end + 4 + (int(found[1]) if found else 0)
            if len(self.received) < whole:
                return
            body, self.received = self.received[end + 4 : whole], self.received[whole:]
            self.answer(head.split(b" ", 2)[1], body)

    def answer(self, path: bytes, body: bytes) -> None:
        """Answer one request, now or after the delay that its path asks for."""
        if path == b"/counters":
            self.counters.connections -= 1  # the one that asks
            self.send(_response(b"application/json", self.counters.tell()))
            return
        counters = self.counters
        counters.requests += 1
        counters.in_flight += 1
        counters.most_in_flight = max(counters.most_in_flight, counters.in_flight)
        reply = self.answers.to(path, body)
        if delay := _DELAY.match(path):
            asyncio.get_running_loop().call_later(int(delay[1]) / 1000, self.finish, reply)
        else:
            self.finish(reply)

    def finish(self, reply: bytes) -> None:
        """Send what was asked for."""
        self.counters.in_flight -= 1
        self.send(reply)

    def send(self, reply: bytes) -> None:
        """Write, unless the client has gone."""
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(reply)


def _response(kind: bytes, body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\ncontent-length: %d\r\n\r\n%b" % (kind, len(body), body)


def _whole(result: object) -> bytes:
    envelope = {"result": result, "success": True, "errors": [], "messages": []}
    return _response(b"application/json", json.dumps(envelope, separators=(",", ":")).encode())


def _stream(tokens: int) -> bytes:
    frames = [json.dumps({"response": WORDS[n % len(WORDS)], "p": "abcdefgh"}) for n in range(tokens)]
    frames += [json.dumps({"response": "", "usage": USAGE}), "[DONE]"]
    pieces = [f"data: {frame}\n\n".encode() for frame in frames]
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    return head + b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


@cache
def _vectors(count: int) -> bytes:
    row = [((n * 7919) % 100_003 - 50_001) / 7_654_321 for n in range(DIMENSIONS)]
    return _whole({"shape": [count, DIMENSIONS], "data": [row] * count, "pooling": "cls"})


async def _serve(tokens: int) -> None:
    answers, counters = Answers(tokens), Counters()
    make: Callable[[], Connection] = lambda: Connection(answers, counters)  # noqa: E731
    loop = asyncio.get_running_loop()
    server = await loop.create_server(make, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--tokens", type=int, default=2000)
    asyncio.run(_serve(parser.parse_args().tokens))
