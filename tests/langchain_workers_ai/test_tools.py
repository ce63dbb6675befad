"""Tools: what is taken for one, the choice among them, and calls in answers, streams and history."""

from __future__ import annotations

import json
import warnings
from typing import Annotated, Any, TypedDict

import httpx
import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage
from langchain_core.tools import StructuredTool, tool
from pydantic import BaseModel, Field

from langchain_workers_ai import ChatWorkersAI
from langchain_workers_ai.tools import to_wire_tools
from workers_ai import errors as e
from workers_ai.call import Call
from workers_ai.local import LocalServer

LLAMA = "@cf/meta/llama-3.3-70b-instruct-fp8-fast"
GEMMA = "@cf/google/gemma-4-26b-a4b-it"
GPT_OSS = "@cf/openai/gpt-oss-20b"
SCOUT = "@cf/meta/llama-4-scout-17b-16e-instruct"
KIMI = "@cf/moonshotai/kimi-k2.6"
FAMILIES = [LLAMA, GPT_OSS, GEMMA, SCOUT]
WAYS = ["invoke", "ainvoke", "stream", "astream"]

BOTH = "What is the weather in Paris and what is 3 + 4?"
CALLS = [("weather", {"city": "Paris"}), ("add", {"a": 3, "b": 4})]


def weather(city: str) -> str:
    """Weather in a city.

    Args:
        city: Its name.
    """
    return f"{city}: sunny"


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


class Weather(BaseModel):
    """Weather in a city."""

    city: str = Field(description="Its name.")


class WeatherDict(TypedDict):
    """Weather in a city."""

    city: Annotated[str, ..., "Its name."]


SCHEMA = {
    "title": "weather",
    "description": "Weather in a city.",
    "type": "object",
    "properties": {"city": {"type": "string", "description": "Its name."}},
    "required": ["city"],
}
PARAMETERS = {key: SCHEMA[key] for key in ("type", "properties", "required")}
ANTHROPIC = {
    "name": "weather",
    "description": "Weather in a city.",
    "input_schema": PARAMETERS,
    "cache_control": {"type": "ephemeral"},
}
FLAT = {"name": "weather", "description": "Weather in a city.", "parameters": PARAMETERS}
OPENAI = {"type": "function", "function": FLAT}


async def asked(model: Any, question: Any, way: str) -> AIMessage:
    """The answer, by each way to ask; chunks are added up."""
    if way == "invoke":
        return model.invoke(question)
    if way == "ainvoke":
        return await model.ainvoke(question)
    chunks = list(model.stream(question)) if way == "stream" else [c async for c in model.astream(question)]
    return summed(chunks)


def summed(chunks: list[AIMessageChunk]) -> AIMessageChunk:
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole += chunk
    return whole


def bare(message: AIMessage) -> list[tuple[str, dict[str, Any]]]:
    """Names and arguments of the calls."""
    return [(call["name"], call["args"]) for call in message.tool_calls]


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


# What is taken for a tool


@pytest.mark.parametrize(
    ("given", "name"),
    [
        (weather, "weather"),
        (Weather, "Weather"),
        (WeatherDict, "WeatherDict"),
        (SCHEMA, "weather"),
        (tool(parse_docstring=True)(weather), "weather"),
        (StructuredTool.from_function(weather, parse_docstring=True), "weather"),
        (ANTHROPIC, "weather"),
        (FLAT, "weather"),
        (OPENAI, "weather"),
    ],
    ids=["function", "pydantic", "TypedDict", "schema", "@tool", "StructuredTool", "Anthropic", "flat", "OpenAI"],
)
def test_every_kind_of_tool_goes_out_in_the_one_form(service, given, name):
    service.chat().bind_tools([given]).invoke("Hi")
    (sent,) = service.body["tools"]
    assert sent["type"] == "function"
    assert sent["function"]["name"] == name
    assert sent["function"]["description"] == "Weather in a city."
    parameters = sent["function"]["parameters"]
    assert parameters["type"] == "object"
    assert parameters["required"] == ["city"]
    city = parameters["properties"]["city"]
    assert (city["type"], city["description"]) == ("string", "Its name.")
    assert "cache_control" not in json.dumps(sent)


