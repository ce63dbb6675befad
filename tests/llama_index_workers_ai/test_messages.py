"""LlamaIndex's messages to the wire."""

from __future__ import annotations

import pytest
from llama_index.core.base.llms.types import (
    AudioBlock,
    CacheControl,
    CachePoint,
    ChatMessage,
    CitableBlock,
    CitationBlock,
    DocumentBlock,
    ImageBlock,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
    VideoBlock,
)

from llama_index_workers_ai import BadRequestError
from llama_index_workers_ai.messages import to_wire

PIXEL = b"\x89PNG\r\n\x1a\n0000"


@pytest.mark.parametrize(
    ("role", "wire_role"),
    [
        ("system", "system"),
        ("developer", "system"),
        ("user", "user"),
        ("assistant", "assistant"),
        ("chatbot", "assistant"),
        ("model", "assistant"),
        ("function", "tool"),
        ("tool", "tool"),
    ],
)
def test_every_role_has_one_of_the_services_four(role, wire_role):
    assert to_wire(ChatMessage(role=role, content="text")) == {"role": wire_role, "content": "text"}


@pytest.mark.parametrize(
    ("blocks", "content"),
    [
        ([], ""),
        ([TextBlock(text="one"), TextBlock(text="two")], "one\ntwo"),
        ([ThinkingBlock(content="hm"), TextBlock(text="so")], "so"),
        ([ThinkingBlock(content="hm")], ""),
        ([TextBlock(text="long"), CachePoint(cache_control=CacheControl(type="ephemeral"))], "long"),
        ([CitableBlock(title="t", source="s", content="cited")], "cited"),
        ([CitationBlock(cited_content="quoted", source="s", title="t", additional_location_info={})], "quoted"),
    ],
)
def test_content_is_one_string_and_never_null(blocks, content):
    """Reasoning stays here, cache points mean nothing to the service, citations are the text in them."""
    assert to_wire(ChatMessage(role="assistant", blocks=blocks))["content"] == content


@pytest.mark.parametrize(
    "block",
    [
        ImageBlock(image=PIXEL),
        AudioBlock(audio=b"0000", format="wav"),
        VideoBlock(video=b"0000"),
        DocumentBlock(data=b"0000", title="t"),
        CitableBlock(title="t", source="s", content=[ImageBlock(image=PIXEL)]),
    ],
    ids=["image", "audio", "video", "document", "image inside a citable"],
)
def test_a_block_that_is_no_text_is_refused_by_kind_and_model(block, request):
    with pytest.raises(BadRequestError, match=request.node.callspec.id.split()[0]) as caught:
        to_wire(ChatMessage(role="user", blocks=[TextBlock(text="look"), block]), model="@cf/some/model")
    assert caught.value.model == "@cf/some/model"
    assert caught.value.maybe_sent is False


def test_a_tool_result_keeps_the_id_of_its_call():
    message = ChatMessage(role="tool", content="21 °C", additional_kwargs={"tool_call_id": "a1", "name": "weather"})
    assert to_wire(message) == {"role": "tool", "content": "21 °C", "tool_call_id": "a1", "name": "weather"}


def test_other_additional_kwargs_are_not_forwarded():
    """An agent leaves a tool_call_id on an assistant's message after `return_direct`."""
    message = ChatMessage(role="assistant", content="done", additional_kwargs={"tool_call_id": "a1", "x": object()})
    assert to_wire(message) == {"role": "assistant", "content": "done"}


def test_calls_of_the_history_go_back_with_their_ids_and_arguments_as_text():
    blocks = [
        TextBlock(text="let me see"),
        ToolCallBlock(tool_call_id="a1", tool_name="add", tool_kwargs={"a": 1}),
        ToolCallBlock(tool_name="add", tool_kwargs='{"a": 2}'),
    ]
    assert to_wire(ChatMessage(role="assistant", blocks=blocks)) == {
        "role": "assistant",
        "content": "let me see",
        "tool_calls": [
            {"id": "a1", "type": "function", "function": {"name": "add", "arguments": '{"a":1}'}},
            {"id": "call_1", "type": "function", "function": {"name": "add", "arguments": '{"a": 2}'}},
        ],
    }


def test_calls_in_the_old_place_alone_are_refused_and_not_lost():
    message = ChatMessage(role="assistant", content=None, additional_kwargs={"tool_calls": [{"id": "a1"}]})
    with pytest.raises(BadRequestError, match="ToolCallBlock"):
        to_wire(message)
