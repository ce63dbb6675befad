"""How many requests a minute and how many at once: decisions, made of numbers. `limiter` waits."""

from __future__ import annotations

from collections import deque
from itertools import islice

MINUTE = 60.0

MARGIN = 1.0
"""Seconds that a window is kept longer than a minute: a request may be under way longer than one a minute later, and
the service counts when they arrive. It costs 1.6 % of the limit."""


class Turn:
    """When a request may go out, on its window's clock, in seconds."""

    __slots__ = ("at",)

    def __init__(self, at: float) -> None:
        self.at = at


class SlidingWindow:
    """At most `limit` turns in any `window` seconds, given in the order they are asked for.

    Whoever asks is told at once when its turn will be, so that nobody has to be woken by another, and those who wait in
    threads, tasks and event loops wait in one line. A clock's reading comes with every question; no lock is taken here.
    """

    __slots__ = ("_turns", "limit", "window")

    def __init__(self, limit: int, *, window: float = MINUTE + MARGIN) -> None:
        self.limit = limit
        self.window = window
        self._turns: deque[Turn] = deque()  # in order: those of the last window, and those to come

    def reserve(self, now: float) -> Turn:
        """The next turn: now, or when the turn `limit` places before it is a window old."""
        turns = self._turns
        while turns and turns[0].at <= now - self.window:
            turns.popleft()
        turn = Turn(now if len(turns) < self.limit else max(now, turns[-self.limit].at + self.window))
        turns.append(turn)
        return turn

    def give_back(self, turn: Turn, now: float) -> None:
        """Takes back a turn that is not used; everybody behind it moves up. One that has come counts as used."""
        if turn.at <= now:
            return
        place = next((place for place, other in enumerate(self._turns) if other is turn), None)
        if place is None:
            return
        free = turn.at
        for behind in islice(self._turns, place + 1, None):
            behind.at, free = free, behind.at
        del self._turns[place]


class Concurrency:
    """How many requests may be under way: no bound until the service refuses one as too many.

    Then half as many as were under way, once for a burst of refusals; each answer wins back a share of one, so that a
    whole round of answers allows one more. At twice what was under way at the first refusal the bound is gone.
    """

    __slots__ = ("_enough", "_era", "most", "under_way")

    def __init__(self) -> None:
        self.under_way = 0
        self.most: float | None = None
        self._enough = 0.0
        self._era = 0

    @property
    def has_room(self) -> bool:
        """Whether one more may start."""
        return self.most is None or self.under_way < int(self.most)

    def start(self) -> int:
        """Counts one that starts. What is given back belongs into `end`."""
        self.under_way += 1
        return self._era

    def refuse(self, era: int) -> bool:
        """Takes in a refusal; whether the bound was halved. Others that had started before it change nothing."""
        if era != self._era:
            return False
        self._era += 1
        if self.most is None:
            self._enough = 2.0 * self.under_way
        self.most = float(max(1, self.under_way // 2))
        return True

    def end(self, era: int, *, answered: bool) -> None:
        """Counts one that ended. answered: it was not refused, and says that there is room."""
        self.under_way -= 1
        if not answered or self.most is None or era != self._era:
            return
        self.most += 1.0 / self.most
        if self.most >= self._enough:
            self.most = None