def test_tools_are_converted_when_they_are_bound_and_not_again(service, monkeypatch):
    bound = service.chat().bind_tools([weather, Weather, ANTHROPIC])
    monkeypatch.setattr("langchain_workers_ai.tools.convert_to_openai_tool", None)
    monkeypatch.setattr("workers_ai.wire.tools.accepted", None)
    bound.invoke("Hi")
    bound.invoke("Hi")
    assert service.bodies[0]["tools"] == service.bodies[1]["tools"]


def test_the_callers_tools_are_left_as_they_were():
    given = json.loads(json.dumps(ANTHROPIC))
    to_wire_tools([given])
    assert given == ANTHROPIC


def test_a_tool_without_a_name_is_refused(service):
    with pytest.raises(e.BadRequestError, match="has no name"):
        service.chat().bind_tools([{"type": "function", "function": {"parameters": {}}}])
    assert service.requests == []


def test_tools_of_one_call_need_no_binding(service):
    """`invoke(..., tools=[...])`, as some agents do it."""
    service.chat().invoke("Hi", tools=[weather], tool_choice="weather")
    assert service.body["tools"][0]["function"]["name"] == "weather"
    assert service.body["tool_choice"] == {"type": "function", "function": {"name": "weather"}}


def test_a_tool_without_arguments_has_an_empty_object(service):
    def now() -> str:
        """The time."""
        return "noon"

    service.chat().bind_tools([now]).invoke("Hi")
    assert service.body["tools"][0]["function"]["parameters"] == {"type": "object", "properties": {}}


# The choice among them

NAMED = {"type": "function", "function": {"name": "add"}}


@pytest.mark.parametrize(
    ("choice", "one", "two"),
    [
        (None, None, None),
        (False, None, None),
        ("auto", "auto", "auto"),
        ("none", "none", "none"),
        ("any", NAMED, "required"),
        ("required", NAMED, "required"),
        (True, NAMED, "required"),
        ("add", NAMED, NAMED),
        (NAMED, NAMED, NAMED),
        ({"type": "tool", "name": "add"}, NAMED, NAMED),
        ({"type": "auto"}, "auto", "auto"),
        ({"type": "any"}, NAMED, "required"),
    ],
)
def test_a_choice_goes_out_as_the_service_takes_it(service, choice, one, two):
    """One tool that must be called goes out by its name: that is enforced, "required" is taken as advice (quirk 41)."""
    service.chat().bind_tools([add], tool_choice=choice).invoke("Hi")
    service.chat().bind_tools([add, weather], tool_choice=choice).invoke("Hi")
    assert [body.get("tool_choice") for body in service.bodies] == [one, two]


@pytest.mark.parametrize("choice", ["subtract", {"type": "function", "function": {"name": "subtract"}}])
def test_a_choice_that_is_none_of_the_tools_is_an_error_before_anything_is_sent(service, choice):
    with pytest.raises(e.BadRequestError, match=r"'subtract' is none of the tools \(add, weather\)"):
        service.chat().bind_tools([add, weather], tool_choice=choice)
    assert service.requests == []


def test_a_tool_may_be_called_any(service):
    """A name goes before the word that it happens to be."""

    def any_(x: int) -> int:
        """Give back a number."""
        return x

    given = tool("any")(any_)
    service.chat().bind_tools([given, add], tool_choice="any").invoke("Hi")
    assert service.body["tool_choice"] == {"type": "function", "function": {"name": "any"}}


@pytest.mark.parametrize("tools", [[], ()])
def test_no_tool_means_no_key_of_tools(service, tools):
    """`create_agent` without tools binds an empty list."""
    service.chat().bind_tools(tools, tool_choice="any", parallel_tool_calls=False).invoke("Hi")
    assert service.body.keys().isdisjoint({"tools", "tool_choice", "parallel_tool_calls"})


@pytest.mark.parametrize("value", [None, True, False])
def test_parallel_tool_calls_are_said_when_they_were(service, value):
    service.chat().bind_tools([add, weather], parallel_tool_calls=value).invoke("Hi")
    assert service.body.get("parallel_tool_calls") is value


