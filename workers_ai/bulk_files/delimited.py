"""CSV and tab-separated files: a line of names, then rows."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from workers_ai.bulk_files.arrow import arrow
from workers_ai.bulk_files.failure import FileError

_LONGEST_CELL = 2**30  # Python's own limit of 128 KiB is for one cell, and other columns may hold whole documents


class Delimited:
    """The rows of a CSV or .tsv file in UTF-8. Every column stays text, as it is: "007" is no number."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
        names = next(self._lines(), None)
        if names is None:
            raise FileError(f"{path} is empty: a line with the columns' names is wanted")
        if doubled := next((name for name in names if names.count(name) > 1), None):
            raise FileError(f"{path}: two columns are called {doubled!r}")
        pa = arrow()
        self.schema = pa.schema([(name, pa.string()) for name in names])

    def tables(self, size: int, *, skip: int = 0) -> Iterator[Any]:
        """The rows after the first `skip`, in tables of `size`."""
        pa = arrow()
        rows = islice(self._rows(), skip, None)
        while taken := list(islice(rows, size)):
            columns = [pa.array(column, type=pa.string()) for column in zip(*taken, strict=True)]
            yield pa.table(columns, schema=self.schema)

    def _rows(self) -> Iterator[list[str]]:
        for number, cells in enumerate(islice(self._lines(), 1, None), 1):
            if len(cells) != len(self.schema):
                raise FileError(f"{self._path}, row {number}: {len(cells)} cells, but {len(self.schema)} columns")
            yield cells

    def _lines(self) -> Iterator[list[str]]:
        csv.field_size_limit(max(csv.field_size_limit(), _LONGEST_CELL))
        with self._path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter=self._delimiter, strict=True)
            try:
                yield from (cells for cells in reader if cells)  # an empty line is no row
            except (csv.Error, UnicodeDecodeError) as error:
                raise FileError(f"{self._path}, line {reader.line_num}: {error}") from None
