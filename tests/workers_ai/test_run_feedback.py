"""Log ids by run, in bounded memory, and feedback on all of them."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from workers_ai import GatewayLogs, errors
from workers_ai.run_feedback import RunFeedback, RunLogs


def test_a_run_holds_what_its_children_have_logged():
    runs = RunLogs()
    runs.begin("chain")
    runs.begin("model", "chain")
    runs.begin("tool", "chain")
    runs.begin("inner", "tool")
    runs.add("model", "a")
    runs.add("inner", "b")
    runs.add("inner", "b")
    assert {run: runs.of(run) for run in ("chain", "model", "tool", "inner", "other")} == {
        "chain": ("a", "b"),
        "model": ("a",),
        "tool": ("b",),
        "inner": ("b",),
        "other": (),
    }


def test_the_oldest_are_forgotten_but_not_what_still_begins_runs():
    runs = RunLogs(most=3)
    runs.begin("old")
    runs.add("old", "x")
    runs.begin("agent")
    for step in range(50):
        runs.begin(f"step {step}", "agent")
        runs.add(f"step {step}", f"log {step}")
    assert runs.of("old") == runs.of("step 0") == ()
    assert runs.of("step 49") == ("log 49",)
    assert runs.of("agent") == ("log 47", "log 48", "log 49")
    assert len(runs._parents) == len(runs._ids) == 3


def test_a_circle_of_runs_ends():
    runs = RunLogs()
    runs.begin("a", "b")
    runs.begin("b", "a")
    runs.add("a", "x")
    assert runs.of("b") == ("x",)


def test_threads_lose_nothing():
    runs = RunLogs(10_000)
    runs.begin("all")

    def work(thread: int) -> None:
        for number in range(200):
            runs.begin(f"{thread}-{number}", "all")
            runs.add(f"{thread}-{number}", f"log {thread}-{number}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert len(runs.of("all")) == 1600


def test_feedback_goes_to_every_entry_and_to_an_unknown_run_not_at_all():
    seen: list[tuple[str, dict[str, object]]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append((request.url.path.rpartition("/")[2], json.loads(request.content)))
        return httpx.Response(200, json={"success": True, "result": {}})

    transport = httpx.MockTransport(answer)
    clients = {
        "http_client": httpx.Client(transport=transport),
        "http_async_client": httpx.AsyncClient(transport=transport),
    }
    feedback = RunFeedback(GatewayLogs("docs", account_id="0" * 32, api_token="t", **clients))
    for run, facts in (("r", {"log_id": "a"}), ("r", {"log_id": "b"}), ("s", {"cache_status": "HIT"}), ("s", None)):
        feedback.note(run, facts)
    feedback.send("r", 1, score=2.0)
    asyncio.run(feedback.asend("r", -1))
    assert seen == [
        ("a", {"feedback": 1, "score": 2.0}),
        ("b", {"feedback": 1, "score": 2.0}),
        ("a", {"feedback": -1}),
        ("b", {"feedback": -1}),
    ]
    with pytest.raises(errors.BadRequestError, match="run_id='s'"):
        feedback.send("s", 1)
    assert len(seen) == 4


def test_memory_has_a_bound():
    with pytest.raises(ValueError, match="max_runs"):
        RunFeedback("docs", max_runs=0)