def test_the_objects_own_choice_holds_until_a_call_says_another(service):
    model = service.chat(tool_choice="auto", parallel_tool_calls=False)
    model.bind_tools([add]).invoke("Hi")
    model.bind_tools([add], tool_choice="add", parallel_tool_calls=True).invoke("Hi")
    assert [body["tool_choice"] for body in service.bodies] == ["auto", NAMED]
    assert [body["parallel_tool_calls"] for body in service.bodies] == [False, True]


def test_parallel_tool_calls_can_be_disabled(service):
    """As for ChatOpenAI: a server that does not know the option."""
    model = service.chat(disabled_params={"parallel_tool_calls": None})
    model.bind_tools([add], parallel_tool_calls=False).invoke("Hi")
    assert "parallel_tool_calls" not in service.body


@pytest.mark.parametrize("strict", [None, True, False])
def test_strict_is_said_of_each_tool(service, strict):
    service.chat().bind_tools([add], strict=strict).invoke("Hi")
    function = service.body["tools"][0]["function"]
    assert function.get("strict") is (True if strict else None)
    if strict:
        assert function["parameters"]["additionalProperties"] is False


def test_the_objects_own_strict_holds_for_all_its_tools(service):
    service.chat(strict=True).bind_tools([add]).invoke("Hi")
    assert service.body["tools"][0]["function"]["strict"] is True


@pytest.mark.parametrize("tools", [[], [add]])
@pytest.mark.parametrize(
    "response_format",
    [Weather, SCHEMA, {"type": "json_schema", "json_schema": {"name": "weather", "schema": SCHEMA}}],
    ids=["pydantic", "schema", "OpenAI"],
)
def test_a_response_format_stands_beside_tools(service, response_format, tools):
    """What create_agent's ProviderStrategy binds, with tools and without any."""
    service.chat().bind_tools(tools, response_format=response_format).invoke("Hi")
    sent = service.body["response_format"]
    assert sent["type"] == "json_schema"
    assert sent["json_schema"]["name"].lower() == "weather"
    assert sent["json_schema"]["schema"]["properties"].keys() == {"city"}
    assert ("tools" in service.body) is bool(tools)


def test_the_bare_schema_goes_to_classic_models_and_the_wrapper_to_the_others(service):
    """quirk 54."""
    for model in (LLAMA, GEMMA):
        service.chat(model=model, api="openai").bind_tools([], response_format=Weather).invoke("Hi")
    bare_, wrapped = (body["response_format"]["json_schema"] for body in service.bodies)
    assert bare_["properties"].keys() == {"city"}
    assert "schema" not in bare_
    assert wrapped["schema"]["properties"].keys() == {"city"}


def test_a_model_of_which_the_listing_says_nothing_gets_tools_with_one_warning(service):
    from workers_ai.tasks.chat import _warn_of_tools

    _warn_of_tools.cache_clear()
    with warnings.catch_warnings(action="ignore"):
        Call("@cf/meta/llama-3-8b-instruct")  # that it has been retired is told once, here
    bound = service.chat(model="@cf/meta/llama-3-8b-instruct", api="openai").bind_tools([add])
    with pytest.warns(UserWarning, match="does not say that @cf/meta/llama-3-8b-instruct calls tools") as told:
        bound.batch(["Hi", "Hello"])
    assert [warning.category for warning in told] == [UserWarning]
    assert len(service.requests) == 2


# Calls in whole answers


def flat(*calls: dict[str, Any], text: str | None = None) -> Any:
    """A native answer with flat calls."""
    result = {"response": text, "tool_calls": list(calls), "usage": {"prompt_tokens": 1, "completion_tokens": 1}}
    return lambda _: httpx.Response(200, json={"result": result, "success": True})


def openai(*calls: dict[str, Any], text: str | None = None, finish: str = "tool_calls") -> Any:
    """An answer of `/ai/v1` with OpenAI's calls."""
    message = {"role": "assistant", "content": text, "tool_calls": list(calls)}
    body = {"choices": [{"index": 0, "message": message, "finish_reason": finish}]}
    return lambda _: httpx.Response(200, json=body)


def call(name: str, arguments: Any, id_: str | None = "a1") -> dict[str, Any]:
    return {"id": id_, "type": "function", "function": {"name": name, "arguments": arguments}}


