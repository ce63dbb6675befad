"""The short form of `make soak`: a few hundred calls of every kind leave nothing behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_calls_leave_nothing_behind_and_every_request_is_accounted_for():
    """Memory is judged more mildly than in the long form: caches are still being filled."""
    command = [sys.executable, "scripts/soak.py", "900", "--warm-up", "300", "--looks", "1", "--growth", "40"]
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
