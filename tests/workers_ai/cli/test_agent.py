"""`workers-ai demo --agent`, as a person at a terminal meets it."""

from __future__ import annotations

import re

import pytest
from typer.testing import CliRunner, Result

from workers_ai.cli.agent import FAMILIES
from workers_ai.cli.commands import app

BOTH = "Tools that ran: weather, ferry_price."


def run(*arguments: str) -> Result:
    """The command line in this process."""
    return CliRunner().invoke(app, ["demo", "--agent", *arguments])


@pytest.mark.parametrize("framework", ["langchain", "llama-index"])
def test_on_each_family_both_tools_run_and_their_results_are_in_the_answer(framework: str):
    shown = run("--only", framework)
    assert shown.exit_code == 0, shown.output
    assert "local emulator" in shown.output
    parts = shown.output.split("Question: ")[1].split("@cf/")[1:]
    assert [f"@cf/{part.splitlines()[0]}" for part in parts] == list(FAMILIES)
    for part in parts:
        assert BOTH in part
        assert part.count("11 °C") == 2, "the tool's result, and the answer made of it"
        assert part.count("13.50 crowns") == 2
        assert int(re.search(r"Streamed in (\d+) pieces", part)[1]) > 5


def test_one_model_can_be_asked_for():
    shown = run("--model", FAMILIES[1], "--only", "langchain")
    assert shown.output.count("Tools that ran") == 1


@pytest.mark.parametrize("option", [["--question", "Why?"], ["--corpus", "."]])
def test_options_of_the_other_part_are_refused_in_one_line(option: list[str]):
    shown = run(*option)
    assert shown.exit_code == 1
    assert "--agent has a question of its own" in shown.stderr
