"""A line over processes and machines: the window of `rate_limit`, kept in Redis (extra `redis`)."""

from __future__ import annotations

import asyncio
import math
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from workers_ai.errors import APIConnectionError, BadRequestError
from workers_ai.rate_limit import MARGIN, MINUTE, Turn

if TYPE_CHECKING:
    from pydantic import SecretStr

    from workers_ai.limiter import Clock, Scope

_PATIENCE = 5.0
"""Seconds for Redis to answer."""

# `rate_limit.SlidingWindow.reserve`, in microseconds by Redis' own clock: machines' clocks differ. The list holds the
# turns of the last window and those to come, in order. Numbers are written out, or Lua would round them to 14 digits.
_RESERVE = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local limit, window = tonumber(ARGV[1]), tonumber(ARGV[2])
while true do
  local first = redis.call('LINDEX', KEYS[1], 0)
  if not first or tonumber(first) > now - window then break end
  redis.call('LPOP', KEYS[1])
end
local at = now
if redis.call('LLEN', KEYS[1]) >= limit then
  at = math.max(now, tonumber(redis.call('LINDEX', KEYS[1], -limit)) + window)
end
local written = string.format('%.0f', at)
redis.call('RPUSH', KEYS[1], written)
redis.call('PEXPIRE', KEYS[1], math.ceil((at - now + window) / 1000))
return {written, string.format('%.0f', at - now)}
"""


class RedisTurn(Turn):
    """A turn, and how Redis has written it down."""

    __slots__ = ("written",)

    def __init__(self, at: float, written: str) -> None:
        super().__init__(at)
        self.written = written


class RedisLine:
    """A line that all processes with the same Redis, account, model and limit stand in.

    Raises APIConnectionError, before anything is sent, where Redis does not answer within 5 s. A turn that is given
    back is free for those who come later; those who wait already keep theirs.
    """

    def __init__(
        self, store: SecretStr, scope: Scope, limit: int, clock: Clock, *, window: float = MINUTE + MARGIN
    ) -> None:
        redis = _library()
        try:
            client = redis.Redis.from_url(
                store.get_secret_value(),
                decode_responses=True,
                socket_timeout=_PATIENCE,
                socket_connect_timeout=_PATIENCE,
            )
        except ValueError:  # its text could hold the password
            raise BadRequestError(
                "rate_limit_store is no address of a Redis: redis://host:6379/0", maybe_sent=False
            ) from None
        self._reserve = client.register_script(_RESERVE)
        self._client = client
        self._failures = redis.RedisError
        self._limit = limit
        self._window = window
        self._now = clock.now
        # Neither the account nor the model is anybody's business who looks at the keys.
        self._key = f"workers-ai:rate:{sha256(repr((scope, limit)).encode()).hexdigest()[:32]}"

    def reserve(self) -> RedisTurn:
        """The next turn."""
        try:
            written, wait = self._reserve(keys=[self._key], args=[self._limit, math.ceil(self._window * 1e6)])
        except self._failures as failure:
            raise APIConnectionError(
                f"rate_limit_store: Redis does not answer ({type(failure).__name__})",
                hint="Requests are not sent uncounted: start it, or leave rate_limit_store out",
                maybe_sent=False,
            ) from failure
        return RedisTurn(self._now() + int(wait) / 1e6, written)

    async def areserve(self) -> RedisTurn:
        """As `reserve`, in a thread: one client serves all event loops."""
        return await asyncio.to_thread(self.reserve)

    def give_back(self, turn: Turn) -> None:
        """Takes back a turn that is not used. Where Redis does not answer, it stays used."""
        if not isinstance(turn, RedisTurn) or turn.at <= self._now():
            return
        try:
            self._client.lrem(self._key, -1, turn.written)
        except self._failures:
            return


def _library() -> Any:
    try:
        import redis
    except ImportError:
        raise ImportError("rate_limit_store needs the extra `redis`: pip install 'workers-ai[redis]'") from None
    return redis
