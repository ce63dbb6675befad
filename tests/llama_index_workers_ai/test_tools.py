"""Tools out, calls back: in every shape that models stream them in, through LlamaIndex's own machinery."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llama_index.core.agent.workflow import AgentStream, FunctionAgent
from llama_index.core.base.llms.types import ChatMessage, ChatResponse, ToolCallBlock
from llama_index.core.tools import BaseTool, FunctionTool, ToolMetadata

from llama_index_workers_ai import BadRequestError, InvalidResponseError, WorkersAI
from llama_index_workers_ai.responses import StreamedAnswer
from llama_index_workers_ai.tools import to_wire_tools
from workers_ai.answers import ChatDelta
from workers_ai.wire.tool_calls import CallAssembler


def add(a: int, b: int) -> int:
    """Adds two numbers."""
    return a + b


def sub(a: int, b: int) -> int:
    """Subtracts two numbers."""
    return a - b


TOOLS = [FunctionTool.from_defaults(add), FunctionTool.from_defaults(sub)]
ADD = {"id": "t1", "type": "function", "function": {"name": "add", "arguments": '{"a":1,"b":2}'}}
SUB = {"id": "t2", "type": "function", "function": {"name": "sub", "arguments": '{"a":9,"b":4}'}}
HELLO = [ChatMessage(role="user", content="Hello")]


def answer(*calls, text=None):
    message = {"role": "assistant", "content": text, "tool_calls": list(calls)}
    return {"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls" if calls else "stop"}]}


def frames(*deltas, reason="tool_calls"):
    told = [{"choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    return [*told, {"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}]


def piece(index, arguments="", *, id=None, name=None):
    return {"index": index, "id": id, "function": {"name": name, "arguments": arguments}}


def first(index, name, id):
    return piece(index, id=id, name=name)


def blocks(response):
    found = [block for block in response.message.blocks if isinstance(block, ToolCallBlock)]
    return [(block.tool_name, block.tool_kwargs) for block in found]


BOTH = [("add", {"a": 1, "b": 2}), ("sub", {"a": 9, "b": 4})]

SHAPES = {
    "separate deltas": frames(
        {"tool_calls": [first(0, "add", "t1")]},
        {"tool_calls": [piece(0, '{"a":1,')]},
        {"tool_calls": [piece(0, '"b":2}')]},
        {"tool_calls": [first(1, "sub", "t2")]},
        {"tool_calls": [piece(1, '{"a":9,"b":4}')]},
    ),
    "one delta": frames(
        {
            "tool_calls": [
                piece(0, '{"a":1,"b":2}', id="t1", name="add"),
                piece(1, '{"a":9,"b":4}', id="t2", name="sub"),
            ]
        }
    ),
    "interleaved": frames(
        {"tool_calls": [first(0, "add", "t1")]},
        {"tool_calls": [first(1, "sub", "t2")]},
        {"tool_calls": [piece(0, '{"a":1,')]},
        {"tool_calls": [piece(1, '{"a":9,')]},
        {"tool_calls": [piece(0, '"b":2}')]},
        {"tool_calls": [piece(1, '"b":4}')]},
    ),
    "all index 0 with ids of their own": frames(
        {"tool_calls": [piece(0, '{"a":1,"b":2}', id="t1", name="add")]},
        {"tool_calls": [piece(0, '{"a":9,"b":4}', id="t2", name="sub")]},
    ),
    "no ids": frames(
        {"tool_calls": [piece(0, '{"a":1,"b":2}', name="add")]},
        {"tool_calls": [piece(1, '{"a":9,"b":4}', name="sub")]},
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
async def test_two_parallel_calls_come_whole_in_every_shape(fake, shape):
    llm = WorkersAI(**fake(SHAPES[shape]).arguments)
    for items in (
        list(llm.stream_chat(HELLO, tools=TOOLS)),
        [item async for item in await llm.astream_chat(HELLO, tools=TOOLS)],
    ):
        assert blocks(items[-1]) == BOTH
        found = llm.get_tool_calls_from_response(items[-1])
        assert [(call.tool_name, call.tool_kwargs) for call in found] == BOTH
        assert len({call.tool_id for call in found} - {""}) == 2
        kept = items[-1].message.additional_kwargs["tool_calls"]
        assert [(call["function"]["name"], json.loads(call["function"]["arguments"])) for call in kept] == BOTH
        assert [call["id"] for call in kept] == [call.tool_id for call in found]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the framework's own
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("streaming", [True, False])
async def test_an_agent_runs_both_of_two_parallel_calls_once(fake, shape, streaming):
    ran = []
    tools = [
        FunctionTool.from_defaults(lambda a, b: ran.append((a, b)) or a + b, name="add", description="Adds."),
        FunctionTool.from_defaults(lambda a, b: ran.append((a, b)) or a - b, name="sub", description="Subtracts."),
    ]
    done = frames({"content": "3 and 5"}, reason="stop") if streaming else answer(text="3 and 5")
    service = fake(SHAPES[shape] if streaming else answer(ADD, SUB), done)
    agent = FunctionAgent(tools=tools, llm=WorkersAI(**service.arguments), streaming=streaming)
    assert str(await agent.run("1 + 2 and 9 - 4?")) == "3 and 5"
    assert sorted(ran) == [(1, 2), (9, 4)]
    call, *results = service.requests[1]["messages"][-3:]
    assert call["content"] == ""
    assert [each["id"] for each in call["tool_calls"]] == [each["tool_call_id"] for each in results]
    assert [each["name"] for each in results] == ["add", "sub"]
    assert [each["content"] for each in results] == ["3", "5"]


async def test_text_reasoning_and_call_of_one_turn_are_all_kept(fake):
    stream = frames({"reasoning_content": "Sum."}, {"content": "Let me see."}, {"tool_calls": [{**ADD, "index": 0}]})
    llm = WorkersAI(**fake(stream).arguments)
    for items in (list(llm.stream_chat(HELLO)), [item async for item in await llm.astream_chat(HELLO)]):
        last = items[-1]
        assert [block.block_type for block in last.message.blocks] == ["thinking", "text", "tool_call"]
        assert last.message.content == "Let me see."
        assert blocks(last) == BOTH[:1]
        assert [item.delta for item in items] == ["", "Let me see.", "", ""]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the framework's own
async def test_an_agent_streams_and_keeps_the_text_before_a_call_and_runs_the_call(fake):
    stream = frames({"content": "Let me "}, {"content": "see."}, {"tool_calls": [{**ADD, "index": 0}]})
    service = fake(stream, frames({"content": "3"}, reason="stop"))
    handler = FunctionAgent(tools=TOOLS, llm=WorkersAI(**service.arguments)).run("1 + 2?")
    deltas = [event.delta async for event in handler.stream_events() if isinstance(event, AgentStream)]
    assert str(await handler) == "3"
    assert "".join(deltas) == "Let me see.3"
    call, result = service.requests[1]["messages"][-2:]
    assert (call["content"], result["content"]) == ("Let me see.", "3")


def test_a_growing_call_shows_its_arguments_as_far_as_they_have_come(fake):
    cuts = ['{"a"', ": 1", "2, ", '"b": tr', "ue}"]
    stream = frames({"tool_calls": [first(0, "add", "t1")]}, *({"tool_calls": [piece(0, cut)]} for cut in cuts))
    llm = WorkersAI(**fake(stream).arguments)
    items = list(llm.stream_chat(HELLO))
    seen = [llm.get_tool_calls_from_response(item, error_on_no_tool_call=False)[0].tool_kwargs for item in items]
    assert seen == [{}, {}, {"a": 1}, {"a": 12}, {"a": 12}, {"a": 12, "b": True}, {"a": 12, "b": True}]
    assert {item.message.additional_kwargs["tool_calls"][0]["id"] for item in items} == {"t1"}


async def test_arguments_that_are_no_json_stay_text_and_are_never_run(fake):
    broken = {**ADD, "function": {"name": "add", "arguments": '{"a": 1'}}
    whole = WorkersAI(**fake(answer(broken)).arguments)
    stream = WorkersAI(**fake(frames({"tool_calls": [{**broken, "index": 0}]})).arguments)
    last = [item async for item in await stream.astream_chat(HELLO)][-1]
    for response in (whole.chat(HELLO), last):
        assert blocks(response) == [("add", '{"a": 1')]
        with pytest.raises(
            InvalidResponseError, match=re.escape("""'add' with arguments that are no JSON object: '{"a": 1'""")
        ):
            whole.get_tool_calls_from_response(response, error_on_no_tool_call=False)


def test_no_call_is_an_error_only_where_one_is_asked_for(fake):
    llm = WorkersAI(**fake(answer(text="Hi")).arguments)
    response = llm.chat(HELLO)
    assert llm.get_tool_calls_from_response(response, error_on_no_tool_call=False) == []
    with pytest.raises(ValueError, match="'Hi'"):
        llm.get_tool_calls_from_response(response)


# What goes out


def sent(fake, **kwargs):
    service = fake(answer(ADD))
    WorkersAI(**service.arguments).chat_with_tools(TOOLS, user_msg="Hello", **kwargs)
    return service.requests[0]


@pytest.mark.parametrize(
    ("asked", "choice"),
    [
        ({}, None),
        ({"tool_choice": None}, None),
        ({"tool_choice": "auto"}, "auto"),
        ({"tool_choice": "none"}, "none"),
        ({"tool_choice": "any"}, "required"),
        ({"tool_choice": "required"}, "required"),
        ({"tool_required": True}, "required"),
        ({"tool_required": True, "tool_choice": "auto"}, "auto"),
        ({"tool_choice": "sub"}, {"type": "function", "function": {"name": "sub"}}),
        (
            {"tool_choice": {"type": "function", "function": {"name": "sub"}}},
            {"type": "function", "function": {"name": "sub"}},
        ),
    ],
)
def test_a_choice_of_tools_goes_out_as_the_service_takes_it(fake, asked, choice):
    assert sent(fake, **asked).get("tool_choice") == choice


def test_one_tool_that_is_required_goes_out_by_name(fake):
    service = fake(answer(ADD))
    WorkersAI(**service.arguments).chat_with_tools(TOOLS[:1], user_msg="Hello", tool_required=True)
    assert service.requests[0]["tool_choice"] == {"type": "function", "function": {"name": "add"}}


def test_a_choice_that_is_none_of_the_tools_is_refused_before_anything_is_sent(fake):
    service = fake(answer(ADD))
    with pytest.raises(BadRequestError, match="mul"):
        WorkersAI(**service.arguments).chat_with_tools(TOOLS, user_msg="Hello", tool_choice="mul")
    assert service.requests == []


def test_parallel_calls_are_told_of_only_where_there_is_something_to_say(fake):
    assert sent(fake)["parallel_tool_calls"] is False
    assert "parallel_tool_calls" not in sent(fake, allow_parallel_tool_calls=True)
    service = fake(answer(text="Hi"))
    WorkersAI(tool_choice="any", parallel_tool_calls=False, **service.arguments).chat_with_tools([], user_msg="Hi")
    assert service.requests[0].keys() == {"model", "messages"}


@pytest.mark.parametrize("method", ["chat", "stream"])
def test_one_call_alone_is_kept_where_parallel_ones_are_off(fake, method):
    llm = WorkersAI(**fake(answer(ADD, SUB) if method == "chat" else SHAPES["interleaved"]).arguments)
    if method == "chat":
        response = llm.chat_with_tools(TOOLS, user_msg="Hello")
    else:
        *_, response = llm.stream_chat_with_tools(TOOLS, user_msg="Hello")
    assert blocks(response) == BOTH[:1]
    assert len(response.message.additional_kwargs["tool_calls"]) == 1


async def test_predict_and_call_runs_one_call_though_the_model_makes_two(fake):
    llm = WorkersAI(**fake(answer(ADD, SUB)).arguments)
    assert llm.predict_and_call(TOOLS, user_msg="Hello").response == "3"
    assert (await llm.apredict_and_call(TOOLS, user_msg="Hello")).response == "3"


async def test_the_callers_history_is_left_alone(fake):
    history = [ChatMessage(role="user", content="Hello")]
    llm = WorkersAI(**fake(answer(ADD)).arguments)
    llm.chat_with_tools(TOOLS, user_msg="More", chat_history=history)
    await llm.achat_with_tools(TOOLS, user_msg=ChatMessage(role="user", content="More"), chat_history=history)
    assert history == HELLO


def test_a_tool_is_converted_once_and_again_when_it_was_changed():
    tool = FunctionTool.from_defaults(add)
    (once,) = to_wire_tools([tool])
    assert to_wire_tools([tool])[0] is once
    assert to_wire_tools([tool], strict=True)[0]["function"]["strict"] is True
    tool.metadata.description = "Sums."
    assert to_wire_tools([tool])[0]["function"]["description"] == "Sums."


@dataclass
class Unhashable(BaseTool):
    """A user's own class of tools; a dataclass has no hash."""

    name: str

    @property
    def metadata(self) -> ToolMetadata:
        return ToolMetadata(name=self.name, description="Of my own.")

    def __call__(self, input: str) -> str:
        return input


