"""LangChain's content blocks: of whole answers, of chunks, in v0, v1 and the events of v3."""

from __future__ import annotations

import importlib

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage
from langchain_tests.utils.stream_lifecycle import assert_valid_event_stream

from langchain_workers_ai.content_blocks import translate, translate_chunk

# `stream_events(version="v3")` is in beta, and LangChain says so.
pytestmark = pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning")

PROVIDER = {"model_provider": "cloudflare-workers-ai"}
BLOCKS = [{"type": "reasoning", "reasoning": "Hmm, let me see."}, {"type": "text", "text": "Hello there, world."}]
CALL = {"name": "weather", "args": {"city": "Málaga"}, "id": "a1", "type": "tool_call"}


def bare(blocks: list[dict]) -> list[dict]:
    """Blocks without the index and the ids that LangChain adds."""
    return [{key: value for key, value in block.items() if key not in ("index", "id")} for block in blocks]


def merged(chunks: list[AIMessageChunk]) -> AIMessageChunk:
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole += chunk
    return whole


@pytest.fixture
def thinking(service):
    """A service that reasons, and then answers."""
    return service.answers(service.says("Hello there, world.", reasoning="Hmm, let me see."))


@pytest.mark.parametrize("version", ["v0", "v1"])
@pytest.mark.parametrize("way", ["invoke", "ainvoke", "stream", "astream"])
async def test_reasoning_comes_before_text_and_neither_is_cut(thinking, version, way):
    model = thinking.chat(output_version=version)
    match way:
        case "invoke":
            message = model.invoke("Hi")
        case "ainvoke":
            message = await model.ainvoke("Hi")
        case "stream":
            message = merged(list(model.stream("Hi")))
        case _:
            message = merged([chunk async for chunk in model.astream("Hi")])
    assert bare(message.content_blocks) == BLOCKS
    assert message.text == "Hello there, world."
    if version == "v1":
        assert bare(message.content) == BLOCKS
    else:
        assert message.content == "Hello there, world."
        assert message.additional_kwargs == {"reasoning_content": "Hmm, let me see."}


def test_the_events_of_v3_are_valid_and_hold_each_kind_in_one_block(thinking):
    stream = thinking.chat().stream_events("Hi", version="v3")
    events = list(stream)
    assert_valid_event_stream(events)
    assert bare(stream.output.content_blocks) == BLOCKS
    assert stream.output.usage_metadata["total_tokens"] == 10
    assert stream.output.response_metadata["model_name"]


async def test_the_async_events_of_v3_are_the_same(thinking):
    stream = await thinking.chat().astream_events("Hi", version="v3")
    assert_valid_event_stream([event async for event in stream])
    assert bare((await stream.output).content_blocks) == BLOCKS


def test_text_and_reasoning_of_v3_can_be_read_apart(thinking):
    assert "".join(thinking.chat().stream_events("Hi", version="v3").text) == "Hello there, world."
    assert "".join(thinking.chat().stream_events("Hi", version="v3").reasoning) == "Hmm, let me see."


def test_an_answer_of_v1_can_be_sent_back(thinking):
    model = thinking.chat(output_version="v1")
    for answer in (model.invoke("Hi"), merged(list(model.stream("Hi")))):
        model.invoke([HumanMessage("Hi"), answer, HumanMessage("And now?")])
        assert thinking.body["messages"] == [
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "Hello there, world."},
            {"role": "user", "content": "And now?"},
        ]


def test_a_chunk_gives_each_kind_an_index_of_its_own():
    chunk = AIMessageChunk(
        "text",
        additional_kwargs={"reasoning_content": "thought"},
        tool_call_chunks=[
            {"name": "a", "args": "{", "id": "1", "index": 0},
            {"name": "b", "args": "{", "id": "2", "index": 1},
        ],
        response_metadata=PROVIDER,
    )
    told = translate_chunk(chunk)
    assert [block["index"] for block in told] == ["lc_rs_0", "lc_txt_0", "lc_tc_0", "lc_tc_1"]
    assert told == chunk.content_blocks, "LangChain found the translator by the provider's name"


def test_pieces_of_a_call_do_not_become_one_with_the_text_before_them():
    """With LangChain's bare numbers they do (trap 1)."""
    pieces = [
        AIMessageChunk("Let me ", response_metadata=PROVIDER),
        AIMessageChunk("check.", response_metadata=PROVIDER),
        AIMessageChunk(
            "",
            tool_call_chunks=[{"name": "weather", "args": '{"city":', "id": "a1", "index": 0}],
            response_metadata=PROVIDER,
        ),
        AIMessageChunk(
            "",
            tool_call_chunks=[{"name": None, "args": '"Málaga"}', "id": None, "index": 0}],
            response_metadata=PROVIDER,
        ),
        AIMessageChunk("", response_metadata=PROVIDER, chunk_position="last"),
    ]
    assert bare(merged(pieces).content_blocks) == [
        {"type": "text", "text": "Let me check."},
        {"type": "tool_call", "name": "weather", "args": {"city": "Málaga"}},
    ]


@pytest.mark.parametrize(
    ("message", "told"),
    [
        (AIMessage("Hi"), [{"type": "text", "text": "Hi"}]),
        (AIMessage(""), []),
        (AIMessage("", additional_kwargs={"reasoning_content": "Hmm"}), [{"type": "reasoning", "reasoning": "Hmm"}]),
        (AIMessage("Hi", tool_calls=[CALL]), [{"type": "text", "text": "Hi"}, CALL]),
        (
            AIMessage("", invalid_tool_calls=[{"name": "f", "args": "{", "id": "1", "error": "no JSON"}]),
            [{"type": "invalid_tool_call", "name": "f", "args": "{", "id": "1", "error": "no JSON"}],
        ),
        (AIMessage(["a", {"type": "text", "text": "b"}]), [{"type": "text", "text": t} for t in "ab"]),
    ],
    ids=["text", "nothing", "reasoning", "a call", "a wrong call", "a list"],
)
def test_a_whole_message_has_the_blocks(message, told):
    assert translate(message) == told


HAS_REFUSALS = hasattr(importlib.import_module("langchain_core.exceptions"), "ModelRefusalError")


@pytest.mark.parametrize("way", ["invoke", "stream"])
def test_a_refusal_is_not_lost(service, way):
    """The service's `refusal` stands where LangChain looks, whole and once, and as a block where it has one."""
    service.answers(service.says("", refusal="I cannot help with that."))
    model = service.chat()
    message = model.invoke("Hi") if way == "invoke" else merged(list(model.stream("Hi")))
    assert message.additional_kwargs["refusal"] == "I cannot help with that."
    if HAS_REFUSALS:
        assert bare(message.content_blocks) == [{"type": "refusal", "refusal": "I cannot help with that."}]
