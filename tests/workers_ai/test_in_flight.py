"""Many pieces of work: so many at once, results in order, an end at the first failure."""

from __future__ import annotations

import asyncio
import threading
import time
from contextvars import ContextVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workers_ai.in_flight import ain_order, in_order


class BrokenError(Exception):
    """A piece of work that failed."""


@settings(max_examples=30)
@given(items=st.lists(st.integers(), max_size=12), at_once=st.integers(1, 5))
def test_results_come_in_the_order_of_the_items(items: list[int], at_once: int):
    async def awork(item: int) -> int:
        await asyncio.sleep(0)
        return -item

    assert in_order(lambda item: -item, items, at_once=at_once) == [-item for item in items]
    assert asyncio.run(ain_order(awork, items, at_once=at_once)) == [-item for item in items]


def test_as_many_run_at_once_as_were_asked_for_and_no_more():
    lock, running, most = threading.Lock(), 0, 0
    met = threading.Barrier(3)

    def work(_: int) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        met.wait(5)  # three are here together
        with lock:
            running -= 1

    in_order(work, range(9), at_once=3)
    assert most == 3


async def test_as_many_tasks_run_at_once_as_were_asked_for_and_no_more():
    running, most = 0, 0

    async def work(_: int) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.001)
        running -= 1

    await ain_order(work, range(9), at_once=3)
    assert most == 3


def test_one_at_a_time_needs_no_threads():
    threads = in_order(lambda _: threading.current_thread(), range(3), at_once=1)
    assert set(threads) == {threading.current_thread()}


def test_threads_see_the_callers_context():
    """Traces and meters live there."""
    told: ContextVar[str] = ContextVar("told", default="nobody's")
    token = told.set("the caller's")
    assert in_order(lambda _: told.get(), range(4), at_once=2) == ["the caller's"] * 4
    told.reset(token)


def test_after_a_failure_nothing_more_is_begun():
    begun: list[int] = []

    def work(item: int) -> int:
        begun.append(item)
        if item == 1:
            raise BrokenError
        time.sleep(0.002)
        return item

    with pytest.raises(BrokenError):
        in_order(work, range(500), at_once=2)
    assert len(begun) < 20


async def test_after_a_failure_what_is_under_way_is_cancelled():
    cancelled: list[int] = []

    async def work(item: int) -> int:
        if item == 1:
            raise BrokenError
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            cancelled.append(item)
            raise
        return item

    with pytest.raises(BrokenError):
        await ain_order(work, range(500), at_once=3)
    assert cancelled == [0, 2]
    assert asyncio.all_tasks() == {asyncio.current_task()}, "and none is left behind"


async def test_a_cancelled_caller_takes_its_work_along():
    ended: list[int] = []

    async def work(item: int) -> None:
        try:
            await asyncio.sleep(30)
        finally:
            await asyncio.sleep(0.001)  # whatever it has to close
            ended.append(item)

    caller = asyncio.ensure_future(ain_order(work, range(500), at_once=3))
    await asyncio.sleep(0.001)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert ended == [0, 1, 2]
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize("at_once", [0, -1])
async def test_none_at_once_is_an_error(at_once: int):
    with pytest.raises(ValueError, match="1 or more"):
        in_order(str, [1], at_once=at_once)
    with pytest.raises(ValueError, match="1 or more"):
        await ain_order(asyncio.sleep, [1], at_once=at_once)
