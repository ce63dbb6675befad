"""`workers-ai embed`, as a person at a terminal meets it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from shutil import copytree

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from workers_ai.cli.commands import app
from workers_ai.local import LocalServer

WITHOUT_PYARROW = """
import sys
sys.modules["pyarrow"] = None
from workers_ai.cli import main
main()
"""


@pytest.fixture
def server():
    """An emulator of our own: its requests are counted."""
    with LocalServer() as made:
        yield made


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """Where the person stands, with 250 rows in a CSV file."""
    monkeypatch.chdir(tmp_path)
    rows = "".join(f"{number},A lantern hangs at door {number}.\n" for number in range(250))
    (tmp_path / "in.csv").write_text(f"id,body\n{rows}")
    return tmp_path


def embed(server: LocalServer, *arguments: str) -> Result:
    model = () if "--model" in arguments else ("--model", "@cf/baai/bge-small-en-v1.5")
    told = ["embed", "in.csv", "out.parquet", "--column", "body", *model, *arguments]
    return CliRunner().invoke(app, told, env=server.environment())


def test_a_csv_file_becomes_a_parquet_file_and_the_cost_is_told(server, folder):
    shown = embed(server)
    assert shown.exit_code == 0, shown.stderr
    assert shown.stdout.startswith("Embedded 250 rows into out.parquet. This run: 3 requests")
    assert "neurons" in shown.stdout
    assert shown.stderr == "", "no bar where there is no terminal"
    table = pq.read_table(folder / "out.parquet")
    assert table.column_names == ["id", "body", "embedding"]
    assert {len(vector) for vector in table.column("embedding").to_pylist()} == {384}


def test_a_dry_run_tells_texts_tokens_requests_and_cost_and_sends_nothing(server, folder):
    shown = embed(server, "--dry-run")
    assert shown.exit_code == 0
    assert "250 rows" in shown.stdout
    assert "3 requests" in shown.stdout
    assert "neurons" in shown.stdout
    assert "USD" in shown.stdout
    assert "Nothing was sent" in shown.stdout
    assert server.requests == []
    assert {path.name for path in folder.iterdir()} == {"in.csv"}


def test_the_same_command_again_has_nothing_to_do(server, folder):
    embed(server)
    before = len(server.requests)
    shown = embed(server)
    assert (shown.exit_code, len(server.requests)) == (0, before)
    assert "nothing to do" in shown.stdout


def test_without_pyarrow_one_line_says_what_to_install(folder):
    command = [sys.executable, "-c", WITHOUT_PYARROW, "embed", "in.csv", "out.parquet", "--column", "body"]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert shown.returncode == 1
    assert shown.stderr == "workers-ai: columnar files need pyarrow: pip install 'workers-ai[bulk]'\n"


def test_what_a_kill_after_the_last_step_left_is_removed(server, folder):
    """The output has its name, its parts are still there."""
    embed(server, "--max-neurons", "0.1")
    copytree(folder / "out.parquet.parts", folder / "kept")
    embed(server)
    (folder / "kept").rename(folder / "out.parquet.parts")
    assert "nothing to do" in embed(server).stdout
    assert {path.name for path in folder.iterdir()} == {"in.csv", "out.parquet"}


def test_an_output_of_other_options_is_kept_unless_it_may_be_overwritten(server, folder):
    embed(server)
    refused = embed(server, "--pooling", "cls")
    assert refused.exit_code == 1
    assert "out.parquet is there already and of another run" in refused.stderr
    assert embed(server, "--pooling", "cls", "--overwrite").exit_code == 0
    told = pq.read_schema(folder / "out.parquet").metadata[b"workers_ai.embedding_identity"]
    assert json.loads(told)["pooling"] == "cls"


def test_a_limit_stops_with_a_code_of_its_own_and_tells_how_to_go_on(server, folder):
    first = embed(server, "--max-neurons", "3", "--batch-size", "10", "--checkpoint-rows", "50")
    assert first.exit_code == 3
    assert "stopped before --max-neurons was passed" in first.stderr
    assert "Go on with a higher --max-neurons" in first.stderr
    assert 0 < server.account.usage.neurons <= 3
    other = embed(server, "--pooling", "cls")
    assert other.exit_code == 1
    assert "pooling was 'mean', now 'cls'" in other.stderr
    assert "--overwrite" in other.stderr
    assert embed(server).exit_code == 0
    sent = [text for request in server.requests for text in request.json["text"]]
    assert len(sent) == len(set(sent)) == 250


def test_a_spent_free_allocation_tells_when(server, folder):
    out = Path("out.parquet.parts")
    assert embed(server, "--max-neurons", "0.1").exit_code == 3
    from workers_ai.bulk_files.ledger import Ledger

    ledger = Ledger.of(out)
    ledger.settle(ledger.day(), 10_000.0)
    shown = embed(server, "--free-only")
    assert shown.exit_code == 3
    assert "00:00 UTC" in shown.stderr
    assert server.requests == []


def test_what_the_service_refuses_ends_the_run_with_its_reason_and_the_way_on(server, folder):
    shown = embed(server, "--model", "@cf/does/not-exist")
    assert shown.exit_code == 1
    (line,) = shown.stderr.splitlines()
    assert "5007" in line
    assert "0 of 250 rows are done and kept in out.parquet.parts" in line
    assert "The same command goes on from there" in line


def test_another_pooling_is_a_wrong_use_of_the_command(server, folder):
    shown = embed(server, "--pooling", "max")
    assert (shown.exit_code, server.requests) == (2, [])


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--column", "text"), "no column 'text'; it has 'id', 'body'"),
        (("--output-column", "id"), "a column 'id' already"),
        (("--rate-limit", "fast"), "requests a minute"),
        (("--max-usd", "1", "--model", "@cf/some/embedder"), "no price"),
    ],
)
def test_what_cannot_work_is_told_in_one_line_before_anything_is_sent(server, folder, arguments, told):
    shown = embed(server, *arguments)
    assert shown.exit_code == 1
    (line,) = shown.stderr.splitlines()
    assert told in line
    assert server.requests == []
