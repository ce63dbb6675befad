import json

import pytest

from workers_ai.local.json_prompts import wish
from workers_ai.local.message import Message
from workers_ai.local.schema_instances import of


def schema(required=None, **properties):
    facts = {key: value if isinstance(value, dict) else {"type": value} for key, value in properties.items()}
    return {"type": "object", "properties": facts, "required": list(facts) if required is None else required}


def instance(wanted, text, *more):
    return of(wanted, [Message("user", text), *more], lambda messages: "")


QUESTION = {"type": "string", "description": "question to set up a joke"}
ANSWER = {"type": "string", "description": "answer to resolve the joke"}


def test_facts_are_extracted():
    found = instance(schema(name="string", age="integer", city="string"), "John is 25 years old and lives in Berlin.")
    assert found == {"name": "John", "age": 25, "city": "Berlin"}


def test_questions_and_answers_are_made_up_about_the_topic():
    found = instance(schema(setup=QUESTION, punchline=ANSWER), "Tell me a joke about cats.")
    assert found.keys() == {"setup", "punchline"}
    assert all("cats" in text for text in found.values())


def test_an_optional_property_is_filled_when_the_message_asks_for_it():
    optional = schema(["setup"], setup=QUESTION, punchline={"anyOf": [ANSWER, {"type": "null"}], "default": None})
    assert instance(optional, "Give me a joke about cats, include the punchline.")["punchline"]
    assert "punchline" not in instance(optional, "Give me the setup to a joke about cats, no punchline.")


def test_the_results_of_tools_come_first():
    result = Message("tool", "It's sunny, 21 degrees", call_id="a", name="get_weather")
    found = instance(schema(temperature="number", conditions="string"), "Weather in Paris?", result)
    assert found == {"temperature": 21, "conditions": "It's sunny"}


def test_lists_of_objects_and_enums_behind_references():
    person = schema(name="string", age="integer")
    wanted = schema(people={"type": "array", "items": {"$ref": "#/$defs/Person"}}, mood={"enum": ["happy", "sad"]})
    found = instance({**wanted, "$defs": {"Person": person}}, "Alice is 30 and sad")
    assert found == {"people": [{"name": "Alice", "age": 30}], "mood": "sad"}


def test_a_schema_may_be_no_object():
    assert instance({"type": "array", "items": {"type": "string"}}, "Say A, B and C") == ["A", "B", "C"]
    assert instance({"type": "integer"}, "I have 3 cats") == 3
    assert instance({"enum": ["yes", "no"]}, "Is it? I say no") == "no"


LLAMA_INDEX = (
    "Write about Rome\n\nHere's a JSON schema to follow:\n{}\n\nOutput a valid JSON object but do not repeat ..."
)


@pytest.mark.parametrize("doubled", [False, True])
def test_a_schema_written_into_the_prompt_is_obeyed(doubled):
    text = json.dumps(schema(city="string"))
    text = text.replace("{", "{{").replace("}", "}}") if doubled else text
    asked = wish([Message("user", LLAMA_INDEX.replace("{}", text))])
    assert asked.schema == schema(city="string")
    assert instance(asked.schema, asked.messages[0].text) == {"city": "Rome"}


def test_of_several_schemas_in_a_prompt_the_last_is_meant():
    example, meant = json.dumps({"properties": {"foo": {"type": "string"}}}), json.dumps(schema(city="string"))
    text = f"The output should conform to the JSON schema below. An example: {example}\nHere it is:\n```\n{meant}\n```"
    assert wish([Message("system", text), Message("user", "Rome")]).schema == schema(city="string")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Return Bob as a JSON with 'name' and 'size' keys. Nothing else.", {"name", "size"}),
        ("Respond in JSON with keys name, age: Bob is 41.", {"name", "age"}),
        ("What can you do? Answer in JSON.", {"answer"}),
    ],
)
def test_keys_may_be_named_in_words(text, found):
    asked = wish([Message("user", text)])
    assert instance(asked.schema, asked.messages[0].text).keys() == found


@pytest.mark.parametrize("text", ["What is JSON?", "Parse this JSON", "Hello"])
def test_who_only_talks_about_json_is_answered_in_words(text):
    assert wish([Message("user", text)]) is None
