"""One contestant in a process of its own, so that its CPU time is its own.

    python benchmarks/worker.py "raw httpx" PORT [--quick]

Says `{"absent": why}` or `{"absent": null}`, then runs a block for each scenario named on stdin and answers with what
it cost. Goes when stdin ends.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import sys
import time
from functools import cache
from typing import Any

from contestants import AbsentError, Contestant, make
from scenarios import QUICK, SCENARIOS, Block, Scenario, Sizes


class Worker:
    """Runs blocks of one contestant; keeps it, its connections and one event loop between them."""

    def __init__(self, name: str, port: int, sizes: Sizes) -> None:
        self.sizes = sizes
        self.loop = asyncio.Runner()
        self.contestant = cache(lambda delay: make(name, _address(port, delay), tokens=sizes.tokens))
        self.warm: set[str] = set()

    def measure(self, name: str) -> dict[str, Any]:
        """What one block cost: CPU and wall seconds; before the first one a small block warms up."""
        scenario = SCENARIOS[name]
        one: Contestant = self.contestant(scenario.delay)
        if name not in self.warm:
            self.run(scenario, one, QUICK)
            self.warm.add(name)
        if scenario.before is not None:
            scenario.before(one, self.sizes)
        gc.collect()
        wall, cpu = time.perf_counter(), time.process_time()
        block = self.run(scenario, one, self.sizes)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        return {"cpu": cpu, "wall": wall, **block._asdict()}

    def run(self, scenario: Scenario, one: Contestant, sizes: Sizes) -> Block:
        """One block, on the worker's loop where it is async."""
        made = scenario.run(one, sizes)
        return made if isinstance(made, Block) else self.loop.run(made)


def _address(port: int, delay: int) -> str:
    return f"http://127.0.0.1:{port}/{delay}ms/client/v4" if delay else f"http://127.0.0.1:{port}/client/v4"


def _say(told: dict[str, Any]) -> None:
    print(json.dumps(told), flush=True)


def main() -> None:
    """Serve blocks until stdin ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("port", type=int)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    worker = Worker(options.name, options.port, QUICK if options.quick else Sizes())
    try:
        worker.contestant(0)
    except AbsentError as absent:
        _say({"absent": str(absent)})
        return
    _say({"absent": None})
    with worker.loop:
        for line in sys.stdin:
            try:
                _say(worker.measure(line.strip()))
            except Exception as broken:  # noqa: BLE001 - a contestant that fails is a row of the table
                _say({"error": f"{type(broken).__name__}: {broken}"})


if __name__ == "__main__":
    main()
