"""What is seen of a long work while it goes on."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from workers_ai.answers import Facts, Vectors
from workers_ai.cost import Cost
from workers_ai.progress import watched
from workers_ai.usage import Usage

BGE = "@cf/baai/bge-m3"


class Terminal(io.StringIO):
    """Something that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@contextmanager
def on_a_terminal() -> Iterator[Terminal]:
    """In the test itself: pytest sets its own stderr after the fixtures."""
    with pytest.MonkeyPatch.context() as patch:
        terminal = Terminal()
        patch.setattr(sys, "stderr", terminal)
        yield terminal


def answer(rows: int, *, usage: Usage | None = None, cost: Cost | None = None) -> Vectors:
    return Vectors([[0.5]] * rows, Facts(BGE, BGE, usage=usage, cost=cost))


def test_a_bar_tells_texts_neurons_and_usd():
    with on_a_terminal() as terminal, watched(250, shown=True) as on_answer:
        on_answer(answer(100, cost=Cost(1.5, 0.0000165, "service")))
        on_answer(answer(150, cost=Cost(2.5, 0.0000275, "service")))
    last = terminal.getvalue().rpartition("\r")[2]
    assert "250/250" in last
    assert "texts/s" in last
    assert "4 neurons, 0.000044 USD" in last


def test_where_no_one_knows_the_cost_the_bar_tells_none():
    with on_a_terminal() as terminal, watched(2, shown=True) as on_answer:
        on_answer(answer(2))
    assert "2/2" in terminal.getvalue()
    assert "neurons" not in terminal.getvalue()


@pytest.mark.parametrize("shown", [True, False])
def test_it_is_silent_where_there_is_no_terminal(capfd: pytest.CaptureFixture[str], shown: bool):
    with watched(2, shown=shown) as on_answer:
        on_answer(answer(2))
    assert capfd.readouterr() == ("", "")


def test_it_is_silent_where_none_is_asked_for():
    with on_a_terminal() as terminal, watched(2) as on_answer:
        on_answer(answer(2))
    assert terminal.getvalue() == ""


def test_a_bar_ends_with_the_work_that_fails():
    def fail() -> None:
        with watched(2, shown=True) as on_answer:
            on_answer(answer(1))
            raise ZeroDivisionError

    with on_a_terminal() as terminal, pytest.raises(ZeroDivisionError):
        fail()
    assert terminal.getvalue().endswith("\n")


def test_without_tqdm_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    with pytest.raises(ModuleNotFoundError, match=r"^a progress bar needs tqdm: pip install tqdm[^\n]*$"):
        watched(2, shown=True).__enter__()


def test_the_usage_of_each_request_is_told_where_it_is_known():
    told: list[Any] = []
    with watched(3, on_usage=told.append) as on_answer:
        on_answer(answer(1, usage=Usage(input_tokens=5, total_tokens=5)))
        on_answer(answer(1))
        on_answer(answer(1, usage=Usage(neurons=0.5)))
    assert told == [Usage(input_tokens=5, total_tokens=5), Usage(neurons=0.5)]
