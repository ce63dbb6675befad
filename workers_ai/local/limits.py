"""A gateway's own limits: requests in a time, money in a time."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from . import errors


@dataclass(frozen=True, slots=True)
class RateLimit:
    """At most `requests` in any `seconds`."""

    requests: int
    seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class SpendLimit:
    """No further call once `usd` are spent, until the window of `seconds` is over."""

    usd: float
    seconds: float = 86_400.0


class Limits:
    """What a gateway has let through and what it cost, against its limits. `clock` gives seconds."""

    def __init__(self, rate: RateLimit | None, spend: SpendLimit | None, clock: Callable[[], float]) -> None:
        self._rate = rate
        self._spend = spend
        self._clock = clock
        self._passed: deque[float] = deque()
        self._spent = 0.0
        self._window = clock()

    def count(self) -> None:
        """One request more; `ServiceError` 2003 if it is one too many. There is no Retry-After (quirk 77)."""
        if self._rate is None:
            return
        now = self._clock()
        while self._passed and self._passed[0] <= now - self._rate.seconds:
            self._passed.popleft()
        if len(self._passed) >= self._rate.requests:
            raise errors.gateway(429, 2003, "Rate limited")
        self._passed.append(now)

    def check_spent(self) -> None:
        """`ServiceError` 2045 if the money is spent."""
        if self._spend is None:
            return
        if self._clock() >= self._window + self._spend.seconds:
            self._window, self._spent = self._clock(), 0.0
        if self._spent >= self._spend.usd:
            raise errors.gateway(429, 2045, "Spend limit exceeded")

    def charge(self, usd: float) -> None:
        """Money spent."""
        self._spent += usd
