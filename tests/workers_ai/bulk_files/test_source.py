"""Files of rows: every format, a table at a time, and what cannot be read."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from workers_ai.bulk_files.failure import FileError
from workers_ai.bulk_files.source import source

ROWS = [{"id": number, "text": f"text {number}"} for number in range(25)]


def jsonl(path, rows=ROWS):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def csv(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def parquet(path, rows=ROWS, **options):
    pq.write_table(pa.Table.from_pylist(rows), path, **options)
    return path


def made(folder, kind):
    if kind == "parquet":
        return parquet(folder / "in.parquet", row_group_size=7)
    if kind == "jsonl":
        return jsonl(folder / "in.jsonl")
    return csv(folder / "in.csv", "id,text\n" + "".join(f"{row['id']},{row['text']}\n" for row in ROWS))


def rows_of(path, size=10, **options):
    return [row for table in source(path).tables(size, **options) for row in table.to_pylist()]


@pytest.mark.parametrize("kind", ["parquet", "jsonl", "csv"])
@pytest.mark.parametrize("size", [1, 7, 10, 25, 99])
@pytest.mark.parametrize("skip", [0, 3, 10, 24, 25])
def test_the_rows_come_in_tables_of_one_size_and_the_last_is_smaller(tmp_path, kind, size, skip):
    tables = list(source(made(tmp_path, kind)).tables(size, skip=skip))
    assert [row["text"] for table in tables for row in table.to_pylist()] == [row["text"] for row in ROWS[skip:]]
    assert all(table.num_rows == size for table in tables[:-1])


def test_csv_keeps_text_as_it_is(tmp_path):
    """No number is guessed, and a cell may hold line breaks, quotes, commas and more than 128 KiB."""
    long = "x" * 200_000
    path = csv(tmp_path / "in.csv", f'\ufeffid,text\n007,"one,\n""two"""\n\n1e3,{long}\n')
    assert rows_of(path) == [{"id": "007", "text": 'one,\n"two"'}, {"id": "1e3", "text": long}]


def test_a_tsv_file_is_cut_at_tabs(tmp_path):
    assert rows_of(csv(tmp_path / "in.tsv", "id\ttext\n1\ta, b\n")) == [{"id": "1", "text": "a, b"}]


def test_json_columns_that_agree_in_no_type_become_json_text(tmp_path):
    """And a key that stands in some rows alone is null in the others."""
    rows = [{"text": "a", "mixed": 1, "none": {}}, {"text": "b", "mixed": "x", "late": [1.5]}]
    assert rows_of(jsonl(tmp_path / "in.jsonl", rows)) == [
        {"text": "a", "mixed": "1", "none": "{}", "late": None},
        {"text": "b", "mixed": '"x"', "none": None, "late": [1.5]},
    ]


def test_json_types_are_those_of_all_rows_not_of_the_first(tmp_path):
    rows = [{"text": "a", "value": None, "meta": {"page": 1}}] * 10_001
    rows += [{"text": "b", "value": 2.5, "meta": {"author": "B"}}]
    found = source(jsonl(tmp_path / "in.jsonl", rows))
    assert found.schema.field("value").type == pa.float64()
    last = list(found.tables(5000))[-1].to_pylist()[-1]
    assert last == {"text": "b", "value": 2.5, "meta": {"page": None, "author": "B"}}


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("in.jsonl", '{"text": "a"}\n{"text": \n', "line 2: no JSON"),
        ("in.jsonl", '{"text": "a"}\n\n["b"]\n', "line 3: an object is wanted, not list"),
        ("in.csv", "", "is empty"),
        ("in.csv", "text,text\na,b\n", "two columns are called 'text'"),
        ("in.csv", "id,text\n1,a\n2\n", "row 2: 1 cells, but 2 columns"),
        ("in.csv", 'id,text\n1,"a\n', "line 2"),
        ("in.parquet", "text\n", "is no Parquet file"),
        ("in.xlsx", "text\n", r"the ending says the format: \.jsonl"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place(tmp_path, name, text, told):
    with pytest.raises(FileError, match=told):
        rows_of(csv(tmp_path / name, text))


def test_a_file_that_is_not_utf_8_is_told(tmp_path):
    (tmp_path / "in.csv").write_bytes(b"text\ncaf\xe9\n")
    with pytest.raises(FileError, match="utf-8"):
        rows_of(tmp_path / "in.csv")


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(FileError, match="no such file"):
        source(tmp_path / "in.csv")
