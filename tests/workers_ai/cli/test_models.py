"""`workers-ai models`, as a person at a terminal meets it."""

from __future__ import annotations

import datetime
import json
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from workers_ai import catalog
from workers_ai.cli.commands import app
from workers_ai.cli.model_rows import Capability, Row, Seen, Wanted, rows
from workers_ai.tasks.models import ListedModel

TODAY = datetime.date(2026, 11, 25)
GEMMA, SCOUT = "@cf/google/gemma-4-26b-a4b-it", "@cf/meta/llama-4-scout-17b-16e-instruct"


def run(*arguments: str, env: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(app, ["models", *arguments], env=env)


def found(**wanted: Any) -> set[str]:
    return {row.info.id for row in rows(Wanted(**wanted), today=TODAY)}


def test_without_a_filter_every_model_in_service_is_shown_under_its_task():
    shown = run()
    assert shown.exit_code == 0
    current = catalog.models(status="current")
    for model in current:
        assert model.id in shown.stdout
    assert f"Text Embeddings ({sum(model.task == 'Text Embeddings' for model in current)})" in shown.stdout
    assert "@cf/microsoft/phi-2" not in shown.stdout


def test_a_row_holds_context_price_and_capabilities():
    (line,) = [line for line in run(GEMMA).stdout.splitlines() if GEMMA in line]
    for told in ("256,000", "0.100 / 0.300", "tools", "vision", "json", "reasoning"):
        assert told in line


def test_a_piped_table_cuts_no_id_short():
    ids = {row.info.id for row in rows(Wanted(ended=True), today=TODAY)}
    words = set(run("--all").stdout.split())
    assert ids <= words


def test_an_ended_model_names_its_end_and_its_successor():
    shown = run("--all", "llama-3.1-70b-instruct")
    assert "ended 2026-05-30, use @cf/meta/llama-3.3-70b-instruct-fp8-fast" in shown.stdout


@pytest.mark.parametrize(
    ("wanted", "holds", "lacks"),
    [
        ({"task": "text-embeddings"}, "@cf/baai/bge-m3", GEMMA),
        ({"task": "embedd"}, "@cf/baai/bge-m3", GEMMA),
        ({"can": frozenset({Capability.VISION, Capability.TOOLS})}, GEMMA, "@cf/openai/gpt-oss-20b"),
        ({"max_price": 0.4}, GEMMA, "@cf/openai/gpt-oss-120b"),
        ({"max_price": 0.4}, "@cf/baai/bge-m3", "@cf/openai/whisper"),  # no price by tokens: not known to fit
        ({"min_context": 200_000}, GEMMA, "@cf/openai/gpt-oss-20b"),
        ({"text": "SCOUT"}, SCOUT, GEMMA),
        ({}, GEMMA, "@cf/google/gemma-3-12b-it"),
        ({"ended": True}, "@cf/google/gemma-3-12b-it", "@cf/no/such"),
    ],
)
def test_each_filter_keeps_what_fits(wanted, holds, lacks):
    ids = found(**wanted)
    assert holds in ids
    assert lacks not in ids


def test_json_holds_what_the_table_shows():
    told = json.loads(run("--json", "--can", "vision", "--max-price", "1").stdout)
    assert GEMMA in {model["id"] for model in told}
    assert all("vision" in model["capabilities"] for model in told)
    assert all(set(model) == set(told[0]) for model in told)
    assert json.loads(run("--json", "no-such-model").stdout) == []


def test_where_nothing_fits_one_line_says_so():
    shown = run("--min-context", "99999999")
    assert shown.exit_code == 1
    assert "no model fits" in shown.stderr


def test_live_marks_what_only_one_side_knows_and_takes_the_accounts_figures():
    live = [
        ListedModel("@cf/acme/new", "Text Generation", properties={"context_window": "5000"}),
        ListedModel(GEMMA, "Text Generation", properties={"context_window": "131072"}),
        ListedModel("@cf/meta/llama-3.1-8b-instruct-fast", "Text Generation"),
    ]
    seen = {row.info.id: row for row in rows(Wanted(), today=TODAY, live=live)}
    assert seen["@cf/acme/new"].seen is Seen.ACCOUNT_ONLY
    assert (seen[GEMMA].seen, seen[GEMMA].info.context_window) == (Seen.BOTH, 131_072)
    assert seen[SCOUT].seen is Seen.CATALOGUE_ONLY
    assert "catalogue only" in seen[SCOUT].notes(TODAY)


def test_a_model_that_the_account_says_is_deprecated_has_ended():
    live = [ListedModel(GEMMA, "Text Generation", raw={"deprecated": True})]
    assert GEMMA not in {row.info.id for row in rows(Wanted(), today=TODAY, live=live)}
    assert GEMMA in {row.info.id for row in rows(Wanted(ended=True), today=TODAY, live=live)}


def test_an_announced_end_that_lies_ahead_is_told_and_the_model_shown():
    live = [ListedModel(GEMMA, "Text Generation", properties={"planned_deprecation_date": "2027-01-01"})]
    (row,) = rows(Wanted(text=GEMMA), today=TODAY, live=live)
    assert row.notes(TODAY)[0].startswith("ends 2027-01-01")


def test_live_asks_the_account_that_the_environment_names(emulator):
    shown = run("--live", "--json", env=emulator.environment())
    assert shown.exit_code == 0, shown.stderr
    seen = {model["id"]: model["seen"] for model in json.loads(shown.stdout)}
    assert seen[GEMMA] == "both"
    assert set(seen.values()) == {"both", "catalogue only"}
    table = run("--live", "gemma", env=emulator.environment())
    assert "account only: 0" in table.stdout


def test_live_without_an_account_says_what_to_set():
    shown = run("--live")
    assert shown.exit_code == 1
    assert "CLOUDFLARE_ACCOUNT_ID" in shown.stderr


def test_a_row_without_a_price_by_tokens_has_none():
    assert Row(catalog.lookup("@cf/openai/whisper")).usd is None
