"""Waiting for a turn: threads, tasks and both together, under a clock that passes at once."""

from __future__ import annotations

import asyncio
import heapq
import logging
import selectors
import threading
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from workers_ai import Client
from workers_ai import errors as e
from workers_ai.limiter import AdaptiveLimiter, Clock, Lines, MinuteLimiter, Place

Make = Callable[..., Any]

MODEL = "@cf/meta/llama-3.3-70b-instruct-fp8-fast"
URL = "https://api.example/client/v4"
LIMIT = 300

# Time that passes at once for threads and event loops together: it stands still until all of them sleep.

PATIENCE = 60.0
"""Real seconds until a simulation that stands still is a failure."""


class SimulatedTime:
    """A clock for `workers` threads. Once all of them sleep it jumps to the first one's awakening."""

    def __init__(self, workers: int) -> None:
        self._now = 0.0
        self._awake = workers
        self._sleeping: list[float] = []
        self._changed = threading.Condition()

    def now(self) -> float:
        """Seconds since the beginning."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Sleeps in simulated time."""
        with self._changed:
            until = self._now + max(0.0, seconds)
            heapq.heappush(self._sleeping, until)
            self._awake -= 1
            self._turn()
            if not self._changed.wait_for(lambda: self._now >= until, timeout=PATIENCE):
                raise TimeoutError("the simulation stands still")

    def leave(self) -> None:
        """A worker is done, and nobody waits for it any more."""
        with self._changed:
            self._awake -= 1
            self._turn()

    def _turn(self) -> None:
        if self._awake or not self._sleeping:
            return
        self._now = self._sleeping[0]
        while self._sleeping and self._sleeping[0] <= self._now:
            heapq.heappop(self._sleeping)
            self._awake += 1
        self._changed.notify_all()

    def loop(self) -> asyncio.AbstractEventLoop:
        """An event loop that is one worker: it sleeps where a real one would wait."""
        loop = asyncio.SelectorEventLoop(_Selector(self))
        loop.time = self.now  # type: ignore[method-assign]
        return loop


class _Selector(selectors.DefaultSelector):
    def __init__(self, time: SimulatedTime) -> None:
        super().__init__()
        self._time = time

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        assert timeout is not None, "nothing would ever wake this loop"
        if timeout > 0:
            self._time.sleep(timeout)
        return super().select(0)


def run_all(time: SimulatedTime, workers: list[Callable[[], Any]]) -> None:
    """Runs each worker in a thread to its end. Raises what the first of them raised."""
    failures: list[BaseException] = []

    def whole(work: Callable[[], Any]) -> None:
        try:
            work()
        except BaseException as failure:  # noqa: BLE001 - raised again below, in the test's own thread
            failures.append(failure)
        finally:
            time.leave()

    threads = [threading.Thread(target=whole, args=(work,), daemon=True) for work in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=2 * PATIENCE)
        assert not thread.is_alive(), "a worker hangs"
    if failures:
        raise failures[0]


def limiter_of(clock: SimulatedTime, limit: Any = LIMIT) -> MinuteLimiter:
    """A limiter of its own, by this clock."""

    async def asleep(seconds: float) -> None:
        await asyncio.sleep(seconds)  # of a loop whose time is the clock's

    return MinuteLimiter(URL, "a" * 32, limit, lines=Lines(Clock(clock.now, clock.sleep, asleep)))


def most_in_a_minute(times: list[float]) -> int:
    """The largest number of requests within any minute."""
    times = sorted(times)
    return max(place - bisect_right(times, at - 60.0) + 1 for place, at in enumerate(times))


def used(times: list[float], limit: int) -> float:
    """Which share of the limit went out, from the first request to the last one that had to wait."""
    times = sorted(times)
    waves = [at for at in times if at < times[-1]]
    return len(waves) / (limit * times[-1] / 60.0)


def threads_that_ask(
    limiter: MinuteLimiter, clock: SimulatedTime, gone: list[float], *, number: int, each: int
) -> list:
    def work() -> None:
        for _ in range(each):
            limiter.acquire(MODEL)
            gone.append(clock.now())
            clock.sleep(0.2)  # the request itself

    return [work] * number


def tasks_that_ask(limiter: MinuteLimiter, clock: SimulatedTime, gone: list[float], *, number: int, each: int) -> list:
    async def work() -> None:
        for _ in range(each):
            await limiter.aacquire(MODEL)
            gone.append(clock.now())
            await asyncio.sleep(0.2)

    async def all_of_them() -> None:
        await asyncio.gather(*(work() for _ in range(number)))

    def loop() -> None:
        with asyncio.Runner(loop_factory=clock.loop) as runner:
            runner.run(all_of_them())

    return [loop]


