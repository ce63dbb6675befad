"""Arguments of tool calls: text to values, and values into the types that their schema gives them."""

from __future__ import annotations

from typing import Any

import pytest

from workers_ai.wire.arguments import coerced


@pytest.mark.parametrize("schema", [True, False, None, {"anyOf": [True, {"type": "integer"}]}])
def test_a_schema_that_names_no_type_leaves_the_value_alone(schema: Any):
    """`true` and `false` are JSON schemas: of anything, and of nothing."""
    assert coerced({"a": "3", "b": {"c": "4"}}, {"properties": {"a": schema, "b": schema}}) == {
        "a": "3",
        "b": {"c": "4"},
    }


def test_a_boolean_among_the_alternatives_does_not_hide_the_others():
    schema = {"properties": {"a": {"anyOf": [False, {"type": "integer"}]}}}
    assert coerced({"a": "3"}, schema) == {"a": 3}


@pytest.mark.parametrize("properties", [True, None, []])
def test_properties_that_are_no_object_name_no_type(properties: Any):
    assert coerced({"a": "3"}, {"properties": properties}) == {"a": "3"}
