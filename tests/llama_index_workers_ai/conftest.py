"""What these tests share: the emulator, clients that answer from a list, a server that never stops talking."""

from __future__ import annotations

import json
import select
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from llama_index_workers_ai import WorkersAI, WorkersAIEmbedding, WorkersAIRerank
from workers_ai.local import LocalServer

ACCOUNT_ID = "0123456789abcdef0123456789abcdef"
TOKEN = "token-that-must-not-show"


@pytest.fixture(scope="session")
def emulator() -> Iterator[LocalServer]:
    with LocalServer() as server:
        yield server


@pytest.fixture
def server(emulator: LocalServer) -> LocalServer:
    """The emulator, with no requests so far."""
    emulator.clear()
    return emulator


@pytest.fixture
def connection(server: LocalServer) -> dict[str, Any]:
    """The arguments that lead to the emulator."""
    return {"account_id": server.account_id, "api_token": server.api_token, "base_url": server.base_url}


@pytest.fixture
def llm(connection: dict[str, Any]) -> WorkersAI:
    return WorkersAI(**connection)


@pytest.fixture
def embedding(connection: dict[str, Any]) -> WorkersAIEmbedding:
    return WorkersAIEmbedding(**connection)


@pytest.fixture
def reranker(connection: dict[str, Any]) -> WorkersAIRerank:
    return WorkersAIRerank(**connection)


@dataclass
class Fake:
    """Answers from a list, the last one again and again; `requests` are the bodies that came."""

    replies: list[httpx.Response]
    requests: list[dict[str, Any]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)

    def reply(self, request: httpx.Request) -> httpx.Response:
        place = min(len(self.requests), len(self.replies) - 1)
        self.requests.append(json.loads(request.content))
        self.paths.append(request.url.path)
        reply = self.replies[place]
        return httpx.Response(reply.status_code, headers=reply.headers, content=reply.content)

    async def areply(self, request: httpx.Request) -> httpx.Response:
        return self.reply(request)

    @property
    def arguments(self) -> dict[str, Any]:
        """What a model takes to speak to this."""
        return {
            "account_id": ACCOUNT_ID,
            "api_token": TOKEN,
            "max_retries": 0,
            "http_client": httpx.Client(transport=httpx.MockTransport(self.reply)),
            "http_async_client": httpx.AsyncClient(transport=httpx.MockTransport(self.areply)),
        }


@pytest.fixture
def fake() -> Callable[..., Fake]:
    """Makes clients that answer with the replies given: a mapping as JSON, a list as the frames of a stream."""

    def make(*replies: Any, status: int = 200, headers: dict[str, str] | None = None) -> Fake:
        return Fake([_response(reply, status, headers or {}) for reply in replies])

    return make


def _response(reply: Any, status: int, headers: dict[str, str]) -> httpx.Response:
    if isinstance(reply, dict):
        return httpx.Response(status, json=reply, headers=headers)
    events = "".join(f"data: {json.dumps(frame)}\n\n" for frame in reply) + "data: [DONE]\n\n"
    return httpx.Response(status, text=events, headers={"content-type": "text/event-stream", **headers})


class Talker(socketserver.ThreadingTCPServer):
    """Streams words every 20 ms to whoever asks, for 10 s at most; `left` is set when a reader hangs up."""

    allow_reuse_address = daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Talk)
        self.left = threading.Event()

    @property
    def arguments(self) -> dict[str, Any]:
        base_url = f"http://127.0.0.1:{self.server_address[1]}/client/v4"
        return {"account_id": ACCOUNT_ID, "api_token": TOKEN, "base_url": base_url}


class _Talk(socketserver.StreamRequestHandler):
    server: Talker

    def handle(self) -> None:
        while self.rfile.readline().strip():
            pass
        self.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")
        frame = json.dumps({"choices": [{"index": 0, "delta": {"content": "word "}}]})
        end = time.monotonic() + 10
        while time.monotonic() < end:
            try:
                self.wfile.write(f"data: {frame}\n\n".encode())
                if self._hung_up():
                    break
            except OSError:
                break
        self.server.left.set()

    def _hung_up(self) -> bool:
        while select.select([self.connection], [], [], 0.02)[0]:
            if not self.connection.recv(65536):
                return True
        return False


@pytest.fixture
def talker() -> Iterator[Talker]:
    server = Talker()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join(30)
