"""Usage objects of the wire, and the four meanings they have in a stream (quirk 16)."""

from __future__ import annotations

from itertools import accumulate
from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers_ai.usage import StreamUsage, Usage

Wire = dict[str, object]


def wire(prompt: int, answer: int, **more: object) -> Wire:
    told = {"prompt_tokens": prompt, "completion_tokens": answer, "total_tokens": prompt + answer}
    return {**told, **more}


@pytest.mark.parametrize(
    ("told", "usage"),
    [
        (None, None),
        ({}, None),
        ([], None),
        ("12", None),
        (wire(3, 4), Usage(3, 4, 7)),
        ({"prompt_tokens": 3}, Usage(3, 0, 3)),
        ({"prompt_tokens": 3, "completion_tokens": None, "total_tokens": None}, Usage(3, 0, 3)),
        ({"prompt_tokens": 3.0, "completion_tokens": 4.0}, Usage(3, 4, 7)),
        ({"prompt_tokens": "3"}, Usage()),
        ({"prompt_tokens": inf, "completion_tokens": 4}, Usage(0, 4, 4)),
        (wire(3, 4, total_tokens=nan), Usage(3, 4, 7)),
        ({"prompt_tokens": 10**5000}, Usage()),
        (wire(3, 4, neurons=inf), Usage(3, 4, 7)),
        (wire(3, 4, neurons=nan), Usage(3, 4, 7)),
        (wire(3, 4, neurons=10**400), Usage(3, 4, 7)),
        (wire(3, 4, prompt_tokens_details={"cached_tokens": inf}), Usage(3, 4, 7)),
        ({"prompt_tokens": -3}, Usage()),
        (wire(3, 4, neurons=1.5), Usage(3, 4, 7, neurons=1.5)),
        (wire(3, 4, neurons=0), Usage(3, 4, 7, neurons=0.0)),
        (wire(3, 4, neurons=None), Usage(3, 4, 7)),
        ({"neurons": 0.5}, Usage(neurons=0.5)),
        (wire(3, 4, prompt_tokens_details={"cached_tokens": 2}), Usage(3, 4, 7, cached_tokens=2)),
        (wire(3, 4, prompt_tokens_details={"cached_tokens": 0}), Usage(3, 4, 7, cached_tokens=0)),
        (wire(3, 4, prompt_tokens_details={"cached_tokens": 9}), Usage(3, 4, 7, cached_tokens=3)),
        (wire(3, 4, prompt_tokens_details=None), Usage(3, 4, 7)),
        (wire(3, 4, prompt_tokens_details={"cached_tokens": None}), Usage(3, 4, 7)),
        (wire(3, 4, completion_tokens_details={"reasoning_tokens": 1}), Usage(3, 4, 7, reasoning_tokens=1)),
    ],
)
def test_a_usage_object_is_read_by_the_keys_that_are_there(told: object, usage: Usage | None):
    assert Usage.read(told) == usage


def test_the_header_s_neurons_serve_where_the_body_has_none():
    assert Usage.read(wire(3, 4), neurons=0.42) == Usage(3, 4, 7, neurons=0.42)
    assert Usage.read(wire(3, 4, neurons=0.4187), neurons=0.42) == Usage(3, 4, 7, neurons=0.4187)
    assert Usage.read(None, neurons=0.42) == Usage(neurons=0.42)


USAGES = st.builds(
    Usage,
    st.integers(0, 999),
    st.integers(0, 999),
    st.integers(0, 999),
    st.none() | st.integers(0, 9),
    st.none() | st.integers(0, 9),
    st.none() | st.integers(0, 9).map(float),
)


@given(one=USAGES, other=USAGES, third=USAGES)
def test_sums_may_be_taken_in_any_order(one: Usage, other: Usage, third: Usage):
    assert one + other == other + one
    assert (one + other) + third == one + (other + third)
    assert one + Usage() == one


def merged(*told: object, native: object = None) -> Usage | None:
    usage = StreamUsage()
    for each in told:
        usage.add(each, native=False)
    if native is not None:
        usage.add(native, native=True)
    return usage.total()


COUNTS = st.tuples(st.integers(1, 500), st.integers(1, 500))


@given(counts=COUNTS, places=st.lists(st.sampled_from(["zeros", "total", "null"]), max_size=5))
def test_a_total_stays_the_total_among_zeros_repeats_and_nulls_in_any_order(counts: tuple[int, int], places: list[str]):
    shapes = {"zeros": wire(0, 0), "total": wire(*counts), "null": None}
    told = [shapes[place] for place in [*places, "total"]]
    assert merged(*told) == Usage(*counts, sum(counts))
    assert merged(*reversed(told)) == Usage(*counts, sum(counts))


@given(prompt=st.integers(1, 500), pieces=st.lists(st.integers(1, 3), min_size=1, max_size=20))
def test_increments_are_added_up(prompt: int, pieces: list[int]):
    told = [wire(prompt, 0), *(wire(0, piece) for piece in pieces), wire(0, 0)]
    answer = sum(pieces)
    assert merged(*told) == Usage(prompt, answer, prompt + answer)


@given(prompt=st.integers(1, 500), pieces=st.lists(st.integers(1, 3), min_size=1, max_size=20))
def test_running_totals_end_in_the_total(prompt: int, pieces: list[int]):
    told = [wire(prompt, count) for count in accumulate(pieces, initial=0)]
    assert merged(*told) == Usage(prompt, sum(pieces), prompt + sum(pieces))


@given(
    frames=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=8),
    total=COUNTS,
)
def test_the_last_native_frame_is_the_total_whatever_came_before(frames: list[tuple[int, int]], total: tuple[int, int]):
    assert merged(*(wire(*frame) for frame in frames), native=wire(*total, neurons=2.0)) == Usage(
        *total, sum(total), neurons=2.0
    )


@given(total=COUNTS)
def test_a_native_frame_of_zeros_is_no_total(total: tuple[int, int]):
    assert merged(wire(*total), native=wire(0, 0)) == Usage(*total, sum(total))


def test_a_stream_without_usage_has_none():
    assert merged() is None
    assert merged(None, {}, None) is None
