"""`workers-ai serve`: the local emulator in the foreground."""

from __future__ import annotations

from urllib.parse import urlsplit

from workers_ai.cli.failure import CommandError


def run(host: str, port: int, backend: str | None) -> None:
    """Serve until interrupted; first say with which environment lines a program speaks to it.

    backend: the URL of an OpenAI-compatible server that generates; None is the emulator's own extractive brain.
    Raises CommandError where the emulator is not installed, the address is taken, or `backend` is no URL.
    """
    if backend is not None and (urlsplit(backend).scheme not in ("http", "https") or not urlsplit(backend).hostname):
        raise CommandError(f"--backend {backend}: a full address, for example http://127.0.0.1:11434/v1")
    try:
        from workers_ai.local import serve
    except ImportError:
        raise CommandError('the local emulator is an extra: pip install "workers-ai[local]"') from None
    try:
        serve(host, port, backend)
    except OSError as error:
        reason = error.strerror or error
        raise CommandError(f"cannot listen on {host}, port {port} ({reason}): another --port, or 0 for any") from None
