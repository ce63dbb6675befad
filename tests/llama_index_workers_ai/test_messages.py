"""LlamaIndex's messages to the wire."""

from __future__ import annotations

import base64
import io
from types import SimpleNamespace

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
from llama_index_workers_ai.messages import to_wire, to_wire_messages
from workers_ai.wire.call_ids import outward_id

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
        AudioBlock(audio=b"0000", format="wav"),
        VideoBlock(video=b"0000"),
        DocumentBlock(data=b"0000", title="t"),
        CitableBlock(title="t", source="s", content=[DocumentBlock(data=b"0000", title="t")]),
    ],
    ids=["audio", "video", "document", "document inside a citable"],
)
def test_a_block_that_the_service_has_no_form_for_is_refused_by_kind_and_model(block, request):
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
            {"id": "call_0_1", "type": "function", "function": {"name": "add", "arguments": '{"a": 2}'}},
        ],
    }


CALL = {"id": "a1", "type": "function", "function": {"name": "add", "arguments": '{"a":1}'}}


def assistant(**kept):
    return ChatMessage(role="assistant", content=None, additional_kwargs=kept)


@pytest.mark.parametrize(
    "held",
    [
        CALL,
        SimpleNamespace(id="a1", type="function", function=SimpleNamespace(name="add", arguments='{"a":1}')),
        {"id": "a1", "function": {"name": "add", "arguments": {"a": 1}}},
        {"id": "a1", "name": "add", "arguments": {"a": 1}},
    ],
    ids=["OpenAI's dict", "OpenAI's object", "arguments as a dict", "flat"],
)
def test_calls_in_the_old_place_go_back_too(held):
    assert to_wire(assistant(tool_calls=[held])) == {"role": "assistant", "content": "", "tool_calls": [CALL]}


def test_calls_in_both_places_go_back_once():
    block = ToolCallBlock(tool_call_id="a1", tool_name="add", tool_kwargs={"a": 1})
    message = ChatMessage(role="assistant", blocks=[block], additional_kwargs={"tool_calls": [CALL]})
    assert to_wire(message)["tool_calls"] == [CALL]


def test_an_id_that_was_marked_to_be_unique_goes_back_as_the_model_wrote_it():
    marked = outward_id("functions.add:0")
    call = ToolCallBlock(tool_call_id=marked, tool_name="add", tool_kwargs={})
    result = ChatMessage(role="tool", content="3", additional_kwargs={"tool_call_id": marked})
    first, second = to_wire_messages([ChatMessage(role="assistant", blocks=[call]), result])
    assert first["tool_calls"][0]["id"] == second["tool_call_id"] == "functions.add:0"


def test_a_tool_result_tells_the_name_of_its_tool():
    calls = [ToolCallBlock(tool_call_id=name, tool_name=name, tool_kwargs={}) for name in ("add", "sub")]
    results = [
        ChatMessage(role="tool", content="1", additional_kwargs={"tool_call_id": each}) for each in ("sub", "add")
    ]
    _, *wires = to_wire_messages([ChatMessage(role="assistant", blocks=calls), *results])
    assert [wire["name"] for wire in wires] == ["sub", "add"]


def test_results_without_ids_answer_the_open_calls_in_their_order():
    calls = [ToolCallBlock(tool_name="add", tool_kwargs={}) for _ in "12"]
    turn = [ChatMessage(role="assistant", blocks=calls), *[ChatMessage(role="tool", content="1")] * 2]
    wires = to_wire_messages([*turn, *turn])
    ids = [call["id"] for wire in wires for call in wire.get("tool_calls", ())]
    assert [wire["tool_call_id"] for wire in wires if wire["role"] == "tool"] == ids
    assert len(set(ids)) == 4


def test_calls_in_a_users_message_are_no_calls():
    block = ToolCallBlock(tool_call_id="a1", tool_name="add", tool_kwargs={})
    assert to_wire(ChatMessage(role="user", blocks=[block])) == {"role": "user", "content": ""}


# Pictures

DATA_URL = f"data:image/png;base64,{base64.b64encode(PIXEL).decode()}"


def picture(url, **more):
    return {"type": "image_url", "image_url": {"url": url, **more}}


def test_a_picture_goes_out_from_bytes_a_file_an_address_and_a_data_url(tmp_path):
    (tmp_path / "a.png").write_bytes(PIXEL)
    (tmp_path / "nameless").write_bytes(PIXEL)
    blocks = [
        ImageBlock(image=PIXEL),
        ImageBlock(image=io.BytesIO(PIXEL)),
        ImageBlock(path=tmp_path / "a.png"),
        ImageBlock(path=tmp_path / "nameless"),
        ImageBlock(url=DATA_URL),
        ImageBlock(url="https://example.com/a.png"),
    ]
    wire = to_wire(ChatMessage(role="user", blocks=[TextBlock(text="look"), *blocks]))
    assert wire["content"] == [
        {"type": "text", "text": "look"},
        *[picture(DATA_URL)] * 5,
        picture("https://example.com/a.png"),
    ]


def test_a_pictures_detail_goes_out():
    message = ChatMessage(role="user", blocks=[ImageBlock(image=PIXEL, detail="low")])
    assert to_wire(message)["content"] == [picture(DATA_URL, detail="low")]


def test_a_tool_may_answer_with_a_picture():
    message = ChatMessage(role="tool", blocks=[ImageBlock(image=PIXEL)], additional_kwargs={"tool_call_id": "a1"})
    assert to_wire(message) == {"role": "tool", "content": [picture(DATA_URL)], "tool_call_id": "a1"}


@pytest.mark.parametrize("block", [ImageBlock(), ImageBlock(image=b"no picture")])
def test_a_picture_that_is_none_is_refused(block):
    with pytest.raises(BadRequestError, match="picture"):
        to_wire(ChatMessage(role="user", blocks=[block]))
