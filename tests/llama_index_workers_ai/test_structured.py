"""Structured output: the three ways to ask for an object, what goes out for each, and what becomes of the answer."""

from __future__ import annotations

import json
from datetime import date
from enum import Enum
from typing import Generic, Literal, TypeVar

import pytest
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.callbacks import CallbackManager, TokenCountingHandler
from llama_index.core.program.function_program import FunctionCallingProgram
from llama_index.core.prompts import ChatPromptTemplate, PromptTemplate
from llama_index.core.rate_limiter import BaseRateLimiter
from llama_index.core.types import PydanticProgramMode
from pydantic import BaseModel, ConfigDict, Field

from llama_index_workers_ai import StructuredOutputError, WorkersAI
from llama_index_workers_ai.structured import way_of

LLAMA = "@cf/meta/llama-3.3-70b-instruct-fp8-fast"
GPT_OSS = "@cf/openai/gpt-oss-20b"
PROMPT = PromptTemplate("A town called {name}")
WAYS = {
    "json_schema": {},
    "tool": {"should_use_structured_outputs": False},
    "prompt": {"pydantic_program_mode": PydanticProgramMode.LLM},
}


class Town(BaseModel):
    """A town."""

    name: str
    height: int


QUELLMOOR = Town(name="Quellmoor", height=12)
TEXT = QUELLMOOR.model_dump_json()
USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}


def whole(way, text=TEXT, name="Town"):
    message = {"role": "assistant", "content": text}
    if way == "tool":
        call = {"id": "t1", "type": "function", "function": {"name": name, "arguments": text}}
        message = {"role": "assistant", "content": None, "tool_calls": [call]}
    return {"choices": [{"message": message, "finish_reason": "stop"}], "usage": USAGE}


def streamed(way, text=TEXT, *, reason="stop"):
    pieces = [text[at : at + 6] for at in range(0, len(text), 6)]
    deltas = [{"content": piece} for piece in pieces]
    if way == "tool":
        calls = [{"index": 0, "function": {"arguments": piece}} for piece in pieces]
        calls[0] |= {"id": "t1", "function": {"name": "Town", **calls[0]["function"]}}
        deltas = [{"tool_calls": [call]} for call in calls]
    told = [{"choices": [{"delta": delta}]} for delta in deltas]
    return [*told, {"choices": [{"delta": {}, "finish_reason": reason}]}, {"choices": [], "usage": USAGE}]


async def objects(llm, method, output_cls=Town, **kwargs):
    """All that a method yields; of a plain one its one object."""
    found = getattr(llm, method)(output_cls, PROMPT, name="Quellmoor", **kwargs)
    if method.startswith("a"):
        found = await found
    if method.startswith("stream"):
        return list(found)
    return [each async for each in found] if "stream" in method else [found]


METHODS = ["structured_predict", "astructured_predict", "stream_structured_predict", "astream_structured_predict"]


def replies(method, way, **kwargs):
    return streamed(way, **kwargs) if "stream" in method else whole(way, **kwargs)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("way", WAYS)
async def test_every_method_gives_the_same_object_in_every_way(fake, way, method):
    service = fake(replies(method, way))
    llm = WorkersAI(model=GPT_OSS, system_prompt="Be brief.", **WAYS[way], **service.arguments)
    *growing, last = await objects(llm, method)
    assert last == QUELLMOOR
    assert all(each.name is None or QUELLMOOR.name.startswith(each.name) for each in growing)
    (body,) = service.requests
    assert body["messages"][0]["content"].startswith("Be brief.")
    assert body["messages"][-1] == {"role": "user", "content": "A town called Quellmoor"}
    check_asked(body, way)


def check_asked(body, way):
    """What each way puts into a request, streamed or not."""
    if way == "json_schema":
        held = body["response_format"]["json_schema"]
        assert (held["name"], held["schema"]["required"]) == ("Town", ["name", "height"])
    elif way == "tool":
        assert body["tool_choice"] == {"type": "function", "function": {"name": "Town"}}
        assert body["tools"][0]["function"]["description"] == "A town."
        assert body["parallel_tool_calls"] is False
    else:
        assert '"required":["name","height"]' in body["messages"][0]["content"]
    assert ("response_format" in body, "tools" in body) == (way == "json_schema", way == "tool")


