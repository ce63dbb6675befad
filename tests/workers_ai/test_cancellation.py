"""A call that is cancelled gives its connection back, wherever the cancellation falls."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from workers_ai.retry import RetryPolicy
from workers_ai.settings import Timeouts
from workers_ai.transport import Transport

Make = Callable[..., Any]
STEPS = 60
"""Steps of the event loop: more than any call takes on this server, so that each of its waits is cancelled once."""


@pytest.fixture
def server(listen: Make, acts: Any, payload: Make) -> Iterator[Any]:
    """A service that answers every request well, each stream in two reads."""
    whole, stream = payload("answer-native-usage").body, payload("stream-old-tail").body
    return listen(
        lambda _, request: acts.chunked(stream[:40], stream[40:]) if b'"stream":true' in request else [acts.http(whole)]
    )


def with_one_connection(server: Any, client: httpx.AsyncClient) -> Transport:
    """A transport for which one connection that is never given back is one too many."""
    settings = server.settings(timeouts=Timeouts.coerce(5))
    settings = replace(settings, timeouts=replace(settings.timeouts, pool=2))
    return Transport(settings, retry=RetryPolicy(max_retries=0), http_async_client=client)


async def read(transport: Transport, ask_chat: Make) -> None:
    async for _ in transport.astream(ask_chat(stream=True)):
        pass


async def asked(transport: Transport, ask_chat: Make) -> None:
    await transport.asend(ask_chat(stream=False))


async def cancelled_after(steps: int, work: Awaitable[None]) -> None:
    """Cancels `work` once the loop has gone round so often and the socket has been waited for."""
    task = asyncio.ensure_future(work)
    for _ in range(steps):
        if task.done():
            break
        await asyncio.sleep(0.0005 if steps % 3 == 0 else 0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("ask", [read, asked])
async def test_wherever_a_call_is_cancelled_the_next_one_has_the_connection(server: Any, ask_chat: Make, ask: Any):
    limits = httpx.Limits(max_connections=1)
    async with httpx.AsyncClient(limits=limits, trust_env=False) as client:
        transport = with_one_connection(server, client)
        for steps in range(STEPS):
            await cancelled_after(steps, ask(transport, ask_chat))
            await ask(transport, ask_chat)


@pytest.mark.parametrize("ask", [read, asked])
async def test_nor_does_a_time_out_of_asyncio_keep_it(server: Any, ask_chat: Make, ask: Any):
    limits = httpx.Limits(max_connections=1)
    async with httpx.AsyncClient(limits=limits, trust_env=False) as client:
        transport = with_one_connection(server, client)
        for steps in range(STEPS):
            try:
                async with asyncio.timeout(steps * 0.0001):
                    await ask(transport, ask_chat)
            except TimeoutError:
                pass
            await ask(transport, ask_chat)
