from hypothesis import given, settings
from hypothesis import strategies as st

from workers_ai.local import tokens


@settings(database=None)
@given(st.text())
def test_the_pieces_joined_are_the_text(text):
    pieces = tokens.split(text)
    assert "".join(pieces) == text
    assert "" not in pieces
    assert tokens.count(text) == len(pieces)


@settings(database=None)
@given(st.text(alphabet="a1 .\n"))
def test_digits_share_a_piece_with_nothing(text):
    assert all(piece.isdecimal() or not any(c.isdecimal() for c in piece) for piece in tokens.split(text))


def test_words_keep_the_blank_before_them_and_numbers_do_not():
    assert tokens.split("It cost 42 crowns.") == ["It", " cost", " ", "42", " crowns", "."]


def test_truncation_counts_pieces():
    assert tokens.truncate("one two three", 2) == "one two"