@pytest.mark.parametrize("way", WAYS)
async def test_a_streamed_object_grows(fake, way):
    for method in METHODS[2:]:
        llm = WorkersAI(model=GPT_OSS, **WAYS[way], **fake(streamed(way)).arguments)
        found = await objects(llm, method)
        assert len(found) > 2
        assert found[0] != QUELLMOOR
        assert type(found[-1]) is Town


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the framework's own
@pytest.mark.parametrize("way", WAYS)
async def test_a_structured_llm_answers_with_the_object(fake, way):
    llm = WorkersAI(model=GPT_OSS, **WAYS[way], **fake(whole(way)).arguments).as_structured_llm(Town)
    messages = [ChatMessage(role="user", content="A town")]
    for response in (llm.chat(messages), await llm.achat(messages), llm.complete("A town")):
        assert response.raw == QUELLMOOR
    stream = WorkersAI(model=GPT_OSS, **WAYS[way], **fake(streamed(way)).arguments).as_structured_llm(Town)
    assert [*stream.stream_chat(messages)][-1].raw == QUELLMOOR
    assert [item async for item in await stream.astream_chat(messages)][-1].raw == QUELLMOOR


class Limiter(BaseRateLimiter):
    def __init__(self):
        self.asked = 0

    def acquire(self, num_tokens=0):
        self.asked += 1

    async def async_acquire(self, num_tokens=0):
        self.asked += 1


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("way", WAYS)
async def test_usage_is_counted_and_the_rate_limiter_asked_once(fake, way, method):
    counter, limiter = TokenCountingHandler(tokenizer=str.split), Limiter()
    told = {"callback_manager": CallbackManager([counter]), "rate_limiter": limiter}
    await objects(WorkersAI(model=GPT_OSS, **told, **WAYS[way], **fake(replies(method, way)).arguments), method)
    assert (counter.prompt_llm_token_count, counter.completion_llm_token_count, limiter.asked) == (11, 7, 1)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("text", ["I would rather not.", '{"name":"Quellmoor"}', '{"name": "Quell', "[]"])
async def test_an_answer_that_is_no_such_object_is_an_error_with_model_and_text(fake, way, method, text):
    llm = WorkersAI(model=GPT_OSS, **WAYS[way], **fake(replies(method, way, text=text)).arguments)
    with pytest.raises(StructuredOutputError, match="no Town") as caught:
        await objects(llm, method)
    assert caught.value.model == GPT_OSS
    assert caught.value.partial == text
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize("text", [f"```json\n{TEXT}\n```", f"Here it is: {TEXT} That is all.", f"\n {TEXT}\n"])
@pytest.mark.parametrize("way", ["json_schema", "prompt"])
def test_words_around_the_object_are_left_out(fake, way, text):
    llm = WorkersAI(model=GPT_OSS, **WAYS[way], **fake(whole(way, text=text)).arguments)
    assert llm.structured_predict(Town, PROMPT, name="Quellmoor") == QUELLMOOR


def test_the_object_of_a_forced_tool_may_come_as_text(fake):
    llm = WorkersAI(model=GPT_OSS, **WAYS["tool"], **fake(whole("prompt")).arguments)
    assert llm.structured_predict(Town, PROMPT, name="Quellmoor") == QUELLMOOR


async def test_where_json_mode_does_not_stream_the_answer_arrives_whole(fake):
    reply = {"result": {"response": json.loads(TEXT)}, "success": True}
    for method in METHODS[2:]:
        service = fake(reply)
        assert await objects(WorkersAI(model=LLAMA, **service.arguments), method) == [QUELLMOOR]
        assert not service.requests[0].get("stream")


# Schemas


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Inner(BaseModel):
    colour: Colour
    size: int | None = None


class Outer(BaseModel):
    inner: Inner
    others: list[Inner] = Field(default_factory=list)
    kind: Literal["a", "b"] = "a"


Held = TypeVar("Held")


class Box(BaseModel, Generic[Held]):
    held: Held


class Tree(BaseModel):
    name: str
    branches: list[Tree] = Field(default_factory=list)


OUTER = Outer(inner=Inner(colour=Colour.RED), others=[Inner(colour=Colour.BLUE, size=2)], kind="b")
CASES = [OUTER, Box[int](held=3), Box[Inner](held=OUTER.inner), Tree(name="a", branches=[Tree(name="b")])]


@pytest.mark.parametrize("case", CASES, ids=lambda case: type(case).__name__)
@pytest.mark.parametrize("way", WAYS)
async def test_any_schema_comes_back_as_its_class(fake, way, case):
    for method in METHODS[:2]:
        name = type(case).__name__.replace("[", "_").replace("]", "_")
        service = fake(whole(way, text=case.model_dump_json(), name=name))
        llm = WorkersAI(model=GPT_OSS, **WAYS[way], **service.arguments)
        assert await objects(llm, method, output_cls=type(case)) == [case]
        if way == "tool":
            assert service.requests[0]["tools"][0]["function"]["name"] == name


def test_definitions_are_put_in_place_and_names_are_plain(fake):
    service = fake(whole("json_schema", text=OUTER.model_dump_json()))
    WorkersAI(model=GPT_OSS, **service.arguments).structured_predict(Outer, PROMPT, name="x")
    assert "$ref" not in json.dumps(service.requests[0]["response_format"])
    service = fake(whole("json_schema", text='{"held":3}'))
    WorkersAI(model=GPT_OSS, **service.arguments).structured_predict(Box[int], PROMPT, name="x")
    assert service.requests[0]["response_format"]["json_schema"]["name"] == "Box_int_"


