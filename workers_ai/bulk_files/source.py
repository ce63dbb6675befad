"""An input file, whatever its format: a schema, and rows in tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

from workers_ai.bulk_files.delimited import Delimited
from workers_ai.bulk_files.failure import FileError
from workers_ai.bulk_files.jsonl import JsonLines
from workers_ai.bulk_files.parquet import Parquet


class Source(Protocol):
    """Rows of a file. schema: pyarrow's."""

    schema: Any

    def tables(self, size: int, *, skip: int = 0) -> Iterator[Any]:
        """The rows after the first `skip`, in tables of `size`, the last one smaller; one table in memory at a time."""


FORMATS: dict[str, Callable[[Path], Source]] = {
    ".jsonl": JsonLines,
    ".ndjson": JsonLines,
    ".csv": Delimited,
    ".tsv": Delimited,
    ".parquet": Parquet,
}


def source(path: Path) -> Source:
    """The rows of `path`, by its ending. Raises FileError for another ending and for a file that is not there."""
    made = FORMATS.get(path.suffix.lower())
    if made is None:
        raise FileError(f"{path}: the ending says the format: {', '.join(FORMATS)}")
    if not path.is_file():
        raise FileError(f"{path}: no such file")
    return made(path)
