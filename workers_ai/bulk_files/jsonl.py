"""JSON lines: one object a line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from workers_ai.bulk_files.arrow import arrow
from workers_ai.bulk_files.failure import FileError

_AT_ONCE = 10_000  # rows whose types are found together


class JsonLines:
    """The rows of a JSON lines file; empty lines count for nothing.

    The types of its columns are found by reading it once. What Arrow cannot hold in one column (a number here, a text
    there, an empty object) is kept as JSON text.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._types: dict[str, Any] = {}
        rows = self._rows()
        while taken := list(islice(rows, _AT_ONCE)):
            self._learn(taken)
        self._as_text = {name for name, kind in self._types.items() if kind is None}
        pa = arrow()
        self.schema = pa.schema([(name, pa.string() if kind is None else kind) for name, kind in self._types.items()])

    def tables(self, size: int, *, skip: int = 0) -> Iterator[Any]:
        """The rows after the first `skip`, in tables of `size`."""
        rows = islice(self._rows(), skip, None)
        while taken := list(islice(rows, size)):
            yield self._table(taken)

    def _rows(self) -> Iterator[Mapping[str, Any]]:
        with self._path.open("rb") as file:
            for number, line in enumerate(file, 1):
                text = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
                if text.strip():
                    yield _object(text, f"{self._path}, line {number}")

    def _learn(self, rows: list[Mapping[str, Any]]) -> None:
        for name in dict.fromkeys(name for row in rows for name in row):
            found = _type_of([row.get(name) for row in rows])
            known = self._types.get(name, found)
            self._types[name] = found if name not in self._types else _merged(known, found)

    def _table(self, rows: list[Mapping[str, Any]]) -> Any:
        pa = arrow()
        columns = []
        for field in self.schema:
            values = [row.get(field.name) for row in rows]
            if field.name in self._as_text:
                values = [None if value is None else json.dumps(value, ensure_ascii=False) for value in values]
            try:
                columns.append(pa.array(values, type=field.type))
            except (pa.ArrowException, OverflowError, ValueError) as error:
                raise FileError(f"{self._path}: column {field.name!r}: {error}") from None
        return pa.table(columns, schema=self.schema)


def _object(text: bytes, place: str) -> Mapping[str, Any]:
    try:
        row = from_json(text)
    except ValueError as error:
        raise FileError(f"{place}: no JSON ({error})") from None
    if not isinstance(row, dict):
        raise FileError(f"{place}: an object is wanted, not {type(row).__name__}")
    return row


def _type_of(values: list[Any]) -> Any:
    """The Arrow type of these values, None where one column cannot hold them."""
    pa = arrow()
    try:
        found = pa.array(values).type
    except (pa.ArrowException, OverflowError, ValueError):
        return None
    return found if _storable(found) else None


def _merged(one: Any, other: Any) -> Any:
    pa = arrow()
    if one is None or other is None:
        return None
    schemas = [pa.schema([("x", kind)]) for kind in (one, other)]
    try:
        return pa.unify_schemas(schemas, promote_options="permissive").field(0).type
    except (pa.ArrowTypeError, pa.ArrowInvalid):
        return None


def _storable(kind: Any) -> bool:
    """Whether Parquet can store it: objects without a key it cannot."""
    types = arrow("pyarrow.types")
    if types.is_struct(kind):
        return kind.num_fields > 0 and all(_storable(kind.field(place).type) for place in range(kind.num_fields))
    return _storable(kind.value_type) if types.is_list(kind) else True
