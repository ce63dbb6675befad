"""What is measured: one function for each scenario, the same for every contestant."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import NamedTuple

from contestants import CORE, LANGCHAIN, LLAMA_INDEX, Contestant, Turn

THREADS = 100
QUESTION: list[Turn] = [("user", "Where does Cloudflare run models?")]


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much of each. tokens: of one stream. wave: chats at once. texts: to embed. history: messages in one chat."""

    chats: int = 300
    streams: int = 5
    tokens: int = 2000
    wave: int = 200
    threaded: int = 300
    texts: int = 5000
    long_chats: int = 50
    history: int = 200


QUICK = Sizes(chats=10, streams=1, tokens=50, wave=10, threaded=20, texts=200, long_chats=3)


class Block(NamedTuple):
    """What one contestant did in one block.

    operations: calls, tokens or texts. check: the same for all contestants, or one of them did something else.
    first_token: seconds until it came, in streams.
    """

    operations: int
    check: int
    first_token: float | None = None


class Goal(NamedTuple):
    """The most that counts as reached: CPU and wall time as ratios to raw httpx of the same run, and milliseconds."""

    ratio: float | None = None
    wall_ms: float | None = None
    wall_ratio: float | None = None


Run = Callable[[Contestant, Sizes], Block]
AsyncRun = Callable[[Contestant, Sizes], Coroutine[None, None, Block]]


@dataclass(frozen=True, slots=True)
class Scenario:
    """One kind of work.

    delay: of the server, in milliseconds. nulls: frameworks that answer from memory take part. before: what is done
    first, unmeasured. raw: the scenario that raw httpx runs in its stead.
    """

    title: str
    unit: str
    run: Run | AsyncRun
    goals: Mapping[str, Goal] = field(default_factory=dict)
    delay: int = 0
    nulls: bool = False
    before: Run | None = None
    raw: str | None = None


def short_chats(one: Contestant, sizes: Sizes) -> Block:
    """Chats one after the other."""
    messages = one.messages(QUESTION)
    return Block(sizes.chats, sum(len(one.chat(messages)) for _ in range(sizes.chats)))


def streams(one: Contestant, sizes: Sizes) -> Block:
    """Streams as fast as they come, token by token."""
    messages, firsts, length = one.messages(QUESTION), [], 0
    for _ in range(sizes.streams):
        begin, first = time.perf_counter(), None
        for text in one.stream(messages):
            first = first or time.perf_counter() - begin
            length += len(text)
        firsts.append(first or 0.0)
    return Block(sizes.streams * sizes.tokens, length, min(firsts))


async def async_streams(one: Contestant, sizes: Sizes) -> Block:
    """As `streams`, on an event loop."""
    messages, firsts, length = one.messages(QUESTION), [], 0
    for _ in range(sizes.streams):
        begin, first = time.perf_counter(), None
        async for text in one.astream(messages):
            first = first or time.perf_counter() - begin
            length += len(text)
        firsts.append(first or 0.0)
    return Block(sizes.streams * sizes.tokens, length, min(firsts))


async def many_at_once(one: Contestant, sizes: Sizes) -> Block:
    """Two waves of chats, each wave all at once."""
    messages = one.messages(QUESTION)
    length = 0
    for _ in range(2):
        length += sum(map(len, await asyncio.gather(*(one.achat(messages) for _ in range(sizes.wave)))))
    return Block(2 * sizes.wave, length)


def on_threads(one: Contestant, sizes: Sizes) -> Block:
    """Chats on a hundred threads."""
    messages = one.messages(QUESTION)
    with ThreadPoolExecutor(min(THREADS, sizes.threaded)) as pool:
        return Block(sizes.threaded, sum(map(len, pool.map(one.chat, [messages] * sizes.threaded))))


def embeddings(one: Contestant, sizes: Sizes) -> Block:
    """Many short texts."""
    rows = one.embed(_texts(sizes.texts))
    return Block(sizes.texts, sum(map(len, rows)))


async def async_embeddings(one: Contestant, sizes: Sizes) -> Block:
    """As `embeddings`, on an event loop."""
    rows = await one.aembed(_texts(sizes.texts))
    return Block(sizes.texts, sum(map(len, rows)))


def long_history(one: Contestant, sizes: Sizes) -> Block:
    """Chats with a long history."""
    turns: list[Turn] = [
        ("user" if place % 2 == 0 else "assistant", f"Turn {place}: " + "a sentence of some length. " * 4)
        for place in range(sizes.history)
    ]
    messages = one.messages([*turns, *QUESTION])
    return Block(sizes.long_chats, sum(len(one.chat(messages)) for _ in range(sizes.long_chats)))


def _texts(count: int) -> list[str]:
    return [f"Text number {place}: Workers AI runs models on GPUs in many cities." for place in range(count)]


def _both(langchain: float, llama_index: float, *, wall_ms: float | None = None) -> dict[str, Goal]:
    return {LANGCHAIN: Goal(langchain, wall_ms), LLAMA_INDEX: Goal(llama_index, wall_ms)}


SCENARIOS: dict[str, Scenario] = {
    "a": Scenario("short chats, one after the other", "chat", short_chats, _both(1.35, 1.30), nulls=True),
    "b": Scenario("stream of 2,000 tokens", "token", streams, _both(2.2, 2.4), nulls=True),
    "b2": Scenario("stream of 2,000 tokens, async", "token", async_streams, _both(2.2, 2.4), nulls=True),
    "h": Scenario("chats with 200 messages of history", "chat", long_history, _both(1.75, 1.60), nulls=True),
    "ds": Scenario("5,000 texts embedded", "text", embeddings, _both(1.15, 1.15)),
    "da": Scenario("5,000 texts embedded, async", "text", async_embeddings, _both(1.15, 1.15)),
    "dal": Scenario(
        "5,000 texts embedded, async, 50 ms a request",
        "text",
        async_embeddings,
        dict.fromkeys((CORE, LANGCHAIN, LLAMA_INDEX), Goal(wall_ratio=1.25)),
        delay=50,
    ),
    "dsl": Scenario(
        "5,000 texts embedded, sync, 50 ms a request (raw httpx: async, 8 in flight)",
        "text",
        embeddings,
        dict.fromkeys((CORE, LANGCHAIN, LLAMA_INDEX), Goal(wall_ratio=2.3)),
        delay=50,
        raw="dal",
    ),
    "c": Scenario(
        "200 async chats at once, two waves, 50 ms", "chat", many_at_once, _both(0.60, 0.60, wall_ms=500), delay=50
    ),
    "f": Scenario("300 chats on 100 threads, 50 ms", "chat", on_threads, _both(1.20, 1.20, wall_ms=330), delay=50),
    "a2": Scenario("short chats, right after a burst on threads", "chat", short_chats, before=on_threads),
}
"""By their letters, in the order they are run: connections that a burst leaves behind weigh on what comes after it.

The goals are those called hard: what httpx as it comes allows a careful client; `c` asks more.
"""
