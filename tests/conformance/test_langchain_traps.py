"""The traps that other integrations fall into, each by its number in our notes on LangChain: none of them is ours."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from langchain_core import exceptions as langchain
from langchain_core.callbacks import UsageMetadataCallbackHandler
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_tests.utils.stream_lifecycle import assert_valid_event_stream
from pydantic import BaseModel

from langchain_workers_ai import ChatWorkersAI

# `stream_events(version="v3")` is in beta, and LangChain says so.
pytestmark = pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning")

LLAMA = "@cf/meta/llama-3.3-70b-instruct-fp8-fast"
GPT_OSS = "@cf/openai/gpt-oss-20b"
GEMMA = "@cf/google/gemma-4-26b-a4b-it"
SCOUT = "@cf/meta/llama-4-scout-17b-16e-instruct"
FAMILIES = [LLAMA, GPT_OSS, GEMMA, SCOUT]
APIS = ["native", "openai"]
VERSIONS = ["v0", "v1", "v3"]

needs_refusals = pytest.mark.skipif(
    not hasattr(langchain, "ModelRefusalError"), reason="langchain-core 1.7.5 brought ModelRefusalError"
)


def weather(city: str) -> str:
    """Weather in a city."""
    return "sunny"


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def streamed(model: ChatWorkersAI, version: str, tools: list[Any] | None = None, prompt: str = "Hi") -> AIMessage:
    """The message that a stream adds up to, in one of LangChain's three ways to see one."""
    bound: Any = model.model_copy(update={"output_version": "v1"}) if version == "v1" else model
    bound = bound.bind_tools(tools) if tools else bound
    if version == "v3":
        stream = bound.stream_events(prompt, version="v3")
        assert_valid_event_stream(list(stream))
        return stream.output
    return summed(list(bound.stream(prompt)))


def summed(chunks: list[AIMessageChunk]) -> AIMessageChunk:
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole += chunk
    return whole


def bare(blocks: Any) -> list[dict[str, Any]]:
    return [{key: value for key, value in block.items() if key not in ("index", "id")} for block in blocks]


def piece(arguments: str | None, name: str | None = None, **more: Any) -> dict[str, Any]:
    """A delta with a piece of a call."""
    return {"tool_calls": [{**more, "function": {"name": name, "arguments": arguments}}]}


CALL = {"type": "tool_call", "name": "weather", "args": {"city": "Paris"}}
SUM = {"type": "tool_call", "name": "add", "args": {"a": 3, "b": 4}}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("first", "block"),
    [
        ({"content": "Let me check."}, {"type": "text", "text": "Let me check."}),
        ({"reasoning_content": "Hmm."}, {"type": "reasoning", "reasoning": "Hmm."}),
    ],
    ids=["text", "reasoning"],
)
def test_1_a_call_does_not_become_one_with_what_stands_before_it(langchain_script, first, block, version):
    """Both have index 0 on the wire; ChatOpenAI makes one corrupt block of them."""
    pieces = [piece('{"city":', "weather", index=0, id="a1"), piece('"Paris"}', index=0)]
    answer = streamed(langchain_script([first, *pieces]), version, [weather])
    assert bare(answer.content_blocks) == [block, CALL]
    assert [made["args"] for made in answer.tool_calls] == [{"city": "Paris"}]
    assert answer.invalid_tool_calls == []


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("model", FAMILIES)
def test_2_calls_that_come_whole_are_not_fused(langchain_chat, model, api, version):
    """`{"a": 1}{"a": 2}`, an invalid call, is what v3 makes of two whole calls without an index of their own."""
    chat = langchain_chat(model, "whole-calls", api=api)
    answer = streamed(chat, version, [weather, add], "What is the weather in Paris and what is 3 + 4?")
    assert [block for block in bare(answer.content_blocks) if block["type"] != "reasoning"] == [CALL, SUM]
    assert answer.invalid_tool_calls == []


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("place", [{"index": None}, {}], ids=["null", "absent"])
@pytest.mark.parametrize("named", [{"id": "a1"}, {}], ids=["id", "no id"])
def test_3_pieces_without_an_index_lose_no_arguments(langchain_script, named, place, version):
    """LangChain drops what has none: `args={}`."""
    pieces = [piece('{"city":', "weather", **named, **place), piece('"Pa', **place), piece('ris"}', **place)]
    answer = streamed(langchain_script(pieces), version, [weather])
    assert bare(answer.content_blocks) == [CALL]


