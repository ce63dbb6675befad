"""Which files a corpus has, and how they are cut."""

from __future__ import annotations

import os

import pytest

from workers_ai.cli.corpus_files import LONGEST, SHIPPED, read_corpus, split
from workers_ai.cli.failure import CommandError


def test_a_paragraph_keeps_its_heading():
    """So that it can be found by the name of what it is about."""
    assert split("# Ferry\n\nIt sails daily.\n\nIt is blue.\n") == [
        "# Ferry\n\nIt sails daily.",
        "# Ferry\n\nIt is blue.",
    ]


def test_headings_that_follow_each_other_stay_together():
    """The title of the page says what the first section is about."""
    assert split("# Town\n\n## Ferry\nIt sails.\n\n## Mill\n\nIt grinds.") == [
        "# Town\n## Ferry\n\nIt sails.",
        "## Mill\n\nIt grinds.",
    ]


def test_a_heading_without_a_paragraph_is_not_lost():
    """It may be all that a file says."""
    assert split("# Closed until spring") == ["# Closed until spring"]


@pytest.mark.parametrize("text", ["", " \n\n\t\n", "\n"])
def test_blank_text_has_no_passages(text):
    """There is nothing to embed."""
    assert split(text) == []


@pytest.mark.parametrize("word", ["word. ", "word ", "x"])
def test_a_paragraph_without_an_end_is_cut_and_loses_nothing(word):
    """After a sentence, else at a blank, else anywhere; each piece fits a small embedding model."""
    text = (word * 2000).strip()
    pieces = split(text)
    assert all(0 < len(piece) <= LONGEST for piece in pieces)
    assert "".join("".join(pieces).split()) == "".join(text.split())


def test_markdown_and_text_files_are_read_in_folders_below_too(tmp_path):
    """In the order of their paths; whatever else is there, hidden files and folders too, is passed over."""
    for name in ("b.txt", "a/deep/c.MD", "a/picture.png", ".git/d.md", ".e.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"This is {name}.")
    corpus = read_corpus(tmp_path)
    assert [(found.source, found.text) for found in corpus.passages] == [
        ("a/deep/c.MD", "This is a/deep/c.MD."),
        ("b.txt", "This is b.txt."),
    ]
    assert corpus.files == 2


def test_windows_line_ends_and_a_byte_order_mark_are_no_text(tmp_path):
    """Files come as the editors of all systems write them."""
    (tmp_path / "a.txt").write_bytes("\ufeffOne é.\r\n\r\nTwo.\r\n".encode())
    assert [found.text for found in read_corpus(tmp_path).passages] == ["One é.", "Two."]


def test_empty_files_are_passed_over_and_named(tmp_path):
    """They are told, so that nobody waits for an answer from them."""
    (tmp_path / "a.md").write_text("Text.")
    (tmp_path / "b.md").write_text("\n\n")
    assert read_corpus(tmp_path).empty == ["b.md"]


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        (None, b"", "found none"),
        ("a.pdf", b"%PDF", "found none"),
        ("a.md", b" \n", "only empty ones: a.md"),
        ("a.md", "Größe".encode("latin-1"), "a.md is not UTF-8 text (byte 2)"),
    ],
)
def test_a_folder_without_readable_text_is_refused(tmp_path, name, content, told):
    """With what was found, or which file is to blame."""
    if name is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(CommandError) as refusal:
        read_corpus(tmp_path)
    assert told in str(refusal.value)


def test_a_missing_folder_and_a_file_in_its_place_are_told_apart(tmp_path):
    """Each with its own line."""
    (tmp_path / "a.md").write_text("Text.")
    with pytest.raises(CommandError, match="no such folder"):
        read_corpus(tmp_path / "missing")
    with pytest.raises(CommandError, match="is a file"):
        read_corpus(tmp_path / "a.md")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="needs a user whom permissions bind")
def test_a_file_that_may_not_be_read_is_named(tmp_path):
    """In one line, without a traceback."""
    (tmp_path / "a.md").write_text("Text.")
    (tmp_path / "a.md").chmod(0)
    with pytest.raises(CommandError, match=r"a\.md cannot be read"):
        read_corpus(tmp_path)


def test_the_shipped_corpus_is_small_and_complete():
    """A few hundred words, and no file of it empty."""
    corpus = read_corpus(SHIPPED)
    assert 8 <= corpus.files <= 12
    assert not corpus.empty
    assert sum(len(found.text.split()) for found in corpus.passages) < 1000
