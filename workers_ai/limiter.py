"""Waiting for a turn before each request: by requests a minute, or by how many the service bears at once.

The buckets are our own. Those of the libraries (`limits`, pyrate-limiter) answer yes or no, and whoever is refused asks
again later: nobody keeps a place in the line, one bucket does not serve threads and several event loops alike, and a
wait that is cancelled has used its share. A window that tells everybody their turn in advance (`rate_limit`) has none
of these troubles and is shorter than the glue would be. Over processes and machines the same window stands in Redis
(`redis_window`), where a library brings the connection and one script the decision, or in an actor of a Ray cluster
(`ray_window`).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Lock
from typing import Literal, Protocol

from pydantic import SecretStr

from workers_ai.catalog import lookup
from workers_ai.rate_limit import Concurrency, SlidingWindow, Turn

_log = logging.getLogger("workers_ai.limiter")


class Permit(Protocol):
    """Leave to send one request."""

    def refused(self) -> None:
        """The service refused the request as one too many."""
        ...

    def release(self) -> None:
        """The request is over. Said again, it means nothing."""
        ...


class Limiter(Protocol):
    """What the transport asks before each attempt."""

    def acquire(self, model: str) -> Permit | None:
        """Waits until a request of `model` may go out. None where nothing is to be said when it ends."""
        ...

    async def aacquire(self, model: str) -> Permit | None:
        """As `acquire`. A wait that is cancelled gives its turn to those behind."""
        ...


@dataclass(frozen=True, slots=True)
class Clock:
    """Time as a limiter sees it, in seconds. Tests hand in one of their own."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    asleep: Callable[[float], Awaitable[None]] = asyncio.sleep


class Line(Protocol):
    """Who waits for one model's turns."""

    def reserve(self) -> Turn:
        """The next turn, by this process's clock."""
        ...

    async def areserve(self) -> Turn:
        """As `reserve`."""
        ...

    def give_back(self, turn: Turn) -> None:
        """Takes back a turn that is not used."""
        ...


class OwnLine:
    """A line in this process: for all its threads and event loops."""

    def __init__(self, limit: int, clock: Clock) -> None:
        self._window = SlidingWindow(limit)
        self._now = clock.now
        self._lock = Lock()  # held for microseconds, so async callers may take it too

    def reserve(self) -> Turn:
        """The next turn."""
        with self._lock:
            return self._window.reserve(self._now())

    async def areserve(self) -> Turn:
        """As `reserve`."""
        return self.reserve()

    def give_back(self, turn: Turn) -> None:
        """Takes back a turn that is not used: those behind move up."""
        with self._lock:
            self._window.give_back(turn, self._now())


Scope = tuple[str, str, str]
"""Base URL, account and model."""


@dataclass(eq=False, repr=False)
class Lines:
    """Every line of this process, and every model's concurrency, each made at its first use."""

    clock: Clock = field(default_factory=Clock)
    _lines: dict[tuple[Scope, int, SecretStr | None], Line] = field(default_factory=dict)
    _crowds: dict[Scope, Crowd] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def line(self, scope: Scope, limit: int, store: SecretStr | None) -> Line:
        """The line for `limit` requests a minute: all who name the same number stand in one."""
        key = (scope, limit, store or None)
        if (found := self._lines.get(key)) is not None:
            return found
        with self._lock:
            if key not in self._lines:
                self._lines[key] = self._made(scope, limit, store)
            return self._lines[key]

    def crowd(self, scope: Scope) -> Crowd:
        """The requests of one model that are under way."""
        with self._lock:
            return self._crowds.setdefault(scope, Crowd(scope[2]))

    def _made(self, scope: Scope, limit: int, store: SecretStr | None) -> Line:
        if not store:
            return OwnLine(limit, self.clock)
        if store.get_secret_value() == "ray":
            from workers_ai.ray_window import RayLine

            return RayLine(scope, limit, self.clock)
        from workers_ai.redis_window import RedisLine

        return RedisLine(store, scope, limit, self.clock)


PROCESS = Lines()
"""What all clients of this process share, whatever their framework."""


