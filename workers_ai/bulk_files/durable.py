"""Files that are there whole or not at all, whenever the process or the machine stops."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

UNFINISHED = ".tmp"


@contextmanager
def written(path: Path, *, beside: Path | None = None) -> Iterator[BinaryIO]:
    """A file to write to. At the end of the block it is on the disk and has its name; a failure leaves nothing.

    beside: a folder of the same file system for the unfinished file; unset, the one of `path`.
    """
    unfinished = (beside or path.parent) / f"{path.name}{UNFINISHED}"
    try:
        with unfinished.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Puts the names in `folder` on the disk too; where folders cannot be opened (Windows) the system does it."""
    if os.name == "nt":
        return
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
