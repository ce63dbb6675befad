"""LangChain messages to the wire, and answers back."""

import pytest
from langchain_core.exceptions import ModelInvalidRequestError
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
)

from langchain_workers_ai.messages import summed_output, to_chunk, to_result, to_wire, usage_metadata
from workers_ai.answers import ChatAnswer, ChatDelta, Choice, Facts
from workers_ai.cost import Cost
from workers_ai.errors import BadRequestError
from workers_ai.usage import Usage

CALL = {"name": "weather", "args": {"city": "Málaga"}, "id": "a1", "type": "tool_call"}
WIRE_CALL = {"id": "a1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Málaga"}'}}
LLAMA = "@cf/meta/llama-3.3-70b-instruct-fp8-fast"
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}

MAPPED: list[tuple[str, BaseMessage, dict]] = [
    ("a system message", SystemMessage("Be brief."), {"role": "system", "content": "Be brief."}),
    ("a human message", HumanMessage("Hi"), {"role": "user", "content": "Hi"}),
    ("an answer", AIMessage("Hello"), {"role": "assistant", "content": "Hello"}),
    ("a chunk in history", AIMessageChunk("Hello"), {"role": "assistant", "content": "Hello"}),
    ("a chat message", ChatMessage("Hi", role="user"), {"role": "user", "content": "Hi"}),
    ("a developer's message", ChatMessage("Obey.", role="developer"), {"role": "system", "content": "Obey."}),
    (
        "a tool's result keeps the id of its call",
        ToolMessage("21 °C", tool_call_id="a1"),
        {"role": "tool", "content": "21 °C", "tool_call_id": "a1"},
    ),
    (
        "a tool's result with a name has both",
        ToolMessage("21 °C", tool_call_id="a1", name="weather"),
        {"role": "tool", "content": "21 °C", "tool_call_id": "a1", "name": "weather"},
    ),
    (
        "a failed tool's result is its text",
        ToolMessage("no such city", tool_call_id="a1", status="error"),
        {"role": "tool", "content": "no such city", "tool_call_id": "a1"},
    ),
    (
        "an artifact stays here",
        ToolMessage("21 °C", tool_call_id="a1", artifact={"private": True}),
        {"role": "tool", "content": "21 °C", "tool_call_id": "a1"},
    ),
    (
        "a function's result",
        FunctionMessage("21 °C", name="weather"),
        {"role": "tool", "content": "21 °C", "tool_call_id": "weather", "name": "weather"},
    ),
    ("a name", HumanMessage("Hi", name="ada"), {"role": "user", "content": "Hi", "name": "ada"}),
    ("no content", AIMessage(""), {"role": "assistant", "content": ""}),
    ("a list without blocks", AIMessage([]), {"role": "assistant", "content": ""}),
    (
        "a call without text has content all the same",
        AIMessage("", tool_calls=[CALL]),
        {"role": "assistant", "content": "", "tool_calls": [WIRE_CALL]},
    ),
    (
        "text beside a call",
        AIMessage("Let me check.", tool_calls=[CALL]),
        {"role": "assistant", "content": "Let me check.", "tool_calls": [WIRE_CALL]},
    ),
    (
        "a call without arguments",
        AIMessage("", tool_calls=[{**CALL, "args": {}}]),
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [{**WIRE_CALL, "function": {"name": "weather", "arguments": "{}"}}],
        },
    ),
    (
        "a call that was no JSON goes back as it came",
        AIMessage("", invalid_tool_calls=[{"name": "weather", "args": "{bad", "id": "a1", "error": None}]),
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [{**WIRE_CALL, "function": {"name": "weather", "arguments": "{bad"}}],
        },
    ),
    (
        "text parts of a user stand on lines of their own",
        HumanMessage([{"type": "text", "text": "one"}, "two", {"type": "input_text", "text": "three"}]),
        {"role": "user", "content": "one\ntwo\nthree"},
    ),
    (
        "v1 blocks of an answer: its text alone, put together again",
        AIMessage(
            [
                {"type": "reasoning", "reasoning": "Hmm."},
                {"type": "text", "text": "It is "},
                {"type": "text", "text": "warm."},
                {**CALL, "type": "tool_call"},
            ],
            tool_calls=[CALL],
            response_metadata={"output_version": "v1"},
        ),
        {"role": "assistant", "content": "It is warm.", "tool_calls": [WIRE_CALL]},
    ),
    (
        "Anthropic's blocks: thinking and calls are left out",
        AIMessage(
            [
                {"type": "thinking", "thinking": "Hmm.", "signature": "xyz"},
                {"type": "redacted_thinking", "data": "xyz"},
                {"type": "text", "text": "Let me check."},
                {"type": "tool_use", "id": "a1", "name": "weather", "input": {"city": "Málaga"}},
            ],
            tool_calls=[CALL],
        ),
        {"role": "assistant", "content": "Let me check.", "tool_calls": [WIRE_CALL]},
    ),
    (
        "OpenAI's blocks of an answer",
        AIMessage([{"type": "output_text", "text": "Yes."}, {"type": "function_call", "name": "f", "arguments": "{}"}]),
        {"role": "assistant", "content": "Yes."},
    ),
    (
        "a refusal in history is plain text",
        AIMessage([{"type": "refusal", "refusal": "I cannot."}]),
        {"role": "assistant", "content": "I cannot."},
    ),
    (
        "a block with more than its text",
        HumanMessage([{"type": "text", "text": "Hi", "cache_control": {"type": "ephemeral"}, "id": "b1"}]),
        {"role": "user", "content": "Hi"},
    ),
    (
        "what other packages keep beside a message stays here",
        AIMessage(
            "Hello",
            additional_kwargs={"lc_source": "x", "refusal": None, "reasoning_content": "Hmm.", "parsed": {}},
            response_metadata={"id": "1"},
            id="run-1",
        ),
        {"role": "assistant", "content": "Hello"},
    ),
    (
        "the same for a user's",
        HumanMessage("Hi", additional_kwargs={"lc_data": {"private": True}}),
        {"role": "user", "content": "Hi"},
    ),
    (
        "a chunk whose call came in pieces",
        AIMessageChunk("", tool_call_chunks=[{"name": "weather", "args": '{"city":"Málaga"}', "id": "a1", "index": 0}]),
        {"role": "assistant", "content": "", "tool_calls": [WIRE_CALL]},
    ),
]


