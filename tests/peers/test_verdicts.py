"""`make peers` compares what clients did with what is known of them. What they do is no matter of a test."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "peers"

with pytest.MonkeyPatch.context() as patch:  # the folder is no package
    patch.syspath_prepend(str(FOLDER))
    import verdicts

LOST = verdicts.Limit(("lossy, *",), ("streamed tools · *",), r"tool_calls is \[\]", "It loses calls.")


def outcome(feature: str, *, ok: bool = True, told: str = "", client: str = "good") -> verdicts.Outcome:
    return verdicts.Outcome(client, feature, ok, told)


def lossy(*, ok: bool = False, told: str = "Otherwise: tool_calls is []") -> verdicts.Outcome:
    return outcome("streamed tools · gemma", ok=ok, told=told, client="lossy, native")


def test_what_works_and_what_is_known_to_fail_are_as_expected():
    assert verdicts.judge(outcome("chat"), [LOST]).end == "ok"
    assert verdicts.judge(lossy(), [LOST]) == verdicts.Cell(
        "lossy, native", "streamed tools · gemma", "limit", "It loses calls."
    )


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (outcome("chat", ok=False, told="boom"), "boom"),
        (lossy(told="boom"), "boom"),
        (lossy(ok=True), "it works"),
    ],
    ids=["fails", "fails in another way", "works although it cannot"],
)
def test_what_is_not_as_known_is_unexpected(found: verdicts.Outcome, words: str):
    cell = verdicts.judge(found, [LOST])
    assert cell.end == "unexpected"
    assert words in cell.why


def test_a_limit_of_no_check_is_a_slip_unless_its_client_was_skipped():
    assert verdicts.unused([LOST], [outcome("chat")], []) == [LOST]
    assert verdicts.unused([LOST], [outcome("chat")], ["lossy, native"]) == []
    assert verdicts.unused([LOST], [lossy()], []) == []


def test_models_share_a_cell_where_they_fare_alike_and_reasons_stand_below_once():
    cells = [
        *(verdicts.Cell("good", f"chat · {model}", "ok") for model in ("llama", "gemma")),
        verdicts.Cell("lossy", "chat · llama", "ok"),
        verdicts.Cell("lossy", "chat · gemma", "limit", "It loses calls."),
        verdicts.Cell("lossy", "rerank", "limit", "It loses calls."),
    ]
    assert verdicts.markdown(cells, ["good", "lossy", "away"], {"away": "no Node.js"}).splitlines() == [
        "|  | good | lossy | away |",
        "| --- | --- | --- | --- |",
        "| chat | ok | llama ok, gemma no (1) | skipped |",
        "| rerank | – | no (1) | skipped |",
        "",
        "1. It loses calls.",
        "Skipped: away: no Node.js",
    ]


def test_the_unexpected_is_no_limit():
    cells = [verdicts.Cell("good", "chat", "unexpected", "boom")]
    assert "| chat | UNEXPECTED |" in verdicts.markdown(cells, ["good"], {})


def test_the_limits_of_the_repository_are_read_and_have_reasons():
    limits = verdicts.limits_in((FOLDER / "limits.toml").read_text(encoding="utf-8"))
    assert limits
    assert all(limit.reason.endswith(".") and re.compile(limit.shows) for limit in limits)


def test_what_comes_from_npm_is_pinned_exactly():
    wanted = json.loads((FOLDER / "clients" / "package.json").read_text(encoding="utf-8"))["dependencies"]
    assert {"ai", "workers-ai-provider"} <= set(wanted)
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in wanted.values())


def test_no_program_of_a_client_speaks_through_this_package():
    """Else the emulator would be measured against itself."""
    for program in (FOLDER / "clients").glob("*.py"):
        tree = ast.parse(program.read_text(encoding="utf-8"))
        names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names} | {
            node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)
        }
        assert not [name for name in names if "workers_ai" in name]
