"""When to try again: a decision, made of numbers. The waiting is elsewhere."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from workers_ai.errors import (
    APIConnectionError,
    APITimeoutError,
    CapacityError,
    InvalidResponseError,
    ModelNotFoundError,
    PermissionDeniedError,
    QuotaExceededError,
    RateLimitError,
    ServerError,
    StreamInterruptedError,
    StructuredOutputError,
    WorkersAIError,
)

if TYPE_CHECKING:
    from workers_ai.gateway import Gateway

RETRYABLE_STATUS = frozenset({408, 409, 429})

NEVER_RETRIED = frozenset({3036, 4006, 2045, 2021})
"""Codes that come as 429 or 402 and do not pass in time: the day's allocation, a spend limit, no credits."""

OF_THE_GATEWAY = frozenset({2003, 7013})
"""Codes that the gateway gives before it asks the model: none of its own attempts was made."""

RETRIED = frozenset({3007, 3008, 3040, 2003, 7013})
"""Codes that pass: timeouts of the service, no capacity, the gateway's rate limit, its scanner down."""

TELLING = NEVER_RETRIED | RETRIED
"""Codes that decide by themselves, under whatever status they come."""


OF_THE_MODEL = (
    RateLimitError,
    QuotaExceededError,
    ServerError,
    ModelNotFoundError,
    PermissionDeniedError,
    StructuredOutputError,
    InvalidResponseError,
    StreamInterruptedError,
    APIConnectionError,
    APITimeoutError,
)
"""What another model may do better at: not a wrong request, wrong credentials, a filter, a budget, no such gateway."""

OF_THE_REQUEST = frozenset({3023, 3037})
"""Codes of those classes that meet the caller all the same: a blocked account, an adapter that is not there."""

OF_GATEWAYS_AND_VENDORS = frozenset({2021, 2045})
"""Quotas that bind some models: credits for other vendors' ones, a spend limit with rules by model."""


def another_model_may_help(error: WorkersAIError, model: str) -> bool:
    """Whether `model` may answer what another one failed at for good. Decided here, for `fallback`.

    The day's free neurons are those of all models of Workers AI: once they are spent, only another vendor's is left.
    Where not even a connection was made there is nobody to ask, whatever the model.
    """
    if not isinstance(error, OF_THE_MODEL) or error.code in OF_THE_GATEWAY | OF_THE_REQUEST:
        return False
    if isinstance(error, QuotaExceededError):
        of_some_models = error.code in OF_GATEWAYS_AND_VENDORS or error.status == 402
        return of_some_models or not model.startswith("@")
    return error.maybe_sent or not isinstance(error, (APIConnectionError, APITimeoutError))


def is_retryable(*, status: int | None, code: int | None = None) -> bool:
    """Whether the same request can succeed a little later.

    By Cloudflare's code where it says more than the status: 429 alone means five different things.
    """
    if code in NEVER_RETRIED:
        return False
    if code in RETRIED:
        return True
    return status is not None and (status in RETRYABLE_STATUS or status >= 500)


def may_have_been_taken(error: WorkersAIError) -> bool:
    """Whether a request that failed so may be under way all the same.

    Not where no attempt reached the service, and not where it had no room: that is said before anything is begun.
    A failure of the service (5xx), a time-out or a lost connection says nothing about it.
    """
    return error.maybe_sent and not isinstance(error, RateLimitError)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how long. Times in seconds.

    max_retries: requests after the first; at most `1 + max_retries` are made.
    The n-th pause (n from 0) is drawn evenly from 0 to `min(longest, base * 2**n)`: full jitter, so that
    clients that failed together do not come back together. No capacity (3040) starts from `capacity_base`.
    A Retry-After of the service goes before, but no pause is longer than `longest_retry_after`: whoever asked for so
    many tries gets them, and nobody sleeps an hour.
    over_gateway: try again what a gateway has tried `max_attempts` times, or with several models, already. Without it
    a refusal that comes from behind such a gateway is final, or the two counts would multiply; lost connections are
    tried again.
    """

    max_retries: int = 2
    over_gateway: bool = False
    base: float = 0.5
    capacity_base: float = 2.0
    longest: float = 20.0
    longest_retry_after: float = 60.0

    def delay(self, attempt: int, error: WorkersAIError, *, draw: float, now: float) -> float | None:
        """Seconds to wait after failed attempt number `attempt` (from 0), None to give up.

        draw: a number in [0, 1) that spreads the pause. now: Unix time, for a Retry-After that is a date.
        """
        if attempt >= self.max_retries or not error.retryable:
            return None
        asked = retry_after(error.response.headers if error.response else {}, now=now)
        if asked is not None:
            return min(asked, self.longest_retry_after)
        base = self.capacity_base if isinstance(error, CapacityError) else self.base
        return draw * min(self.longest, base * 2.0**attempt)

    def start(
        self,
        gateway: Gateway | None = None,
        *,
        steps: int = 1,
        draw: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.time,
    ) -> Attempts:
        """A fresh count of attempts for one call. gateway: the one it passes; steps: how many models that tries."""
        tries = gateway is not None and (gateway.max_attempts or 1) * steps > 1
        return Attempts(self, draw, clock, gateway_tries=tries and not self.over_gateway)


@dataclass(slots=True)
class Attempts:
    """The attempts of one call."""

    policy: RetryPolicy
    draw: Callable[[], float]
    clock: Callable[[], float]
    failed: int = field(default=0)
    maybe_sent: bool = False  # whether any of them can have reached the service
    gateway_tries: bool = False  # whether a gateway has tried again whatever it answers

    def delay_after(self, error: WorkersAIError) -> float | None:
        """Seconds to wait before the next attempt, None when trying again is no use."""
        self.maybe_sent = error.maybe_sent = self.maybe_sent or error.maybe_sent
        delay = self.policy.delay(self.failed, error, draw=self.draw(), now=self.clock())
        self.failed += 1
        return None if self._tried_already(error) else delay

    def _tried_already(self, error: WorkersAIError) -> bool:
        return self.gateway_tries and error.status is not None and error.code not in OF_THE_GATEWAY

    def another(self) -> bool:
        """Counts an attempt that brought nothing; whether one more may be made at once."""
        self.failed += 1
        self.maybe_sent = True
        return self.failed <= self.policy.max_retries


def retry_after(headers: Mapping[str, str], *, now: float) -> float | None:
    """Seconds that a Retry-After header asks for, in either form: a number or an HTTP date. None without one."""
    value = headers.get("retry-after", "").strip()
    if (seconds := _number(value)) is not None:
        return max(0.0, seconds)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - now)
    except (ValueError, TypeError, OverflowError):
        return None


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
