"""A batch of rows in any of the forms that engines hand over: its texts out, columns in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from workers_ai.errors import BadRequestError
from workers_ai.packed import PackedVectors


class Rows(Protocol):
    """The texts of a batch, and the way to a batch of the same form with more columns."""

    @property
    def texts(self) -> Sequence[Any]:
        """One column's values."""

    def with_columns(self, added: Mapping[str, Any]) -> Any:
        """The batch with these columns; one of them can be vectors."""


def columns_of(batch: Any, column: str) -> Rows:
    """The rows of a mapping, an Arrow table or record batch, or a pandas DataFrame.

    Raises BadRequestError for another kind of batch, and for one without that column.
    """
    if isinstance(batch, Mapping):
        rows: Rows = _Mapped(batch, column)
        names = list(batch)
    elif hasattr(batch, "append_column"):
        rows, names = _Arrow(batch, column), batch.schema.names
    elif hasattr(batch, "assign"):
        rows, names = _Frame(batch, column), list(batch.columns)
    else:
        told = f"a batch is a mapping of columns, an Arrow table or a DataFrame, not {type(batch).__name__}"
        raise BadRequestError(told, maybe_sent=False)
    if column not in names:
        raise BadRequestError(f"the batch has no column {column!r}; it has {names}", maybe_sent=False)
    return rows


@dataclass(frozen=True, slots=True)
class _Mapped:
    batch: Mapping[str, Any]
    column: str

    @property
    def texts(self) -> Sequence[Any]:
        return _plain(self.batch[self.column])

    def with_columns(self, added: Mapping[str, Any]) -> dict[str, Any]:
        made = {
            name: each.to_numpy() if isinstance(each, PackedVectors) else _as_numpy(each)
            for name, each in added.items()
        }
        return {**self.batch, **made}


@dataclass(frozen=True, slots=True)
class _Arrow:
    batch: Any
    column: str

    @property
    def texts(self) -> Sequence[Any]:
        texts: list[Any] = self.batch.column(self.column).to_pylist()
        return texts

    def with_columns(self, added: Mapping[str, Any]) -> Any:
        import pyarrow as pa

        batch = self.batch
        for name, each in added.items():
            column = each.to_arrow() if isinstance(each, PackedVectors) else pa.array(each, type=pa.string())
            place = batch.schema.get_field_index(name)
            batch = batch.append_column(name, column) if place < 0 else batch.set_column(place, name, column)
        return batch


@dataclass(frozen=True, slots=True)
class _Frame:
    batch: Any
    column: str

    @property
    def texts(self) -> Sequence[Any]:
        return _plain(self.batch[self.column])

    def with_columns(self, added: Mapping[str, Any]) -> Any:
        made = {
            name: list(each.to_numpy()) if isinstance(each, PackedVectors) else each for name, each in added.items()
        }
        return self.batch.assign(**made)


def _plain(column: Any) -> Sequence[Any]:
    """A list of a column: numpy's own strings are strings, but not to JSON's fastest writer."""
    values: list[Any] = column.tolist() if hasattr(column, "tolist") else list(column)
    return values


def _as_numpy(values: list[str]) -> Any:
    try:
        import numpy as np
    except ModuleNotFoundError:
        return values
    return np.array(values, dtype=object)
