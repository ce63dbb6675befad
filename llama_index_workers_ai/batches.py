"""Batches of work: several in flight, results in order. Each batch may ask a rate limiter and tell events."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from workers_ai import in_flight

Batch = list[str]
Result = TypeVar("Result")
OnDone = Callable[[Batch], None]


def in_order(
    work: Callable[[Batch], Result], batches: Sequence[Batch], *, at_once: int, on_done: OnDone
) -> list[Result]:
    """What `work` makes of every batch, at most `at_once` of them at a time. on_done: called with each finished one."""

    def one(batch: Batch) -> Result:
        result = work(batch)
        on_done(batch)
        return result

    return in_flight.in_order(one, batches, at_once=at_once)


async def ain_order(
    work: Callable[[Batch], Awaitable[Result]], batches: Sequence[Batch], *, at_once: int, on_done: OnDone
) -> list[Result]:
    """As `in_order`, with tasks instead of threads."""

    async def one(batch: Batch) -> Result:
        result = await work(batch)
        on_done(batch)
        return result

    return await in_flight.ain_order(one, batches, at_once=at_once)


@contextmanager
def progress(total: int, *, shown: bool) -> Iterator[OnDone]:
    """What to call with each finished batch: it moves LlamaIndex's progress bar over `total` texts, if it is shown."""
    if not shown:
        yield lambda batch: None
        return
    from tqdm.auto import tqdm  # type: ignore[import-untyped]  # has no types of its own

    with tqdm(total=total, desc="Generating embeddings") as bar:
        yield lambda batch: bar.update(len(batch))
