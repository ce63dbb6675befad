"""The work: checkpoint after checkpoint, until all is done or a limit is reached."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from workers_ai.bulk_files.arrow import arrow
from workers_ai.bulk_files.budget import Budget, Limit, at_most, rows_within
from workers_ai.bulk_files.ledger import Ledger, Spent
from workers_ai.bulk_files.output import assemble, schema_of, with_vectors
from workers_ai.bulk_files.parts import Parts, parts_of
from workers_ai.bulk_files.survey import Survey, Texts, texts_of
from workers_ai.packed import PackedVectors

if TYPE_CHECKING:
    from workers_ai.answers import Vectors
    from workers_ai.bulk_files.job import EmbedJob

OnTexts = Callable[[int, Spent], object]
"""Called with the number of texts that one more answer brought, and what this run has spent; one call at a time."""


@dataclass(slots=True)
class Outcome:
    """How far a run came. rows: kept, of all runs together. found_rows: kept by the runs before.

    spent: by this run. limit: the one that stopped it, None where none did.
    """

    rows: int = 0
    found_rows: int = 0
    spent: Spent = field(default_factory=Spent)
    limit: Limit | None = None


def run(
    job: EmbedJob,
    found: Survey,
    *,
    budget: Budget | None = None,
    on_texts: OnTexts | None = None,
    outcome: Outcome | None = None,
) -> Outcome:
    """Does what is left of `job`; when nothing is, writes the output and removes the parts.

    found: what `survey` said of the input. budget: ends the run before it is passed. outcome: filled while the run
    lasts, for whoever wants to know how far a run came that failed.
    Whatever is raised, and wherever the process ends, the checkpoints are kept, and the same call goes on with them.
    """
    outcome = outcome or Outcome()
    with parts_of(job) as parts:
        schema = schema_of(job, found.source.schema)
        worker = _Worker(job, parts, Ledger.of(parts.folder), budget or Budget(), schema, outcome, on_texts)
        outcome.rows = outcome.found_rows = parts.rows
        for table in found.source.tables(job.rows_at_once, skip=parts.rows):
            worker.checkpoint(table)
            arrow().default_memory_pool().release_unused()  # or the allocator keeps what the answers took
            if outcome.limit is not None:
                return outcome
        assemble(job, parts, schema)
        parts.remove()
    return outcome


@dataclass(slots=True)
class _Worker:
    """Embeds one checkpoint after the other, and keeps each."""

    job: EmbedJob
    parts: Parts
    ledger: Ledger
    budget: Budget
    schema: Any
    outcome: Outcome
    on_texts: OnTexts | None

    def checkpoint(self, table: Any) -> None:
        """Embeds the rows of `table`, or as many as the budget allows: then `outcome.limit` names the limit."""
        texts = texts_of(self.job, table, first_row=self.parts.rows + 1)
        while texts:
            limit = self.budget.nearest(self.ledger)
            count = self._rows_within(texts, limit)
            if count == 0:
                self.outcome.limit = limit
                return
            self._embed(table.slice(0, count), texts[:count])
            table, texts = table.slice(count), texts[count:]

    def _rows_within(self, texts: Texts, limit: Limit | None) -> int:
        """How many rows the limit surely allows; none where less than a whole request would fit."""
        if limit is None:
            return len(texts)
        count = rows_within(texts, limit.left, self.job.embedder)
        return count if count >= min(len(texts), self.job.embedder.texts_in_a_request) else 0

    def _embed(self, table: Any, texts: Texts) -> None:
        by_text: dict[str, bytes] = {}
        spent = Spent()
        reserved = at_most(texts, self.job.embedder)
        day = self.ledger.reserve(reserved)

        def take(answer: Vectors) -> None:
            spent.add(answer)
            self.outcome.spent.add(answer)
            if self.on_texts is not None:
                self.on_texts(len(answer.rows), self.outcome.spent)

        try:
            self.job.embedder.pack(texts, into=by_text, on_answer=take, first=self.parts.rows)
        finally:  # after a failure too: what was answered is paid for
            self._keep(table, texts, by_text)
            self.ledger.settle(day, max(spent.neurons, reserved) if spent.unknown else spent.neurons)

    def _keep(self, table: Any, texts: Texts, by_text: dict[str, bytes]) -> None:
        """Keeps the rows up to the first one that has no vector yet."""
        done = (row for row, text in enumerate(texts) if text is not None and text not in by_text)
        count = next(done, len(texts))
        if count:
            packed = PackedVectors([None if text is None else by_text[text] for text in texts[:count]])
            self.parts.add(with_vectors(table.slice(0, count), packed, self.schema))
            self.outcome.rows = self.parts.rows
