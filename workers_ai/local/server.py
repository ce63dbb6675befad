"""The emulator on a port: in a thread for tests and demos, or in the foreground for the command line."""

import asyncio
import contextlib
import logging
import socket
import sys
import threading
from collections.abc import Coroutine, Iterable, Iterator
from types import TracebackType
from typing import Any, TextIO

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from .account import Account
from .app import create_app
from .backend import Backend, OpenAIBackend
from .brain import Brain
from .connections import Connection, ConnectionProtocol
from .fault import Fault
from .fault_rules import FaultRules
from .front_door import RecordedRequest
from .script import Script

logger = logging.getLogger("workers_ai.local")

# Seconds that open streams have to end by themselves when the server goes.
_NOTICE = 0.1
# Seconds after which a start or an end is given up; both take milliseconds.
_PATIENCE = 30.0
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_EXAMPLE_MODEL = "@cf/meta/llama-3.3-70b-instruct-fp8-fast"


class LocalServer:
    """The emulator in a daemon thread: `with LocalServer() as server: ...`.

    port: 0 takes a free one. host: loopback, unless there is a reason. account: a default one if None.
    backend: what generates: None the built-in brain, a string the URL of an OpenAI-compatible server.
    script: turns written beforehand, in place of a backend. Without one `server.script` still takes turns: from the
        first on, they answer and the backend does not.
    delay: seconds before each piece of a generation, to watch a stream or to break it off.
    faults: what goes wrong with the first requests, in this order: `LocalServer(faults=["429*2", "reset-inside"])`.
        More can be put behind them at any time: `server.faults.next("3040")`. `FaultRules` tells how they are written.
    """

    def __init__(
        self,
        port: int = 0,
        *,
        host: str = "127.0.0.1",
        account: Account | None = None,
        backend: Backend | str | None = None,
        script: Script | None = None,
        delay: float = 0.0,
        faults: Iterable[Fault | str] = (),
    ) -> None:
        if script is not None and backend is not None:
            raise ValueError("script= and backend= exclude each other: Script(behind=...) has a backend of its own")
        self.account = account or Account()
        self.script = script or Script(behind=_backend(backend) or Brain())
        self.faults = FaultRules(faults)
        self._requests: list[RecordedRequest] = []
        self._address = (host, port)
        self._app = create_app(self.account, self.script, record=self._requests, delay=delay, faults=self.faults)
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> "LocalServer":
        """Listen, and return when requests are answered. Raises `OSError` when the port is taken."""
        if self._server is not None:
            raise RuntimeError("the server is running")
        listener = _listener(*self._address)
        self._address = listener.getsockname()[:2]
        self._server = _Server(_config(self._app), self._address)
        self.faults.refuse = self._server.refuse
        self._thread = threading.Thread(
            target=self._server.run, args=([listener],), name="workers-ai-emulator", daemon=True
        )
        self._thread.start()
        if not self._server.ready.wait(_PATIENCE):
            raise TimeoutError(f"the emulator did not start within {_PATIENCE:.0f} s")
        return self

    def stop(self) -> None:
        """Close the port and every connection, open streams too, and wait for it (well under half a second)."""
        server, self._server = self._server, None
        thread, self._thread = self._thread, None
        if server is not None and thread is not None:
            server.leave()
            thread.join(_PATIENCE)  # a daemon: one that does not end in time holds up nobody
            if thread.is_alive():
                logger.warning("the emulator at %s did not end within %.0f s", self.url, _PATIENCE)

    def __enter__(self) -> "LocalServer":
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    @contextlib.contextmanager
    def refusing(self) -> Iterator[None]:
        """Within the block nobody can connect: the port is closed, and every connection that was open is reset."""
        if (server := self._server) is None:
            raise RuntimeError("the server is not running")
        server.wait_for(server.close_port())
        try:
            yield
        finally:
            server.wait_for(server.open_port())

    @property
    def url(self) -> str:
        """Where it listens: `http://127.0.0.1:PORT`."""
        return _url(*self._address)

    @property
    def base_url(self) -> str:
        """What stands for `https://api.cloudflare.com/client/v4`."""
        return f"{self.url}/client/v4"

    @property
    def gateway_url(self) -> str:
        """What stands for `https://gateway.ai.cloudflare.com/v1`."""
        return f"{self.url}/v1"

    @property
    def account_id(self) -> str:
        """The account's id."""
        return self.account.account_id

    @property
    def api_token(self) -> str:
        """The account's token; it opens nothing but this server."""
        return self.account.api_token

    def environment(self) -> dict[str, str]:
        """The variables with which a program speaks to this server instead of Cloudflare."""
        return _environment(self.account, self.base_url)

    @property
    def requests(self) -> list[RecordedRequest]:
        """The requests that arrived so far, oldest first."""
        return list(self._requests)

    def clear(self) -> None:
        """Forget the requests so far."""
        self._requests.clear()


def serve(
    host: str = "127.0.0.1",
    port: int = 8787,
    backend: Backend | str | None = None,
    *,
    account: Account | None = None,
    delay: float = 0.0,
    faults: Iterable[Fault | str] = (),
    out: TextIO | None = None,
) -> None:
    """Serve until interrupted (Ctrl+C or SIGTERM), after saying on `out` (stdout) how to speak to it.

    The arguments are those of `LocalServer`; the default account serves the models of the listing only.
    Raises `OSError` when the port is taken.
    """
    account = account or Account(only_listed=True)
    rules = FaultRules(faults)
    app = create_app(account, _backend(backend), delay=delay, faults=rules)
    with _listener(host, port) as listener:
        url = _url(*listener.getsockname()[:2])
        logger.warning("this is a local emulator of Workers AI at %s: no request goes to Cloudflare", url)
        if host not in _LOOPBACK:
            logger.warning("it listens on %s: whoever reaches this address can use it", host)
        (out or sys.stdout).write(_welcome(account, url))
        (out or sys.stdout).flush()
        with contextlib.suppress(KeyboardInterrupt):
            server = _Server(_config(app), listener.getsockname()[:2])
            rules.refuse = server.refuse
            server.run([listener])


