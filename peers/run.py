"""Clients that others wrote talk to the emulator: `make peers`. Prints a Markdown table, and keeps it with `--write`.

    python peers/run.py [--write] [--only CLIENT]

Each client is a program of its own (peers/clients) that asks what its documentation shows and prints what came of it.
The exit code is 1 where a client fared otherwise than known: a check failed, or what cannot work (limits.toml) did.
Not part of the tests: it needs the clients installed (constraints/peers.txt), and npm for the last.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from verdicts import Cell, Outcome, judge, limits_in, markdown, unused

from workers_ai.local import Account, LocalServer
from workers_ai.local.fault_rules import FaultRules

HERE = Path(__file__).resolve().parent
CLIENTS = HERE / "clients"
PAGE = HERE.parent / "docs" / "peers.md"
BEGIN, END = "<!-- made by `make peers`: begin -->", "<!-- end -->"
# Seconds: for all checks of one client, and for npm.
PATIENCE, NPM_PATIENCE = 120, 300
PROGRAMS = {
    "openai": ["openai_sdk.py"],
    "cloudflare": ["cloudflare_sdk.py"],
    "langchain-cloudflare, native": ["langchain_cloudflare_sdk.py", "workers_ai"],
    "langchain-cloudflare, /ai/v1": ["langchain_cloudflare_sdk.py", "openai_compatible"],
    "workers-ai-provider": ["workers_ai_provider.mjs"],
}
FEATURES = (
    "chat",
    "stream",
    "raw stream",
    "number in a stream",
    "tokens of a stream",
    "tools",
    "streamed tools",
    "streamed tools async",
    "JSON schema",
    "embeddings",
    "rerank",
    "through a gateway",
    "list of models",
    "token and gateway told",
    "Responses API",
    "busy once",
    "error in a stream",
    "cut stream",
    "wrong token",
    "no such model",
    "too many texts",
    "daily quota",
)
"""The rows, in their order."""


class Skipped(Exception):  # noqa: N818 - no error: this machine lacks what the client needs
    """Why a client was not run."""


@dataclass(slots=True)
class Seen:
    """What all programs said. requests: how many reached the emulator, by client."""

    outcomes: list[Outcome] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    requests: dict[str, int] = field(default_factory=dict)

    def read(self, client: str, printed: str) -> None:
        """Take in what a client's program printed: an object a line."""
        for fact in map(json.loads, printed.splitlines()):
            if "versions" in fact:
                self.versions |= fact["versions"]
            else:
                self.outcomes.append(Outcome(client, fact["feature"], fact["ok"], fact["told"]))


def ask(client: str, server: LocalServer, spent: LocalServer) -> str:
    """What a client's program prints. Raises `Skipped`; `SystemExit` where it breaks down."""
    # Nothing that clients read by themselves: the address and the token come from here alone.
    own = ("CLOUDFLARE_", "CF_", "OPENAI_", "LANG", "BASE_URL", "AI_GATEWAY", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith(own)}
    environment = {**kept, **server.environment(), "PEERS_SPENT_BASE_URL": spent.base_url, "PYTHONUTF8": "1"}
    with command_of(PROGRAMS[client]) as command:
        try:
            done = subprocess.run(
                command, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False
            )
        except subprocess.TimeoutExpired:
            raise SystemExit(f"{client}: not done within {PATIENCE} s") from None
    if done.returncode != 0:
        raise SystemExit(f"{client} ended with {done.returncode}:\n{done.stderr}")
    return done.stdout


@contextmanager
def command_of(program: Sequence[str]) -> Iterator[list[str]]:
    """The command that runs a program; for one in JavaScript with its packages, in a folder that goes afterwards."""
    if program[0].endswith(".py"):
        yield [sys.executable, str(CLIENTS / program[0]), *program[1:]]
        return
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise Skipped("no Node.js with npm on this machine")
    with tempfile.TemporaryDirectory() as folder:
        for name in (program[0], "package.json", "questions.json"):
            shutil.copy(CLIENTS / name, folder)
        install = [npm, "install", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"]
        try:
            done = subprocess.run(
                install, cwd=folder, capture_output=True, text=True, timeout=NPM_PATIENCE, check=False
            )
        except subprocess.TimeoutExpired:
            raise Skipped(f"npm was not done within {NPM_PATIENCE} s") from None
        if done.returncode != 0:
            raise Skipped(f"npm could not install it: {done.stderr.strip().splitlines()[-1:]}")
        yield [node, str(Path(folder) / program[0])]


def prepare(faults: FaultRules) -> None:
    """What goes wrong for each client, by the model that it asks."""
    models = json.loads((CLIENTS / "questions.json").read_text(encoding="utf-8"))
    faults.clear()
    faults.next("3040", model=models["busy_model"])
    faults.next("error-frame=2*", model=models["failing_model"])
    faults.next("cut=2*", model=models["cut_model"])


def watch(clients: Sequence[str]) -> Seen:
    """Run the clients one by one, each against the same emulator."""
    seen = Seen()
    poor = Account(free_neurons=10_000)
    poor.usage.neurons = 10_000
    with LocalServer() as server, LocalServer(account=poor) as spent:
        for client in clients:
            server.clear()
            spent.clear()
            prepare(server.faults)
            try:
                seen.read(client, ask(client, server, spent))
            except Skipped as why:
                seen.skipped[client] = str(why)
            seen.requests[client] = len(server.requests) + len(spent.requests)
    return seen


def told(seen: Seen, cells: Sequence[Cell]) -> str:
    """The table, under a line of versions."""
    versions = ", ".join(f"{name} {version}" for name, version in seen.versions.items())
    requests = "; ".join(f"{number} of {client}" for client, number in seen.requests.items() if number)
    day = f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}"
    head = f"{day}, on this package's **emulator**, not the service: {versions}. Requests that reached it: {requests}."
    return f"{textwrap.fill(head, 120, break_on_hyphens=False)}\n\n{markdown(cells, list(seen.requests), seen.skipped)}"


def keep(table: str) -> None:
    """Put the table into its page, in place of the one there."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}\n\n{table}\n\n{END}{after}", encoding="utf-8")


def main() -> None:
    """Run, judge, print."""
    parser = argparse.ArgumentParser(description="clients of others on the emulator")
    parser.add_argument("--write", action="store_true", help="keep the table in docs/peers.md")
    parser.add_argument("--only", choices=PROGRAMS, help="one client")
    arguments = parser.parse_args()
    seen = watch([arguments.only] if arguments.only else list(PROGRAMS))
    limits = limits_in((HERE / "limits.toml").read_text(encoding="utf-8"))
    outcomes = sorted(seen.outcomes, key=lambda each: FEATURES.index(each.feature.partition(" · ")[0]))
    cells = [judge(outcome, limits) for outcome in outcomes]
    table = told(seen, cells)
    print(table)
    wrong = [f"UNEXPECTED: {each.client}: {each.feature}: {each.why}" for each in cells if each.end == "unexpected"]
    if not arguments.only:
        slips = unused(limits, seen.outcomes, seen.skipped)
        wrong += [f"limits.toml speaks of no check: {each.clients}, {each.features}" for each in slips]
    if wrong:
        raise SystemExit("\n".join(["", *wrong]))
    if arguments.write:
        keep(table)


if __name__ == "__main__":
    main()
