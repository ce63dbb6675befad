"""A job in checkpoints: what it makes, what it keeps when it ends early, and what it refuses to go on with."""

from __future__ import annotations

import json
import os
from pathlib import Path

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from workers_ai import BadRequestError, QuotaExceededError
from workers_ai.bulk_files.budget import FREE_NEURONS_A_DAY, Budget
from workers_ai.bulk_files.failure import FileError, SettingsChangedError
from workers_ai.bulk_files.job import EmbedJob
from workers_ai.bulk_files.ledger import Ledger
from workers_ai.bulk_files.output import is_done
from workers_ai.bulk_files.parts import parts_of
from workers_ai.bulk_files.run import run
from workers_ai.bulk_files.survey import survey

QUOTA = {"errors": [{"message": "you have used up your daily free allocation", "code": 4006}], "success": False}


@pytest.fixture
def job(tmp_path, counting):
    """Makes a job over rows of JSON lines: 95 of them if not told."""

    def make(rows=None, *, checkpoint_rows=30, skip_empty=False, **options) -> EmbedJob:
        rows = [{"id": n, "text": "x" * (n + 1)} for n in range(95)] if rows is None else rows
        path = tmp_path / "in.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        embedder = counting.embedder(**options)
        return EmbedJob(path, tmp_path / "out.parquet", embedder, skip_empty, checkpoint_rows)

    return make


def done(job: EmbedJob, **options):
    return run(job, survey(job), **options)


def vectors(job: EmbedJob) -> list[list[float] | None]:
    return pq.read_table(job.output).column(job.embedder.output).to_pylist()


def of(lengths) -> list[list[float]]:
    return [[float(length), 0.5, -1.0] for length in lengths]


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_all_rows_come_out_in_order_with_their_vectors_and_the_parts_are_gone(job, tmp_path):
    made = job()
    outcome = done(made)
    table = pq.read_table(made.output)
    assert table.column_names == ["id", "text", "embedding"]
    assert table.schema.field("embedding").type == pa.list_(pa.field("element", pa.float32()))
    assert table.column("id").to_pylist() == list(range(95))
    assert vectors(made) == of(range(1, 96))
    assert (outcome.rows, outcome.found_rows, outcome.limit) == (95, 0, None)
    assert names(tmp_path) == {"in.jsonl", "out.parquet"}


def test_the_output_says_of_which_model_and_pooling_it_is(job):
    made = job(pooling="mean")
    done(made)
    told = json.loads(pq.read_schema(made.output).metadata[b"workers_ai.embedding_identity"])
    assert told == {"model": made.embedder.model, "pooling": "mean", "dimensions": 384}


def test_a_text_that_stands_twice_in_a_checkpoint_is_sent_once(job, counting):
    done(job([{"text": "same"}] * 30))
    assert counting.texts == {"same": 1}


def test_an_input_without_rows_gives_an_output_without_rows(job, tmp_path, counting):
    made = job()
    path = tmp_path / "in.csv"
    path.write_text("text\n")
    empty = EmbedJob(path, tmp_path / "out.parquet", made.embedder)
    done(empty)
    assert pq.read_table(empty.output).num_rows == counting.requests == 0


@pytest.mark.parametrize("value", ["", None])
def test_a_row_without_a_text_is_named_before_anything_is_sent(job, counting, value):
    with pytest.raises(FileError, match="row 95: no text in column 'text'"):
        done(job([{"text": "a"}] * 94 + [{"text": value}]))
    assert counting.requests == 0


def test_a_row_without_a_text_gets_no_vector_where_it_may_be_skipped(job):
    made = job([{"text": "a"}, {"text": ""}, {"text": None}, {"text": "b"}], skip_empty=True)
    done(made)
    assert vectors(made) == [[1.0, 0.5, -1.0], None, None, [1.0, 0.5, -1.0]]


def test_a_column_that_is_no_text_is_named(job):
    with pytest.raises(FileError, match="row 1: int in column 'text', no text"):
        survey(job([{"text": 5}]))


def test_a_text_that_is_surely_too_long_is_named_before_anything_is_sent(job, counting):
    rows = [{"text": "a"}] * 40 + [{"text": "word " * 9000}, {"text": "b"}]
    with pytest.raises(FileError, match=r"in\.jsonl, row 41: "):
        survey(job(rows, model="@cf/baai/bge-m3"))
    assert counting.requests == 0


def test_settings_that_no_request_may_have_are_no_row_s_fault(job, counting):
    with pytest.raises(BadRequestError, match="pooling"):
        survey(job(model="@cf/baai/bge-m3", pooling="mean"))


def test_a_missing_column_and_a_taken_one_are_told(job):
    with pytest.raises(FileError, match="no column 'body'; it has 'id', 'text'"):
        survey(job(column="body"))
    with pytest.raises(FileError, match="a column 'id' already"):
        survey(job(output="id"))


@pytest.mark.parametrize("refused", [1, 2, 5, 9])
@pytest.mark.parametrize("max_concurrency", [1, 4])
def test_after_a_failure_all_that_was_answered_in_order_is_kept_and_not_sent_again(
    job, counting, refused, max_concurrency
):
    """The day's allocation is spent at some request; the next run does the rest."""
    counting.refuse = lambda number: httpx.Response(429, json=QUOTA) if number == refused else None
    made = job(max_concurrency=max_concurrency)
    with pytest.raises(QuotaExceededError):
        done(made)
    with parts_of(made) as parts:
        kept = parts.rows
    assert kept <= sum(counting.texts.values()) < 95
    if max_concurrency == 1:
        assert kept == 10 * (refused - 1)
    counting.refuse = lambda _: None
    outcome = done(made)
    assert (outcome.found_rows, outcome.rows) == (kept, 95)
    assert vectors(made) == of(range(1, 96))
    assert sum(counting.texts.values()) <= 95 + 30
    if max_concurrency == 1:
        assert set(counting.texts.values()) == {1}


