"""httpx clients: one per process, and async ones per event loop, closed when it ends.

What stands under httpx (its own pool, aiohttp's transport) is chosen here and nowhere else.
"""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import dataclass, field
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ssl

    import httpx

MAX_CONNECTIONS = 256
KEPT_ALIVE = 16  # httpcore looks at every idle connection at each request
KEEP_ALIVE_SECONDS = 10.0

_NETWORK_VARIABLES = (
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
)

Key = tuple[str | None, ...]


def network_key() -> Key:
    """What the environment says of proxies and certificates: clients are shared among those that agree in it."""
    return tuple(os.environ.get(name) for name in _NETWORK_VARIABLES)


def direct(key: Key) -> Key:
    """The same, for addresses on this machine: no proxy, whatever is set."""
    return ("direct", *key)


@dataclass(slots=True)
class _LoopClients:
    """The clients of one event loop, and the generator that closes them when the loop shuts down."""

    loop: weakref.ref[asyncio.AbstractEventLoop]
    clients: dict[Key, httpx.AsyncClient] = field(default_factory=dict)
    closer: AsyncGenerator[None, None] | None = None

    async def close(self) -> None:
        """Closes the clients. Each is closed once, though two ask for it at a time."""
        while self.clients:
            await self.clients.popitem()[1].aclose()

    async def end(self) -> None:
        """As `close`, before the loop's own end, which then finds nothing more to do."""
        await self.close()
        with suppress(RuntimeError):  # the loop is about to end, and is closing it at this moment
            if self.closer is not None:
                await self.closer.aclose()


class Pool:
    """The shared clients of one process. Thread-safe; a forked child starts with an empty one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sync: dict[Key, httpx.Client] = {}
        self._loops: dict[int, _LoopClients] = {}
        self._contexts: dict[Key, ssl.SSLContext] = {}

    def client(self, key: Key) -> httpx.Client:
        """The process's sync client, made at its first use."""
        found = self._sync.get(key)
        if found is not None:
            return found
        import httpx

        with self._lock:
            if key not in self._sync:
                self._sync[key] = httpx.Client(**self._options(key))
            return self._sync[key]

    async def aclient(self, key: Key) -> httpx.AsyncClient:
        """The running loop's client, made at its first use and closed when the loop shuts down."""
        loop = asyncio.get_running_loop()
        held = self._loops.get(id(loop))
        if held is not None and held.loop() is loop and key in held.clients:
            return held.clients[key]
        import httpx

        self._sweep()
        with self._lock:
            held = self._loops.get(id(loop))
            if held is None or held.loop() is not loop:
                held = self._loops[id(loop)] = _LoopClients(weakref.ref(loop))
            if key not in held.clients:
                held.clients[key] = httpx.AsyncClient(**self._options(key))
            client = held.clients[key]
        if held.closer is None:
            held.closer = self._close_with_the_loop(id(loop), held)
            await held.closer.__anext__()
        return client

    def close(self) -> None:
        """Closes everything: sync clients at once, those of a running loop by a task of that loop."""
        with self._lock:
            clients, self._sync = list(self._sync.values()), {}
            loops, self._loops = list(self._loops.values()), {}
        for client in clients:
            client.close()
        for held in loops:
            _release(held)

    def forget(self) -> None:
        """Drops all without closing: after a fork the sockets belong to the parent."""
        self._lock = threading.Lock()
        self._sync, self._loops = {}, {}

    async def _close_with_the_loop(self, number: int, held: _LoopClients) -> AsyncGenerator[None, None]:
        # Left suspended at its yield, this generator is closed by the loop's `shutdown_asyncgens`, which
        # `asyncio.run` calls. A weak dictionary alone would free nothing: a client holds its loop.
        try:
            yield
        finally:
            with self._lock:
                if self._loops.get(number) is held:
                    del self._loops[number]
            await held.close()

    def _sweep(self) -> None:
        """Releases the clients of loops that ended without `shutdown_asyncgens`."""
        with self._lock:
            ended = [n for n, held in self._loops.items() if (loop := held.loop()) is None or loop.is_closed()]
            released = [self._loops.pop(number) for number in ended]
        for held in released:
            _release(held)

    def _options(self, key: Key) -> dict[str, Any]:
        import httpx

        if key not in self._contexts:  # some 18 ms each: one for all clients, sync and async
            self._contexts[key] = httpx.create_ssl_context()
        return {
            "verify": self._contexts[key],
            "limits": httpx.Limits(
                max_connections=MAX_CONNECTIONS,
                max_keepalive_connections=KEPT_ALIVE,
                keepalive_expiry=KEEP_ALIVE_SECONDS,
            ),
            # The service's cookies tell accounts apart, and the clients are shared by all accounts.
            "cookies": CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            "follow_redirects": False,  # the token goes to the configured host only
            "trust_env": key[0] != "direct",
        }


def _release(held: _LoopClients) -> None:
    """Lets go of a loop's clients: properly where the loop still runs, else by closing their sockets."""
    loop = held.loop()
    if loop is not None and loop.is_running() and held.closer is not None:
        asyncio.run_coroutine_threadsafe(held.end(), loop)
        return
    for client in held.clients.values():
        _close_sockets(client)
    held.clients.clear()


def _close_sockets(client: httpx.AsyncClient) -> None:
    # Nothing can be awaited on a loop that has ended, so the sockets are closed underneath.
    # Private names of httpx and httpcore: where they change, the garbage collector does it later.
    pool = getattr(getattr(client, "_transport", None), "_pool", None)
    for connection in getattr(pool, "connections", ()):
        stream = getattr(getattr(connection, "_connection", None), "_network_stream", None)
        shown = stream.get_extra_info("socket") if stream is not None else None
        raw = getattr(shown, "_sock", shown)
        if raw is not None:
            raw.close()


async def closed_whole(response: httpx.Response) -> None:
    """Ends the closing of a response that a cancellation broke off.

    Closing waits for locks, and httpcore notes that it has closed before it has: a cancellation in between leaves the
    connection in use for ever, and its place in the pool taken. Its own shield holds off anyio's cancellations and not
    asyncio's. Private names, as below: where they change, the connection stays where it was left.
    """
    stream: Any = response.stream
    for name in ("_stream", "_httpcore_stream"):
        stream = getattr(stream, name, stream)
    asked = getattr(stream, "_pool_request", None)
    if asked is None or asked not in getattr(getattr(stream, "_pool", None), "_requests", ()):
        return
    stream._closed = False
    if hasattr(inner := getattr(stream, "_stream", None), "_closed"):
        inner._closed = False  # type: ignore[union-attr]
    # By a task of its own, so that whoever waits here may be cancelled once more.
    task = asyncio.ensure_future(stream.aclose())
    _working.add(task)  # an event loop holds its tasks weakly
    task.add_done_callback(_working.discard)
    await asyncio.shield(task)


_working: set[asyncio.Future[None]] = set()


SHARED = Pool()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=SHARED.forget)


def close_all() -> None:
    """Closes the shared connection pools of this process; the next call opens new ones."""
    SHARED.close()