def test_flat_calls_without_ids_get_different_ones(service):
    """quirk 32."""
    service.answers(
        flat({"name": "add", "arguments": {"a": 1, "b": 2}}, {"name": "add", "arguments": {"a": 3, "b": 4}})
    )
    answer = service.chat(model=LLAMA).bind_tools([add]).invoke("Hi")
    assert [made["args"] for made in answer.tool_calls] == [{"a": 1, "b": 2}, {"a": 3, "b": 4}]
    ids = [made["id"] for made in answer.tool_calls]
    assert len(set(ids)) == 2
    assert all(ids)


@pytest.mark.parametrize("arguments", [{"a": 1, "b": 2}, '{"a": 1, "b": 2}'], ids=["object", "string"])
@pytest.mark.parametrize("form", ["flat", "openai"])
def test_arguments_are_an_object_or_a_string(service, form, arguments):
    made = {"name": "add", "arguments": arguments} if form == "flat" else call("add", arguments)
    service.answers((flat if form == "flat" else openai)(made))
    assert bare(service.chat().bind_tools([add]).invoke("Hi")) == [("add", {"a": 1, "b": 2})]


@pytest.mark.parametrize("arguments", ["", None, "{}", {}])
def test_a_call_without_arguments_has_none(service, arguments):
    service.answers(openai(call("now", arguments)))
    assert bare(service.chat().invoke("Hi")) == [("now", {})]


def test_stringified_values_get_the_type_of_the_schema(service):
    """quirk 40. What the schema calls a string stays one, whatever it looks like."""

    def book(seats: int, price: float, vip: bool, tags: list[str], who: dict[str, Any], code: str) -> str:
        """Book seats."""
        return ""

    told = {"seats": "2", "price": "1.5", "vip": "true", "tags": '["a"]', "who": '{"name": "x"}', "code": "007"}
    service.answers(flat({"name": "book", "arguments": told}))
    (made,) = service.chat(model=LLAMA).bind_tools([book]).invoke("Hi").tool_calls
    assert made["args"] == {
        "seats": 2,
        "price": 1.5,
        "vip": True,
        "tags": ["a"],
        "who": {"name": "x"},
        "code": "007",
    }


@pytest.mark.parametrize("text", ['{"a": 1,', "[1, 2]", '"a"', "sorry"])
async def test_arguments_that_are_no_json_object_are_kept_and_never_executed(service, text):
    service.answers(openai(call("add", text), call("add", '{"a": 1, "b": 2}', "a2")))
    answer = await service.chat().bind_tools([add]).ainvoke("Hi")
    assert bare(answer) == [("add", {"a": 1, "b": 2})]
    (invalid,) = answer.invalid_tool_calls
    assert (invalid["name"], invalid["args"], invalid["id"]) == ("add", text, "a1")
    assert invalid["error"]


@pytest.mark.parametrize("way", ["stream", "astream"])
@pytest.mark.parametrize("version", ["v0", "v1"])
@pytest.mark.parametrize("model", [LLAMA, GEMMA])
async def test_arguments_that_break_off_in_a_stream_are_not_completed(on_the_emulator, model, version, way):
    """LangChain completes the beginning of JSON: an agent would run `{"path": "/` with the path "/"."""
    chat = on_the_emulator(model, "invalid-arguments", output_version=version)
    answer = await asked(chat.bind_tools([weather, add]), BOTH, way)
    assert answer.tool_calls == []
    assert [made["name"] for made in answer.invalid_tool_calls] == ["weather", "add"]
    assert answer.invalid_tool_calls[0]["args"].startswith('{"city":')
    if version == "v0":
        assert [block["type"] for block in answer.content_blocks] == ["invalid_tool_call"] * 2


@pytest.mark.parametrize(
    "text",
    ['{"path": "/', '{"path": "/"', '{"path": "\\', '{"a": [1, ', '{"a": {"b": 1}', '{"a": [{"b": "', "{}{}", '{"a":'],
)
def test_no_broken_arguments_are_taken_for_whole_ones(text):
    """Wherever they broke off."""
    from langchain_core.messages.tool import tool_call_chunk

    from langchain_workers_ai.messages import _spoiled

    chunk = AIMessageChunk("", tool_call_chunks=[tool_call_chunk(name="f", args=text, id="1", index=0)])
    last = AIMessageChunk("", tool_call_chunks=[tool_call_chunk(args=_spoiled(text), index=0)])
    whole = chunk + last
    assert whole.tool_calls == []
    assert whole.invalid_tool_calls[0]["args"].startswith(text)


