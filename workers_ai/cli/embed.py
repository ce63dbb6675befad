"""`workers-ai embed`: a file of texts in, a Parquet file with their vectors out."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workers_ai.bulk_files.arrow import arrow
from workers_ai.bulk_files.budget import Budget
from workers_ai.bulk_files.failure import FileError, SettingsChangedError
from workers_ai.bulk_files.job import EmbedJob
from workers_ai.bulk_files.output import is_done
from workers_ai.bulk_files.parts import parts_of
from workers_ai.bulk_files.run import OnTexts, Outcome, run
from workers_ai.bulk_files.survey import Survey, survey
from workers_ai.cli.failure import CommandError, one_line
from workers_ai.cost import USD_PER_NEURON
from workers_ai.errors import QuotaExceededError, WorkersAIError
from workers_ai.text_embedder import TextEmbedder

if TYPE_CHECKING:
    from workers_ai.bulk_files.ledger import Spent

STOPPED_BY_A_LIMIT = 3
"""The exit code of a run that ended before a limit was passed, with work left to do."""

_INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Embed:
    """What the command was told."""

    job: EmbedJob
    budget: Budget
    dry_run: bool = False
    overwrite: bool = False


def main(told: Embed) -> None:
    """Run the command. Raises CommandError for files that cannot be used and for a run that failed; SystemExit with 3
    for one that a limit stopped."""
    try:
        _main(told)
    except SettingsChangedError as error:
        raise CommandError(
            f"{error}. Give the same options to go on, --overwrite to begin anew, or name another output"
        ) from None
    except (FileError, ModuleNotFoundError) as error:
        raise CommandError(str(error)) from None


def _main(told: Embed) -> None:
    # Arrow's own allocator keeps what it once had: some 60 MB more at the peak.
    arrow().set_memory_pool(arrow().system_memory_pool())
    job = told.job
    job.check()
    told.budget.check(job.embedder.model)
    if is_done(job, overwrite=told.overwrite or told.dry_run) and not told.dry_run:
        _remove_own_parts(job)
        _say(f"{job.output} is there already, made from this input with these options: nothing to do.")
        return
    if told.overwrite:
        _remove_other_parts(job)
    found = survey(job, skip=_rows_kept(job))
    if told.dry_run:
        _say(_estimate(job, found))
        return
    outcome = Outcome()
    try:
        with _progress(found, rows_kept=_rows_kept(job)) as on_texts:
            run(job, found, budget=told.budget, on_texts=on_texts, outcome=outcome)
    except KeyboardInterrupt:
        print(f"\nworkers-ai: interrupted. {_kept(job, found, outcome)} {_again()}", file=sys.stderr)
        raise SystemExit(_INTERRUPTED) from None
    except WorkersAIError as error:
        when = " when the allocation is back" if isinstance(error, QuotaExceededError) else ""
        raise CommandError(f"{one_line(error)} {_kept(job, found, outcome)} {_again(when)}") from None
    if outcome.limit is None:
        _say(f"Embedded {found.rows:,} rows into {job.output}. {_spent(outcome.spent)}")
        return
    print(f"workers-ai: {_stopped(job, found, outcome)}", file=sys.stderr)
    raise SystemExit(STOPPED_BY_A_LIMIT)


def _rows_kept(job: EmbedJob) -> int:
    """Rows that earlier runs have kept; none where there was no run."""
    if not job.parts.exists():
        return 0
    with parts_of(job) as parts:
        return parts.rows


def _remove_own_parts(job: EmbedJob) -> None:
    """Removes what a kill between the last two steps has left."""
    if job.parts.exists():
        with suppress(SettingsChangedError), parts_of(job) as parts:
            parts.remove()


def _remove_other_parts(job: EmbedJob) -> None:
    """Removes the parts of another run; this job's own stay, so that the same command goes on after a kill."""
    import shutil

    try:
        _rows_kept(job)
    except SettingsChangedError:
        shutil.rmtree(job.parts)


@contextmanager
def _progress(found: Survey, *, rows_kept: int) -> Iterator[OnTexts]:
    """A bar with texts a second, neurons and USD; nothing where there is no terminal."""
    try:
        from tqdm import tqdm  # type: ignore[import-untyped]
    except ModuleNotFoundError:
        yield lambda *_: None
        return
    # disable=None: only on a terminal. Lines that others write would break the bar, so it is gone at the end.
    with tqdm(total=found.texts, unit="text", unit_scale=True, disable=None, leave=False) as bar:

        def on_texts(count: int, spent: Spent) -> None:
            bar.set_postfix_str(_cost(spent.neurons, unknown=spent.unknown), refresh=False)
            bar.update(count)

        yield on_texts


def _estimate(job: EmbedJob, found: Survey) -> str:
    cost = "cost unknown: the catalogue has no price of this model"
    if found.cost is not None:
        cost = _cost(found.cost.neurons)
    left = found.rows - (kept := _rows_kept(job))
    resumed = f" ({kept:,} of {found.rows:,} are done)" if kept else ""
    return (
        f"{job.input}: {left:,} rows to embed with {job.embedder.model}{resumed}\n"
        f"About {found.texts:,} texts, {found.tokens:,} tokens, {found.requests:,} requests: {cost}.\n"
        "Tokens are estimated and prices are the catalogue's. Nothing was sent."
    )


def _stopped(job: EmbedJob, found: Survey, outcome: Outcome) -> str:
    assert outcome.limit is not None
    how = f"Go on with a higher {outcome.limit.name}."
    if outcome.limit.daily:
        how = (
            "Go on with the same command when the day's free neurons are back: the documented time is 00:00 UTC, but"
            " later ones have been seen."
        )
    return f"stopped before {outcome.limit.name} was passed. {_kept(job, found, outcome)} {how}"


def _kept(job: EmbedJob, found: Survey, outcome: Outcome) -> str:
    return f"{outcome.rows:,} of {found.rows:,} rows are done and kept in {job.parts}. {_spent(outcome.spent)}"


def _again(when: str = "") -> str:
    return f"The same command goes on from there{when}."


def _spent(spent: Spent) -> str:
    cost = _cost(spent.neurons, unknown=spent.unknown)
    tokens = f" {spent.tokens:,} tokens," if spent.tokens else ""  # many models do not tell them (quirk 66)
    return f"This run: {spent.requests:,} requests,{tokens} {cost}."


def _cost(neurons: float, *, unknown: int = 0) -> str:
    if unknown:
        return "cost unknown to service and catalogue"
    return f"{neurons:,.1f} neurons, {neurons * USD_PER_NEURON:.4f} USD"


def _say(text: str) -> None:
    print(text, flush=True)


def embedder(**options: Any) -> TextEmbedder:
    """The embedder of the command's options; for those that are unset its own defaults hold."""
    return TextEmbedder(**{name: value for name, value in options.items() if value is not None})
