"""Batches of work: several in flight, results in order. Each batch may ask a rate limiter and tell events."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from threading import Event
from typing import TypeVar, cast

Batch = list[str]
Result = TypeVar("Result")
OnDone = Callable[[Batch], None]


def in_order(
    work: Callable[[Batch], Result], batches: Sequence[Batch], *, at_once: int, on_done: OnDone
) -> list[Result]:
    """What `work` makes of every batch, at most `at_once` of them at a time, each in a thread.

    The first failure ends it: what has not begun is left out. on_done: called with each batch that is finished.
    """

    def one(batch: Batch) -> Result:
        result = work(batch)
        on_done(batch)
        return result

    if len(batches) <= 1 or at_once == 1:
        return [one(batch) for batch in batches]
    ended = Event()

    def unless_ended(batch: Batch) -> Result | None:
        if ended.is_set():
            return None
        try:
            return one(batch)
        except BaseException:
            ended.set()  # here and not where the results are awaited: that thread may be late to notice
            raise

    with ThreadPoolExecutor(min(at_once, len(batches))) as pool:
        # Threads do not inherit context variables by themselves: LlamaIndex's spans and traces live there.
        futures = [pool.submit(copy_context().run, unless_ended, batch) for batch in batches]
        try:
            return cast("list[Result]", [future.result() for future in futures])
        finally:
            ended.set()


async def ain_order(
    work: Callable[[Batch], Awaitable[Result]], batches: Sequence[Batch], *, at_once: int, on_done: OnDone
) -> list[Result]:
    """As `in_order`, with tasks instead of threads."""
    found: dict[int, Result] = {}
    waiting = iter(enumerate(batches))

    async def worker() -> None:
        for place, batch in waiting:  # shared: each worker takes the next one
            found[place] = await work(batch)
            on_done(batch)

    workers = [asyncio.ensure_future(worker()) for _ in range(min(at_once, len(batches)))]
    try:
        await asyncio.gather(*workers)
    finally:
        for each in workers:
            each.cancel()
    return [found[place] for place in range(len(batches))]


@contextmanager
def progress(total: int, *, shown: bool) -> Iterator[OnDone]:
    """What to call with each finished batch: it moves LlamaIndex's progress bar over `total` texts, if it is shown."""
    if not shown:
        yield lambda batch: None
        return
    from tqdm.auto import tqdm  # type: ignore[import-untyped]  # has no types of its own

    with tqdm(total=total, desc="Generating embeddings") as bar:
        yield lambda batch: bar.update(len(batch))
