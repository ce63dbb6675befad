"""Every fault on every call of both adapters: the committed tables are what a run gives, and no cell breaks a rule."""

from __future__ import annotations

import importlib.util
import re
import sys
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from workers_ai import errors as e
from workers_ai.local.faults import NAMES

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "faults.md"
TRIES = 3
SAID = "the tide turns at four"

# Under these an answer came that is no refusal; with it the service's name for the request.
ANSWERED = {
    "error-frame",
    "cut",
    "empty",
    "null",
    "html",
    "content-type",
    "gzip",
    "vector",
    "ranking",
    "behind",
    "inside",
}


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("fault_matrix", ROOT / "scripts" / "fault_matrix.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["fault_matrix"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


matrix = load()


@cache
def committed() -> dict[tuple[bool, str], list[str]]:
    """Lasting or not, and fault -> the cells behind them in docs/faults.md."""
    found: dict[tuple[bool, str], list[str]] = {}
    lasting = False
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("### "):
            lasting = "that lasts" in line
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `") and len(cells) == len(matrix.CALLS) + 2:
            found[lasting, cells[0].strip("`")] = cells[1:]
    return found


def test_the_committed_tables_have_each_fault_once():
    for lasting in (True, False):
        assert [fault for kind, fault in committed() if kind is lasting] == matrix.rows()
    named = {fault.partition("=")[0] for fault in matrix.rows()}
    assert named == {matrix.NOBODY, *NAMES} - matrix.LEFT_OUT
    assert matrix.names() in PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize("fault", matrix.rows())
def test_each_call_of_both_frameworks_ends_as_documented(fault: str):
    lasting, passing = (matrix.row(fault, lasting=lasting) for lasting in (True, False))
    assert [matrix.facts(lasting), *matrix.cells(lasting)] == committed()[True, fault]
    assert [matrix.facts(passing), *matrix.cells(passing)] == committed()[False, fault]
    for place, outcome in (*lasting.items(), *passing.items()):
        assert "WRONG" not in outcome.answer, place
        assert outcome.requests <= TRIES, place
        if outcome.told is not None:
            check(fault, outcome.told, place)
    for place, outcome in lasting.items():
        if outcome.told is not None and outcome.error != "EmptyAnswerError":
            assert outcome.requests == (TRIES if outcome.told.retryable else 1), place
            if outcome.told.retryable:
                assert (passing[place].answer, passing[place].requests) == ("right", 2), place


def check(fault: str, error: e.WorkersAIError, place: tuple[str, str]) -> None:
    """What each error tells: what to do, the service's name for the request, and how far the answer had come."""
    assert error.hint, place
    refused = re.match(r"\d+", fault) is not None
    if refused or any(part in fault for part in ANSWERED):
        assert error.request_id, place
    if fault == matrix.NOBODY:
        assert error.maybe_sent is False, place
    if "stream" in place[1] and ("inside" in fault or fault in ("cut", "cut=2", "cut-reset", "half-body")):
        assert error.partial is not None, place
        assert SAID.startswith(error.partial.strip()), place


def test_the_frameworks_agree_and_so_do_sync_and_async():
    for cells in committed().values():
        _, invoke, ainvoke, stream, astream, embed, aembed, _ = cells
        assert (invoke, stream, embed) == (ainvoke, astream, aembed)
        assert not any(" / " in cell for cell in cells)


@pytest.mark.parametrize(
    ("fault", "pauses"),
    [("429=2", (2.0, 2.0)), ("429=3600", (60.0, 60.0))],
)
def test_the_pauses_are_those_the_service_asks_for_and_no_longer_than_a_minute(fault: str, pauses: Any):
    assert {outcome.pauses for outcome in matrix.row(fault, lasting=True).values()} == {pauses}


def test_a_date_is_waited_for():
    for outcome in matrix.row("429-date=30", lasting=False).values():
        assert outcome.pauses == (pytest.approx(30, abs=3),)


def test_the_page_is_made_between_its_marks():
    page = f"before\n{matrix.BEGIN}\nold\n{matrix.END}\nbehind\n"
    assert matrix.put_into(page, "new") == f"before\n{matrix.BEGIN}\n\nnew\n\n{matrix.END}\nbehind\n"
