"""When to try again: a table of codes and statuses, and arithmetic."""

from __future__ import annotations

from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers_ai import errors as e
from workers_ai.exchange import Reply
from workers_ai.retry import RetryPolicy, is_retryable, retry_after

NOW = 1_790_000_000.0


@pytest.mark.parametrize(
    ("status", "code", "retried"),
    [
        (429, None, True),
        (429, 3040, True),
        (429, 2003, True),
        (429, 3036, False),
        (429, 4006, False),
        (429, 2045, False),
        (402, 2021, False),
        (402, None, False),
        (408, None, True),
        (408, 3007, True),
        (408, 3008, True),
        (409, None, True),
        (500, None, True),
        (500, 3043, True),
        (502, None, True),
        (503, 7013, True),
        (504, 7009, True),
        (520, None, True),
        (524, None, True),
        (529, 5012, True),
        (422, 5012, False),
        (400, 5006, False),
        (400, 3030, False),
        (401, 10000, False),
        (403, 5035, False),
        (404, 7003, False),
        (413, 3010, False),
        (424, 2016, False),
        (301, None, False),
        (None, None, False),
        (None, 3040, True),
        (None, 4006, False),
    ],
)
def test_what_is_tried_again(status: int | None, code: int | None, retried: bool):
    assert is_retryable(status=status, code=code) is retried


def failure(kind: type[e.WorkersAIError] = e.ServerError, **headers: str) -> e.WorkersAIError:
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    return kind("busy", status=503, response=Reply(503, told))


@pytest.mark.parametrize(
    ("attempt", "kind", "draw", "delay"),
    [
        (0, e.ServerError, 0.0, 0.0),
        (0, e.ServerError, 1.0, 0.5),
        (1, e.ServerError, 1.0, 1.0),
        (2, e.ServerError, 1.0, 2.0),
        (2, e.ServerError, 0.5, 1.0),
        (9, e.ServerError, 1.0, 20.0),
        (0, e.RateLimitError, 1.0, 0.5),
        (0, e.CapacityError, 1.0, 2.0),
        (1, e.CapacityError, 1.0, 4.0),
        (9, e.CapacityError, 1.0, 20.0),
    ],
)
def test_the_pause_doubles_up_to_its_bound_and_no_capacity_starts_higher(
    attempt: int, kind: type[e.WorkersAIError], draw: float, delay: float
):
    assert RetryPolicy(max_retries=10).delay(attempt, failure(kind), draw=draw, now=NOW) == pytest.approx(delay)


@given(
    attempt=st.integers(0, 40),
    draw=st.floats(0, 1, exclude_max=True),
    base=st.floats(0, 10),
    longest=st.floats(0, 100),
)
def test_the_pause_is_drawn_from_nothing_to_its_bound(attempt: int, draw: float, base: float, longest: float):
    policy = RetryPolicy(max_retries=99, base=base, longest=longest)
    delay = policy.delay(attempt, failure(), draw=draw, now=NOW)
    assert delay is not None
    assert 0 <= delay <= min(longest, base * 2**attempt)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("7", 7.0),
        ("1.5", 1.5),
        (" 7 ", 7.0),
        ("-3", 0.0),
        (formatdate(NOW + 30, usegmt=True), 30.0),
        (formatdate(NOW - 30, usegmt=True), 0.0),
        ("soon", None),
        ("", None),
        ("Wed, 99 Foo 2026", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str, seconds: float | None):
    assert retry_after({"retry-after": value}, now=NOW) == seconds
    assert retry_after({}, now=NOW) is None


@given(value=st.text(max_size=30) | st.floats().map(str) | st.integers().map(str))
def test_any_retry_after_is_read_or_passed_over(value: str):
    found = retry_after({"retry-after": value}, now=NOW)
    assert found is None or found >= 0


@pytest.mark.parametrize(
    ("asked", "delay"), [("0", 0.0), ("7", 7.0), ("60", 60.0), ("61", 60.0), ("3600", 60.0), ("inf", 60.0), ("no", 0.5)]
)
def test_the_service_s_own_wish_goes_before_up_to_a_minute(asked: str, delay: float):
    error = failure(e.RateLimitError, retry_after=asked)
    assert RetryPolicy().delay(0, error, draw=1.0, now=NOW) == delay


@pytest.mark.parametrize("max_retries", [0, 1, 2, 5])
def test_a_call_gives_up_after_its_retries(max_retries: int):
    attempts = RetryPolicy(max_retries=max_retries).start(draw=lambda: 0.5, clock=lambda: NOW)
    pauses = [attempts.delay_after(failure()) for _ in range(max_retries + 1)]
    assert None not in pauses[:-1]
    assert pauses[-1] is None


def test_an_error_that_is_not_retryable_ends_the_tries_at_once():
    error = e.QuotaExceededError("spent", status=429, response=Reply(429, {"retry-after": "1"}))
    assert RetryPolicy().delay(0, error, draw=0.5, now=NOW) is None


def test_two_calls_count_for_themselves():
    policy = RetryPolicy(max_retries=1)
    one, other = policy.start(), policy.start()
    assert one.delay_after(failure()) is not None
    assert one.delay_after(failure()) is None
    assert other.delay_after(failure()) is not None
