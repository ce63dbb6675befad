"""A schema in the words that the service takes: equal to the one given."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, TypeAdapter

from workers_ai.json_schema import accepted


class Kind(Enum):
    """A kind."""

    SMALL = "small"
    LARGE = "large"


class Leaf(BaseModel):
    """A leaf."""

    kind: Literal["leaf"]
    value: int | None = None


class Branch(BaseModel):
    kind: Literal["branch"]
    size: Kind
    leaves: list[Leaf] = []


class Garden(BaseModel):
    """A garden."""

    first: Leaf
    more: Leaf | Branch = Field(discriminator="kind", description="What else grows.")
    by_name: dict[str, Branch] = {}
    pair: tuple[int, Leaf] | None = None


class Node(BaseModel):
    """A node."""

    name: str
    children: list[Node] = []


class Left(BaseModel):
    right: Right | None = None
    leaf: Leaf | None = None


class Right(BaseModel):
    left: Left | None = None


MODELS: list[Any] = [Leaf, Branch, Garden, Node, Left, dict[str, int], Leaf | Branch, list[Garden]]


def schemas(held: Any) -> Iterator[Mapping[str, Any]]:
    """All schemas in a schema, itself among them."""
    if not isinstance(held, Mapping):
        return
    yield held
    for key in ("items", "additionalProperties", "not"):
        yield from schemas(held.get(key))
    for key in ("anyOf", "allOf", "oneOf", "prefixItems"):
        for each in held.get(key, []):
            yield from schemas(each)
    for key in ("properties", "$defs"):
        for each in held.get(key, {}).values():
            yield from schemas(each)


def conforms(value: Any, schema: Mapping[str, Any], root: Mapping[str, Any]) -> bool:
    """Whether `value` is an instance of `schema`: the part of JSON Schema that pydantic writes."""
    if "$ref" in schema:
        return conforms(value, root["$defs"][schema["$ref"].rpartition("/")[2]], root)
    if "const" in schema and value != schema["const"]:
        return False
    if "enum" in schema and value not in schema["enum"]:
        return False
    for key in ("anyOf", "oneOf"):
        if key in schema and not any(conforms(value, each, root) for each in schema[key]):
            return False
    if not all(conforms(value, each, root) for each in schema.get("allOf", [])):
        return False
    match schema.get("type"):
        case "object":
            return isinstance(value, dict) and _object(value, schema, root)
        case "array":
            return isinstance(value, list) and _array(value, schema, root)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "string":
            return isinstance(value, str)
        case "null":
            return value is None
    return True


def _object(value: dict[str, Any], schema: Mapping[str, Any], root: Mapping[str, Any]) -> bool:
    known = schema.get("properties", {})
    rest = schema.get("additionalProperties", True)
    return set(schema.get("required", [])) <= value.keys() and all(
        conforms(held, known[name], root) if name in known else rest is True or conforms(held, rest, root)
        for name, held in value.items()
    )


def _array(value: list[Any], schema: Mapping[str, Any], root: Mapping[str, Any]) -> bool:
    first = schema.get("prefixItems", [])
    if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
        return False
    return all(conforms(held, each, root) for held, each in zip(value, first, strict=False)) and all(
        conforms(held, schema.get("items", {}), root) for held in value[len(first) :]
    )


_LEAVES = st.fixed_dictionaries(
    {"kind": st.sampled_from(["leaf", "branch", "x"])}, optional={"value": st.none() | st.integers() | st.text()}
)
_BRANCHES = st.fixed_dictionaries(
    {"kind": st.sampled_from(["leaf", "branch"]), "size": st.sampled_from(["small", "large", "huge", 1])},
    optional={"leaves": st.lists(_LEAVES, max_size=2)},
)
_GARDENS = st.fixed_dictionaries(
    {"first": _LEAVES},
    optional={
        "more": _LEAVES | _BRANCHES,
        "by_name": st.dictionaries(st.text(max_size=3), _BRANCHES | st.integers(), max_size=2),
        "pair": st.none() | st.tuples(st.integers() | st.text(), _LEAVES).map(list),
    },
)
_NODES: st.SearchStrategy[Any] = st.recursive(
    st.fixed_dictionaries({"name": st.text(max_size=3) | st.integers()}),
    lambda inner: st.fixed_dictionaries({"name": st.text(max_size=3), "children": st.lists(inner, max_size=2)}),
    max_leaves=4,
)
INSTANCES = st.one_of(_LEAVES, _BRANCHES, _GARDENS, _NODES, st.integers(), st.none(), st.lists(_GARDENS, max_size=2))


@pytest.mark.parametrize("model", MODELS, ids=str)
@given(value=INSTANCES)
def test_the_same_instances_are_valid(model: Any, value: Any):
    """For every schema that pydantic makes of these types."""
    schema = TypeAdapter(model).json_schema()
    rewritten = accepted(schema)
    if schema.get("type", "object") == "object" or "anyOf" in schema:  # what is no object is not asked for
        assert conforms(value, rewritten, rewritten) == conforms(value, schema, schema)


@pytest.mark.parametrize("model", MODELS, ids=str)
def test_what_the_service_takes_comes_out(model: Any):
    schema = TypeAdapter(model).json_schema()
    before = copy.deepcopy(schema)
    rewritten = accepted(schema)
    assert schema == before, "the given schema is not changed"
    for each in schemas(rewritten):
        assert "oneOf" not in each
        assert each.get("$ref") is None or each["$ref"].rpartition("/")[2] in rewritten["$defs"]
        for name, held in each.get("properties", {}).items():
            assert isinstance(held.get("description"), str), name
    assert "$ref" not in rewritten
    assert "anyOf" in rewritten or rewritten["type"] != "object" or "properties" in rewritten


@pytest.mark.parametrize("model", MODELS, ids=str)
def test_twice_is_once(model: Any):
    once = accepted(TypeAdapter(model).json_schema())
    assert accepted(once) == once


def test_only_what_holds_itself_stays_a_reference():
    assert accepted(Left.model_json_schema())["$defs"].keys() == {"Left", "Right"}
    assert "$defs" not in accepted(Garden.model_json_schema())


def test_a_type_that_holds_itself_says_what_it_is_although_it_is_all_of_the_schema():
    """The service asks the outermost layer for its type and properties."""
    told = accepted(Node.model_json_schema())
    assert told["type"] == "object"
    assert told["properties"].keys() == {"name", "children"}
    assert told["properties"]["children"]["items"] == {"$ref": "#/$defs/Node"}


def test_a_reference_keeps_what_stands_beside_it():
    """A description of the property goes before that of the type."""
    schema = {
        "properties": {"home": {"$ref": "#/$defs/Place", "description": "Where she lives."}},
        "$defs": {"Place": {"type": "object", "description": "A place.", "properties": {}}},
    }
    assert accepted(schema)["properties"]["home"]["description"] == "Where she lives."


@pytest.mark.parametrize("key", ["$defs", "definitions"])
def test_definitions_may_stand_under_either_key(key: str):
    schema = {"properties": {"a": {"$ref": f"#/{key}/A"}}, key: {"A": {"type": "integer"}}}
    told = accepted(schema)
    assert told["properties"]["a"] == {"type": "integer", "description": "a"}
    assert key not in told


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        ({}, {"type": "object", "properties": {}}),
        ({"type": "object"}, {"type": "object", "properties": {}}),
        ({"$schema": "x", "properties": {}}, {"type": "object", "properties": {}}),
        (
            {"properties": {"a": {"title": "The A"}, "b": {"description": "The B"}, "c": True}},
            {
                "type": "object",
                "properties": {
                    "a": {"title": "The A", "description": "The A"},
                    "b": {"description": "The B"},
                    "c": True,
                },
            },
        ),
        (
            {"type": "object", "properties": {"oneOf": {"type": "string"}}},
            {"type": "object", "properties": {"oneOf": {"type": "string", "description": "oneOf"}}},
        ),
    ],
    ids=["nothing", "object", "$schema", "descriptions", "a property called oneOf"],
)
def test_a_schema_becomes(schema: dict[str, Any], told: dict[str, Any]):
    assert accepted(schema) == told