@pytest.mark.parametrize(("message", "wire"), [row[1:] for row in MAPPED], ids=[row[0] for row in MAPPED])
def test_a_message_goes_out_as(message, wire):
    assert to_wire(message) == wire


@pytest.mark.parametrize(
    "message",
    [
        HumanMessage([{"type": "text-plain", "text": "a note", "mime_type": "text/plain"}]),
        ToolMessage([{"type": "text-plain", "text": "a note", "mime_type": "text/plain"}], tool_call_id="a1"),
    ],
    ids=["a user's", "a tool's"],
)
def test_a_plain_text_document_is_text(message):
    """LangChain's v1 block for a text file holds its text: a text-only model can read it."""
    assert to_wire(message)["content"] == "a note"


@pytest.mark.parametrize("kind", ["server_tool_call", "server_tool_call_chunk", "server_tool_result", "citation"])
def test_what_another_provider_did_by_itself_is_left_out_of_history(kind):
    """A fallback from a provider with tools of its own must be able to go on with the conversation."""
    message = AIMessage([{"type": kind, "id": "s1", "name": "web_search"}, {"type": "text", "text": "Found."}])
    assert to_wire(message)["content"] == "Found."


def test_calls_without_an_id_get_different_ones():
    calls = [{**CALL, "id": None}, {**CALL, "id": None}]
    sent = to_wire(AIMessage("", tool_calls=calls))["tool_calls"]
    assert len({call["id"] for call in sent}) == 2


PICTURES = [
    ("OpenAI's", PICTURE),
    ("OpenAI's responses'", {"type": "image_url", "image_url": "data:image/png;base64,AAAA"}),
    ("v1", {"type": "image", "base64": "AAAA", "mime_type": "image/png"}),
    ("v1, an address", {"type": "image", "url": "data:image/png;base64,AAAA"}),
    ("v0", {"type": "image", "source_type": "base64", "data": "AAAA", "mime_type": "image/png"}),
    ("Anthropic's", {"type": "image", "source": {"type": "base64", "data": "AAAA", "media_type": "image/png"}}),
]
NEITHER = [
    ("sound", {"type": "audio", "base64": "AAAA", "mime_type": "audio/wav"}, "audio"),
    ("OpenAI's sound", {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}, "audio"),
    ("a file", {"type": "file", "base64": "AAAA", "mime_type": "application/pdf"}, "file"),
    ("a video", {"type": "video", "url": "https://example.org/v.mp4"}, "video"),
]
WRAPS = pytest.mark.parametrize(
    "wrap",
    [HumanMessage, SystemMessage, lambda content: ToolMessage(content, tool_call_id="a1")],
    ids=["a user's", "a system's", "a tool's"],
)


@pytest.mark.parametrize("block", [row[1] for row in PICTURES], ids=[row[0] for row in PICTURES])
def test_a_picture_goes_out_in_the_one_form_of_the_service(block):
    content = to_wire(HumanMessage(["What is this?", block]))["content"]
    assert content == [{"type": "text", "text": "What is this?"}, PICTURE]


@pytest.mark.parametrize("block", [row[1] for row in PICTURES], ids=[row[0] for row in PICTURES])
@WRAPS
def test_a_picture_for_a_model_without_eyes_is_refused_by_its_kind_before_anything_is_sent(service, block, wrap):
    with pytest.raises(BadRequestError, match="text only, not pictures") as caught:
        service.chat(model=LLAMA).invoke([HumanMessage("Hi"), wrap(["What is this?", block])])
    assert isinstance(caught.value, ModelInvalidRequestError)
    assert caught.value.maybe_sent is False
    assert service.requests == []


