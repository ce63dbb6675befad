"""`workers-ai embed` over many rows on the emulator: once undisturbed, once killed at random moments and started again.

    make bench-embed ARGS="--rows 100000 --kills 3"

Both outputs must be equal, no text may be embedded more than once for each kill beyond a checkpoint's rows, and the
peak memory of every run is told. It asks for the extra `bulk`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from workers_ai.local import LocalServer

WORDS = "harbour ferry tide mill tram lantern library market lighthouse observatory clock bridge bell stair".split()
LONGEST = 3600.0  # seconds for one run


@dataclass(frozen=True)
class Ended:
    """How a run ended. peak: of its memory, in MB."""

    code: int
    peak: float
    seconds: float


def write_input(path: Path, rows: int, draw: random.Random) -> None:
    with path.open("w") as file:
        for number in range(rows):
            text = f"{number}: {' '.join(draw.choices(WORDS, k=draw.randint(8, 40)))}"
            file.write(json.dumps({"id": number, "text": text, "page": number // 50}) + "\n")


def embed(folder: Path, output: str, server: LocalServer, told: argparse.Namespace, *, kill_at: int | None) -> Ended:
    """Runs the command; kill_at: kills it when so many requests have arrived."""
    command = [sys.executable, "-m", "workers_ai", "embed", "in.jsonl", output, "--model", told.model]
    command += ["--checkpoint-rows", str(told.checkpoint_rows)]
    began, peak = time.monotonic(), 0.0
    process = subprocess.Popen(command, cwd=folder, env={**os.environ, **server.environment()})
    while True:
        peak = max(peak, peak_of(process.pid))
        if process.poll() is not None:
            return Ended(process.returncode, peak, time.monotonic() - began)
        if (kill_at is not None and len(server.requests) >= kill_at) or time.monotonic() - began > LONGEST:
            process.send_signal(signal.SIGKILL)
            kill_at = None
        time.sleep(0.01)


def peak_of(pid: int) -> float:
    """The most memory a process has had so far, in MB; 0 once it has ended. (What `wait4` tells includes ours.)"""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) / 1024 if found else 0.0


def rows_of(path: Path) -> Iterator[bytes]:
    """The columns of a file, a piece at a time and cut the same way whatever its row groups."""
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=1000):
            yield json.dumps([batch.column(name).to_pylist() for name in ("id", "text", "page")]).encode()
            yield batch.column("embedding").flatten().to_numpy().tobytes()


def digest(path: Path) -> str:
    made = hashlib.sha256()
    for piece in rows_of(path):
        made.update(piece)
    return made.hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--checkpoint-rows", type=int, default=3200)
    parser.add_argument("--model", default="@cf/baai/bge-m3")
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    told = parser.parse_args()
    print(f"{told.rows:,} rows, {told.kills} kills, seed {told.seed}, emulator on loopback", flush=True)
    draw = random.Random(told.seed)
    with tempfile.TemporaryDirectory() as name, LocalServer() as server:
        folder = Path(name)
        write_input(folder / "in.jsonl", told.rows, draw)
        whole = embed(folder, "whole.parquet", server, told, kill_at=None)
        needed = len(server.requests)
        print(f"undisturbed: {whole}, {needed} requests", flush=True)
        server.clear()
        ended = []
        for share in sorted(draw.uniform(0.05, 0.95) for _ in range(told.kills)):
            ended.append(embed(folder, "out.parquet", server, told, kill_at=int(share * needed)))
            print(f"killed at {share:.0%}: {ended[-1]}, {len(server.requests)} requests so far", flush=True)
        ended.append(embed(folder, "out.parquet", server, told, kill_at=None))
        sent = Counter(text for request in server.requests for text in request.json["text"])
        again = sum(sent.values()) - told.rows
        print(f"last run: {ended[-1]}, {len(server.requests)} requests in all, {again:,} texts sent again")
        equal = digest(folder / "out.parquet") == digest(folder / "whole.parquet")
        peak = max(each.peak for each in (whole, *ended))
    print(f"outputs equal: {equal}; most runs that sent one text: {max(sent.values())}; peak memory {peak:.0f} MB")
    codes = [each.code for each in ended]
    if not equal or whole.code or codes != [-signal.SIGKILL] * told.kills + [0]:
        raise SystemExit(f"failed: exit codes {whole.code}, {codes}")
    if len(sent) != told.rows or again > told.kills * told.checkpoint_rows or peak > 300:
        raise SystemExit("failed: texts lost, sent again beyond a checkpoint for each kill, or memory above 300 MB")


if __name__ == "__main__":
    main()
