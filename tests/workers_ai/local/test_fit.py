"""Values against JSON schemas."""

from __future__ import annotations

from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from workers_ai.local.fit import misfits

NODE = {
    "$defs": {"Node": {"type": "object", "properties": {"below": {"$ref": "#/$defs/Node"}, "n": {"type": "integer"}}}},
    "$ref": "#/$defs/Node",
}


@pytest.mark.parametrize(
    ("value", "schema"),
    [
        (1.0, {"type": "integer"}),
        (None, {"anyOf": [{"type": "string"}, {"type": "null"}]}),
        (None, {"type": ["string", "null"]}),
        ({"a": 1}, {"type": "object"}),
        ({"a": 1}, {"type": "object", "additionalProperties": {"type": "integer"}}),
        ({"a": 1, "b": 2}, {"properties": {"a": {}}, "additionalProperties": True}),
        ({"below": {"below": {"n": 1}}}, NODE),
        (["a", 1], {"prefixItems": [{"type": "string"}], "items": {"type": "integer"}}),
        ("b", {"enum": ["a", "b"]}),
        ("x", {"pattern": "(?<unfinished"}),
        (5, True),
        ({"a": 1}, {"allOf": [{"properties": {"a": {"type": "integer"}}, "required": ["a"]}]}),
    ],
)
def test_what_fits(value, schema):
    assert misfits(value, schema) == []


@pytest.mark.parametrize(
    ("value", "schema", "said"),
    [
        (True, {"type": "integer"}, "it is true, not of type integer"),
        (1.5, {"type": "integer"}, "it is 1.5, not of type integer"),
        ("c", {"enum": ["a", "b"]}, 'it is "c", not one of ["a","b"]'),
        ({"below": {"n": "x"}}, NODE, 'below.n is "x", not of type integer'),
        ({"below": {"m": 1}}, NODE, "below.m is unknown; it has below, n"),
        ([1, "x"], {"items": {"type": "integer"}}, 'it[1] is "x", not of type integer'),
        ({"a": 1}, {"properties": {"a": False}}, "a is not allowed"),
        ({}, {"allOf": [{"properties": {"a": {}}, "required": ["a"]}]}, "a is missing"),
        (3, {"anyOf": [{"type": "string"}, {"type": "null"}]}, "it is 3, not of type string"),
        (3, {"maximum": 2}, "it is 3, not at most 2"),
        (2, {"exclusiveMaximum": 2}, "it is 2, not less than 2"),
        ("", {"minLength": 1}, "it has length 0, not 1 to 0"),
        ("ab", {"pattern": "^[0-9]+$"}, 'it is "ab", which does not match ^[0-9]+$'),
    ],
)
def test_what_does_not_fit_is_told_by_its_place(value, schema, said):
    assert misfits(value, schema) == [said]


SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.floats(-3, 3) | st.text("ab", max_size=2)
VALUES = st.recursive(
    SCALARS,
    lambda each: st.lists(each, max_size=2) | st.dictionaries(st.sampled_from("abc"), each, max_size=2),
    max_leaves=5,
)
LEAVES = st.one_of(
    st.sampled_from([{"type": kind} for kind in ("string", "integer", "number", "boolean", "null", "array", "object")]),
    st.sampled_from([{"enum": ["a", 1, None]}, {"const": "a"}, {"minimum": 0}, {"maxLength": 1}, {"minItems": 1}, {}]),
)
SCHEMAS = st.recursive(
    LEAVES,
    lambda each: (
        st.fixed_dictionaries({"type": st.just("array"), "items": each})
        | st.fixed_dictionaries(
            {
                "type": st.just("object"),
                "properties": st.dictionaries(st.sampled_from("ab"), each, max_size=2),
                "required": st.lists(st.sampled_from("ab"), unique=True, max_size=1),
                "additionalProperties": st.booleans(),
            }
        )
        | st.fixed_dictionaries({"anyOf": st.lists(each, min_size=1, max_size=2)})
    ),
    max_leaves=4,
)


@hypothesis.given(VALUES, SCHEMAS)
def test_it_agrees_with_the_library_of_the_standard(value: Any, schema: Any):
    """Where both know the keywords, and others than the listed properties are spoken of."""
    jsonschema = pytest.importorskip("jsonschema")
    assert (misfits(value, schema) == []) == jsonschema.Draft202012Validator(schema).is_valid(value)
