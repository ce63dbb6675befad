"""A line over the workers of a Ray cluster: the window of `rate_limit`, kept by one small actor (extra `ray`)."""

from __future__ import annotations

import asyncio
import time
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from workers_ai.errors import APIConnectionError, BadRequestError
from workers_ai.rate_limit import MARGIN, MINUTE, SlidingWindow, Turn

if TYPE_CHECKING:
    from workers_ai.limiter import Clock, Scope

STORE = "ray"
"""As `rate_limit_store`: the cluster that the process is part of."""

_PATIENCE = 30.0
"""Seconds for the actor to answer: the first question starts its process."""


class Window:
    """What the actor holds: turns by its own clock, so that those of the workers need not agree."""

    def __init__(self, limit: int, window: float) -> None:
        self._window = SlidingWindow(limit, window=window)

    def reserve(self) -> float:
        """Seconds until the next turn."""
        now = time.monotonic()
        return self._window.reserve(now).at - now


class RayLine:
    """A line that all processes of a Ray cluster with the same account, model and limit stand in.

    Raises BadRequestError in a process that is no part of one, and APIConnectionError where the actor does not answer
    within 30 s, both before anything is sent. A turn that is given back stays used.
    """

    def __init__(self, scope: Scope, limit: int, clock: Clock) -> None:
        self._ray = _library()
        self._actor = window_actor(scope, limit)
        self._now = clock.now

    def reserve(self) -> Turn:
        """The next turn."""
        try:
            wait = self._ray.get(self._actor.reserve.remote(), timeout=_PATIENCE)
        except self._ray.exceptions.RayError as failure:
            raise APIConnectionError(
                f"rate_limit_store: the cluster's actor does not answer ({type(failure).__name__})",
                hint="Requests are not sent uncounted: see whether the cluster is well, or leave rate_limit_store out",
                maybe_sent=False,
            ) from failure
        return Turn(self._now() + wait)

    async def areserve(self) -> Turn:
        """As `reserve`, in a thread."""
        return await asyncio.to_thread(self.reserve)

    def give_back(self, turn: Turn) -> None:
        """Nothing: others may have been told their turns after it."""


def window_actor(scope: Scope, limit: int, *, window: float = MINUTE + MARGIN) -> Any:
    """The actor of that line, made where there is none yet; it lives as long as the cluster and takes no CPU.

    window: seconds, of an actor that is made now.
    """
    ray = _library()
    if not ray.is_initialized():
        raise BadRequestError(
            f"rate_limit_store={STORE!r}: this process is no part of a Ray cluster; call ray.init() before",
            maybe_sent=False,
        )
    # Named, so that whichever worker asks first makes it for all; detached, so that it outlives that worker.
    named = ray.remote(Window).options(
        name=f"workers-ai-rate-{sha256(repr((scope, limit)).encode()).hexdigest()[:32]}",
        namespace="workers-ai",
        get_if_exists=True,
        lifetime="detached",
        num_cpus=0,
    )
    return named.remote(limit, window)


def _library() -> Any:
    try:
        import ray
    except ImportError:
        raise ImportError("rate_limit_store='ray' needs the extra `ray`: pip install 'workers-ai[ray]'") from None
    return ray
