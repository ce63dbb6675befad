"""The window and the concurrency: numbers in, numbers out."""

from __future__ import annotations

from bisect import bisect_right

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers_ai.rate_limit import Concurrency, SlidingWindow, Turn


def most_in_a_window(times: list[float], window: float) -> int:
    """The largest number of `times` within any `window` seconds, the end left out."""
    times = sorted(times)
    return max((place - bisect_right(times, at - window) + 1 for place, at in enumerate(times)), default=0)


def test_turns_are_at_once_up_to_the_limit_and_then_a_window_after_the_turn_so_many_places_before():
    window = SlidingWindow(2, window=10)
    assert [window.reserve(now).at for now in (0.0, 4.0, 5.0, 5.0, 5.0, 30.0)] == [0, 4, 10, 14, 20, 30]


@given(
    limit=st.integers(1, 7),
    asked=st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=60),
)
def test_no_window_holds_more_than_the_limit_whoever_asks_when_and_gives_back(limit: int, asked: list):
    """Turns are in order, none is before its asking, and what was given back is not counted."""
    window, now = SlidingWindow(limit, window=10), 0
    kept: list[Turn] = []
    for pause, gives_back in asked:
        now += pause
        turn = window.reserve(now)
        assert turn.at >= now
        if gives_back and turn.at > now:
            window.give_back(turn, now)
        else:
            kept.append(turn)
    assert [turn.at for turn in kept] == sorted(turn.at for turn in kept)
    assert most_in_a_window([turn.at for turn in kept], 10) <= limit


def test_those_behind_a_turn_given_back_move_up():
    window = SlidingWindow(1, window=10)
    first, second, third, fourth = (window.reserve(0.0) for _ in range(4))
    window.give_back(second, 1.0)
    assert [turn.at for turn in (first, third, fourth)] == [0, 10, 20]
    assert window.reserve(1.0).at == 30


def test_a_turn_that_has_come_is_used_whether_or_not_it_is_given_back():
    window = SlidingWindow(1, window=10)
    window.give_back(window.reserve(0.0), 0.0)
    assert window.reserve(0.0).at == 10


def test_the_window_forgets_what_is_over():
    window = SlidingWindow(3, window=10)
    for second in range(0, 10_000, 5):
        window.reserve(float(second))
    assert len(window._turns) <= 3


def refused_at(crowd: Concurrency, under_way: int) -> list[int]:
    """Starts so many, and refuses one."""
    eras = [crowd.start() for _ in range(under_way)]
    crowd.refuse(eras[0])
    return eras


def test_nothing_bounds_the_concurrency_before_the_first_refusal():
    crowd = Concurrency()
    for _ in range(1000):
        crowd.start()
    assert crowd.has_room


def test_a_burst_of_refusals_halves_once_and_one_of_a_later_start_halves_again():
    crowd = Concurrency()
    eras = refused_at(crowd, 40)
    assert crowd.most == 20
    assert not any(crowd.refuse(era) for era in eras[1:])
    for era in eras:
        crowd.end(era, answered=False)
    later = [crowd.start() for _ in range(20)]
    assert not crowd.has_room
    assert crowd.refuse(later[0])
    assert crowd.most == 10


@pytest.mark.parametrize("under_way", [1, 2, 3])
def test_one_request_always_remains(under_way: int):
    crowd = Concurrency()
    refused_at(crowd, under_way)
    assert crowd.most == 1


def test_a_round_of_answers_wins_back_one_and_the_bound_goes_in_the_end():
    crowd = Concurrency()
    for era in refused_at(crowd, 8):
        crowd.end(era, answered=False)
    won = [crowd.most]
    rounds = 0
    while crowd.most is not None:
        eras = [crowd.start() for _ in range(int(crowd.most))]
        for era in eras:
            crowd.end(era, answered=True)
        won.append(crowd.most)
        rounds += 1
    assert won[:3] == pytest.approx([4, 4.9, 5.7], abs=0.11)
    assert rounds == 14  # from 4 to 16, one a round and a little less


def test_answers_to_requests_from_before_the_refusal_win_nothing_back():
    crowd = Concurrency()
    for era in refused_at(crowd, 8)[1:]:
        crowd.end(era, answered=True)
    assert crowd.most == 4