@pytest.mark.parametrize(("threads", "tasks"), [(64, 0), (0, 64), (64, 64)])
def test_threads_and_tasks_stay_under_one_limit_and_use_it(threads: int, tasks: int):
    """300 a minute for all of them: never more in any minute, and at least 95 % of it used."""
    workers = threads + bool(tasks)
    clock, gone = SimulatedTime(workers), []
    limiter = limiter_of(clock)
    each = 1800 // (threads + tasks) + 1
    run_all(
        clock,
        [
            *threads_that_ask(limiter, clock, gone, number=threads, each=each),
            *(tasks_that_ask(limiter, clock, gone, number=tasks, each=each) if tasks else []),
        ],
    )
    assert len(gone) == (threads + tasks) * each
    assert most_in_a_minute(gone) <= LIMIT
    assert used(gone, LIMIT) >= 0.95


def test_two_event_loops_stand_in_one_line():
    clock, gone = SimulatedTime(2), []
    limiter = limiter_of(clock, 60)
    run_all(
        clock,
        [work for _ in range(2) for work in tasks_that_ask(limiter, clock, gone, number=8, each=20)],
    )
    assert len(gone) == 320
    assert most_in_a_minute(gone) <= 60


def test_who_asks_first_goes_first():
    """Whoever keeps asking does not overtake: turns come in the order of asking."""
    clock, order = SimulatedTime(1), []
    limiter = limiter_of(clock, 3)

    async def ask(name: int) -> None:
        await asyncio.sleep(name / 100)
        await limiter.aacquire(MODEL)
        order.append(name)

    async def whole() -> None:
        await asyncio.gather(*(ask(name) for name in range(20)))

    def loop() -> None:
        with asyncio.Runner(loop_factory=clock.loop) as runner:
            runner.run(whole())

    run_all(clock, [loop])
    assert order == list(range(20))


def test_a_wait_that_is_cancelled_gives_its_turn_to_those_behind():
    """A thousand wait, nearly all give up, and the last one need not wait for the turns of the others."""
    clock = SimulatedTime(1)
    limiter = limiter_of(clock, 10)
    when: list[float] = []

    async def whole() -> None:
        waiting = [asyncio.create_task(limiter.aacquire(MODEL)) for _ in range(1000)]
        last = asyncio.create_task(limiter.aacquire(MODEL))
        await asyncio.sleep(1)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        await last
        when.append(clock.now())

    def loop() -> None:
        with asyncio.Runner(loop_factory=clock.loop) as runner:
            runner.run(whole())

    run_all(clock, [loop])
    # It looks again at half of what it was told, which was a hundred minutes.
    assert when[0] < 60 * 60


def test_a_wait_ends_with_the_caller_s_own_time_out_and_costs_nothing():
    clock = SimulatedTime(1)
    limiter = limiter_of(clock, 1)
    when: list[float] = []

    async def whole() -> None:
        await limiter.aacquire(MODEL)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await limiter.aacquire(MODEL)
        when.append(clock.now())
        await limiter.aacquire(MODEL)
        when.append(clock.now())

    def loop() -> None:
        with asyncio.Runner(loop_factory=clock.loop) as runner:
            runner.run(whole())

    run_all(clock, [loop])
    assert when == [5.0, 61.0]


def test_a_thread_that_is_interrupted_gives_its_turn_back():
    def interrupted(seconds: float) -> None:
        raise KeyboardInterrupt

    now = [0.0]
    lines = Lines(Clock(lambda: now[0], interrupted, asyncio.sleep))
    limiter = MinuteLimiter(URL, "a" * 32, 1, lines=lines)
    limiter.acquire(MODEL)
    with pytest.raises(KeyboardInterrupt):
        limiter.acquire(MODEL)
    assert lines.line((URL, "a" * 32, MODEL), 1, None).reserve().at == 61.0


def test_each_model_and_each_account_has_its_own_limit():
    clock = SimulatedTime(1)
    limiter = limiter_of(clock, 1)
    limiter.acquire(MODEL)
    limiter.acquire("@cf/qwen/qwq-32b")
    replace(limiter, account_id="b" * 32).acquire(MODEL)
    assert clock.now() == 0


@pytest.mark.parametrize(
    ("model", "limit"),
    [(MODEL, 300), ("@cf/baai/bge-m3", 3000), ("@cf/baai/bge-large-en-v1.5", 1500), ("@cf/nobody/knows", None)],
)
def test_the_catalogue_s_limit_is_that_of_the_model_s_task(model: str, limit: int | None):
    """An id that it does not hold does not wait."""
    clock = SimulatedTime(1)
    limiter = limiter_of(clock, "catalog")
    for _ in range((limit or 5000) + 1):
        limiter.acquire(model)
    assert clock.now() == (61.0 if limit else 0.0)


def test_the_wait_is_told_in_a_debug_log(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG, "workers_ai.limiter")
    limiter = limiter_of(SimulatedTime(1), 1)
    limiter.acquire(MODEL)
    assert not caplog.messages
    limiter.acquire(MODEL)
    assert caplog.messages == [f"{MODEL}: 61.00 s to wait for a turn (1 requests a minute)"]


# As many at once as the service bears


