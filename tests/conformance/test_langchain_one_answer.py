"""Text, then two calls, then reasoning in one answer: nothing is merged, in v0, v1 and v3, sync and async."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_tests.utils.stream_lifecycle import assert_valid_event_stream

# `stream_events(version="v3")` is in beta, and LangChain says so.
pytestmark = pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning")

LLAMA = "@cf/meta/llama-3.3-70b-instruct-fp8-fast"
GPT_OSS = "@cf/openai/gpt-oss-20b"
GEMMA = "@cf/google/gemma-4-26b-a4b-it"
SCOUT = "@cf/meta/llama-4-scout-17b-16e-instruct"
THINKING: dict[str, dict[str, Any]] = {
    GPT_OSS: {"reasoning_effort": "low"},
    GEMMA: {"chat_template_kwargs": {"enable_thinking": True}},
}
"""The families that reason, and how they are asked to; the other two have none (their `reasoning` flag is off)."""

QUIRKS = ("text-before-calls", "reasoning-last")
PROMPT = "What is the weather in Paris and what is 3 + 4?"

TEXT = {"type": "text", "text": "I will call weather and add."}
CALLS = [
    {"type": "tool_call", "name": "weather", "args": {"city": "Paris"}},
    {"type": "tool_call", "name": "add", "args": {"a": 3, "b": 4}},
]
REASONING = {
    "type": "reasoning",
    "reasoning": 'weather fits; I call it with {"city":"Paris"}. add fits; I call it with {"a":3,"b":4}.',
}


def weather(city: str) -> str:
    """Weather in a city."""
    return "sunny"


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


async def asked(model: Any, way: str) -> AIMessage:
    match way:
        case "invoke":
            return model.invoke(PROMPT)
        case "ainvoke":
            return await model.ainvoke(PROMPT)
        case "stream":
            chunks = list(model.stream(PROMPT))
        case "astream":
            chunks = [chunk async for chunk in model.astream(PROMPT)]
        case "stream_events":
            stream = model.stream_events(PROMPT, version="v3")
            assert_valid_event_stream(list(stream))
            return stream.output
        case _:
            astream = await model.astream_events(PROMPT, version="v3")
            assert_valid_event_stream([event async for event in astream])
            return await astream.output
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole += chunk
    return whole


def bare(blocks: Any) -> list[dict[str, Any]]:
    return [{key: value for key, value in block.items() if key not in ("index", "id")} for block in blocks]


@pytest.mark.parametrize(
    ("version", "way"),
    [
        *((version, way) for version in ("v0", "v1") for way in ("invoke", "ainvoke", "stream", "astream")),
        ("v0", "stream_events"),
        ("v0", "astream_events"),
    ],
)
@pytest.mark.parametrize("api", ["native", "openai"])
@pytest.mark.parametrize("model", [LLAMA, GPT_OSS, GEMMA, SCOUT])
async def test_each_kind_is_a_block_of_its_own(langchain_chat, model, api, version, way):
    told = THINKING.get(model, {})
    chat = langchain_chat(model, *QUIRKS, api=api, output_version=version, **told).bind_tools([weather, add])
    answer = await asked(chat, way)
    found = bare(answer.content_blocks)
    # A whole answer has no order of its own: LangChain puts reasoning first. A stream comes in the order of the wire.
    assert [block for block in found if block["type"] != "reasoning"] == [TEXT, *CALLS]
    assert [block for block in found if block["type"] == "reasoning"] == ([REASONING] if told else [])
    assert answer.text == TEXT["text"]
    assert [(made["name"], made["args"]) for made in answer.tool_calls] == [(c["name"], c["args"]) for c in CALLS]
    assert answer.invalid_tool_calls == []
    ids = [block["id"] for block in answer.content_blocks if block["type"] == "tool_call"]
    assert ids == [made["id"] for made in answer.tool_calls]
    assert len(set(ids)) == 2


@pytest.mark.parametrize("model", THINKING)
async def test_the_events_of_v3_come_in_the_order_of_the_wire(langchain_chat, model):
    chat = langchain_chat(model, *QUIRKS, api="openai", **THINKING[model]).bind_tools([weather, add])
    assert bare((await asked(chat, "stream_events")).content_blocks) == [TEXT, *CALLS, REASONING]


@pytest.mark.parametrize("model", THINKING)
async def test_text_reasoning_and_calls_of_v3_can_be_read_apart(langchain_chat, model):
    chat = langchain_chat(model, *QUIRKS, api="openai", **THINKING[model]).bind_tools([weather, add])
    stream = chat.stream_events(PROMPT, version="v3")
    assert "".join(stream.text) == TEXT["text"]
    assert "".join(chat.stream_events(PROMPT, version="v3").reasoning) == REASONING["reasoning"]
    assert [call["name"] for call in stream.output.tool_calls] == ["weather", "add"]


@pytest.mark.parametrize("way", ["invoke", "stream", "stream_events"])
@pytest.mark.parametrize("version", ["v0", "v1"])
@pytest.mark.parametrize("model", [LLAMA, GPT_OSS, GEMMA, SCOUT])
async def test_such_an_answer_can_be_sent_back_and_its_reasoning_stays_here(
    langchain_chat, emulator, model, version, way
):
    """Never glued into the content, never sent as a key that the service does not know."""
    told = THINKING.get(model, {})
    chat = langchain_chat(model, *QUIRKS, output_version=version, **told).bind_tools([weather, add])
    answer = await asked(chat, way)
    results = [ToolMessage("sunny" if m["name"] == "weather" else "7", tool_call_id=m["id"]) for m in answer.tool_calls]
    final = chat.invoke([HumanMessage(PROMPT), answer, *results])
    assert "sunny" in final.text
    sent = emulator.requests[-1].json["messages"][1]
    assert sent.keys() == {"role", "content", "tool_calls"}
    assert sent["content"] == TEXT["text"]
    assert [call["function"]["arguments"] for call in sent["tool_calls"]] == ['{"city":"Paris"}', '{"a":3,"b":4}']