def test_text_beside_calls_is_kept(service):
    service.answers(openai(call("add", '{"a": 1, "b": 2}'), text="Let me add."))
    answer = service.chat().bind_tools([add]).invoke("Hi")
    assert answer.text == "Let me add."
    assert [block["type"] for block in answer.content_blocks] == ["text", "tool_call"]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("api", ["native", "openai"])
async def test_an_answer_with_calls_ends_with_tool_calls_whatever_the_model_says(on_the_emulator, api, way):
    """quirk 38: agents look at the finish reason."""
    answer = await asked(on_the_emulator(SCOUT, "finish-stop", api=api).bind_tools([weather, add]), BOTH, way)
    assert bare(answer) == CALLS
    assert answer.response_metadata["finish_reason"] == "tool_calls"


# Calls that leak as text


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("quirk", ["leak-forced-call", "leak-forced-call-flat"])
@pytest.mark.parametrize("choice", ["add", "any"])
async def test_a_forced_call_that_leaks_as_text_is_a_call_all_the_same(on_the_emulator, choice, quirk, way):
    """quirk 39."""
    chat = on_the_emulator(GPT_OSS, quirk, reasoning_effort="low").bind_tools([add, weather], tool_choice=choice)
    answer = await asked(chat, "What is 3 + 4?", way)
    assert bare(answer) == [("add", {"a": 3, "b": 4})]
    assert answer.text == ""
    assert answer.response_metadata["finish_reason"] == "tool_calls"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("choice", ["auto", "none", None])
async def test_json_text_stays_text_where_no_tool_was_forced(service, choice, way):
    """An answer in JSON is no call."""
    text = '{"name": "add", "arguments": {"a": 1, "b": 2}}'
    service.answers(service.says(text))
    answer = await asked(service.chat().bind_tools([add], tool_choice=choice), "Hi", way)
    assert answer.tool_calls == []
    assert answer.text == text


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("text", ['{"name": "weather", "arguments": {"city": "Paris"}}', '{"a": 1', "No.", '{"a": 1}'])
async def test_other_text_stays_text_where_one_was(service, text, way):
    """The name of another tool, a broken object, words, an object that is no call."""
    service.answers(service.says(text))
    answer = await asked(service.chat().bind_tools([add, weather], tool_choice="add"), "Hi", way)
    assert answer.tool_calls == []
    assert answer.text == text


# Streams


QUIRKS = [
    *"index-zero names-late names-repeated no-ids interleaved null-sentinel two-per-delta whole-calls".split(),
    *"repeated-frame string-arguments stringified-values reasoning-key".split(),
]


@pytest.mark.parametrize("quirk", QUIRKS)
@pytest.mark.parametrize("model", FAMILIES)
async def test_whatever_way_a_stream_cuts_its_calls_they_come_as_they_are(on_the_emulator, model, quirk):
    """quirks 35 to 37: nothing lost, nothing doubled, on both APIs."""
    for api, way in (("native", "stream"), ("openai", "astream")):
        answer = await asked(on_the_emulator(model, quirk, api=api).bind_tools([weather, add]), BOTH, way)
        assert bare(answer) == CALLS
        assert answer.invalid_tool_calls == []
        assert len({made["id"] for made in answer.tool_calls}) == 2


@pytest.mark.parametrize(
    "quirks", [("index-zero", "names-repeated"), ("names-late", "interleaved"), ("no-ids", "names-repeated")]
)
async def test_two_quirks_at_once_change_nothing_either(on_the_emulator, quirks):
    answer = await asked(on_the_emulator(GEMMA, *quirks).bind_tools([weather, add]), BOTH, "stream")
    assert bare(answer) == CALLS


