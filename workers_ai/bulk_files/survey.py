"""The input, read once before anything is sent: how much it is, and whether every row can be embedded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workers_ai.bulk_files.estimate import cost_of_tokens, likely_tokens
from workers_ai.bulk_files.failure import FileError
from workers_ai.bulk_files.source import Source, source
from workers_ai.errors import BadRequestError

if TYPE_CHECKING:
    from workers_ai.bulk_files.job import EmbedJob
    from workers_ai.cost import Cost

Texts = list[str | None]


@dataclass(frozen=True, slots=True)
class Survey:
    """What an input holds.

    rows: all of them. texts: those with a text. tokens: estimated, of the texts that will be sent (a text that stands
    twice in one checkpoint is sent once). requests: at the most texts a request may hold. cost: by list price, None
    where the catalogue has none.
    """

    source: Source
    rows: int
    texts: int
    tokens: int
    requests: int
    cost: Cost | None


def survey(job: EmbedJob, *, skip: int = 0) -> Survey:
    """Reads the whole input. skip: rows at its beginning that are done and count in `rows` alone.

    Raises FileError, naming the row, for a text that is missing, empty or none; rows are counted from 1.
    """
    found = source(job.input)
    check_columns(job, found.schema)
    job.embedder.requests_needed([])  # settings that no request may have, pooling for one, are told as they are
    rows = texts = tokens = requests = 0
    for table in found.tables(job.rows_at_once):
        column = texts_of(job, table, first_row=rows + 1)
        told = [text for text in column[max(0, skip - rows) :] if text is not None]
        different = list(dict.fromkeys(told))
        rows += table.num_rows
        texts += len(told)
        tokens += sum(likely_tokens(text, job.embedder) for text in different)
        requests += _requests_for(job, different, column, first_row=rows - table.num_rows + 1)
    return Survey(found, rows, texts, tokens, requests, cost_of_tokens(tokens, job.embedder.model))


def _requests_for(job: EmbedJob, different: Sequence[str], column: Texts, *, first_row: int) -> int:
    """Requests for these texts. Raises FileError, naming the row, for a text that no request may hold."""
    try:
        return job.embedder.requests_needed(different)
    except BadRequestError:
        for row, text in enumerate(column, first_row):
            try:
                job.embedder.requests_needed([] if text is None else [text])
            except BadRequestError as refused:
                raise FileError(f"{job.input}, row {row}: {refused.message.removeprefix('texts[0]').strip()}") from None
        raise


def check_columns(job: EmbedJob, schema: Any) -> None:
    """Raises FileError where the column of the texts is missing, or the new column's name is taken."""
    names = schema.names
    if job.embedder.column not in names:
        raise FileError(f"{job.input} has no column {job.embedder.column!r}; it has {', '.join(map(repr, names))}")
    if job.embedder.output in names:
        raise FileError(f"{job.input} has a column {job.embedder.output!r} already: name the new one otherwise")


def texts_of(job: EmbedJob, table: Any, *, first_row: int) -> Texts:
    """The texts of a table, None for those that are skipped."""
    column = table.column(job.embedder.column).to_pylist()
    return list(_checked(column, job, first_row))


def _checked(column: Sequence[Any], job: EmbedJob, first_row: int) -> Iterator[str | None]:
    for row, text in enumerate(column, first_row):
        if text is None or text == "":
            if not job.skip_empty:
                raise FileError(
                    f"{job.input}, row {row}: no text in column {job.embedder.column!r};"
                    " such rows can be skipped (they get no vector)"
                )
            yield None
        elif isinstance(text, str):
            yield text
        else:
            raise FileError(f"{job.input}, row {row}: {type(text).__name__} in column {job.embedder.column!r}, no text")