# The choice of a way


@pytest.mark.parametrize(
    ("mode", "model", "wanted", "calls_tools", "way"),
    [
        ("default", LLAMA, None, True, "json_schema"),
        ("default", LLAMA, False, True, "tool"),
        ("default", LLAMA, False, False, "prompt"),
        ("default", "@cf/never/seen", None, False, "prompt"),
        ("default", "@cf/never/seen", None, True, "tool"),
        ("default", "@cf/never/seen", True, False, "json_schema"),
        ("function", LLAMA, True, True, "tool"),
        ("llm", LLAMA, True, True, "prompt"),
        ("guidance", LLAMA, True, True, None),
        ("openai", LLAMA, None, True, None),
    ],
)
def test_the_way_is_the_users_then_the_catalogues(mode, model, wanted, calls_tools, way):
    mode = PydanticProgramMode(mode)
    assert way_of(mode, model=model, wanted=wanted, calls_tools=calls_tools) == way


def test_the_arguments_of_the_call_reach_the_service_and_those_of_programs_do_not(fake):
    service = fake(whole("json_schema"))
    told = {"temperature": 0.1, "model": GPT_OSS, "tool_required": True, "tool_choice": "x"}
    WorkersAI(**service.arguments).structured_predict(Town, PROMPT, llm_kwargs=told, name="x")
    assert (service.requests[0]["temperature"], service.requests[0]["model"]) == (0.1, GPT_OSS)
    assert told == {"temperature": 0.1, "model": GPT_OSS, "tool_required": True, "tool_choice": "x"}


def test_strict_goes_into_the_schema_and_the_tool(fake):
    service = fake(whole("json_schema"))
    WorkersAI(model=GPT_OSS, strict=True, **service.arguments).structured_predict(Town, PROMPT, name="x")
    assert service.requests[0]["response_format"]["json_schema"]["strict"] is True
    service = fake(whole("tool"))
    WorkersAI(model=GPT_OSS, strict=True, **WAYS["tool"], **service.arguments).structured_predict(
        Town, PROMPT, name="x"
    )
    assert service.requests[0]["tools"][0]["function"]["strict"] is True


def test_a_system_message_of_the_prompt_takes_the_schema_in(fake):
    service = fake(whole("prompt"))
    prompt = ChatPromptTemplate(
        [ChatMessage(role="system", content="You know towns."), ChatMessage(role="user", content="One")]
    )
    WorkersAI(**WAYS["prompt"], **service.arguments).structured_predict(Town, prompt)
    assert [message["role"] for message in service.requests[0]["messages"]] == ["system", "user"]
    assert service.requests[0]["messages"][0]["content"].startswith("You know towns.\nAnswer with one JSON object")


async def test_a_model_of_plain_prompts_is_asked_by_llamaindexs_own_program(fake):
    reply = {"result": {"response": TEXT}, "success": True}
    for method in METHODS:
        service = fake([{"response": TEXT}, {"response": ""}] if "stream" in method else reply)
        llm = WorkersAI(model="@cf/meta/llama-3.1-8b-instruct", is_chat_model=False, **service.arguments)
        assert (await objects(llm, method))[-1] == QUELLMOOR
        assert "JSON schema" in service.requests[0]["prompt"]


class Visit(BaseModel):
    model_config = ConfigDict(strict=True)

    day: date


@pytest.mark.parametrize("way", WAYS)
async def test_a_strict_class_is_met_by_what_json_can_say(fake, way):
    """Its growing object is of no use: only whole JSON text makes a date of a string."""
    text = '{"day":"2026-11-24"}'
    for method in METHODS:
        llm = WorkersAI(model=GPT_OSS, **WAYS[way], **fake(replies(method, way, text=text)).arguments)
        assert (await objects(llm, method, output_cls=Visit))[-1] == Visit(day=date(2026, 11, 24))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the framework's own
async def test_llamaindexs_own_function_program_works_streamed_or_not(fake):
    def program(reply):
        llm = WorkersAI(model=GPT_OSS, **fake(reply).arguments)
        return FunctionCallingProgram.from_defaults(Town, prompt=PROMPT, llm=llm)

    assert program(whole("tool"))(name="x") == QUELLMOOR
    assert await program(whole("tool")).acall(name="x") == QUELLMOOR
    assert list(program(streamed("tool")).stream_call(name="x"))[-1] == QUELLMOOR
    growing = [each async for each in await program(streamed("tool")).astream_call(name="x")]
    assert growing[-1] == QUELLMOOR
    assert growing[0] != QUELLMOOR