@pytest.mark.parametrize(("block", "kind"), [row[1:] for row in NEITHER], ids=[row[0] for row in NEITHER])
@WRAPS
def test_what_is_neither_text_nor_picture_is_refused_by_its_kind_before_anything_is_sent(service, block, kind, wrap):
    with pytest.raises(BadRequestError, match=repr(kind)) as caught:
        service.chat().invoke([HumanMessage("Hi"), wrap(["What is this?", block])])
    assert isinstance(caught.value, ModelInvalidRequestError)
    assert caught.value.maybe_sent is False
    assert service.requests == []


def test_a_message_of_no_known_class_is_refused_by_its_name(service):
    with pytest.raises(BadRequestError, match="RemoveMessage"):
        to_wire(RemoveMessage(id="1"))


def test_a_block_of_no_kind_is_refused():
    with pytest.raises(BadRequestError, match="None"):
        to_wire(HumanMessage([{"image": "x"}]))


def test_messages_are_sent_in_their_order(service):
    messages = [SystemMessage("a"), HumanMessage("b"), AIMessage("c"), HumanMessage("d")]
    service.chat().invoke(messages)
    assert [message["content"] for message in service.body["messages"]] == ["a", "b", "c", "d"]


def test_the_callers_messages_are_left_as_they_were(service):
    message = AIMessage([{"type": "text", "text": "Hi"}], tool_calls=[CALL])
    before = message.model_dump_json()
    service.chat().invoke([HumanMessage("a"), message, ToolMessage("b", tool_call_id="a1")])
    assert message.model_dump_json() == before


# Answers back

FACTS = Facts(
    model="@cf/a/b",
    answering_model="@cf/a/b-external",
    finish_reason="stop",
    id="chatcmpl-1",
    created=5,
    request_id="r1",
    usage=Usage(10, 5, 15, cached_tokens=4, reasoning_tokens=2, neurons=1.5),
    cost=Cost(neurons=1.5, usd=0.0000165, source="service"),
    gateway={"log_id": "l1", "cache_status": "MISS", "step": 0},
    headers={"cf-ray": "r1"},
)
METADATA = {
    "model_name": "@cf/a/b-external",
    "model_requested": "@cf/a/b",
    "model_provider": "cloudflare-workers-ai",
    "finish_reason": "stop",
    "id": "chatcmpl-1",
    "created": 5,
    "request_id": "r1",
    "neurons": 1.5,
    "cost_usd": 0.0000165,
    "cost_source": "service",
    "gateway": {"log_id": "l1", "cache_status": "MISS", "step": 0},
}
USAGE = {
    "input_tokens": 10,
    "output_tokens": 5,
    "total_tokens": 15,
    "input_token_details": {"cache_read": 4},
    "output_token_details": {"reasoning": 2},
}


def test_a_whole_answer_tells_its_facts_under_the_public_keys():
    (generation,) = to_result(ChatAnswer([Choice("Hi", "Hmm.", "stop")], FACTS, {})).generations
    message = generation.message
    assert message.content == "Hi"
    assert message.additional_kwargs == {"reasoning_content": "Hmm."}
    assert message.response_metadata == METADATA
    assert message.usage_metadata == USAGE
    assert generation.generation_info == {"finish_reason": "stop"}


def test_several_answers_count_their_tokens_once():
    result = to_result(ChatAnswer([Choice("a", "", "stop"), Choice("b", "", "length")], FACTS, {}))
    first, second = (generation.message for generation in result.generations)
    assert (first.usage_metadata, second.usage_metadata) == (USAGE, None)
    assert second.response_metadata["finish_reason"] == "length"
    assert "neurons" not in second.response_metadata, "the cost is that of all answers together, as the tokens are"


def test_the_last_chunk_alone_tells_the_facts():
    first, last = to_chunk(ChatDelta("Hi")), to_chunk(ChatDelta(facts=FACTS))
    assert first.message.response_metadata == {"model_provider": "cloudflare-workers-ai"}
    assert first.message.usage_metadata is None
    assert last.message.response_metadata == METADATA
    assert last.message.usage_metadata == USAGE
    assert last.message.chunk_position == "last"


def test_usage_that_was_not_told_is_none_and_never_zeros():
    assert usage_metadata(None) is None
    assert usage_metadata(Usage(neurons=0.4)) is None


def test_usage_without_details_has_no_empty_ones():
    assert usage_metadata(Usage(1, 2, 3)) == {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}


def test_outputs_of_several_prompts_are_added_up():
    one = {"model_name": "m", "token_usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}}
    assert summed_output([one, None, {"model_name": "m", "token_usage": None}, one]) == {
        "model_name": "m",
        "token_usage": {"prompt_tokens": 2, "completion_tokens": 4, "total_tokens": 6},
    }
    assert summed_output([None]) == {}
