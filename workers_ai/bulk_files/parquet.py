"""Parquet files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from workers_ai.bulk_files.arrow import arrow
from workers_ai.bulk_files.failure import FileError


class Parquet:
    """The rows of a Parquet file, read a piece at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with opened(path) as file:
            self.schema = file.schema_arrow

    def tables(self, size: int, *, skip: int = 0) -> Iterator[Any]:
        """The rows after the first `skip`, in tables of `size`."""
        pa = arrow()
        with opened(self._path) as file:
            held, count = [], 0
            for batch in file.iter_batches(batch_size=size):
                passed = min(skip, batch.num_rows)
                skip -= passed
                held.append(batch.slice(passed))
                count += batch.num_rows - passed
                while count >= size:  # batches end with their row groups, too
                    table = pa.Table.from_batches(held, schema=self.schema)
                    yield table.slice(0, size)
                    held, count = table.slice(size).to_batches(), count - size
            if count:
                yield pa.Table.from_batches(held, schema=self.schema)


def opened(path: Path) -> Any:
    """The Parquet file at `path`. Raises FileError where it is none."""
    pa, parquet = arrow(), arrow("pyarrow.parquet")
    try:
        return parquet.ParquetFile(path)
    except pa.ArrowInvalid as error:
        raise FileError(f"{path} is no Parquet file: {error}") from None