def test_a_tool_that_cannot_be_remembered_is_converted_each_time():
    assert [tool["function"]["name"] for tool in to_wire_tools([Unhashable("mine")] * 2)] == ["mine", "mine"]


def test_a_tool_may_be_described_at_length():
    tool = FunctionTool.from_defaults(add, description="long " * 1000)
    assert len(to_wire_tools([tool])[0]["function"]["description"]) > 4000


def test_openais_dicts_are_taken_too(fake):
    service = fake(answer(ADD))
    tool = {"type": "function", "function": {"name": "add", "parameters": {"type": "object", "properties": {}}}}
    WorkersAI(**service.arguments).chat(HELLO, tools=[tool], tool_choice="any", strict=True)
    assert service.requests[0]["tools"][0]["function"]["strict"] is True


def test_a_model_that_is_known_to_take_no_tools_refuses_them_before_anything_is_sent(fake):
    service = fake(answer(ADD))
    llm = WorkersAI(model="@cf/meta/llama-guard-3-8b", **service.arguments)
    assert llm.metadata.is_function_calling_model is False
    with pytest.raises(BadRequestError, match="does not take tools"):
        llm.chat(HELLO, tools=TOOLS)
    assert service.requests == []


# Any cut


@given(st.lists(st.integers(0, 27), max_size=8), st.booleans())
def test_any_cut_of_the_pieces_gives_the_same_message(cuts, interleaved):
    texts = ['{"a": 1, "name": "Zoë\\n"}', '{"a": [1, {"b": null}]}']
    pieces = [[(place, part) for part in parts(text, cuts)] for place, text in enumerate(texts)]
    told = [each for pair in zip(*pieces, strict=True) for each in pair] if interleaved else pieces[0] + pieces[1]
    stream, assembler = StreamedAnswer(), CallAssembler()
    for place in (0, 1):
        stream.chat_item(ChatDelta(calls=assembler.add([first(place, "add", f"t{place}")])))
    for place, part in told:
        item = stream.chat_item(ChatDelta(calls=assembler.add([piece(place, part)])))
        assert isinstance(item, ChatResponse)
    assert [arguments for _, arguments in blocks(item)] == [json.loads(text) for text in texts]


def parts(text, cuts):
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    return [text[start:end] for start, end in pairwise(edges)]
