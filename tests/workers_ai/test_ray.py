"""A real local Ray cluster with two workers, in a process of its own: results complete, one limit over both."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from workers_ai.local import LocalServer

if importlib.util.find_spec("ray") is None:
    pytest.skip("the extra `ray` is not installed", allow_module_level=True)

# One worker of the tests: a cluster takes both cores for seconds.
pytestmark = pytest.mark.xdist_group("ray")

ROOT = Path(__file__).parents[2]
MODEL = "@cf/baai/bge-small-en-v1.5"
TEXTS, BATCH, LIMIT, WINDOW = 300, 10, 10, 3.0  # 30 requests: three windows of ten

CLUSTER = """
import json, os, runpy, sys, warnings
warnings.simplefilter("ignore")
told = json.loads(sys.argv[1])
import ray
example = runpy.run_path(told["example"])
from workers_ai import BulkEmbedder
from workers_ai.ray_window import window_actor

class Told(BulkEmbedder):
    "Says in which process a row was embedded."
    def __call__(self, batch):
        import pyarrow as pa
        made = super().__call__(batch)
        return made.append_column("process", pa.array([os.getpid()] * made.num_rows))

example["embedded"].__globals__["BulkEmbedder"] = Told
ray.init(
    num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error", _node_ip_address="127.0.0.1",
    object_store_memory=100_000_000,
)
try:
    ray.data.DataContext.get_current().enable_progress_bars = False
    # Made before the workers ask for it, with a window that a test can wait for.
    scope = (os.environ["CLOUDFLARE_BASE_URL"], os.environ["CLOUDFLARE_ACCOUNT_ID"], told["model"])
    window_actor(scope, told["limit"], window=told["window"])
    rows = ray.data.from_items([{"id": n, "text": f"text {n}"} for n in range(told["texts"])]).repartition(10)
    options = {"model": told["model"], "batch_size": told["batch"], "rate_limit": told["limit"]}
    made = example["embedded"](rows, rows=told["texts"] // 10, **options)
    made.write_parquet(told["output"])
finally:
    ray.shutdown()
"""


def run(command: list[str], environment: dict[str, str], *, seconds: float) -> None:
    """A program in a session of its own, which is ended whatever happens, with all that it started."""
    process = subprocess.Popen(
        command,
        env={**os.environ, "RAY_USAGE_STATS_ENABLED": "0", "RAY_memory_monitor_refresh_ms": "0", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=seconds)
        assert process.returncode == 0, output[-5000:]
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def test_two_workers_embed_every_row_and_keep_one_limit_together(tmp_path):
    told = {"example": str(ROOT / "examples" / "ray_embed.py"), "model": MODEL, "limit": LIMIT, "window": WINDOW}
    told |= {"texts": TEXTS, "batch": BATCH, "output": str(tmp_path / "out")}
    with LocalServer() as server:
        environment = {**server.environment(), "PYTHONPATH": str(ROOT)}
        run([sys.executable, "-c", CLUSTER, json.dumps(told)], environment, seconds=150)
        requests = server.requests

    import pyarrow.parquet as pq

    rows = sorted(pq.read_table(tmp_path / "out").to_pylist(), key=lambda row: row["id"])
    assert [row["text"] for row in rows] == [f"text {number}" for number in range(TEXTS)]
    assert {len(row["embedding"]) for row in rows} == {384}
    assert len({row["key"] for row in rows}) == TEXTS
    assert len({row["process"] for row in rows}) == 2
    times = [request.at for request in requests]
    assert len(times) == TEXTS / BATCH
    # A turn is when a request may go out; on a busy machine it arrives later, the next ones too.
    assert min(later - earlier for earlier, later in zip(times, times[LIMIT:], strict=False)) > WINDOW / 2


def test_outside_a_cluster_the_limit_says_so_before_anything_is_sent(emulator):
    """In a process of its own: importing Ray warns."""
    script = """
from workers_ai import BadRequestError, BulkEmbedder
try:
    BulkEmbedder(rate_limit=5, rate_limit_store="ray")({"text": ["a"]})
except BadRequestError as error:
    assert "ray.init()" in str(error), error
else:
    raise AssertionError("sent")
"""
    before = len(emulator.requests)
    run([sys.executable, "-c", script], {**emulator.environment(), "PYTHONPATH": str(ROOT)}, seconds=100)
    assert len(emulator.requests) == before
