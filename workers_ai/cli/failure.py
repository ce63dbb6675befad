"""What a command cannot do, told in one line."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import ValidationError

from workers_ai.errors import WorkersAIError


class CommandError(Exception):
    """A command cannot go on; the message is one line for whoever typed it, with what to do next."""


@contextmanager
def told_in_one_line() -> Iterator[None]:
    """Show what the package refuses or the service answers as one line on stderr, and exit with 1."""
    try:
        yield
    except (CommandError, WorkersAIError, ValidationError) as error:
        print(f"workers-ai: {one_line(error)}", file=sys.stderr)
        raise SystemExit(1) from None


def one_line(error: Exception) -> str:
    """The text of an error without line breaks. Of a wrong argument only what is wrong: no value, no report."""
    if isinstance(error, ValidationError):
        text = "; ".join(detail["msg"].removeprefix("Value error, ") for detail in error.errors(include_input=False))
    else:
        text = str(error)
    return " ".join(text.split())