@pytest.mark.parametrize("api", ["native", "openai"])
@pytest.mark.parametrize("model", [*FAMILIES, KIMI])
async def test_each_piece_of_a_call_has_its_index_and_only_the_first_one_has_id_and_name(on_the_emulator, model, api):
    """`stream_mode="messages"` breaks on anything else."""
    chunks = list(on_the_emulator(model, api=api).bind_tools([weather, add]).stream(BOTH))
    pieces = [piece for chunk in chunks for piece in chunk.tool_call_chunks]
    for index, (name, args) in enumerate(CALLS):
        own = [piece for piece in pieces if piece["index"] == index]
        assert [piece["name"] for piece in own] == [name, *[None] * (len(own) - 1)]
        assert own[0]["id"]
        assert [piece["id"] for piece in own[1:]] == [None] * (len(own) - 1)
        assert json.loads("".join(piece["args"] for piece in own)) == args
    assert {piece["index"] for piece in pieces} == {0, 1}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("model", FAMILIES)
async def test_a_model_that_was_bound_answers_alike_in_every_way(on_the_emulator, model, way):
    answer = await asked(on_the_emulator(model).bind_tools([weather, add]), BOTH, way)
    assert bare(answer) == CALLS


# History


def test_ids_go_back_as_the_model_wrote_them(service):
    """quirk 34; a call without an id gets the one that its result names."""
    history = [
        HumanMessage("Hi"),
        AIMessage("", tool_calls=[{"name": "add", "args": {"a": 1, "b": 2}, "id": "chatcmpl-tool-1"}]),
        ToolMessage("3", tool_call_id="chatcmpl-tool-1"),
    ]
    service.chat().bind_tools([add]).invoke(history)
    _, assistant, result = service.body["messages"]
    assert assistant["content"] == ""
    assert assistant["tool_calls"] == [call("add", '{"a":1,"b":2}', "chatcmpl-tool-1")]
    assert result == {"role": "tool", "tool_call_id": "chatcmpl-tool-1", "content": "3", "name": "add"}


@pytest.mark.parametrize("way", WAYS)
async def test_ids_that_a_model_repeats_are_unique_outward_and_unchanged_inward(on_the_emulator, emulator, way):
    """quirk 33: kimi counts from 0 in every turn."""
    chat = on_the_emulator(KIMI).bind_tools([add])
    first = await asked(chat, "What is 3 + 4?", way)
    second = await asked(chat, "What is 3 + 4?", way)
    ids = [answer.tool_calls[0]["id"] for answer in (first, second)]
    assert ids[0] != ids[1]
    history = [HumanMessage("What is 3 + 4?"), first, ToolMessage("7", tool_call_id=ids[0])]
    await asked(chat, history, way)
    _, assistant, result = emulator.requests[-1].json["messages"]
    assert assistant["tool_calls"][0]["id"] == result["tool_call_id"] == "functions.add:0"


def test_an_invalid_call_goes_back_as_it_came(service):
    """With its result, which says what was wrong: the model sees what it wrote."""
    service.answers(openai(call("add", '{"a": 1,')), service.says("Oh."))
    chat = service.chat().bind_tools([add])
    answer = chat.invoke("Hi")
    chat.invoke([HumanMessage("Hi"), answer, ToolMessage("no JSON", tool_call_id="a1", status="error")])
    _, assistant, result = service.body["messages"]
    assert assistant["tool_calls"][0]["function"]["arguments"] == '{"a": 1,'
    assert result["tool_call_id"] == "a1"


@pytest.mark.parametrize("version", ["v0", "v1"])
@pytest.mark.parametrize("model", FAMILIES)
async def test_a_whole_round_of_tools_ends_in_an_answer_from_the_results(on_the_emulator, model, version):
    """The strict emulator takes the history back, in either version of content, streamed."""
    chat = on_the_emulator(model, output_version=version).bind_tools([weather, add])
    answer = await asked(chat, BOTH, "stream")
    results = [
        ToolMessage(str({"weather": weather, "add": add}[m["name"]](**m["args"])), tool_call_id=m["id"])
        for m in answer.tool_calls
    ]
    final = await asked(chat, [HumanMessage(BOTH), answer, *results], "astream")
    assert final.tool_calls == []
    assert "sunny" in final.text
    assert "7" in final.text
