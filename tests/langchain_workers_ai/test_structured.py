"""Structured output: each method, for each kind of schema, whole and streamed, parsed or beside the raw answer."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal, TypedDict

import pytest
from langchain_core import exceptions as langchain
from langchain_core.exceptions import OutputParserException
from langchain_core.messages import AIMessage
from langchain_core.runnables import Runnable
from pydantic import BaseModel, Field, ValidationError
from pydantic.v1 import BaseModel as BaseModelV1

from langchain_workers_ai import ChatWorkersAI
from langchain_workers_ai.tools import response_format_of
from workers_ai import errors as e
from workers_ai.local import LocalServer
from workers_ai.wire.response_format import WireFormat

LLAMA = "@cf/meta/llama-3.3-70b-instruct-fp8-fast"
GEMMA = "@cf/google/gemma-4-26b-a4b-it"
GPT_OSS = "@cf/openai/gpt-oss-20b"
SCOUT = "@cf/meta/llama-4-scout-17b-16e-instruct"
METHODS = ["function_calling", "json_schema", "json_mode"]
WAYS = ["invoke", "ainvoke", "stream", "astream"]

PROMPT = "Erick is 27 years old."
TOLD = {"name": "Erick", "age": 27}


class Person(BaseModel):
    """A person."""

    name: str = Field(description="The name.")
    age: int


class PersonV1(BaseModelV1):
    """A person."""

    name: str
    age: int


class PersonDict(TypedDict):
    """A person."""

    name: Annotated[str, ..., "The name."]
    age: int


SCHEMAS: dict[str, Any] = {
    "pydantic": Person,
    "pydantic v1": PersonV1,
    "TypedDict": PersonDict,
    "JSON schema": Person.model_json_schema(),
}


@pytest.fixture
def on_the_emulator(emulator: LocalServer) -> Any:
    """Makes a model that speaks to the emulator, with the quirks asked for."""

    def chat(model: str, *quirks: str, **arguments: Any) -> ChatWorkersAI:
        return ChatWorkersAI(
            account_id=emulator.account_id,
            api_token=emulator.api_token,
            base_url=emulator.base_url,
            model=model,
            default_headers={"x-emulator-quirk": ",".join(quirks)} if quirks else {},
            **arguments,
        )

    return chat


async def every(runnable: Runnable[Any, Any], way: str, prompt: str = PROMPT) -> list[Any]:
    """All that comes: one object where nothing is streamed."""
    match way:
        case "invoke":
            return [runnable.invoke(prompt)]
        case "ainvoke":
            return [await runnable.ainvoke(prompt)]
        case "stream":
            return list(runnable.stream(prompt))
        case _:
            return [each async for each in runnable.astream(prompt)]


def as_dict(found: Any) -> Any:
    if isinstance(found, BaseModel):
        return found.model_dump()
    return found.dict() if isinstance(found, BaseModelV1) else found


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("schema", SCHEMAS)
@pytest.mark.parametrize("method", METHODS)
async def test_every_method_answers_in_every_kind_of_schema(on_the_emulator, method, schema, way):
    """A class of pydantic's gives its instances, anything else dicts; on a modern and on a classic model."""
    for model, api in ((GEMMA, "openai"), (LLAMA, "native")):
        runnable = on_the_emulator(model, api=api).with_structured_output(SCHEMAS[schema], method=method)
        found = await every(runnable, way)
        assert as_dict(found[-1]) == TOLD
        kind = SCHEMAS[schema] if schema.startswith("pydantic") else dict
        assert type(found[-1]) is kind


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("schema", SCHEMAS)
@pytest.mark.parametrize("method", METHODS)
async def test_the_raw_answer_stands_beside_what_was_made_of_it(on_the_emulator, method, schema, way):
    runnable = on_the_emulator(GEMMA).with_structured_output(SCHEMAS[schema], method=method, include_raw=True)
    whole: dict[str, Any] = {}
    for part in await every(runnable, way):
        whole |= part
    assert as_dict(whole["parsed"]) == TOLD
    assert whole["parsing_error"] is None
    assert isinstance(whole["raw"], AIMessage)
    assert whole["raw"].usage_metadata


