"""`make bench` runs and prints its tables. What it measures is no matter of a test: machines differ."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

with pytest.MonkeyPatch.context() as patch:  # the folder is no package
    patch.syspath_prepend(str(ROOT / "benchmarks"))
    import fresh
    import report


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


def test_the_weight_of_an_import_is_told_as_a_ratio_and_what_is_absent_with_its_reason():
    """In fresh interpreters. With light modules here: the adapters' own weight is measured by `make bench`."""
    pairs = [
        fresh.Pair("light", "import json", "import json, decimal", "dict"),
        fresh.Pair("absent", "import json", "import no_such_module", "dict"),
    ]
    light, absent = fresh.weigh(os.environ, rounds=2, pairs=pairs)
    assert (len(light.ratios), len(light.own_ratios), len(light.construct)) == (2, 2, 2)
    assert light.ratio > 0
    table = "\n".join(report.weights_table([light, absent]))
    assert f"{light.ratio:.3f}" in table
    assert "skipped: No module named 'no_such_module'" in table


def test_an_unknown_scenario_is_refused():
    """With the names of those that there are."""
    done = run("--only", "zz")
    assert done.returncode == 2
    assert "unknown zz; known: import, a, b" in done.stderr