@dataclass(frozen=True, slots=True)
class MinuteLimiter:
    """At most so many requests a minute of each model.

    limit: that number, or "catalog" for the documented one of the model's task; a model without one does not wait.
    store: the address of a Redis that keeps the count for several processes, or "ray" for the cluster of this one;
    None counts in this process.
    """

    base_url: str
    account_id: str
    limit: int | Literal["catalog"]
    store: SecretStr | None = None
    lines: Lines = PROCESS

    def acquire(self, model: str) -> None:
        """Waits for a turn."""
        if (limit := self._limit(model)) is None:
            return
        line, clock = self.lines.line((self.base_url, self.account_id, model), limit, self.store), self.lines.clock
        turn = line.reserve()
        if (left := turn.at - clock.now()) > 0:
            _tell(model, limit, left)
            try:
                while (left := turn.at - clock.now()) > 0:
                    clock.sleep(_nap(left))
            except BaseException:
                line.give_back(turn)
                raise

    async def aacquire(self, model: str) -> None:
        """Waits for a turn."""
        if (limit := self._limit(model)) is None:
            return
        line, clock = self.lines.line((self.base_url, self.account_id, model), limit, self.store), self.lines.clock
        turn = await line.areserve()
        if (left := turn.at - clock.now()) > 0:
            _tell(model, limit, left)
            try:
                while (left := turn.at - clock.now()) > 0:
                    await clock.asleep(_nap(left))
            except BaseException:
                line.give_back(turn)
                raise

    def _limit(self, model: str) -> int | None:
        return lookup(model).requests_per_minute if self.limit == "catalog" else self.limit


def _nap(left: float) -> float:
    """How long to sleep before looking again: others may have given their turns back meanwhile."""
    return left if left <= 1.0 else max(1.0, left / 2)


def _tell(model: str, limit: int, left: float) -> None:
    _log.debug("%s: %.2f s to wait for a turn (%d requests a minute)", model, left, limit)


class Crowd:
    """The requests of one model that are under way, and those that wait for one of them to end, first come first."""

    def __init__(self, model: str) -> None:
        self.model = model
        self.concurrency = Concurrency()
        self._waiting: deque[Future[Place]] = deque()
        self._lock = Lock()

    def enter(self) -> Future[Place]:
        """A place: at once where there is room, else when one of those before leaves."""
        place: Future[Place] = Future()
        with self._lock:
            self._waiting.append(place)
            free = self._next()
            if place not in free:
                _log.debug("%s: waits, %d requests are under way", self.model, self.concurrency.under_way)
        _let_in(free)
        return place

    def refused(self, era: int) -> None:
        """Takes in that the service refused one."""
        with self._lock:
            if self.concurrency.refuse(era):
                most = self.concurrency.most or 0
                _log.info("%s: refused as too many; from now %d requests at once", self.model, most)

    def leave(self, era: int, *, answered: bool) -> None:
        """Counts one that ended, and lets the next ones in."""
        with self._lock:
            self.concurrency.end(era, answered=answered)
            free = self._next()
        _let_in(free)

    def _next(self) -> dict[Future[Place], Place]:
        """Those who may start now. Who gave up waiting is passed over."""
        free = {}
        while self._waiting and self.concurrency.has_room:
            waiting = self._waiting.popleft()
            if waiting.set_running_or_notify_cancel():
                free[waiting] = Place(self, self.concurrency.start())
        return free


def _let_in(free: dict[Future[Place], Place]) -> None:
    # Outside the lock: a future's callbacks run here, and may be anybody's.
    for waiting, place in free.items():
        waiting.set_result(place)


class Place:
    """A `Permit` among those under way."""

    __slots__ = ("_crowd", "_era", "_left", "_refused")

    def __init__(self, crowd: Crowd, era: int) -> None:
        self._crowd = crowd
        self._era = era
        self._refused = False
        self._left = False

    def refused(self) -> None:
        """The service refused the request as one too many."""
        self._refused = True
        self._crowd.refused(self._era)

    def release(self) -> None:
        """The request is over."""
        if not self._left:
            self._left = True
            self._crowd.leave(self._era, answered=not self._refused)


@dataclass(frozen=True, slots=True)
class AdaptiveLimiter:
    """As many requests of a model at once as the service bears: `rate_limit.Concurrency` for each model."""

    base_url: str
    account_id: str
    lines: Lines = PROCESS

    def acquire(self, model: str) -> Place:
        """Waits for a place."""
        waiting = self._crowd(model).enter()
        try:
            return waiting.result()
        except BaseException:
            _give_up(waiting)
            raise

    async def aacquire(self, model: str) -> Place:
        """Waits for a place."""
        waiting = self._crowd(model).enter()
        try:
            return waiting.result() if waiting.done() else await asyncio.wrap_future(waiting)
        except BaseException:
            _give_up(waiting)
            raise

    def _crowd(self, model: str) -> Crowd:
        return self.lines.crowd((self.base_url, self.account_id, model))


def _give_up(waiting: Future[Place]) -> None:
    """Leaves the line, or the place that had been given at the same moment."""
    if not waiting.cancel() and not waiting.cancelled():
        waiting.add_done_callback(lambda done: done.result().release())