@pytest.mark.parametrize("way", ["stream", "astream"])
@pytest.mark.parametrize("api", ["native", "openai"])
@pytest.mark.parametrize("method", METHODS)
async def test_a_stream_yields_objects_that_grow(on_the_emulator, method, api, way):
    runnable = on_the_emulator(GEMMA, api=api).with_structured_output(Person.model_json_schema(), method=method)
    found = await every(runnable, way)
    assert len(found) > 1
    assert found[-1] == TOLD
    keys = [len(each) for each in found]
    assert keys == sorted(keys)


@pytest.mark.parametrize("way", ["stream", "astream"])
@pytest.mark.parametrize("api", ["native", "openai"])
@pytest.mark.parametrize("model", [LLAMA, SCOUT])
@pytest.mark.parametrize("method", ["json_schema", "json_mode"])
async def test_where_json_mode_refuses_to_stream_the_answer_arrives_whole(
    on_the_emulator, emulator, method, model, api, way
):
    """quirks 55 and 104: one request, no stream, no error."""
    runnable = on_the_emulator(model, api=api).with_structured_output(Person, method=method)
    before = len(emulator.requests)
    assert await every(runnable, way) == [Person(**TOLD)]
    (request,) = emulator.requests[before:]
    assert "stream" not in request.json


# What goes out


def test_function_calling_forces_the_one_tool(service):
    bound = service.chat().with_structured_output(Person, strict=True, include_raw=True)
    bound.invoke(PROMPT)
    assert service.body["tool_choice"] == {"type": "function", "function": {"name": "Person"}}
    assert service.body["parallel_tool_calls"] is False
    assert service.body["tools"][0]["function"]["strict"] is True


@pytest.mark.parametrize("strict", [None, True, False])
def test_json_schema_is_the_format_of_the_answer(service, strict):
    service.answers(service.says(json.dumps(TOLD)))
    assert service.chat().with_structured_output(Person, method="json_schema", strict=strict).invoke(PROMPT) == Person(
        **TOLD
    )
    sent = service.body["response_format"]["json_schema"]
    assert sent["name"] == "Person"
    assert sent.get("strict") is strict
    assert sent["schema"]["required"] == ["name", "age"]
    assert "tools" not in service.body


def test_json_mode_puts_the_schema_into_the_prompt(service):
    """Bare JSON mode does not tell the model which keys are wanted."""
    service.answers(service.says(json.dumps(TOLD)))
    service.chat().with_structured_output(Person, method="json_mode").invoke(PROMPT)
    assert service.body["response_format"] == {"type": "json_object"}
    first, last = service.body["messages"]
    assert first["role"] == "system"
    assert '"age"' in first["content"]
    assert last == {"role": "user", "content": PROMPT}


def test_json_mode_needs_no_schema(service):
    service.answers(service.says('{"anything": [1]}'))
    assert service.chat().with_structured_output(method="json_mode").invoke("JSON, please") == {"anything": [1]}
    assert len(service.body["messages"]) == 1


@pytest.mark.parametrize("method", ["function_calling", "json_schema"])
def test_the_other_methods_need_one(service, method):
    with pytest.raises(ValueError, match="needs a schema"):
        service.chat().with_structured_output(method=method)


def test_an_unknown_method_is_an_error_that_names_the_known_ones(service):
    with pytest.raises(ValueError, match="'function_calling', 'json_schema' or 'json_mode'"):
        service.chat().with_structured_output(Person, method="magic")


