"""What the tests of the core share: payloads, a service that answers by a script, a socket that misbehaves by one.

Fakes enter by the front door: `Service` stands behind `httpx.MockTransport`, `Socket` behind a loopback address.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import socket
import ssl
import struct
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

import workers_ai
from workers_ai.answers import ChatDelta, Facts
from workers_ai.call import Call
from workers_ai.exchange import Exchange, Reply
from workers_ai.retry import RetryPolicy
from workers_ai.settings import Settings
from workers_ai.tasks.chat import ChatRequest
from workers_ai.tasks.chat import exchange as chat_exchange
from workers_ai.transport import Transport

PAYLOADS = Path(__file__).parents[1] / "payloads"
ACCOUNT = "0123456789abcdef" * 2
TOKEN = "tok-Zx81-secret-Qq47"
MODEL = "@cf/meta/llama-3.3-70b-instruct-fp8-fast"

NO_PAUSE = RetryPolicy(base=0, capacity_base=0)


@dataclass(frozen=True)
class Payload:
    """One of our own bodies in a shape of the service: tests/payloads/<name>.json."""

    name: str
    source: str
    shows: str
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def reply(self) -> Reply:
        """As the transport hands it to a reader."""
        return Reply(self.status, dict(self.headers), self.body)

    @property
    def head(self) -> Reply:
        """As the transport hands it to a stream's reader."""
        return Reply(self.status, dict(self.headers))

    def response(self) -> httpx.Response:
        """As the service sends it."""
        return httpx.Response(self.status, headers=dict(self.headers), content=self.body)


def read_payload(name: str) -> Payload:
    """The payload of that name."""
    told = json.loads((PAYLOADS / f"{name}.json").read_text(encoding="utf-8"))
    if "sse" in told:
        body = ("\n".join(told["sse"]) + "\n").encode()
    elif "json" in told:
        body = json.dumps(told["json"], ensure_ascii=False).encode()
    else:
        body = told["text"].encode()
    return Payload(name, told["source"], told["shows"], told["status"], told["headers"], body)


@pytest.fixture(scope="session")
def payload() -> Callable[[str], Payload]:
    """Reads a payload by name."""
    return read_payload


