"""Vectors in the room that they need: four bytes a number, where a list of Python's floats takes 32."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from workers_ai.errors import InvalidResponseError


@dataclass(frozen=True, slots=True)
class PackedVectors:
    """Vectors of float32, each as bytes in this machine's order; None where a row has none."""

    rows: Sequence[bytes | None]

    @staticmethod
    def each(texts: Sequence[str], vectors: Sequence[Sequence[float]]) -> Iterator[tuple[str, bytes]]:
        """Each text with its vector packed."""
        for text, vector in zip(texts, vectors, strict=True):
            yield text, array("f", vector).tobytes()

    def check(self, model: str) -> None:
        """Raises InvalidResponseError where vectors differ in length."""
        sizes = {len(row) // 4 for row in self.rows if row is not None}
        if len(sizes) > 1:
            message = f"Vectors of one length were expected, not of {sorted(sizes)} numbers"
            raise InvalidResponseError(message, model=model)

    def to_arrow(self) -> Any:
        """A pyarrow array of type list<float>."""
        import pyarrow as pa

        sizes = [0 if row is None else len(row) // 4 for row in self.rows]
        ends = array("i", [0])
        for size in sizes:
            ends.append(ends[-1] + size)
        numbers = pa.Array.from_buffers(
            pa.float32(), ends[-1], [None, pa.py_buffer(b"".join(row for row in self.rows if row is not None))]
        )
        offsets = pa.Array.from_buffers(pa.int32(), len(ends), [None, pa.py_buffer(ends.tobytes())])
        missing = pa.array([row is None for row in self.rows], type=pa.bool_())
        return pa.ListArray.from_arrays(offsets, numbers, mask=missing)

    def to_numpy(self) -> Any:
        """A numpy array of float32, one row for each vector; lists of floats where numpy is not installed."""
        try:
            import numpy as np
        except ModuleNotFoundError:
            return self.to_lists()
        joined = b"".join(row or b"" for row in self.rows)
        return np.frombuffer(joined, dtype=np.float32).reshape(len(self.rows), -1 if joined else 0)

    def to_lists(self) -> list[list[float]]:
        """Lists of floats."""
        return [array("f", row or b"").tolist() for row in self.rows]
