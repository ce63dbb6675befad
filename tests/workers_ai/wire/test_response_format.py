"""JSON mode is asked for as each model's schema wants it (quirk 54)."""

from __future__ import annotations

from typing import Any

import pytest

from workers_ai.catalog import lookup
from workers_ai.wire.response_format import WireFormat, response_format, wants_json, wire_format

CLASSIC = lookup("@cf/meta/llama-3.3-70b-instruct-fp8-fast")
MODERN = lookup("@cf/google/gemma-4-26b-a4b-it")

SCHEMA = {"title": "Person", "type": "object", "properties": {"name": {"type": "string", "description": "Who."}}}
BARE = {"type": "json_schema", "json_schema": SCHEMA}
WRAPPED = {"type": "json_schema", "json_schema": {"name": "Person", "schema": SCHEMA, "strict": True}}


@pytest.mark.parametrize("asked", [BARE, WRAPPED], ids=["bare", "wrapped"])
def test_either_form_is_understood_and_each_model_gets_its_own(asked: dict[str, Any]):
    assert response_format(asked, CLASSIC) == BARE
    told = response_format(asked, MODERN)["json_schema"]
    assert (told["name"], told["schema"]) == ("Person", SCHEMA)
    assert told.get("strict") == asked["json_schema"].get("strict")


@pytest.mark.parametrize("kind", ["json_object", "text"])
def test_what_holds_no_schema_stays_as_it_is(kind: str):
    for info in (CLASSIC, MODERN):
        assert response_format({"type": kind}, info) == {"type": kind}


def test_a_name_becomes_the_title_where_there_is_no_wrapper():
    schema = {"type": "object", "properties": {}}
    asked = {"type": "json_schema", "json_schema": {"name": "report", "schema": schema}}
    assert response_format(asked, CLASSIC)["json_schema"]["title"] == "report"


@pytest.mark.parametrize(
    ("name", "sent"), [("A report!", "A_report_"), ("é", "_"), ("x" * 80, "x" * 64), ("", "Person"), (None, "Person")]
)
def test_a_name_has_the_characters_that_openais_form_allows(name: str | None, sent: str):
    asked = {"type": "json_schema", "json_schema": {"name": name, "schema": SCHEMA}}
    assert response_format(asked, MODERN)["json_schema"]["name"] == sent


def test_strict_that_was_not_said_is_not_sent():
    asked = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA, "strict": None}}
    assert "strict" not in response_format(asked, MODERN)["json_schema"]


def test_the_schema_is_rewritten_for_both():
    held = {"properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": {"A": {"oneOf": [{"type": "integer"}]}}}
    told = {"type": "json_schema", "json_schema": held}
    bare = response_format(told, CLASSIC)["json_schema"]
    wrapped = response_format(told, MODERN)["json_schema"]["schema"]
    for schema in (bare, wrapped):
        assert schema["properties"]["a"] == {"anyOf": [{"type": "integer"}], "description": "a"}
        assert "$defs" not in schema


@pytest.mark.parametrize("asked", [BARE, WRAPPED, {"type": "json_object"}], ids=["bare", "wrapped", "object"])
def test_what_was_rewritten_once_is_sent_the_same_and_not_rewritten_again(asked: dict[str, Any]):
    written = wire_format(asked)
    assert isinstance(written, WireFormat)
    assert wire_format(written) is written
    for info in (CLASSIC, MODERN):
        assert response_format(written, info) == response_format(asked, info)
    if (held := written.get("json_schema")) is not None:
        sent = response_format(written, MODERN)["json_schema"]["schema"]
        assert sent is held.get("schema", held)


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({}, False),
        ({"response_format": None}, False),
        ({"response_format": "json"}, False),
        ({"response_format": {"type": "text"}}, False),
        ({"response_format": {"type": "json_object"}}, True),
        ({"response_format": BARE}, True),
    ],
)
def test_json_mode_is_wanted_or_not(options: dict[str, Any], wanted: bool):
    assert wants_json(options) is wanted