def adaptive() -> AdaptiveLimiter:
    return AdaptiveLimiter(URL, "a" * 32, lines=Lines())


def halved(limiter: AdaptiveLimiter, under_way: int) -> list[Place]:
    """So many under way, and one of them refused."""
    places = [limiter.acquire(MODEL) for _ in range(under_way)]
    places[0].refused()
    return places


def test_after_a_refusal_threads_and_tasks_wait_for_a_place_in_the_order_they_came():
    """A thread first, then a task of another loop: two places become one, and each gets it when it is free."""
    limiter, order = adaptive(), []
    first, second = halved(limiter, 2)
    first.release()
    asked = [threading.Event(), threading.Event()]

    def by_thread() -> None:
        asked[0].set()
        place = limiter.acquire(MODEL)
        order.append("thread")
        place.release()

    def by_task() -> None:
        async def ask() -> None:
            waiting = asyncio.ensure_future(limiter.aacquire(MODEL))
            await asyncio.sleep(0)
            asked[1].set()
            place = await waiting
            order.append("task")
            place.release()

        asyncio.run(ask())

    crowd = limiter._crowd(MODEL)
    threads = [threading.Thread(target=work, daemon=True) for work in (by_thread, by_task)]
    for number, thread in enumerate(threads, 1):
        thread.start()
        assert asked[number - 1].wait(10)
        for _ in range(1000):
            if len(crowd._waiting) == number:
                break
            threading.Event().wait(0.01)
        assert len(crowd._waiting) == number
    second.release()
    for thread in threads:
        thread.join(10)
    assert order == ["thread", "task"]
    assert crowd.concurrency.under_way == 0


async def test_who_gives_up_waiting_for_a_place_is_passed_over():
    limiter = adaptive()
    first, second = halved(limiter, 2)
    first.release()
    waiting = [asyncio.create_task(limiter.aacquire(MODEL)) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    second.release()
    waiting[1].cancel()  # at the very moment that the place is its own
    place = await asyncio.wait_for(waiting[2], 10)
    place.release()
    assert limiter._crowd(MODEL).concurrency.under_way == 0


def test_a_place_is_left_once():
    limiter = adaptive()
    place = limiter.acquire(MODEL)
    place.release()
    place.release()
    assert limiter._crowd(MODEL).concurrency.under_way == 0


# In the transport


class Counting:
    """A limiter that counts what it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.told: list[str] = []

    def acquire(self, model: str) -> Counting:
        self.asked.append(model)
        return self

    async def aacquire(self, model: str) -> Counting:
        return self.acquire(model)

    def refused(self) -> None:
        self.told.append("refused")

    def release(self) -> None:
        self.told.append("released")


OK, GOOD_STREAM = "answer-native-usage", "stream-old-tail"


def test_every_attempt_asks_and_tells_how_it_ended(way: Any, service: Make):
    fake = service("error-3040-short", "error-3040-short", GOOD_STREAM if way.streams else OK)
    limiter = Counting()
    way(replace(fake.transport(), limiter=limiter))
    assert limiter.asked == [MODEL] * len(fake.requests) == [MODEL] * 3
    assert limiter.told == ["refused", "released", "refused", "released", "released"]


def test_a_spent_allocation_is_no_refusal_of_too_many(way: Any, service: Make):
    """Fewer requests at once would not bring it back."""
    limiter = Counting()
    with pytest.raises(e.QuotaExceededError):
        way(replace(service("error-4006-daily-allocation").transport(), limiter=limiter))
    assert limiter.told == ["released"]


def test_a_stream_that_came_empty_leaves_its_place_before_it_is_asked_for_in_one_piece(stream_way: Any, service: Make):
    """With one place for all, it would wait for itself."""
    limiter = AdaptiveLimiter(URL, "a" * 32, lines=Lines())
    for place in halved(limiter, 2):
        place.release()
    fake = service("answer-empty-result", OK)
    assert stream_way(replace(fake.transport(), limiter=limiter)).text
    assert len(fake.requests) == 2
    assert limiter._crowd(MODEL).concurrency.under_way == 0


# As an argument


@pytest.mark.parametrize("wrong", [0, -1, 1.5, True, "fast", "300"])
def test_what_is_no_limit_is_refused_at_once(wrong: Any):
    with pytest.raises(ValueError, match="rate_limit"):
        Client(rate_limit=wrong)


def test_a_client_without_a_limit_has_no_limiter(account: str):
    assert Client(account_id=account)._transport.limiter is None


def test_clients_of_one_account_share_the_lines_of_the_process(account: str):
    one, other = (Client(account_id=account, rate_limit=7)._transport.limiter for _ in range(2))
    assert isinstance(one, MinuteLimiter)
    assert one == other


def test_a_limit_that_is_assigned_later_holds_from_the_next_call(account: str):
    client = Client(account_id=account)
    assert client._transport.limiter is None
    client.rate_limit = "adaptive"
    assert isinstance(client._transport.limiter, AdaptiveLimiter)
