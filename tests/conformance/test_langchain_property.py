"""Any sequence of messages that LangChain accepts becomes a body that the strict emulator accepts, on both APIs."""

from __future__ import annotations

import base64
from typing import Any

import hypothesis
from hypothesis import strategies as st
from langchain_core.messages import (
    AIMessage,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    InvalidToolCall,
    SystemMessage,
    ToolCall,
    ToolMessage,
)

LLAMA = "@cf/meta/llama-3.3-70b-instruct-fp8-fast"
GPT_OSS = "@cf/openai/gpt-oss-20b"
GEMMA = "@cf/google/gemma-4-26b-a4b-it"
SCOUT = "@cf/meta/llama-4-scout-17b-16e-instruct"
THAT_SEE = (GEMMA, SCOUT)

BYTES = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(25)).decode()

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
NAMES = st.sampled_from(["weather", "add", "look"])
IDS = st.one_of(
    st.uuids().map(lambda each: f"call_{each.hex}"),
    st.sampled_from(["functions.add:0~0a1b2c3d", "toolu_01A", "functions.add:0"]),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=4,
)

TEXTS: st.SearchStrategy[Any] = st.one_of(
    TEXT,  # a bare string in a list
    st.builds(lambda text: {"type": "text", "text": text}, TEXT),
    st.builds(lambda text: {"type": "text", "text": text, "cache_control": {"type": "ephemeral"}}, TEXT),
    st.builds(lambda text: {"type": "input_text", "text": text}, TEXT),
)
PICTURES: st.SearchStrategy[Any] = st.sampled_from(
    [
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{BYTES}", "detail": "low"}},
        {"type": "image_url", "image_url": f"data:image/png;base64,{BYTES}"},
        {"type": "image", "base64": BYTES, "mime_type": "image/png", "id": "lc_1"},
        {"type": "image", "source_type": "base64", "data": BYTES, "mime_type": "image/png"},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": BYTES}},
    ]
)
# What other providers leave in their answers; none of it may go out as it is.
RECORDS: st.SearchStrategy[Any] = st.one_of(
    st.builds(lambda text: {"type": "reasoning", "reasoning": text}, TEXT),
    st.builds(lambda text: {"type": "thinking", "thinking": text, "signature": "s"}, TEXT),
    st.builds(lambda text: {"type": "output_text", "text": text, "annotations": []}, TEXT),
    st.builds(lambda text: {"type": "refusal", "refusal": text}, TEXT),
    st.just({"type": "redacted_thinking", "data": "x"}),
    st.just({"type": "server_tool_call", "name": "web_search", "args": {}, "id": "s1"}),
    st.just({"type": "function_call", "name": "add", "arguments": "{}", "call_id": "c"}),
)
BESIDE = st.fixed_dictionaries(
    {},
    optional={
        "refusal": st.none() | TEXT,
        "reasoning_content": TEXT,
        "function_call": st.just({"name": "add", "arguments": "{}"}),
        "tool_calls": st.just([{"id": "x", "type": "function", "function": {"name": "add", "arguments": "{}"}}]),
        "audio": st.just({"id": "x"}),
        "citations": st.lists(JSON, max_size=1),
    },
)


def content(blocks: st.SearchStrategy[Any], *, empty: bool = True) -> st.SearchStrategy[Any]:
    return TEXT | st.lists(blocks, min_size=0 if empty else 1, max_size=3)


@st.composite
def turns(draw: Any, *, sees: bool) -> list[BaseMessage]:
    """One turn: something said, or an answer with calls and the result of each."""
    blocks = TEXTS | PICTURES if sees else TEXTS
    kind = draw(st.sampled_from(["human", "system", "chat", "answer", "calls", "function"]))
    name = draw(st.none() | st.just("Bob"))
    if kind == "human":
        return [HumanMessage(draw(content(blocks)), name=name)]
    if kind == "system":
        return [SystemMessage(draw(content(TEXTS)))]
    if kind == "chat":
        return [ChatMessage(draw(TEXT), role=draw(st.sampled_from(["user", "assistant", "system", "developer"])))]
    if kind == "function":
        return [FunctionMessage(draw(TEXT), name=draw(NAMES))]
    said, beside = draw(content(TEXTS | RECORDS)), draw(BESIDE)
    if kind == "answer":
        return [AIMessage(said, additional_kwargs=beside, name=name)]
    ids = draw(st.lists(IDS, min_size=1, max_size=3, unique=True))
    calls, invalid, extra = [], [], []
    for id_ in ids:
        called, args = draw(NAMES), draw(st.dictionaries(TEXT, JSON, max_size=2))
        if draw(st.booleans()):
            calls.append(ToolCall(name=called, args=args, id=id_))
        else:
            invalid.append(InvalidToolCall(name=called, args='{"a": ', id=id_, error="cut off"))
        # Anthropic and v1 hold each call in the content too.
        extra += draw(
            st.sampled_from(
                [
                    [],
                    [{"type": "tool_use", "id": id_, "name": called, "input": args}],
                    [{"type": "tool_call", "id": id_, "name": called, "args": args}],
                ]
            )
        )
    said = [said, *extra] if isinstance(said, str) and extra else [*said, *extra] if extra else said
    answer = AIMessage(said, tool_calls=calls, invalid_tool_calls=invalid, additional_kwargs=beside)
    brought = [
        ToolMessage(
            draw(content(blocks)),
            tool_call_id=id_,
            name=draw(st.none() | NAMES),
            status=draw(st.sampled_from(["success", "error"])),
            artifact=draw(st.none() | JSON),
        )
        for id_ in ids
    ]
    return [answer, *brought]


@st.composite
def conversations(draw: Any) -> tuple[str, list[BaseMessage]]:
    """A model, and what it could be told: turns in any order, one at least."""
    model = draw(st.sampled_from([LLAMA, GPT_OSS, GEMMA, SCOUT]))
    told = draw(st.lists(turns(sees=model in THAT_SEE), min_size=1, max_size=4))
    return model, [message for turn in told for message in turn]


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@hypothesis.settings(
    max_examples=200,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture, hypothesis.HealthCheck.too_slow],
)
@hypothesis.given(told=conversations(), tools=st.booleans())
def test_the_strict_emulator_accepts_whatever_langchain_does(langchain_chat, told, tools):
    model, messages = told
    for api in ("native", "openai"):
        chat = langchain_chat(model, "strict-tools", api=api, max_retries=0, max_tokens=1000)
        answer = (chat.bind_tools([add]) if tools else chat).invoke(messages)
        assert isinstance(answer, AIMessage)
