"""SIGKILL at any moment: the next run goes on, and what comes out is what an uninterrupted run makes."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from workers_ai.local import LocalServer

ROWS, CHECKPOINT, KILLS, BATCH = 1_500, 150, 3, 30
PATIENCE = 60.0  # seconds for anything here; all of it takes some five


@pytest.fixture
def server() -> Iterator[LocalServer]:
    """An emulator of our own: its requests are counted."""
    with LocalServer() as made:
        yield made


def start(server: LocalServer, folder: Path, output: str) -> subprocess.Popen[str]:
    told = f"embed in.jsonl {output} --model @cf/baai/bge-small-en-v1.5 --checkpoint-rows {CHECKPOINT}"
    told += f" --batch-size {BATCH} --max-concurrency 4"
    command = [sys.executable, "-m", "workers_ai", *told.split()]
    return subprocess.Popen(
        command, cwd=folder, env={**os.environ, **server.environment()}, stderr=subprocess.PIPE, text=True
    )


def wait_for(server: LocalServer, requests: int, process: subprocess.Popen[str]) -> None:
    end = time.monotonic() + PATIENCE
    while len(server.requests) < requests and process.poll() is None:
        assert time.monotonic() < end
        time.sleep(0.002)


def test_a_run_that_is_killed_three_times_loses_no_row_and_pays_for_none_twice(server, tmp_path):
    draw = random.Random(20261125)
    texts = [f"The lantern of {number} hangs in row {number % 7}." for number in range(ROWS)]
    rows = "".join(json.dumps({"id": number, "text": text}) + "\n" for number, text in enumerate(texts))
    (tmp_path / "in.jsonl").write_text(rows)

    whole = start(server, tmp_path, "whole.parquet")
    assert whole.wait(PATIENCE) == 0, whole.stderr.read()
    assert len(server.requests) == ROWS / BATCH
    server.clear()

    for _ in range(KILLS):
        killed = start(server, tmp_path, "out.parquet")
        wait_for(server, len(server.requests) + draw.randint(3, 16), killed)
        time.sleep(draw.random() * 0.02)
        killed.send_signal(signal.SIGKILL)
        assert killed.wait(PATIENCE) == -signal.SIGKILL
        killed.stderr.close()
    last = start(server, tmp_path, "out.parquet")
    assert last.wait(PATIENCE) == 0, last.stderr.read()

    assert pq.read_table(tmp_path / "out.parquet").equals(pq.read_table(tmp_path / "whole.parquet"))
    assert {path.name for path in tmp_path.iterdir()} == {"in.jsonl", "whole.parquet", "out.parquet"}
    sent = Counter(text for request in server.requests for text in request.json["text"])
    assert sent.keys() == set(texts)
    assert sum(sent.values()) - ROWS <= KILLS * CHECKPOINT
    assert len(server.requests) < 2 * ROWS / BATCH
    for process in (whole, last):
        process.stderr.close()
