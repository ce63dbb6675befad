"""The text of a value that should be a string and is not always one."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers_ai.wire.text import as_text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a", "a"),
        ("", ""),
        (None, ""),
        (6, "6"),
        (0, "0"),
        (-3, "-3"),
        (3.5, "3.5"),
        (True, "true"),
        (False, "false"),
        ({"a": [1, "é"]}, '{"a":[1,"é"]}'),
        ([1, 2], "[1,2]"),
        ([], "[]"),
        ({}, "{}"),
        ([{"type": "text", "text": "a"}, {"type": "text", "text": 7}], "a7"),
        ([{"type": "text", "text": "a"}, {"type": "image"}], '[{"type":"text","text":"a"},{"type":"image"}]'),
    ],
)
def test_nothing_the_model_wrote_is_lost(value: object, text: str):
    assert as_text(value) == text


@given(value=st.integers() | st.booleans() | st.text())
def test_a_token_is_spelt_as_json_spells_it(value: object):
    assert as_text(value) == (value if isinstance(value, str) else json.dumps(value))
