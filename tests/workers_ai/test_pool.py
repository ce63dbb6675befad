"""The shared connections: one pool per process, one per event loop, and nothing left behind when a loop ends."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import workers_ai
from workers_ai import errors as e
from workers_ai.pool import SHARED, Pool, network_key
from workers_ai.retry import RetryPolicy
from workers_ai.settings import Settings
from workers_ai.transport import Transport

Make = Callable[..., Any]

DESCRIPTORS = Path("/proc/self/fd")
needs_descriptors = pytest.mark.skipif(not DESCRIPTORS.is_dir(), reason="counts /proc/self/fd")
NO_RETRY = RetryPolicy(max_retries=0)


@pytest.fixture(autouse=True)
def _fresh_pool() -> Iterator[None]:
    workers_ai.close_all()
    yield
    workers_ai.close_all()


@pytest.fixture
def server(listen: Make, acts: Any, payload: Make) -> Any:
    """A service that answers every request well."""
    whole, stream = payload("answer-native-usage").body, payload("stream-old-tail").body

    def answer(_: int, request: bytes) -> Any:
        return acts.chunked(stream) if b'"stream":true' in request else [acts.http(whole)]

    return listen(answer)


def open_descriptors() -> int:
    return len(list(DESCRIPTORS.iterdir()))


def settle(count: int, *, seconds: float = 5.0) -> int:
    """The number of open descriptors, once it is at most `count` or time is up."""
    end = time.monotonic() + seconds
    while (found := open_descriptors()) > count and time.monotonic() < end:
        time.sleep(0.01)
    return found


# Sync


def test_transports_with_equal_settings_share_one_connection(server: Any, ask_chat: Make):
    for _ in range(3):
        Transport(server.settings()).send(ask_chat(stream=False))
    assert (server.connections, len(server.requests)) == (1, 3)


def test_threads_share_the_client(server: Any):
    found: list[httpx.Client] = []
    threads = [threading.Thread(target=lambda: found.append(SHARED.client(network_key()))) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len({id(client) for client in found}) == 1


def test_httpx_is_not_even_imported_before_the_first_call():
    script = """
import sys
from workers_ai import Client
client = Client(account_id="0" * 32, api_token="t")
assert "httpx" not in sys.modules, "httpx was imported by making a client"
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def test_close_all_ends_the_connections_and_the_next_call_opens_new_ones(server: Any, ask_chat: Make):
    transport = Transport(server.settings())
    transport.send(ask_chat(stream=False))
    workers_ai.close_all()
    assert server.wait_for_open(0) == 0
    assert transport.send(ask_chat(stream=False)).text
    assert server.connections == 2


def test_a_user_s_client_is_used_and_never_closed(server: Any, ask_chat: Make):
    with httpx.Client() as user:
        transport = Transport(server.settings(), http_client=user)
        transport.send(ask_chat(stream=False))
        list(transport.stream(ask_chat(stream=True)))
        workers_ai.close_all()
        assert not user.is_closed
        assert transport.send(ask_chat(stream=False)).text
    assert server.connections == 1


async def test_a_user_s_async_client_is_used_and_never_closed(server: Any, ask_chat: Make):
    async with httpx.AsyncClient() as user:
        transport = Transport(server.settings(), http_async_client=user)
        await transport.asend(ask_chat(stream=False))
        assert [delta async for delta in transport.astream(ask_chat(stream=True))]
        workers_ai.close_all()
        assert not user.is_closed
        assert (await transport.asend(ask_chat(stream=False))).text
    assert server.connections == 1


# Async


def test_three_loops_in_a_row_work_on_one_transport(server: Any, ask_chat: Make):
    transport = Transport(server.settings())
    texts = [asyncio.run(transport.asend(ask_chat(stream=False))).text for _ in range(3)]
    assert texts == ["Les mouettes crient."] * 3
    assert server.wait_for_open(0) == 0


def test_a_loop_s_calls_share_its_connections(server: Any, ask_chat: Make):
    async def several() -> None:
        for _ in range(4):
            await Transport(server.settings()).asend(ask_chat(stream=False))

    asyncio.run(several())
    assert (server.connections, len(server.requests)) == (1, 4)


@needs_descriptors
def test_a_hundred_loops_leave_no_descriptor_behind(server: Any, ask_chat: Make):
    transport = Transport(server.settings())

    async def both() -> None:
        await transport.asend(ask_chat(stream=False))
        assert [delta async for delta in transport.astream(ask_chat(stream=True))]

    asyncio.run(both())
    server.wait_for_open(0)
    before = open_descriptors()
    for _ in range(100):
        asyncio.run(both())
    assert settle(before) <= before
    assert server.connections == 101


@needs_descriptors
def test_a_hundred_loops_that_leave_a_stream_early_leave_none_either(server: Any, ask_chat: Make):
    transport = Transport(server.settings())

    async def first() -> None:
        deltas = transport.astream(ask_chat(stream=True))
        await anext(deltas)  # and no aclose: the loop's end has to do it

    asyncio.run(first())
    server.wait_for_open(0)
    before = open_descriptors()
    for _ in range(100):
        asyncio.run(first())
    assert settle(before) <= before


def run_by_hand(transport: Transport, ask_chat: Make) -> None:
    """A loop closed without `shutdown_asyncgens`, as some frameworks do."""
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(transport.asend(ask_chat(stream=False)))
    finally:
        loop.close()


