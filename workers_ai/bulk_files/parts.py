"""The checkpoints: rows that are done, in numbered files beside the output."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workers_ai.bulk_files.arrow import arrow
from workers_ai.bulk_files.durable import UNFINISHED, sync_folder, written
from workers_ai.bulk_files.failure import FileError, SettingsChangedError
from workers_ai.bulk_files.lock import held
from workers_ai.bulk_files.parquet import opened

if TYPE_CHECKING:
    from workers_ai.bulk_files.job import EmbedJob

ROWS_IN_A_GROUP = 1000
"""Of a Parquet file: what is held in memory at once, several times over, when it is written or read."""

_MANIFEST, _LOCK, _NAME = "manifest.json", "lock", "part-{:05}.parquet"


@dataclass(slots=True)
class Parts:
    """The folder of one job's checkpoints. rows: how many the files hold, from the input's first on, without a gap."""

    folder: Path
    files: list[Path] = field(default_factory=list)
    rows: int = 0

    def add(self, table: Any) -> None:
        """Keeps the next rows: once this returns, no kill loses them."""
        path = self.folder / _NAME.format(len(self.files) + 1)
        with written(path) as file, parquet_writer(file, table.schema) as writer:
            writer.write_table(table, row_group_size=ROWS_IN_A_GROUP)
        self.files.append(path)
        self.rows += table.num_rows

    def remove(self) -> None:
        """Removes the folder and all in it, the last part first: a kill meanwhile leaves no gap."""
        for path in reversed(self.files):
            path.unlink()
        shutil.rmtree(self.folder)
        sync_folder(self.folder.parent)


@contextmanager
def parts_of(job: EmbedJob) -> Iterator[Parts]:
    """The parts of `job` so far, for this process alone.

    Raises SettingsChangedError where the folder holds another job's, and FileError where another process is at work.
    """
    job.parts.mkdir(exist_ok=True)
    with held(job.parts / _LOCK):
        _check_manifest(job)
        for unfinished in job.parts.glob(f"*{UNFINISHED}"):
            unfinished.unlink()
        parts = Parts(job.parts, sorted(job.parts.glob(_NAME.format(0).replace("00000", "*"))))
        for number, path in enumerate(parts.files, 1):
            if path.name != _NAME.format(number):
                raise FileError(f"{job.parts}: {_NAME.format(number)} is missing; remove the folder to begin anew")
            with opened(path) as file:
                parts.rows += file.metadata.num_rows
        yield parts


def parquet_writer(file: Any, schema: Any) -> Any:
    """A writer of tables with this schema. Numbers of vectors hardly repeat: no dictionary for the last column."""
    others = schema.names[:-1]
    return arrow("pyarrow.parquet").ParquetWriter(file, schema, use_dictionary=others or False)


def _check_manifest(job: EmbedJob) -> None:
    path = job.parts / _MANIFEST
    if not path.exists():
        if any(job.parts.glob("*.parquet")):
            raise FileError(f"{job.parts} holds no parts of ours; remove it, or name another output")
        with written(path) as file:
            file.write(json.dumps(job.settings, indent=1).encode())
        return
    try:
        before = json.loads(path.read_bytes())
    except ValueError:
        raise FileError(f"{path} cannot be read; remove {job.parts} to begin anew") from None
    changed = [name for name in {**before, **job.settings} if before.get(name) != job.settings.get(name)]
    if changed:
        raise SettingsChangedError(f"{job.parts} holds the parts of another run: {_told(changed, before, job)}")


def _told(changed: list[str], before: dict[str, Any], job: EmbedJob) -> str:
    told = [
        f"{job.input} has changed since"
        if name == "input"
        else f"{name} was {before.get(name)!r}, now {job.settings.get(name)!r}"
        for name in changed
    ]
    return "; ".join(told)
