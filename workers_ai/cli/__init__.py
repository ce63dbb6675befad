"""The command line: `workers-ai demo`, `serve`, `models`, `doctor`, `embed`."""

from __future__ import annotations

import io
import sys

_NEEDED = frozenset({"typer", "rich", "click"})


def main() -> None:
    """Run the command that the arguments name. Without typer and rich: one line that says which extra to install."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that cannot show a letter shows "?" in its place
    try:
        import rich  # noqa: F401 - typer would do without, the demo would not

        from workers_ai.cli.commands import app
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _NEEDED:
            raise
        sys.exit('workers-ai: the command line is an extra: pip install "workers-ai[cli]"')
    app()