@needs_descriptors
def test_loops_closed_by_hand_are_swept_at_the_next_use(server: Any, ask_chat: Make):
    transport = Transport(server.settings())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # asyncio's own, of transports on such a loop
        run_by_hand(transport, ask_chat)
        before = open_descriptors()
        for _ in range(20):
            run_by_hand(transport, ask_chat)
            assert server.open <= 3
        assert settle(before + 2) <= before + 2
        asyncio.run(transport.asend(ask_chat(stream=False)))
        assert server.wait_for_open(0) == 0
        gc.collect()


def test_two_loops_at_once_have_their_own_connections(server: Any, ask_chat: Make):
    transport = Transport(server.settings())
    barrier = threading.Barrier(2, timeout=10)

    async def one() -> None:
        await transport.asend(ask_chat(stream=False))
        await asyncio.to_thread(barrier.wait)
        await transport.asend(ask_chat(stream=False))

    threads = [threading.Thread(target=lambda: asyncio.run(one())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert (server.connections, len(server.requests)) == (2, 4)


def test_close_all_reaches_the_loop_of_another_thread(server: Any, ask_chat: Make):
    transport = Transport(server.settings())
    ready, done = threading.Event(), threading.Event()

    async def hold() -> None:
        await transport.asend(ask_chat(stream=False))
        ready.set()
        await asyncio.to_thread(done.wait, 30)

    thread = threading.Thread(target=lambda: asyncio.run(hold()))
    thread.start()
    assert ready.wait(30)
    workers_ai.close_all()
    assert server.wait_for_open(0) == 0
    done.set()
    thread.join(30)
    assert not thread.is_alive()


async def test_close_all_inside_a_loop_lets_the_next_call_open_a_new_connection(server: Any, ask_chat: Make):
    transport = Transport(server.settings())
    await transport.asend(ask_chat(stream=False))
    workers_ai.close_all()
    assert await asyncio.to_thread(server.wait_for_open, 0) == 0
    assert (await transport.asend(ask_chat(stream=False))).text
    assert server.connections == 2


async def test_many_calls_at_once_are_all_answered(server: Any, ask_chat: Make):
    transport = Transport(server.settings())
    answers = await asyncio.gather(*(transport.asend(ask_chat(stream=False)) for _ in range(60)))
    assert len(answers) == 60


# After a fork


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_opens_connections_of_its_own(server: Any):
    script = f"""
import os, sys
from workers_ai import Client
client = Client(account_id="0" * 32, api_token="t", base_url={server.base_url!r}, max_retries=0)
assert client.chat("x", model="@cf/meta/llama-3.2-3b-instruct").text
child = os.fork()
text = client.chat("x", model="@cf/meta/llama-3.2-3b-instruct").text
if child == 0:
    os._exit(0 if text else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert client.chat("x", model="@cf/meta/llama-3.2-3b-instruct").text
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=30)
    assert (server.connections, len(server.requests)) == (2, 4)


# The environment


def test_clients_differ_by_what_the_environment_says_of_the_network(monkeypatch: pytest.MonkeyPatch):
    pool = Pool()
    plain = network_key()
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    proxied = network_key()
    assert plain != proxied
    try:
        assert pool.client(plain) is pool.client(plain)
        assert pool.client(proxied) is not pool.client(plain)
    finally:
        pool.close()


def ask_elsewhere(way: Any, settings: Settings) -> Any:
    return way(Transport(settings, retry=NO_RETRY))


def test_http_proxy_is_honoured(way: Any, server: Any, account: str, token: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{server.port}")
    settings = Settings(
        account_id=account, api_token=lambda: token, base_url="http://workers.example/client/v4", allow_insecure=True
    )
    assert ask_elsewhere(way, settings).text
    assert server.requests[0].startswith(b"POST http://workers.example/client/v4/accounts/")


def test_https_proxy_is_honoured_and_sees_no_token(
    way: Any, listen: Make, acts: Any, account: str, token: str, monkeypatch: pytest.MonkeyPatch
):
    proxy = listen(lambda *_: [acts.http(b"", status=403), acts.CUT])
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
    settings = Settings(account_id=account, api_token=lambda: token, base_url="https://workers.example/client/v4")
    with pytest.raises(e.APIConnectionError) as caught:
        ask_elsewhere(way, settings)
    assert caught.value.maybe_sent is False
    assert proxy.requests[0].startswith(b"CONNECT workers.example:443 ")
    assert token.encode() not in proxy.requests[0]


def test_this_machine_is_reached_directly_whatever_proxy_is_set(way: Any, server: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("no_proxy", "")
    assert way(Transport(server.settings(), retry=NO_RETRY)).text


def test_a_certificate_named_by_the_environment_is_trusted(
    way: Any, listen_with_tls: Any, monkeypatch: pytest.MonkeyPatch
):
    server, certificate = listen_with_tls
    settings = server.settings(base_url=f"https://127.0.0.1:{server.port}/client/v4")
    with pytest.raises(e.APIConnectionError, match=r"(?i)certificate"):
        way(Transport(settings, retry=NO_RETRY))
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert way(Transport(settings, retry=NO_RETRY)).text


def test_a_changed_environment_reaches_a_new_transport_and_not_an_old_one(
    listen: Make, acts: Any, payload: Make, ask_chat: Make, account: str, token: str, monkeypatch: pytest.MonkeyPatch
):
    body = payload("answer-native-usage").body
    one, other = (listen(lambda *_: [acts.http(body)]) for _ in range(2))
    settings = Settings(
        account_id=account, api_token=lambda: token, base_url="http://workers.example/client/v4", allow_insecure=True
    )
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{one.port}")
    transport = Transport(settings)
    transport.send(ask_chat(stream=False))
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{other.port}")
    transport.send(ask_chat(stream=False))
    Transport(settings).send(ask_chat(stream=False))
    assert (len(one.requests), len(other.requests)) == (2, 1)
