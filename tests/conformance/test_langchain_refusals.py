"""For every flag that is off in the suites: the refusal, before anything is sent, naming the model and the kind.

In `test_langchain_integration.py` images are off for llama-3.3 and gpt-oss, image URLs of llama-4-scout hold with
`fetch_images` only, and PDFs, audio and video are off for all: the service has no form for them.
"""

from __future__ import annotations

import base64
from typing import Any

import pytest
from langchain_core.exceptions import ModelInvalidRequestError
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.messages import content as blocks

from workers_ai.errors import BadRequestError

LLAMA = "@cf/meta/llama-3.3-70b-instruct-fp8-fast"
GPT_OSS = "@cf/openai/gpt-oss-20b"
GEMMA = "@cf/google/gemma-4-26b-a4b-it"
SCOUT = "@cf/meta/llama-4-scout-17b-16e-instruct"
NO_TOOLS = "@cf/meta/llama-guard-3-8b"
FAMILIES = [LLAMA, GPT_OSS, GEMMA, SCOUT]
APIS = ["native", "openai"]
WAYS = ["invoke", "ainvoke", "stream", "astream"]

BYTES = base64.b64encode(b"\x89PNG" + bytes(8)).decode()
URL = "https://example.com/a.png"

PICTURES: dict[str, dict[str, Any]] = {
    "OpenAI": {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{BYTES}"}},
    "v1": dict(blocks.create_image_block(base64=BYTES, mime_type="image/png")),
    "v0": {"type": "image", "source_type": "base64", "data": BYTES, "mime_type": "image/png"},
    "Anthropic": {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": BYTES}},
}
ADDRESSES: dict[str, dict[str, Any]] = {
    "OpenAI": {"type": "image_url", "image_url": {"url": URL}},
    "v1": dict(blocks.create_image_block(url=URL)),
    "v0": {"type": "image", "source_type": "url", "url": URL},
    "Anthropic": {"type": "image", "source": {"type": "url", "url": URL}},
}
OTHERS: dict[str, tuple[dict[str, Any], str]] = {
    "PDF, v1": (dict(blocks.create_file_block(base64=BYTES, mime_type="application/pdf")), "file"),
    "PDF, OpenAI": ({"type": "file", "file": {"filename": "a.pdf", "file_data": BYTES}}, "file"),
    "PDF, Anthropic": (
        {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": BYTES}},
        "document",
    ),
    "audio, v1": (dict(blocks.create_audio_block(base64=BYTES, mime_type="audio/wav")), "audio"),
    "audio, OpenAI": ({"type": "input_audio", "input_audio": {"data": BYTES, "format": "wav"}}, "audio"),
    "video, v1": (dict(blocks.create_video_block(base64=BYTES, mime_type="video/mp4")), "video"),
}


async def asked(model: Any, messages: Any, way: str) -> None:
    match way:
        case "invoke":
            model.invoke(messages)
        case "ainvoke":
            await model.ainvoke(messages)
        case "stream":
            list(model.stream(messages))
        case _:
            [chunk async for chunk in model.astream(messages)]


@pytest.fixture
def unsent(emulator: Any) -> Any:
    """Holds that no request reached the emulator."""
    before = len(emulator.requests)
    yield
    assert len(emulator.requests) == before


def as_question(block: dict[str, Any]) -> list[Any]:
    return [HumanMessage([{"type": "text", "text": "What is this?"}, block])]


def as_result(block: dict[str, Any]) -> list[Any]:
    call = {"name": "look", "args": {}, "id": "a1"}
    return [HumanMessage("Look."), AIMessage([], tool_calls=[call]), ToolMessage([block], tool_call_id="a1")]


@pytest.mark.usefixtures("unsent")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("place", [as_question, as_result])
@pytest.mark.parametrize("form", PICTURES)
@pytest.mark.parametrize("model", [LLAMA, GPT_OSS])
async def test_a_picture_for_a_model_without_eyes(langchain_chat, model, form, place, way):
    """supports_image_inputs, supports_image_urls, supports_image_tool_message."""
    for block in (PICTURES[form], ADDRESSES[form]):
        with pytest.raises(BadRequestError, match=f"{model} takes text only, not pictures") as raised:
            await asked(langchain_chat(model), place(block), way)
        assert isinstance(raised.value, ModelInvalidRequestError)
        assert raised.value.maybe_sent is False


@pytest.mark.usefixtures("unsent")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("place", [as_question, as_result])
@pytest.mark.parametrize("form", ADDRESSES)
async def test_a_pictures_address_for_a_model_that_takes_bytes_only(langchain_chat, form, place, way):
    """supports_image_urls of llama-4-scout, which is on with `fetch_images=True`."""
    with pytest.raises(BadRequestError, match=f"{SCOUT} takes pictures as data: URLs only, no addresses") as raised:
        await asked(langchain_chat(SCOUT), place(ADDRESSES[form]), way)
    assert "fetch_images=True" in str(raised.value)


@pytest.mark.usefixtures("unsent")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("place", [as_question, as_result])
@pytest.mark.parametrize("kind", OTHERS)
async def test_what_the_service_has_no_form_for(langchain_chat, kind, place, way):
    """supports_pdf_inputs, supports_audio_inputs, supports_video_inputs, supports_pdf_tool_message: off for all."""
    block, named = OTHERS[kind]
    for model in FAMILIES:
        with pytest.raises(BadRequestError, match=f"content of type '{named}' has no form on Workers AI") as raised:
            await asked(langchain_chat(model), place(block), way)
        assert model in str(raised.value)
        assert raised.value.maybe_sent is False


@pytest.mark.usefixtures("unsent")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("api", APIS)
async def test_tools_for_a_model_that_is_known_not_to_take_them(langchain_chat, api, way):
    def add(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    with pytest.raises(BadRequestError, match=f"{NO_TOOLS} does not take tools") as raised:
        await asked(langchain_chat(NO_TOOLS, api=api).bind_tools([add]), "Hi", way)
    assert "models(where=lambda m: m.function_calling)" in str(raised.value)


def test_the_profile_says_so_beforehand(langchain_chat):
    """Frameworks and callers can ask before they try."""
    told = {model: langchain_chat(model).profile for model in (*FAMILIES, NO_TOOLS)}
    assert [model for model in FAMILIES if told[model]["image_inputs"]] == [GEMMA, SCOUT]
    assert [model for model in FAMILIES if told[model].get("image_url_inputs")] == [GEMMA]
    assert [model for model in FAMILIES if told[model]["reasoning_output"]] == [GPT_OSS, GEMMA]
    assert told[NO_TOOLS]["tool_calling"] is False
    assert all(told[model]["tool_calling"] for model in FAMILIES)


@pytest.mark.parametrize("form", PICTURES)
@pytest.mark.parametrize("model", [GEMMA, SCOUT])
async def test_where_the_flag_is_on_the_same_picture_is_sent(langchain_chat, emulator, model, form):
    """So that the refusals above are about the model and not about the block."""
    before = len(emulator.requests)
    await asked(langchain_chat(model), as_question(PICTURES[form]), "invoke")
    (request,) = emulator.requests[before:]
    assert request.json["messages"][0]["content"][1]["image_url"]["url"] == f"data:image/png;base64,{BYTES}"
