"""Many pieces of work: several in flight, results in order, an end at the first failure."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from threading import Event
from typing import TypeVar, cast

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_order(work: Callable[[Item], Result], items: Sequence[Item], *, at_once: int) -> list[Result]:
    """What `work` makes of every item, at most `at_once` of them at a time, each in a thread.

    The first failure is raised once the work that had begun is done; what has not begun is left out.
    """
    _check(at_once)
    if len(items) <= 1 or at_once == 1:
        return [work(item) for item in items]
    ended = Event()

    def unless_ended(item: Item) -> Result | None:
        if ended.is_set():
            return None
        try:
            return work(item)
        except BaseException:
            ended.set()  # here and not where the results are awaited: that thread may be late to notice
            raise

    with ThreadPoolExecutor(min(at_once, len(items))) as pool:
        # Threads do not inherit context variables by themselves: callers' traces and meters live there.
        futures = [pool.submit(copy_context().run, unless_ended, item) for item in items]
        try:
            return cast("list[Result]", [future.result() for future in futures])
        finally:
            ended.set()


async def ain_order(work: Callable[[Item], Awaitable[Result]], items: Sequence[Item], *, at_once: int) -> list[Result]:
    """As `in_order`, with tasks instead of threads; what is under way at a failure is cancelled."""
    _check(at_once)
    found: dict[int, Result] = {}
    waiting = iter(enumerate(items))

    async def worker() -> None:
        for place, item in waiting:  # shared: each worker takes the next one
            found[place] = await work(item)

    workers = [asyncio.ensure_future(worker()) for _ in range(min(at_once, len(items)))]
    try:
        await asyncio.gather(*workers)
    finally:
        for each in workers:
            each.cancel()
        # Awaited, so that none is left pending when the caller's loop ends: a cancelled task still has its own end.
        await asyncio.gather(*workers, return_exceptions=True)
    return [found[place] for place in range(len(items))]


def _check(at_once: int) -> None:
    if at_once < 1:
        raise ValueError(f"max_concurrency={at_once}: 1 or more")
