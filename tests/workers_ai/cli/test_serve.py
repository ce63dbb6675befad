"""`workers-ai serve`, as a person at a terminal meets it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import httpx
import pytest
from typer.testing import CliRunner

from workers_ai import Client
from workers_ai.cli.commands import app
from workers_ai.local import LocalServer


@pytest.fixture
def served() -> Iterator[subprocess.Popen[str]]:
    """`workers-ai serve` on a free port."""
    command = [sys.executable, "-m", "workers_ai", "serve", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def test_serve_prints_the_environment_answers_and_ends_at_once(served):
    """The printed lines lead a client to it; Ctrl+C is no error."""
    exports: dict[str, str] = {}
    while "CLOUDFLARE_BASE_URL" not in exports:
        line = served.stdout.readline()
        assert line, served.stderr.read()
        if line.startswith("export "):
            name, _, value = line.removeprefix("export ").strip().partition("=")
            exports[name] = value
    client = Client(
        account_id=exports["CLOUDFLARE_ACCOUNT_ID"],
        api_token=exports["CLOUDFLARE_API_TOKEN"],
        base_url=exports["CLOUDFLARE_BASE_URL"],
    )
    assert client.chat("Reply exactly with: served").text == "served"
    asked = time.monotonic()
    served.send_signal(signal.SIGINT)
    assert served.wait(timeout=10) == 0
    assert time.monotonic() - asked < 2
    assert "Traceback" not in served.stderr.read()


def test_a_port_that_is_taken_is_told_in_one_line():
    """With what to do about it."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        shown = CliRunner().invoke(app, ["serve", "--port", str(port)])
    assert shown.exit_code == 1
    assert f"cannot listen on 127.0.0.1, port {port}" in shown.stderr.splitlines()[-1]


@pytest.mark.parametrize("backend", ["localhost:11434", "ftp://models/v1", ""])
def test_a_backend_that_is_no_address_is_refused(backend):
    """Before the server starts, and not at the first question."""
    shown = CliRunner().invoke(app, ["serve", "--backend", backend])
    assert shown.exit_code == 1
    assert "a full address" in shown.stderr


def test_faults_of_the_environment_that_are_none_are_refused():
    """Before the server starts, with the names that there are."""
    shown = CliRunner().invoke(app, ["serve"], env={"WORKERS_AI_FAULTS": "429, oops"})
    assert shown.exit_code == 1
    told = " ".join(shown.stderr.split())
    assert "WORKERS_AI_FAULTS: there is no fault 'oops'; there are: ok, 429" in told


def test_faults_of_the_environment_befall_the_first_requests():
    """The second request passes."""
    with LocalServer() as free:
        port = free.url.rpartition(":")[2]
    command = [sys.executable, "-m", "workers_ai", "serve", "--port", port]
    environment = {**os.environ, "WORKERS_AI_FAULTS": "status=418"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        while "Ctrl+C" not in process.stdout.readline():
            assert process.poll() is None
        assert [httpx.get(f"http://127.0.0.1:{port}/").status_code for _ in range(2)] == [418, 200]
        process.kill()