def interrupted(job, counting) -> EmbedJob:
    """A job that stopped in its second checkpoint."""
    counting.refuse = lambda number: httpx.Response(429, json=QUOTA) if number == 5 else None
    with pytest.raises(QuotaExceededError):
        done(job)
    counting.refuse = lambda _: None
    return job


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"pooling": "cls"}, "pooling was 'mean', now 'cls'"),
        ({"model": "@cf/baai/bge-base-en-v1.5"}, "model was '@cf/baai/bge-small-en-v1.5', now"),
        ({"output": "vector"}, "output column was 'embedding', now 'vector'"),
        ({"text_instruction": "passage:"}, "text instruction was None, now 'passage:'"),
    ],
)
def test_parts_of_other_settings_are_refused(job, counting, options, told):
    interrupted(job(), counting)
    before = counting.requests
    with pytest.raises(SettingsChangedError, match=told):
        done(job(**options))
    assert counting.requests == before


def test_parts_of_an_input_that_has_changed_are_refused(job, counting):
    interrupted(job(), counting)
    with pytest.raises(SettingsChangedError, match="has changed since"):
        done(job([{"id": 0, "text": "y"}] * 95))


def test_what_only_paces_the_work_may_change(job, counting):
    interrupted(job(), counting)
    made = job(checkpoint_rows=7, batch_size=3, max_concurrency=2)
    done(made)
    assert vectors(made) == of(range(1, 96))


def test_unfinished_files_of_a_run_that_was_killed_are_swept_away(job, counting):
    made = interrupted(job(), counting)
    (made.parts / "part-00003.parquet.tmp").write_bytes(b"half")
    done(made)
    assert vectors(made) == of(range(1, 96))


def test_a_part_that_is_missing_is_told_and_no_row_is_lost_in_silence(job, counting):
    made = interrupted(job(), counting)
    os.unlink(made.parts / "part-00001.parquet")
    with pytest.raises(FileError, match=r"part-00001\.parquet is missing"):
        done(made)


def test_a_folder_with_other_files_is_left_alone(job):
    made = job()
    made.parts.mkdir()
    (made.parts / "mine.parquet").write_bytes(b"precious")
    with pytest.raises(FileError, match="holds no parts of ours"):
        done(made)


def test_two_processes_do_not_work_on_one_output(job):
    made = job()
    with parts_of(made), pytest.raises(FileError, match="another process"):
        done(made)


def test_an_output_of_this_very_job_is_known_and_another_is_not_replaced(job):
    """So a kill after the last step, before the parts are gone, is mended by the same command."""
    made = job()
    assert is_done(made, overwrite=False) is False
    done(made)
    assert is_done(made, overwrite=False) is True
    with pytest.raises(FileError, match="is there already and of another run"):
        is_done(job(pooling="cls"), overwrite=False)
    assert is_done(job(pooling="cls"), overwrite=True) is False


def test_a_limit_ends_the_run_before_it_is_passed_and_a_higher_one_goes_on(job, counting):
    """The service charges more than the estimate says, and all 95 texts would cost 2.5 neurons."""
    made = job()
    for limit in (0.0001, 0.9, 1.8):
        outcome = done(made, budget=Budget(max_neurons=limit))
        assert outcome.limit is not None
        assert outcome.limit.name == "--max-neurons"
        assert limit / 2 - 0.1 <= counting.neurons <= limit
    assert 0 < outcome.rows < 95
    done(made, budget=Budget(max_usd=1.0))
    assert vectors(made) == of(range(1, 96))
    assert set(counting.texts.values()) == {1}


def test_the_free_allocation_is_that_of_a_day(job, counting):
    """What it costs on other days does not count."""
    made = job()
    made.parts.mkdir()
    ledger = Ledger.of(made.parts)
    ledger.settle(ledger.day(), FREE_NEURONS_A_DAY - 1.0)
    outcome = done(made, budget=Budget(free_only=True))
    assert outcome.limit is not None
    assert outcome.limit.daily
    assert 0.4 < counting.neurons <= 1.0
    ledger = Ledger.of(made.parts)
    assert Budget(free_only=True).nearest(ledger).left == pytest.approx(1.0 - counting.neurons)
    ledger.day = lambda: "2126-01-01"
    assert Budget(free_only=True).nearest(ledger).left == FREE_NEURONS_A_DAY
    assert Budget(max_neurons=20_000).nearest(ledger).left == 20_000 - ledger.total


def test_what_a_killed_checkpoint_may_have_cost_is_counted(tmp_path):
    """It was written down before it was sent; what was settled replaces it."""
    ledger = Ledger.of(tmp_path)
    ledger.settle(ledger.reserve(10.0), 4.0)
    ledger.reserve(7.0)
    assert Ledger.of(tmp_path).total == 11.0
    assert ledger.total == 4.0


def test_a_limit_needs_a_price():
    with pytest.raises(FileError, match="no price of @cf/some/embedder is known"):
        Budget(max_usd=1.0).check("@cf/some/embedder")


def test_the_survey_tells_what_is_left(job, counting):
    found = survey(job(), skip=60)
    assert (found.rows, found.texts, found.requests) == (95, 35, 4)
    assert found.cost.neurons == pytest.approx(found.tokens * 1841 / 1e6, rel=0.01)


def test_what_cannot_be_the_output_is_told(job, tmp_path):
    made = job()
    for output, told in ((tmp_path / "out.csv", "Parquet"), (tmp_path / "no" / "out.parquet", "no such folder")):
        with pytest.raises(FileError, match=told):
            EmbedJob(made.input, output, made.embedder).check()
