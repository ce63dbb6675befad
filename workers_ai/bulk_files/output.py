"""The file that a job leaves: all its parts in one, with the identity of the vectors."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from workers_ai.bulk_files.arrow import arrow
from workers_ai.bulk_files.durable import written
from workers_ai.bulk_files.failure import FileError
from workers_ai.bulk_files.parquet import opened
from workers_ai.bulk_files.parts import Parts, parquet_writer

if TYPE_CHECKING:
    from workers_ai.bulk_files.job import EmbedJob
    from workers_ai.packed import PackedVectors

IDENTITY, JOB = b"workers_ai.embedding_identity", b"workers_ai.job"
"""Keys in the schema's metadata: model, pooling and dimensions as JSON, and what tells one job from another."""


def schema_of(job: EmbedJob, schema: Any) -> Any:
    """The output's schema: the input's, the vectors as list<float>, and what they are in its metadata."""
    pa = arrow()
    told = {IDENTITY: json.dumps(job.embedder.identity.to_dict()).encode(), JOB: job.digest.encode()}
    field = pa.field(job.embedder.output, pa.list_(pa.float32()))
    return schema.append(field).with_metadata({**(schema.metadata or {}), **told})


def with_vectors(table: Any, packed: PackedVectors, schema: Any) -> Any:
    """The table with its vectors, as the output holds it."""
    return arrow().table([*table.columns, packed.to_arrow()], schema=schema)


def is_done(job: EmbedJob, *, overwrite: bool) -> bool:
    """Whether the output is there already, made by this very job.

    Raises FileError for an output of something else, unless it may be overwritten.
    """
    if not job.output.exists():
        return False
    try:
        with opened(job.output) as file:
            found = (file.schema_arrow.metadata or {}).get(JOB) == job.digest.encode()
    except FileError:
        found = False
    if not found and not overwrite:
        raise FileError(f"{job.output} is there already and of another run")
    return found


def assemble(job: EmbedJob, parts: Parts, schema: Any) -> None:
    """Writes the output, one row group at a time, and gives it its name when it is whole."""
    with written(job.output, beside=parts.folder) as file, parquet_writer(file, schema) as writer:
        for path in parts.files:
            with opened(path) as part:
                for number in range(part.num_row_groups):
                    writer.write_table(part.read_row_group(number, use_threads=False))
