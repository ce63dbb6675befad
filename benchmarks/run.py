"""Speed as ratios to raw httpx of the same run: `make bench`.

    python benchmarks/run.py [--only import,a,b] [--rounds 5] [--quick] [--json FILE]

Each contestant works in a process of its own; they take turns, one block each (A B C A B C), and only one works at a
time. CPU is the worker's own user and system time; the stand-in server is another process and does not count. Absolute
figures do not travel from machine to machine, ratios of one run do: c and f are wide, and want --rounds 7 or more.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from contestants import NAMES, NULLS, RAW
from fresh import weigh
from report import Result, Sample, row, scenario_table, weights_table, with_totals
from scenarios import QUICK, SCENARIOS, Sizes

HERE = Path(__file__).resolve().parent
IMPORT = "import"


class Worker:
    """A contestant's process, seen from outside."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.absent: str | None = self._hear().get("absent")

    def measure(self, scenario: str) -> dict[str, Any]:
        """What one block cost."""
        assert self.process.stdin is not None
        self.process.stdin.write(scenario + "\n")
        self.process.stdin.flush()
        return self._hear()

    def _hear(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            return {"error": "the worker ended", "absent": "the worker ended"}
        told: dict[str, Any] = json.loads(line)
        return told


def environment() -> dict[str, str]:
    """This one's, without accounts, proxies and tracing: they are not to be measured. The package is found here."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.upper().startswith(("CLOUDFLARE_", "CF_", "LANGSMITH_", "LANGCHAIN_"))
        and not name.upper().endswith("_PROXY")
    }
    return {**kept, "PYTHONPATH": os.pathsep.join(filter(None, [str(HERE.parent), kept.get("PYTHONPATH")]))}


@contextmanager
def program(*command: str) -> Iterator[subprocess.Popen[str]]:
    """A program of this folder that goes when its stdin ends."""
    process = subprocess.Popen(
        [sys.executable, str(HERE / command[0]), *command[1:]],
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:  # closes its stdin at the end, and waits
        yield process


def race(names: Sequence[str], *, rounds: int, quick: bool, result: Result) -> Iterator[str]:
    """Measures the scenarios; yields a table for each as soon as it is there."""
    sizes = QUICK if quick else Sizes()
    with ExitStack() as running:
        server = running.enter_context(program("server.py", "--tokens", str(sizes.tokens)))
        assert server.stdout is not None
        port = server.stdout.readline().strip()
        size = ["--quick"] if quick else []
        processes = {name: running.enter_context(program("worker.py", name, port, *size)) for name in NAMES}
        workers = {name: Worker(process) for name, process in processes.items()}
        result.absent = {name: worker.absent for name, worker in workers.items() if worker.absent is not None}
        present = {name: worker for name, worker in workers.items() if worker.absent is None}
        for name in names:
            yield from compare(name, present, rounds=rounds, port=port, result=result)


def compare(name: str, workers: Mapping[str, Worker], *, rounds: int, port: str, result: Result) -> Iterator[str]:
    """One scenario: all contestants in turn, as often as there are rounds."""
    scenario = SCENARIOS[name]
    taking_part = [each for each in workers if scenario.nulls or each not in NULLS.values()]
    samples: dict[str, list[Sample]] = {each: [] for each in taking_part}
    for _ in range(rounds):
        for contestant, blocks in samples.items():
            counters(port)
            told = workers[contestant].measure(scenario.raw or name if contestant == RAW else name)
            blocks.append({**told, **counters(port)} if "error" not in told else told)
    rows = [row(each, blocks, samples[RAW], scenario.goals.get(each)) for each, blocks in samples.items()]
    result.rows[name] = with_totals(rows)
    yield from scenario_table(name, scenario, result.rows[name])
    yield ""


def counters(port: str) -> dict[str, Any]:
    """What the server saw since it was last asked."""
    with urlopen(f"http://127.0.0.1:{port}/counters") as reply:
        told: dict[str, Any] = json.load(reply)
    return {name: told[name] for name in ("connections", "most_in_flight")}


def arguments(command: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    known = [IMPORT, *SCENARIOS]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(known), help=f"some of {','.join(known)}")
    parser.add_argument("--rounds", type=int, help="how often each takes its turn (5; 1 with --quick)")
    parser.add_argument("--quick", action="store_true", help="tiny counts: shows that it runs, measures nothing")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write what was measured there too")
    options = parser.parse_args(command)
    options.only = [name.strip() for name in options.only.split(",") if name.strip()]
    if unknown := set(options.only) - set(known):
        parser.error(f"--only: unknown {', '.join(sorted(unknown))}; known: {', '.join(known)}")
    options.rounds = options.rounds or (1 if options.quick else 5)
    return options


def main() -> None:
    """Measure, and print the tables."""
    options, begin, result = arguments(), time.monotonic(), Result()
    print(f"Python {sys.version.split()[0]}, {options.rounds} rounds, load {os.getloadavg()[0]:.1f}")
    print("--quick: tiny counts, the figures mean nothing\n" if options.quick else "", flush=True)
    if IMPORT in options.only:
        result.weights = weigh(environment(), rounds=options.rounds, warm_up=not options.quick)
        print("\n".join(weights_table(result.weights)) + "\n", flush=True)
    if scenarios := [name for name in SCENARIOS if name in options.only]:
        for line in race(scenarios, rounds=options.rounds, quick=options.quick, result=result):
            print(line, flush=True)
    for name, reason in result.absent.items():
        print(f"{name}: skipped, {reason}")
    if options.json is not None:
        options.json.write_text(json.dumps(asdict(result), indent=1) + "\n")
    print(f"{time.monotonic() - begin:.0f} s, load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
