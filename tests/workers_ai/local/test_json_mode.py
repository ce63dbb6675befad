import json

import pytest

LLAMA = "@cf/meta/llama-3.3-70b-instruct-fp8-fast"
SCOUT = "@cf/meta/llama-4-scout-17b-16e-instruct"
GPT_OSS = "@cf/openai/gpt-oss-20b"
GEMMA = "@cf/google/gemma-4-26b-a4b-it"
QWEN = "@cf/qwen/qwen3-30b-a3b-fp8"
TEXT = "John is 25 years old and lives in Berlin."
FOUND = {"name": "John", "age": 25, "city": "Berlin"}
SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}, "city": {"type": "string"}},
    "required": ["name", "age", "city"],
}
BARE = {"type": "json_schema", "json_schema": SCHEMA}
WRAPPED = {"type": "json_schema", "json_schema": {"name": "person", "schema": SCHEMA, "strict": True}}
UNMET = "JSON Mode couldn't be met"


def asked(response_format=BARE, text=TEXT, **more):
    return {"messages": [{"role": "user", "content": text}], "response_format": response_format, **more}


@pytest.mark.parametrize("model", [LLAMA, SCOUT])
def test_a_classic_model_answers_an_object_natively_and_text_on_v1(emulator, model):
    assert emulator.result(model, asked())["response"] == FOUND
    for form in (BARE, WRAPPED):
        message = emulator.v1("chat/completions", asked(form, model=model)).json()["choices"][0]["message"]
        assert json.loads(message["content"]) == FOUND


@pytest.mark.parametrize("model", [GPT_OSS, GEMMA, QWEN])
def test_a_newer_model_answers_text(emulator, model):
    assert json.loads(emulator.result(model, asked(WRAPPED))["choices"][0]["message"]["content"]) == FOUND


@pytest.mark.parametrize(
    ("model", "form", "taken"),
    [
        (LLAMA, WRAPPED, False),
        (SCOUT, WRAPPED, False),
        (GEMMA, BARE, True),
        (GEMMA, WRAPPED, True),
        (GPT_OSS, BARE, False),
        (QWEN, BARE, False),
        (QWEN, {"type": "json_schema", "json_schema": {"schema": SCHEMA}}, False),
        (QWEN, {"type": "json_schema", "json_schema": {"name": "a b", "schema": SCHEMA}}, False),
        (LLAMA, {"type": "json_schema"}, False),
        (LLAMA, {"type": "yaml"}, False),
        (LLAMA, {"type": "text"}, True),
    ],
)
def test_each_family_takes_the_schema_in_its_own_form_natively(emulator, model, form, taken):
    response = emulator.run(model, asked(form))
    assert (response.status_code == 200) is taken
    if not taken:
        assert response.json()["errors"][0]["code"] == 5006


def test_a_streamed_object_comes_bit_by_bit(emulator, frames_of):
    frames = frames_of(emulator.run(GEMMA, asked(stream=True)))
    pieces = [f["choices"][0]["delta"].get("content") or "" for f in frames if f.get("choices")]
    assert len(pieces) > 5
    assert json.loads("".join(pieces)) == FOUND


@pytest.mark.parametrize("model", [LLAMA, SCOUT])
def test_classic_models_refuse_to_stream_it(emulator, model):
    for response in (
        emulator.run(model, asked(stream=True)),
        emulator.v1("chat/completions", asked(WRAPPED, model=model, stream=True)),
    ):
        assert (response.status_code, response.json()["errors"][0]["code"]) == (400, 5023)
    assert emulator.run(model, asked({"type": "text"}, stream=True)).status_code == 200


def test_any_object_has_the_keys_that_the_message_names(emulator):
    text = "Tell me a joke about cats. Return the result as a JSON with 'setup' and 'punchline' keys."
    result = emulator.result(LLAMA, asked({"type": "json_object"}, text))
    assert result["response"].keys() == {"setup", "punchline"}
    assert emulator.result(LLAMA, asked({"type": "json_object"}, "Hello!"))["response"].keys() == {"answer"}


@pytest.mark.parametrize(
    "body",
    [
        asked(max_tokens=3),
        asked(
            {
                "type": "json_schema",
                "json_schema": {"type": "object", "properties": {"a": {"enum": []}}, "required": ["a"]},
            }
        ),
    ],
)
def test_what_a_classic_model_cannot_meet_is_a_failure_in_a_200_natively(emulator, body):
    response = emulator.run(LLAMA, body)
    assert response.status_code == 200
    assert response.json()["success"] is False
    assert response.json()["errors"] == [{"message": UNMET}]
    response = emulator.v1("chat/completions", body | {"model": LLAMA})
    assert response.status_code == 400
    assert response.json()["errors"] == [{"message": UNMET}]


def test_a_newer_model_breaks_off_within_the_json(emulator):
    choice = emulator.result(GEMMA, asked(max_tokens=5))["choices"][0]
    assert choice["finish_reason"] == "length"
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        json.loads(choice["message"]["content"])


def test_the_failure_can_be_asked_for(emulator):
    for model, form in ((LLAMA, BARE), (GEMMA, WRAPPED)):
        response = emulator.run(model, asked(form), x_emulator_quirk="json-unmet")
        assert response.json()["errors"] == [{"message": UNMET}]


def test_tools_are_called_before_the_object_is_given(emulator):
    parameters = {"type": "object", "properties": {"location": {"type": "string"}}, "required": ["location"]}
    tool = {"name": "get_weather", "description": "Get the weather at a location.", "parameters": parameters}
    report = {"type": "object", "properties": {"temperature": {"type": "number"}}, "required": ["temperature"]}
    wrapped = {"type": "json_schema", "json_schema": {"name": "report", "schema": report}}
    body = asked(wrapped, "What is the weather in Paris?", tools=[{"type": "function", "function": tool}])
    message = emulator.result(GEMMA, body)["choices"][0]["message"]
    assert message["tool_calls"][0]["function"]["name"] == "get_weather"
    result = {"role": "tool", "tool_call_id": message["tool_calls"][0]["id"], "content": "Sunny, 21 degrees"}
    body["messages"] = [*body["messages"], message, result]
    assert emulator.result(GEMMA, body)["choices"][0]["message"]["content"] == '{"temperature":21}'


def test_a_refusal_can_be_asked_for(emulator, frames_of):
    response = emulator.run(GEMMA, asked(WRAPPED), x_emulator_quirk="refusal")
    message = response.json()["result"]["choices"][0]["message"]
    assert message["content"] is None
    assert message["refusal"]
    frames = frames_of(emulator.run(GEMMA, asked(WRAPPED, stream=True), x_emulator_quirk="refusal"))
    assert any(frame["choices"][0]["delta"].get("refusal") for frame in frames if frame.get("choices"))
