"""What to embed, and how: the settings that make a row's vector, apart from those that only pace the work."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workers_ai.bulk_files.failure import FileError

if TYPE_CHECKING:
    from workers_ai.text_embedder import TextEmbedder


@dataclass(frozen=True)
class EmbedJob:
    """One input, one output, one embedder: its `column` names the texts, its `output` the new column.

    skip_empty: a row without a text gets no vector (null); unset, such a row is an error.
    checkpoint_rows: rows between two checkpoints, which is what a kill can cost; unset, four requests for each that is
        in flight at once.
    """

    input: Path
    output: Path
    embedder: TextEmbedder
    skip_empty: bool = False
    checkpoint_rows: int | None = None

    @property
    def rows_at_once(self) -> int:
        """Rows of one checkpoint."""
        if self.checkpoint_rows is not None:
            return self.checkpoint_rows
        return 4 * self.embedder.texts_in_a_request * self.embedder.max_concurrency

    @property
    def parts(self) -> Path:
        """The folder of the checkpoints, beside the output."""
        return self.output.with_name(f"{self.output.name}.parts")

    @cached_property
    def fingerprint(self) -> str:
        """The input's contents, hashed."""
        with self.input.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    @cached_property
    def settings(self) -> dict[str, Any]:
        """All that the output depends on; two runs that agree in it go on with each other's parts."""
        embedder = self.embedder
        return {
            "input": self.fingerprint,
            "format": self.input.suffix.lower(),
            "column": embedder.column,
            "output column": embedder.output,
            **embedder.identity.to_dict(),
            "text instruction": embedder.text_instruction,
            "skip empty": self.skip_empty,
        }

    @cached_property
    def digest(self) -> str:
        """`settings`, hashed."""
        return hashlib.sha256(json.dumps(self.settings, sort_keys=True).encode()).hexdigest()

    def check(self) -> None:
        """Raises FileError where the output is no Parquet file or is the input."""
        if self.output.suffix.lower() != ".parquet":
            raise FileError(f"{self.output}: the output is a Parquet file, name it ...parquet")
        if self.output.exists() and self.input.exists() and self.output.samefile(self.input):
            raise FileError(f"{self.output}: the output would replace the input")
        if not self.output.absolute().parent.is_dir():
            raise FileError(f"{self.output.parent}: no such folder")
