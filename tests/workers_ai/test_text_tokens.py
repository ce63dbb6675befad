"""How many tokens a text has, by rough counts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers_ai.text_tokens import at_least, likely

PROSE = (
    "The ferry carries forty cars and leaves twice a day. In the evening the harbour master closes the gate, and"
    " whoever comes later waits on the quay until the first boat of the morning has been unloaded. "
)


@pytest.mark.parametrize(("text", "least"), [("", 0), ("  \n ", 0), ("word", 1), ("two  words\n", 2), ("x" * 999, 1)])
def test_a_text_has_a_token_for_each_word_at_least(text: str, least: int):
    assert at_least(text) == least


def test_prose_has_somewhat_fewer_tokens_than_is_likely():
    """45 or so in any of the usual tokenizers."""
    assert at_least(PROSE) == 37
    assert 45 <= likely(PROSE) <= 60


@pytest.mark.parametrize(
    ("text", "tokens"),
    [("", 1), ("word", 2), ("a b c d", 4), ("港は夜九時に閉まる", 7), ("\ud800", 1)],
)
def test_scripts_without_blanks_count_by_their_bytes(text: str, tokens: int):
    assert likely(text) == tokens


@given(st.text())
def test_no_text_has_fewer_than_the_least(text: str):
    assert at_least(text) <= likely(text) + len(text) - len(text.replace("\n", "")) + sum(map(str.isspace, text))