@pytest.mark.parametrize("version", VERSIONS)
def test_4_reasoning_and_text_of_one_frame_stay_in_one_block_each(langchain_script, version):
    """Without indices of their own v3 splits the text in two."""
    deltas = [
        {"reasoning_content": "Hmm, "},
        {"reasoning_content": "yes.", "content": "It "},
        {"reasoning_content": " Sure.", "content": "is."},
    ]
    answer = streamed(langchain_script(deltas), version)
    assert bare(answer.content_blocks) == [
        {"type": "reasoning", "reasoning": "Hmm, yes. Sure."},
        {"type": "text", "text": "It is."},
    ]


def test_5_usage_that_the_wire_tells_twice_is_counted_once(langchain_script):
    usage = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}
    again = {"choices": [], "usage": usage}
    chunks = list(langchain_script([{"content": "Hi"}], again, again).stream("Hi"))
    assert sum(chunk.usage_metadata is not None for chunk in chunks) == 1
    assert summed(chunks).usage_metadata == {"input_tokens": 9, "output_tokens": 2, "total_tokens": 11}


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("model", FAMILIES)
def test_5_names_and_reasons_stand_on_one_chunk_and_are_not_strung_together(langchain_chat, model, api):
    chunks = list(langchain_chat(model, api=api).stream("Hello"))
    for name in ("model_name", "finish_reason", "neurons", "cost_usd"):
        assert sum(name in chunk.response_metadata for chunk in chunks) == 1, name
    whole = summed(chunks).response_metadata
    assert whole["finish_reason"] == "stop"
    assert whole["model_name"].count("@cf/") == 1
    assert whole["model_provider"] == "cloudflare-workers-ai"
    assert {chunk.response_metadata.get("model_provider") for chunk in chunks[:-1]} <= {"cloudflare-workers-ai", None}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("model", FAMILIES)
def test_6_a_stream_counts_the_tokens_that_the_whole_answer_has(langchain_chat, model, api, version):
    """Whether the wire tells totals, increments, increments and a total, or the total twice."""
    chat = langchain_chat(model, api=api)
    whole = chat.invoke("Count to 12").usage_metadata
    found = streamed(chat, version, prompt="Count to 12").usage_metadata
    for name in ("input_tokens", "output_tokens", "total_tokens"):
        assert found[name] == whole[name] > 0


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("model", FAMILIES)
def test_7_each_model_gets_the_schema_in_the_form_that_it_takes(langchain_chat, emulator, model, api):
    """Bare for the classic ones, in OpenAI's wrapper for the others (quirk 54)."""

    class Person(BaseModel):
        """A person."""

        name: str

    langchain_chat(model, api=api).with_structured_output(Person, method="json_schema").invoke("Erick is here.")
    sent = emulator.requests[-1].json["response_format"]["json_schema"]
    assert ("schema" in sent) is (model in (GPT_OSS, GEMMA))
    assert (sent.get("schema") or sent)["properties"].keys() == {"name"}


@pytest.mark.parametrize("usage", [True, False])
@pytest.mark.parametrize("api", APIS)
def test_8_stream_options_go_only_where_they_are_known_and_only_when_usage_is_wanted(
    langchain_chat, emulator, api, usage
):
    list(langchain_chat(GEMMA, api=api, stream_usage=usage).stream("Hi"))
    told = emulator.requests[-1].json.get("stream_options")
    assert told == ({"include_usage": True} if usage and api == "openai" else None)


def test_9_an_empty_variable_counts_as_none(monkeypatch):
    """`from_env` takes "" for a value: the next name would not be looked at."""
    monkeypatch.setenv("CLOUDFLARE_ACCOUNT_ID", "")
    monkeypatch.setenv("CLOUDFLARE_API_TOKEN", "  ")
    monkeypatch.setenv("CF_ACCOUNT_ID", "0" * 32)
    monkeypatch.setenv("CF_API_TOKEN", "token-of-the-test")
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json={"choices": [{"message": {"content": "Hi"}}]})

    ChatWorkersAI(model=GEMMA, http_client=httpx.Client(transport=httpx.MockTransport(answer))).invoke("Hi")
    assert f"/accounts/{'0' * 32}/" in str(asked[0].url)
    assert asked[0].headers["authorization"] == "Bearer token-of-the-test"


