"""Whatever sequence of messages LlamaIndex accepts, the service accepts: shown on the strict emulator."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from llama_index.core.base.llms.types import (
    CacheControl,
    CachePoint,
    ChatMessage,
    CitableBlock,
    ImageBlock,
    MessageRole,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
)

from llama_index_workers_ai import WorkersAI

PIXEL = b"\x89PNG\r\n\x1a\n0000"
MODELS = [
    "@cf/meta/llama-3.3-70b-instruct-fp8-fast",
    "@cf/openai/gpt-oss-20b",
    "@cf/google/gemma-4-26b-a4b-it",
    "@cf/meta/llama-4-scout-17b-16e-instruct",
]
SEEING = MODELS[2:]

texts = st.text(st.characters(codec="utf-8"), max_size=12)
ids = st.sampled_from([None, "", "a", "b", "functions.add:0"])
names = st.sampled_from(["add", "sub"])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-99, 99) | texts, lambda inner: st.lists(inner, max_size=2), max_leaves=3
)
arguments = st.dictionaries(st.sampled_from(["a", "b"]), json_values, max_size=2) | st.sampled_from(
    ["{}", '{"a": 1', ""]
)
calls = st.builds(ToolCallBlock, tool_call_id=ids, tool_name=names, tool_kwargs=arguments)
old_calls = st.builds(
    lambda call_id, name, held: {"id": call_id, "type": "function", "function": {"name": name, "arguments": held}},
    ids,
    names,
    arguments,
)
blocks = st.one_of(
    st.builds(TextBlock, text=texts),
    st.builds(ThinkingBlock, content=texts),
    st.just(CachePoint(cache_control=CacheControl(type="ephemeral"))),
    st.builds(lambda text: CitableBlock(title="t", source="s", content=text), texts),
    calls,
)
pictures = st.just(ImageBlock(image=PIXEL))
kept = st.fixed_dictionaries(
    {}, optional={"tool_call_id": ids, "name": names, "x": st.none(), "tool_calls": st.lists(old_calls, max_size=2)}
)


def histories(blocks):
    message = st.builds(
        ChatMessage,
        role=st.sampled_from(list(MessageRole)),
        blocks=st.lists(blocks, max_size=3),
        additional_kwargs=kept,
    )
    return st.lists(message, min_size=1, max_size=6)


def check(connection, model, api, history):
    before = [message.model_copy(deep=True) for message in history]
    WorkersAI(model=model, api=api, **connection).chat(history)  # a refusal would be an error
    assert history == before


@pytest.mark.parametrize("api", ["native", "openai"])
@pytest.mark.parametrize("model", MODELS)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=histories(blocks))
def test_any_history_of_text_and_calls_is_accepted(connection, model, api, history):
    check(connection, model, api, history)


@pytest.mark.parametrize("model", SEEING)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=histories(blocks | pictures))
def test_any_history_with_pictures_is_accepted_by_models_that_see(connection, model, history):
    check(connection, model, "auto", history)
