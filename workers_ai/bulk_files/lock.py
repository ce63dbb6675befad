"""One process at a time on one output."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from workers_ai.bulk_files.failure import FileError


@contextmanager
def held(path: Path) -> Iterator[None]:
    """The lock `path`, which the system releases however the process ends. Raises FileError where another holds it."""
    with path.open("wb") as file:
        if sys.platform != "win32":
            import fcntl

            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise FileError(f"another process is at work in {path.parent}") from None
        yield