REFUSAL = "I'm sorry, but I can't help with that."


@pytest.mark.parametrize("version", ["v0", "v1"])
def test_10_a_refusal_is_held_back_and_stands_whole_on_the_last_chunk(langchain_script, version):
    """Fragments are not joined by LangChain: half a refusal would be raised as one."""
    words = [{"refusal": word} for word in ("I'm ", "sorry, but I can't ", "help with that.")]
    chunks = list(langchain_script([{"content": "Well. "}, *words], output_version=version).stream("Hi"))
    assert [chunk.additional_kwargs.get("refusal") for chunk in chunks if chunk.additional_kwargs] == [REFUSAL]
    last = next(chunk for chunk in chunks if chunk.chunk_position == "last")
    assert last.additional_kwargs["refusal"] == REFUSAL
    whole = summed(chunks)
    assert bare(whole.content_blocks) == [
        {"type": "text", "text": "Well. "},
        {"type": "refusal", "refusal": REFUSAL},
    ]


@needs_refusals
def test_10_a_refusal_alone_is_a_block_of_v3_too(langchain_chat):
    """Beside text LangChain 1.8 itself loses the block; the text of it stays in `additional_kwargs`."""
    answer = streamed(langchain_chat(GEMMA, "refusal"), "v3")
    assert answer.additional_kwargs["refusal"] == REFUSAL
    assert bare(answer.content_blocks) == [{"type": "refusal", "refusal": REFUSAL}]


def test_10_a_refusal_beside_text_is_not_lost_from_v3(langchain_script):
    answer = streamed(langchain_script([{"content": "Well."}, {"refusal": REFUSAL}]), "v3")
    assert answer.text == "Well."
    assert answer.additional_kwargs["refusal"] == REFUSAL


class Joke(BaseModel):
    """A joke."""

    setup: str


@needs_refusals
@pytest.mark.parametrize("way", ["invoke", "stream"])
@pytest.mark.parametrize("method", ["function_calling", "json_schema", "json_mode"])
def test_11_beside_the_raw_answer_a_refusal_is_told_and_not_raised(langchain_chat, method, way):
    """LangChain's own `.stream()` raises it."""
    model = langchain_chat(GEMMA, "refusal").with_structured_output(Joke, method=method, include_raw=True)
    parts = [model.invoke("A joke")] if way == "invoke" else list(model.stream("A joke"))
    told = {name: value for part in parts for name, value in part.items()}
    assert isinstance(told["parsing_error"], langchain.ModelRefusalError)
    assert told["parsed"] is None


@needs_refusals
@pytest.mark.parametrize("method", ["function_calling", "json_schema", "json_mode"])
def test_11_without_it_a_stream_raises_the_whole_refusal(langchain_chat, method):
    with pytest.raises(langchain.ModelRefusalError, match=REFUSAL):
        list(langchain_chat(GEMMA, "refusal").with_structured_output(Joke, method=method).stream("A joke"))


# 12 is about agents: test_langchain_agents.py


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("model", FAMILIES)
def test_13_neurons_and_cost_are_no_usage_and_do_not_break_the_sum(langchain_chat, model, api, version):
    """A float in `usage_metadata` breaks the callback that adds it up; two floats in the metadata break the merge."""
    chat = langchain_chat(model, api=api)
    answer = streamed(chat, version, prompt="Hello")
    assert isinstance(answer.response_metadata["neurons"], float)
    assert isinstance(answer.response_metadata["cost_usd"], float)
    assert "float" not in _types(answer.usage_metadata)


def test_13_the_usage_callback_counts_every_call(langchain_chat):
    handler = UsageMetadataCallbackHandler()
    chat = langchain_chat(LLAMA)
    for _ in range(2):
        chat.invoke("Hello", config={"callbacks": [handler]})
        list(chat.stream("Hello", config={"callbacks": [handler]}))
    (counted,) = handler.usage_metadata.values()
    once = chat.invoke("Hello").usage_metadata
    assert counted["total_tokens"] == 4 * once["total_tokens"]


def _types(held: Any) -> set[str]:
    if isinstance(held, dict):
        return set().union(*map(_types, held.values()))
    return {type(held).__name__}


def test_all_of_it_is_json(langchain_chat):
    """What stands in the metadata goes into logs and data bases."""
    json.dumps(langchain_chat(GEMMA).invoke("Hello").response_metadata)
