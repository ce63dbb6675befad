"""`make compare` reads pytest's report and prints tables. What they say is no matter of a test: it measures others."""

from __future__ import annotations

from pathlib import Path

import pytest

with pytest.MonkeyPatch.context() as patch:  # the folder is no package
    patch.syspath_prepend(str(Path(__file__).parents[2] / "compare"))
    import run
    import table

REPORT = """<testsuites><testsuite>
<testcase classname="suites.Test__ours_native__Llama__function_calling" name="test_stream[model0]" />
<testcase classname="suites.Test__openai__Gemma__json_schema" name="test_json_mode"><skipped /></testcase>
<testcase classname="suites.Test__openai__Llama__function_calling" name="test_stream[model0]"><failure /></testcase>
<testcase classname="suites.Test__openai__Llama__function_calling" name="test_stream[model0]"><error /></testcase>
<testcase classname="suites.Test__openai__Llama__function_calling" name="test_invoke"><error /></testcase>
</testsuite></testsuites>"""


def outcome(who: str, test: str, end: str, *, case: str = "", family: str = "llama") -> table.Outcome:
    return table.Outcome(who, family, test, case or test, end)


OUTCOMES = [
    outcome("A", "test_x", "passed", case="x1"),
    outcome("A", "test_x", "passed", case="x2"),
    outcome("A", "test_y", "failed"),
    outcome("A", "test_z", "passed", family="gemma"),
    outcome("B", "test_x", "failed", case="x1"),
    outcome("B", "test_x", "passed", case="x2"),
    outcome("B", "test_y", "passed"),
    outcome("B", "test_z", "skipped", family="gemma"),
]


def test_a_row_for_each_contestant_and_a_column_for_each_family():
    assert table.summary(OUTCOMES).splitlines() == [
        "| passed / failed / skipped | llama | gemma |",
        "| --- | --- | --- |",
        "| A | 2 / 1 / 0 | 1 / 0 / 0 |",
        "| B | 2 / 1 / 0 | 0 / 0 / 1 |",
    ]


def test_differences_are_told_both_ways_and_what_was_skipped_is_none():
    assert table.differences(OUTCOMES, ours="A", theirs="B").splitlines() == [
        "- A passes and B fails 1: `test_x` (1 of 2).",
        "- B passes and A fails 1: `test_y` (1 of 1).",
    ]


def test_no_difference_is_told_as_none():
    same = [outcome(who, "test_x", "passed") for who in "AB"]
    assert "- A passes and B fails 0: none." in table.differences(same, ours="A", theirs="B")


def test_a_report_is_read_in_the_order_of_the_table(tmp_path: Path):
    """Errors of a fixture are failures; a test that fails twice counts once."""
    (tmp_path / "report.xml").write_text(REPORT)
    found = [(each.who, each.family, each.test, each.end) for each in run.outcomes(tmp_path / "report.xml")]
    assert found == [
        (run.NAMES["ours_native"], "llama-3.3-70b", "test_stream", "passed"),
        (run.NAMES["openai"], "llama-3.3-70b", "test_stream", "failed"),
        (run.NAMES["openai"], "llama-3.3-70b", "test_invoke", "failed"),
        (run.NAMES["openai"], "gemma-4-26b", "test_json_mode", "skipped"),
    ]