@pytest.mark.parametrize("method", METHODS)
def test_a_run_tells_its_schema_to_tracers(service, recorder, method):
    service.answers(service.says(json.dumps(TOLD)))
    service.chat().with_structured_output(Person, method=method, include_raw=True).invoke(
        PROMPT, config={"callbacks": [recorder]}
    )
    ((_, told),) = recorder.named("on_chat_model_start")
    assert told["options"]["ls_structured_output_format"]["kwargs"]["method"] == method
    assert "ls_structured_output_format" not in service.body


def test_tools_may_stand_beside_a_schema(service):
    def add(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    service.answers(service.says(json.dumps(TOLD)))
    model = service.chat().with_structured_output(Person, method="json_schema", tools=[add])
    assert model.invoke(PROMPT) == Person(**TOLD)
    assert service.body["tools"][0]["function"]["name"] == "add"
    assert service.body["response_format"]["type"] == "json_schema"


# What a schema may hold that the service does not take


class Leaf(BaseModel):
    kind: Literal["leaf"]
    value: int


class Branch(BaseModel):
    kind: Literal["branch"]
    leaves: list[Leaf]


class Garden(BaseModel):
    """A garden."""

    first: Leaf
    more: Leaf | Branch = Field(discriminator="kind")


class Node(BaseModel):
    """A node."""

    name: str
    children: list[Node] = []


class Tree(BaseModel):
    """A tree."""

    root: Node


def without(held: Any, *keys: str) -> bool:
    if isinstance(held, dict):
        return keys_absent(held, keys) and all(without(value, *keys) for value in held.values())
    return all(without(each, *keys) for each in held) if isinstance(held, list) else True


def keys_absent(held: dict[str, Any], keys: tuple[str, ...]) -> bool:
    return held.keys().isdisjoint(keys)


def sent_schema(body: dict[str, Any], method: str) -> dict[str, Any]:
    if method == "function_calling":
        return body["tools"][0]["function"]["parameters"]
    return body["response_format"]["json_schema"]["schema"]


@pytest.mark.parametrize("method", ["function_calling", "json_schema"])
def test_references_are_put_in_place_and_one_of_becomes_any_of(service, method):
    service.chat().with_structured_output(Garden, method=method, include_raw=True).invoke(PROMPT)
    sent = sent_schema(service.body, method)
    assert without(sent, "$defs", "$ref", "oneOf")
    assert sent["properties"]["first"]["properties"].keys() == {"kind", "value"}
    assert len(sent["properties"]["more"]["anyOf"]) == 2
    assert all(isinstance(each["description"], str) for each in sent["properties"].values())


@pytest.mark.parametrize("method", ["function_calling", "json_schema"])
def test_a_type_that_holds_itself_stays_a_reference(service, method):
    """Of a JSON schema: LangChain itself cuts the recursion of a class, to `items: {}`."""
    schema = Tree.model_json_schema()
    service.chat().with_structured_output(schema, method=method, include_raw=True).invoke(PROMPT)
    sent = sent_schema(service.body, method)
    assert sent["$defs"].keys() == {"Node"}
    assert sent["properties"]["root"]["$ref"] == "#/$defs/Node"
    assert sent["$defs"]["Node"]["properties"]["children"]["items"] == {"$ref": "#/$defs/Node"}


@pytest.mark.parametrize("model", [LLAMA, GPT_OSS, GEMMA, SCOUT])
@pytest.mark.parametrize("method", METHODS)
def test_a_deep_schema_is_met_by_every_family(on_the_emulator, method, model):
    class Address(BaseModel):
        city: str

    class Customer(BaseModel):
        """A customer."""

        name: str
        address: Address

    runnable = on_the_emulator(model, *(["strict-tools"] if model == LLAMA else [])).with_structured_output(
        Customer, method=method
    )
    found = runnable.invoke("The customer Erick lives in Paris.")
    assert isinstance(found, Customer)
    assert found.address.city


# What does not come out


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("method", ["json_schema", "json_mode"])
async def test_an_unmet_json_mode_is_an_output_parser_exception_with_the_text(on_the_emulator, method, way):
    """quirk 55: it comes with status 200."""
    runnable = on_the_emulator(LLAMA, "json-unmet", max_retries=0).with_structured_output(Person, method=method)
    with pytest.raises(OutputParserException, match="JSON Mode couldn't be met") as raised:
        await every(runnable, way)
    assert isinstance(raised.value, e.StructuredOutputError)
    assert raised.value.llm_output is None, "the service keeps what the model wrote to itself"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("method", METHODS)
async def test_an_answer_in_words_is_an_output_parser_exception_with_them(service, method, way):
    """Never a silent None, and never a stream that just ends."""
    service.answers(service.says("I would rather not."))
    runnable = service.chat().with_structured_output(Person.model_json_schema(), method=method)
    with pytest.raises(OutputParserException) as raised:
        await every(runnable, way)
    assert raised.value.llm_output == "I would rather not."


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("method", METHODS)
async def test_with_the_raw_answer_it_stands_beside_it(service, method, way):
    """In a stream too, where LangChain's own classes raise."""
    service.answers(service.says("I would rather not."))
    runnable = service.chat().with_structured_output(Person, method=method, include_raw=True)
    whole: dict[str, Any] = {}
    for part in await every(runnable, way):
        whole |= part
    assert whole["raw"].text == "I would rather not."
    assert whole["parsed"] is None
    assert isinstance(whole["parsing_error"], OutputParserException)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("method", METHODS)
async def test_values_outside_the_schema_are_an_error_in_every_way(service, method, way):
    told = {"name": "Erick", "age": "old"}
    service.answers(service.says(json.dumps({"name": "Person", "arguments": told} if method[0] == "f" else told)))
    runnable = service.chat().with_structured_output(Person, method=method)
    with pytest.raises((OutputParserException, ValidationError), match="age"):
        await every(runnable, way)


needs_refusals = pytest.mark.skipif(
    not hasattr(langchain, "ModelRefusalError"), reason="langchain-core 1.7.5 brought ModelRefusalError"
)
REFUSAL = "I'm sorry, but I can't help with that."


@needs_refusals
@pytest.mark.parametrize("version", ["v0", "v1"])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("method", METHODS)
async def test_a_refusal_is_the_frameworks_own_and_whole(on_the_emulator, method, way, version):
    runnable = on_the_emulator(GEMMA, "refusal", output_version=version).with_structured_output(Person, method=method)
    with pytest.raises(langchain.ModelRefusalError) as raised:
        await every(runnable, way)
    assert REFUSAL in str(raised.value)


@needs_refusals
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("method", METHODS)
async def test_with_the_raw_answer_a_refusal_stands_beside_it(on_the_emulator, method, way):
    runnable = on_the_emulator(GEMMA, "refusal").with_structured_output(Person, method=method, include_raw=True)
    whole: dict[str, Any] = {}
    for part in await every(runnable, way):
        whole |= part
    assert whole["parsed"] is None
    assert isinstance(whole["parsing_error"], langchain.ModelRefusalError)
    assert whole["raw"].additional_kwargs["refusal"] == REFUSAL


@pytest.mark.parametrize("method", METHODS)
def test_an_error_of_the_service_is_raised_and_not_told_beside(service, method):
    """`include_raw` is about what cannot be parsed."""
    service.answers(service.refuses(401, {"errors": [{"code": 10000, "message": "Authentication error"}]}))
    with pytest.raises(e.AuthenticationError):
        service.chat().with_structured_output(Person, method=method, include_raw=True).invoke(PROMPT)


def test_the_schema_of_an_answer_is_rewritten_once_and_not_at_each_call(service):
    bound = service.chat().bind_tools([], response_format={"type": "json_schema", "json_schema": {"properties": {}}})
    held = bound.kwargs["response_format"]
    assert isinstance(held, WireFormat)
    assert response_format_of(held) is held
