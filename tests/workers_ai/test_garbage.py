"""Streams that nobody closed: the garbage collector does, wherever its thread happens to be."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest

import workers_ai
from workers_ai import Client, NeuronMeter
from workers_ai.local import LocalServer
from workers_ai.pool import SHARED

LLAMA = "@cf/meta/llama-3.2-3b-instruct"


@pytest.fixture
def slow() -> Iterator[LocalServer]:
    """An emulator whose streams take their time."""
    with LocalServer(delay=0.02) as server:
        yield server
    workers_ai.close_all()


def client_of(server: LocalServer) -> Client:
    return Client(account_id=server.account_id, api_token=server.api_token, base_url=server.base_url)


def left_in_a_cycle(client: Client) -> None:
    """Begins a stream, and leaves it where only the collector finds it."""
    stream = client.stream_chat("Count to 200", model=LLAMA)
    next(iter(stream))
    cycle: list[Any] = [stream]
    cycle.append(cycle)


def pool_in_use() -> Any:
    """httpcore's pool that has a request, or None where its private names have changed."""
    clients = SHARED._sync.values()
    transports = [each for client in clients for each in (client._transport, *client._mounts.values()) if each]
    return next((pool for each in transports if getattr(pool := getattr(each, "_pool", None), "_requests", ())), None)


def collected_under(lock: AbstractContextManager[Any]) -> bool:
    """Whether a collection comes to its end in a thread that holds `lock`."""
    gc.disable()  # not before the lock is held
    try:

        def collect() -> None:
            with lock:
                gc.collect()

        thread = threading.Thread(target=collect, daemon=True)
        thread.start()
        thread.join(10)
        return not thread.is_alive()
    finally:
        gc.enable()


def soon(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + 5
    while not condition() and time.monotonic() < end:
        time.sleep(0.005)
    return condition()


def test_a_collection_inside_the_connection_pool_does_not_wait_for_itself(slow: LocalServer):
    """httpcore's lock is no reentrant one, and closing a stream takes it."""
    gc.disable()
    left_in_a_cycle(client_of(slow))
    pool = pool_in_use()
    if pool is None or not hasattr(pool, "_optional_thread_lock"):
        pytest.skip("httpcore's pool has other names here")
    assert collected_under(pool._optional_thread_lock)
    assert soon(lambda: not pool._requests), "the connection was let go, in a thread of its own"


def test_a_collection_inside_a_meter_does_not_wait_for_itself(slow: LocalServer):
    gc.disable()
    with NeuronMeter() as meter:
        left_in_a_cycle(client_of(slow))
    assert collected_under(meter._lock)
    assert soon(lambda: meter.calls == 1), "the stream that was left is counted all the same"


def test_a_stream_that_is_closed_is_closed_at_once(slow: LocalServer):
    """And by the thread that closes it: only the collector has to be waited for."""
    stream = client_of(slow).stream_chat("Count to 200", model=LLAMA)
    next(iter(stream))
    pool = pool_in_use()
    threads = threading.active_count()
    stream.close()  # type: ignore[attr-defined]
    assert threading.active_count() == threads
    assert not pool._requests
