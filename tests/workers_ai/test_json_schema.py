"""A schema in the words that the service takes: equal to the one given."""

from __future__ import annotations

import copy
import json
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


A = {"type": "integer", "description": "An A."}


@pytest.mark.parametrize(
    "place",
    [
        lambda ref: {"if": ref, "then": ref, "else": ref},
        lambda ref: {"items": [ref, ref], "additionalItems": ref},
        lambda ref: {"dependentSchemas": {"x": ref}, "unevaluatedProperties": ref, "unevaluatedItems": ref},
        lambda ref: {"dependencies": {"x": ref, "y": ["x"]}},
        lambda ref: {"not": ref, "contains": ref, "propertyNames": ref, "contentSchema": ref},
        lambda ref: {"oneOf": [{"allOf": [ref]}], "prefixItems": [ref], "patternProperties": {"^x": ref}},
    ],
)
def test_references_are_put_in_place_wherever_a_schema_may_stand(place: Any):
    asked = {"properties": {"a": place({"$ref": "#/$defs/A"})}, "$defs": {"A": A}}
    told = accepted(asked)
    wanted = place(A)
    if "oneOf" in wanted:
        wanted["anyOf"] = wanted.pop("oneOf")
    assert told == {"type": "object", "properties": {"a": {**wanted, "description": "a"}}}


@pytest.mark.parametrize("reference", ["#/properties/a/$defs/A", "#/$defs/A"])
def test_definitions_may_stand_deeper(reference: str):
    """By their place, or as in a schema that was put into another as it is."""
    inner = {"type": "object", "properties": {"b": {"$ref": reference}}, "$defs": {"A": A}}
    assert accepted({"properties": {"a": inner}})["properties"]["a"] == {
        "type": "object",
        "properties": {"b": A},
        "description": "a",
    }


@pytest.mark.parametrize("name", ["x/y", "x~y", "x y", "x%y"])
def test_a_name_may_be_escaped(name: str):
    escaped = name.replace("~", "~0").replace("/", "~1").replace("%", "%25").replace(" ", "%20")
    asked = {"properties": {"a": {"$ref": f"#/$defs/{escaped}"}}, "$defs": {name: A}}
    assert accepted(asked)["properties"]["a"] == A


def test_a_type_that_holds_itself_is_found_under_the_key_it_is_referred_by():
    node = {"type": "object", "properties": {"next": {"$ref": "#/definitions/Node"}}}
    told = accepted({"properties": {"first": {"$ref": "#/definitions/Node"}}, "definitions": {"Node": node}})
    assert told["properties"]["first"]["$ref"] == "#/$defs/Node"
    assert told["$defs"]["Node"]["properties"]["next"]["$ref"] == "#/$defs/Node"


def test_two_types_of_one_name_stay_two():
    def node(kind: str, reference: str) -> dict[str, Any]:
        return {"properties": {"kind": {"const": kind}, "next": {"$ref": reference}}}

    asked = {
        "properties": {"a": {"$ref": "#/$defs/N"}, "b": {"$ref": "#/properties/b_/$defs/N"}, "b_": {}},
        "$defs": {"N": node("outer", "#/$defs/N")},
    }
    asked["properties"]["b_"] = {"$defs": {"N": node("inner", "#/properties/b_/$defs/N")}}
    told = accepted(asked)
    kinds = {
        name: told["$defs"][told["properties"][name]["$ref"].rpartition("/")[2]]["properties"]["kind"]["const"]
        for name in "ab"
    }
    assert kinds == {"a": "outer", "b": "inner"}


@pytest.mark.parametrize(("held", "told"), [(True, {"description": "a"}), (False, {"not": {}, "description": "a"})])
def test_a_reference_to_a_boolean_schema(held: bool, told: dict[str, Any]):
    assert accepted({"properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": {"A": held}})["properties"]["a"] == told


@pytest.mark.parametrize("reference", ["#", "#/$defs/Nobody", "https://example.com/a.json"])
def test_a_reference_that_leads_nowhere_here_stays(reference: str):
    assert accepted({"properties": {"a": {"$ref": reference}}})["properties"]["a"]["$ref"] == reference


def chain(length: int) -> dict[str, Any]:
    """Types each of which holds the next one twice."""
    defs: dict[str, Any] = {
        f"T{place}": {
            "type": "object",
            "properties": {side: {"$ref": f"#/$defs/T{place + 1}", "description": side} for side in ("left", "right")},
        }
        for place in range(length)
    }
    return {"properties": {"a": {"$ref": "#/$defs/T0"}}, "$defs": {**defs, f"T{length}": {"type": "integer"}}}


@pytest.mark.parametrize("length", [3, 16, 200])
def test_references_in_references_do_not_grow_by_powers(length: int):
    told = accepted(chain(length))
    assert len(json.dumps(told)) < max(64_000, 2 * len(json.dumps(chain(length))))
    assert ("$defs" in told) is (length > 3)
    for each in schemas(told):
        assert each.get("$ref") is None or each["$ref"].rpartition("/")[2] in told["$defs"]
    assert accepted(told) == told
    assert told["properties"]["a"]["type"] == "object", "what is used once is in place all the same"