class Pieces(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body that comes in these pieces; one that is an exception is raised."""

    def __init__(self, pieces: Iterable[bytes | Exception]) -> None:
        self._pieces = list(pieces)

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            if isinstance(piece, Exception):
                raise piece
            yield piece

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self:
            yield piece


Step = Payload | Exception | Callable[[httpx.Request], httpx.Response]


class Service:
    """The service behind `httpx.MockTransport`: one step of its script for each request, the last one for ever."""

    def __init__(self, *script: Step | str) -> None:
        self.script = [read_payload(step) if isinstance(step, str) else step for step in script]
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        step = self.script[min(len(self.requests), len(self.script)) - 1]
        if isinstance(step, Exception):
            raise step
        return step.response() if isinstance(step, Payload) else step(request)

    def client(self, **options: Any) -> httpx.Client:
        return httpx.Client(transport=httpx.MockTransport(self), **options)

    def aclient(self, **options: Any) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.MockTransport(self), **options)

    def transport(self, *, retry: RetryPolicy = NO_PAUSE, errors: Any = None, **settings: Any) -> Transport:
        """A transport that meets this service, and does not wait between its attempts."""
        told = {"account_id": ACCOUNT, "api_token": lambda: TOKEN, **settings}
        return Transport(
            Settings(**told),
            errors=errors or {},
            retry=retry,
            http_client=self.client(),
            http_async_client=self.aclient(),
        )


@pytest.fixture
def service() -> Callable[..., Service]:
    """Makes a service from a script: payloads or their names, exceptions, functions of a request."""
    return Service


def streamed(*pieces: bytes | Exception) -> Callable[[httpx.Request], httpx.Response]:
    """A step that streams these pieces."""
    return lambda _: httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=Pieces(pieces))


def cut_short(*pieces: bytes | Exception) -> Callable[[httpx.Request], httpx.Response]:
    """A step that answers JSON in these pieces."""
    return lambda _: httpx.Response(200, headers={"content-type": "application/json"}, stream=Pieces(pieces))


@pytest.fixture
def steps() -> Any:
    """Steps of a script that are no payload."""

    class Steps:
        streamed = staticmethod(streamed)
        cut_short = staticmethod(cut_short)

    return Steps


def chat(*, stream: bool, model: str = MODEL, **options: Any) -> Exchange[Any, Any]:
    """The exchange of a small chat."""
    request = ChatRequest(Call(model), [{"role": "user", "content": "How is the tide?"}], options)
    return chat_exchange(request, stream=stream)


@dataclass
class Told:
    """What a way of asking gave, whole or streamed."""

    text: str
    reasoning: str
    facts: Facts | None
    deltas: list[ChatDelta] = field(default_factory=list)


@dataclass(frozen=True)
class Way:
    """One of the four ways to send an exchange, from code that is not async."""

    name: str

    @property
    def streams(self) -> bool:
        return "stream" in self.name

    def __call__(self, transport: Transport, ask: Callable[..., Exchange[Any, Any]] = chat, **options: Any) -> Told:
        exchange = ask(stream=self.streams, **options)
        match self.name:
            case "send":
                answer = transport.send(exchange)
            case "asend":
                answer = asyncio.run(transport.asend(exchange))
            case "stream":
                return self._joined(list(transport.stream(exchange)))
            case _:
                return self._joined(asyncio.run(self._collect(transport, exchange)))
        return Told(answer.text, answer.reasoning, answer.facts)

    @staticmethod
    async def _collect(transport: Transport, exchange: Exchange[Any, Any]) -> list[ChatDelta]:
        return [delta async for delta in transport.astream(exchange)]

    @staticmethod
    def _joined(deltas: Sequence[ChatDelta]) -> Told:
        text = "".join(delta.text for delta in deltas)
        reasoning = "".join(delta.reasoning for delta in deltas)
        return Told(text, reasoning, deltas[-1].facts if deltas else None, list(deltas))


@pytest.fixture(params=["send", "asend", "stream", "astream"])
def way(request: pytest.FixtureRequest) -> Way:
    """Each of the four ways."""
    return Way(request.param)


@pytest.fixture(params=["stream", "astream"])
def stream_way(request: pytest.FixtureRequest) -> Way:
    """The two ways that stream."""
    return Way(request.param)


@pytest.fixture(params=["send", "asend"])
def whole_way(request: pytest.FixtureRequest) -> Way:
    """The two ways that ask for an answer in one piece."""
    return Way(request.param)


RESET = "reset"  # end the connection with a TCP reset
CUT = "cut"  # end it in the ordinary way, whatever was promised

Act = bytes | float | str


def http(body: bytes, *, status: int = 200, headers: Mapping[str, str] | None = None) -> bytes:
    """A whole HTTP reply."""
    told = {"content-type": "application/json", "content-length": str(len(body)), **(headers or {})}
    head = "".join(f"{name}: {value}\r\n" for name, value in told.items())
    return f"HTTP/1.1 {status} Told\r\n{head}\r\n".encode() + body


def chunked(*pieces: bytes, end: bool = True) -> list[bytes]:
    """A streamed HTTP reply, piece by piece, as the acts of a script."""
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    acts = [head, *(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)]
    return [*acts, b"0\r\n\r\n"] if end else acts


class Socket:
    """A service on a loopback socket. For each request `script(number, request)` tells what to do, act by act:
    bytes are sent, a number of seconds is waited, CUT and RESET end the connection."""

    def __init__(self, script: Callable[[int, bytes], Sequence[Act]], *, tls: ssl.SSLContext | None = None) -> None:
        self.script = script
        self.tls = tls
        self.requests: list[bytes] = []
        self.connections = 0
        self.open = 0
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._held: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/client/v4"

    def settings(self, **more: Any) -> Settings:
        told = {"account_id": ACCOUNT, "api_token": lambda: TOKEN, "base_url": self.base_url, **more}
        return Settings(**told)

    def wait_for_open(self, count: int, *, seconds: float = 5.0) -> int:
        """The number of open connections, once it is `count` or time is up."""
        end = time.monotonic() + seconds
        while self.open != count and time.monotonic() < end:
            time.sleep(0.005)
        return self.open

    def close(self) -> None:
        self._closing.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for held in self._held:
                with contextlib.suppress(OSError):  # it has ended by itself meanwhile
                    held.shutdown(socket.SHUT_RDWR)
        self.wait_for_open(0)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self.connections += 1
                self.open += 1
                self._held.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, accepted: socket.socket) -> None:
        connection = accepted
        try:
            if self.tls is not None:
                connection = self.tls.wrap_socket(connection, server_side=True)
            while (request := self._read(connection)) is not None:
                with self._lock:
                    self.requests.append(request)
                    number = len(self.requests) - 1
                if not self._act(connection, self.script(number, request)):
                    break
        except OSError:
            pass  # the client has gone
        finally:
            with self._lock:
                self._held.discard(accepted)
                self.open -= 1
            connection.close()

    @staticmethod
    def _read(connection: socket.socket) -> bytes | None:
        data = b""
        while b"\r\n\r\n" not in data:
            if not (more := connection.recv(65536)):
                return None
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        lengths = [line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")]
        missing = int(lengths[0]) - len(body) if lengths else 0
        while missing > 0:
            more = connection.recv(65536)
            data, missing = data + more, missing - len(more)
        return data

    def _act(self, connection: socket.socket, acts: Sequence[Act]) -> bool:
        for act in acts:
            if isinstance(act, bytes):
                connection.sendall(act)
            elif isinstance(act, float):
                self._closing.wait(act)
            else:
                if act == RESET:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return False
        return True


@pytest.fixture
def listen() -> Iterator[Callable[[Callable[[int, bytes], Sequence[Act]]], Socket]]:
    """Makes services on loopback sockets; closes them, and the shared pools, behind the test."""
    made: list[Socket] = []

    def listen_(script: Callable[[int, bytes], Sequence[Act]]) -> Socket:
        made.append(Socket(script))
        return made[-1]

    yield listen_
    workers_ai.close_all()
    for each in made:
        each.close()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    """A certificate for this machine's loopback address that nobody has signed, and a server's context with it."""
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("openssl makes the certificate")
    folder = tmp_path_factory.mktemp("tls")
    key, made = folder / "key.pem", folder / "cert.pem"
    wanted = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=loopback".split()
    named = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(made)]
    subprocess.run([program, *wanted, *named], check=True, capture_output=True, timeout=120)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made, key)
    return made, context


@pytest.fixture
def listen_with_tls(certificate: tuple[Path, ssl.SSLContext]) -> Iterator[tuple[Socket, Path]]:
    """A service that answers every request well, over TLS, and the certificate to trust it by."""
    made, context = certificate
    whole, stream = read_payload("answer-native-usage").body, read_payload("stream-old-tail").body
    server = Socket(
        lambda _, request: chunked(stream) if b'"stream":true' in request else [http(whole)],
        tls=context,
    )
    yield server, made
    workers_ai.close_all()
    server.close()


@pytest.fixture
def acts() -> Any:
    """What a loopback service can do."""

    class Acts:
        http = staticmethod(http)
        chunked = staticmethod(chunked)
        RESET = RESET
        CUT = CUT

    return Acts


@pytest.fixture
def account() -> str:
    return ACCOUNT


@pytest.fixture
def token() -> str:
    return TOKEN


@pytest.fixture
def ask_chat() -> Callable[..., Exchange[Any, Any]]:
    """Makes the exchange of a small chat: `ask_chat(stream=True, max_tokens=5)`."""
    return chat
