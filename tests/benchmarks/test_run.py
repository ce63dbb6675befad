"""`make bench` runs and prints its tables. What it measures is no matter of a test: machines differ."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "benchmarks" / "run.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def test_a_quick_run_prints_each_contestant_with_its_ratio(tmp_path: Path):
    """Raw httpx is 1.00 by definition; all others did the same work, or their row would say that they failed."""
    written = tmp_path / "measured.json"
    done = run("--quick", "--only", "a", "--json", str(written))
    assert done.returncode == 0, done.stderr
    assert "a. short chats" in done.stdout
    assert "failed" not in done.stdout
    rows = {row["contestant"]: row for row in json.loads(written.read_text())["rows"]["a"]}
    assert rows["raw httpx"]["ratio"] == 1.0
    assert {"core Client", "LangChain", "LangChain null"} <= rows.keys()
    assert all(row["cpu"] > 0 for row in rows.values())


def test_the_weight_of_imports_is_told_as_a_ratio(tmp_path: Path):
    """In fresh interpreters, with the collector and without."""
    written = tmp_path / "measured.json"
    done = run("--quick", "--only", "import", "--json", str(written))
    assert done.returncode == 0, done.stderr
    assert "LangChain" in done.stdout
    weights = {weight["name"]: weight for weight in json.loads(written.read_text())["weights"]}
    assert weights["LangChain"]["absent"] is None
    assert len(weights["LangChain"]["ratios"]) == len(weights["LangChain"]["own_ratios"]) == 1


def test_an_unknown_scenario_is_refused():
    """With the names of those that there are."""
    done = run("--only", "zz")
    assert done.returncode == 2
    assert "unknown zz; known: import, a, b" in done.stderr