class _Server(uvicorn.Server):
    """uvicorn that says when it is ready and leaves at once, open streams or not."""

    def __init__(self, config: uvicorn.Config, address: tuple[str, int]) -> None:
        super().__init__(config)
        self._address = address
        self.ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._leaving: asyncio.Event | None = None
        self._refusal: asyncio.Task[None] | None = None

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            super().run(sockets)
        finally:
            self.ready.set()  # so that nobody waits for a server that could not start

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop, self._leaving = asyncio.get_running_loop(), asyncio.Event()
        await super().startup(sockets=sockets)
        self.ready.set()

    async def main_loop(self) -> None:
        """The base class looks ten times a second whether it should go; this one is also woken."""
        assert self._leaving is not None
        counter = 0
        while not await self.on_tick(counter):
            counter += 1
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._leaving.wait(), 0.1)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close all that is open, without the base class's time of grace: nobody waits for an emulator's answers."""
        if self._refusal is not None:
            self._refusal.cancel()
        for server in self.servers:
            server.close()
        for listener in sockets or []:
            listener.close()
        for connection in list(self.server_state.connections):
            if (transport := getattr(connection, "transport", None)) is not None:
                transport.abort()
        if tasks := list(self.server_state.tasks):
            # Streams notice that their reader is gone; what does not notice in time is cancelled.
            _, deaf = await asyncio.wait(tasks, timeout=_NOTICE)
            for task in deaf:
                task.cancel()
            await asyncio.gather(*deaf, return_exceptions=True)

    async def close_port(self) -> None:
        """Nobody can connect, and whoever is connected is cut off."""
        for server in self.servers:
            server.close()
        self.servers = []
        for connection in list(self.server_state.connections):
            if (transport := getattr(connection, "transport", None)) is not None:
                Connection(transport).reset()

    async def open_port(self) -> None:
        """Listen again at the same address."""
        if self.should_exit or self.servers:
            return

        def protocol() -> asyncio.Protocol:
            return ConnectionProtocol(config=self.config, server_state=self.server_state, app_state={})

        listener = _listener(*self._address)
        self.servers = [await asyncio.get_running_loop().create_server(protocol, sock=listener)]

    def refuse(self, seconds: float) -> None:
        """Close the port for so long; to be called from the server's own loop."""
        self._refusal = asyncio.get_running_loop().create_task(self._refuse(seconds))

    async def _refuse(self, seconds: float) -> None:
        await self.close_port()
        await asyncio.sleep(seconds)
        await self.open_port()

    def wait_for(self, work: Coroutine[Any, Any, None]) -> None:
        """Have something done in the server's loop, from another thread."""
        assert self._loop is not None
        asyncio.run_coroutine_threadsafe(work, self._loop).result(_PATIENCE)

    def leave(self) -> None:
        """Ask the server to go; from any thread."""
        self.should_exit = True
        if self._loop is not None and self._leaving is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: it went by itself
                self._loop.call_soon_threadsafe(self._leaving.set)


def _listener(host: str, port: int) -> socket.socket:
    # The protocol is named on purpose: asyncio switches Nagle's delay off only where it sees TCP, and with it each
    # answer of two writes takes 40 ms.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener


def _config(app: ASGIApp) -> uvicorn.Config:
    async def quiet(scope: Scope, receive: Receive, send: Send) -> None:
        # Only `shutdown` cancels, when nobody listens any more: no error to report.
        with contextlib.suppress(asyncio.CancelledError):
            await app(scope, receive, send)

    return uvicorn.Config(
        quiet,
        log_config=None,
        access_log=False,
        lifespan="off",
        loop="asyncio",
        ws="none",
        http=ConnectionProtocol,
        server_header=False,
        # Pools keep connections longer than uvicorn's 5 seconds; a close between two requests looks like a fault.
        timeout_keep_alive=120,
    )


def _backend(backend: Backend | str | None) -> Backend | None:
    return OpenAIBackend(backend) if isinstance(backend, str) else backend


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _environment(account: Account, base_url: str) -> dict[str, str]:
    return {
        "CLOUDFLARE_ACCOUNT_ID": account.account_id,
        "CLOUDFLARE_API_TOKEN": account.api_token,
        "CLOUDFLARE_BASE_URL": base_url,
    }


def _welcome(account: Account, url: str) -> str:
    base_url = f"{url}/client/v4"
    exports = [f"export {name}={value}" for name, value in _environment(account, base_url).items()]
    return "\n".join(
        [
            f"A local EMULATOR of Cloudflare Workers AI listens on {url}: no answer comes from Cloudflare.",
            "Any program speaks to it with:",
            "",
            *exports,
            "",
            "For example:",
            "",
            f"curl {base_url}/accounts/{account.account_id}/ai/run/{_EXAMPLE_MODEL} \\",
            f"  -H 'Authorization: Bearer {account.api_token}' -H 'Content-Type: application/json' \\",
            """  -d '{"messages": [{"role": "user", "content": "Hello"}]}'""",
            "",
            f"AI Gateway: {url}/v1/{account.account_id}/default/workers-ai/...  Ctrl+C ends it.",
            "",
        ]
    )
