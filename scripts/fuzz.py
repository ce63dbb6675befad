"""Look for replies that are read wrongly: `make fuzz`.

    python scripts/fuzz.py [SECONDS]

Runs the property tests of everything that reads what the service sends, round after round with new examples, for so
many seconds (600 unless told otherwise). Ends at the first failure, with the example that fails and the line that
makes it again; hypothesis keeps it under .hypothesis, so that the next run begins with it.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TESTS = [
    "tests/test_fuzz.py",
    "tests/workers_ai/wire",
    "tests/workers_ai/test_sse.py",
    "tests/workers_ai/test_diagnosis.py",
]
HANGS = 300
"""Seconds after which one test, which takes some twenty, is taken to hang."""


def main() -> int:
    """The exit code of the first round that failed, else 0."""
    parser = argparse.ArgumentParser(description="Property tests of all that reads replies, for a time.")
    parser.add_argument("seconds", type=float, nargs="?", default=600.0)
    until = time.monotonic() + parser.parse_args().seconds
    command = [sys.executable, "-m", "pytest", "-m", "hypothesis", "-q", "-x", "--no-header", f"--timeout={HANGS}"]
    command += ["--numprocesses=auto", "--maxprocesses=4", *TESTS]
    rounds = 0
    while (left := until - time.monotonic()) > 0:
        child = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "HYPOTHESIS_PROFILE": "search"})
        try:
            if (code := child.wait(left)) != 0:
                return code
            rounds += 1
        except subprocess.TimeoutExpired:
            child.terminate()
            child.wait()
    print(f"No failure ({rounds} rounds of 1000 examples for each property, and a part of one).")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
