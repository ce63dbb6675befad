"""Where many texts are cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers_ai.batching import cut


@pytest.mark.parametrize(
    ("tokens", "most_texts", "most_tokens", "slices"),
    [
        ([], 3, 10, []),
        ([1] * 7, 3, 10, [(0, 3), (3, 6), (6, 7)]),
        ([5, 5, 1], 3, 10, [(0, 2), (2, 3)]),
        ([11, 1, 11], 3, 10, [(0, 1), (1, 2), (2, 3)]),
        ([0, 11], 3, 10, [(0, 1), (1, 2)]),
    ],
)
def test_a_slice_ends_at_either_limit(tokens: list[int], most_texts: int, most_tokens: int, slices: object):
    texts = ["x" * count for count in tokens]
    found = cut(texts, most_texts=most_texts, most_tokens=most_tokens, tokens=len)
    assert [(each.start, each.stop) for each in found] == slices


@given(st.lists(st.integers(0, 20)), st.integers(1, 9), st.integers(1, 30))
def test_no_text_is_lost_and_no_slice_is_too_large(tokens: list[int], most_texts: int, most_tokens: int):
    texts = ["x" * count for count in tokens]
    parts = [texts[each] for each in cut(texts, most_texts=most_texts, most_tokens=most_tokens, tokens=len)]
    assert [text for part in parts for text in part] == texts
    assert all(1 <= len(part) <= most_texts for part in parts)
    assert all(sum(map(len, part)) <= most_tokens or len(part) == 1 for part in parts)
