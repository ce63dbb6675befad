"""`workers-ai serve`: the local emulator in the foreground."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from workers_ai.cli.failure import CommandError


def run(host: str, port: int, backend: str | None) -> None:
    """Serve until interrupted; first say with which environment lines a program speaks to it.

    backend: the URL of an OpenAI-compatible server that generates; None is the emulator's own extractive brain.
    WORKERS_AI_FAULTS says what goes wrong with the first requests, in their order: `429*2, ok*3, reset-inside`.
    Raises CommandError where the emulator is not installed, the address is taken, `backend` is no URL or a fault none.
    """
    if backend is not None and (urlsplit(backend).scheme not in ("http", "https") or not urlsplit(backend).hostname):
        raise CommandError(f"--backend {backend}: a full address, for example http://127.0.0.1:11434/v1")
    try:
        from workers_ai.local import fault_rules, serve
    except ImportError:
        raise CommandError('the local emulator is an extra: pip install "workers-ai[local]"') from None
    try:
        faults = fault_rules.read(os.environ.get(fault_rules.VARIABLE, ""))
    except ValueError as wrong:
        raise CommandError(f"{fault_rules.VARIABLE}: {wrong}") from None
    try:
        serve(host, port, backend, faults=faults)
    except OSError as error:
        reason = error.strerror or error
        raise CommandError(f"cannot listen on {host}, port {port} ({reason}): another --port, or 0 for any") from None
