"""Encoding for `/ai/run`."""

from __future__ import annotations

from typing import Any

import pytest

from workers_ai.call import Call
from workers_ai.wire import native

LLAMA = "@cf/meta/llama-3.2-3b-instruct"
GPT_OSS = "@cf/openai/gpt-oss-20b"
MESSAGES: Any = [{"role": "user", "content": "x"}]


@pytest.mark.parametrize("usage", [True, False])
@pytest.mark.parametrize(("stream", "more"), [(False, {}), (True, {"stream": True})])
def test_a_chat_is_messages_and_options_under_the_model_s_path(stream: bool, usage: bool, more: dict[str, Any]):
    path, body = native.encode_chat(Call(LLAMA), MESSAGES, {"seed": 1}, stream=stream, usage=usage)
    assert path == f"ai/run/{LLAMA}"
    assert body == {"messages": MESSAGES, "seed": 1, **more}


@pytest.mark.parametrize(
    ("model", "options", "body"),
    [
        (LLAMA, {}, {"prompt": "x"}),
        (LLAMA, {"raw": True}, {"prompt": "x", "raw": True}),
        (GPT_OSS, {"raw": True}, {"prompt": "x", "raw": True}),
        (GPT_OSS, {}, {"messages": MESSAGES}),
    ],
)
def test_a_prompt_takes_the_prompt_form_where_the_model_has_one(model: str, options: dict[str, Any], body: Any):
    assert native.encode_prompt(Call(model), "x", options, stream=False, usage=True) == (f"ai/run/{model}", body)


@pytest.mark.parametrize(
    ("model", "texts", "queries"),
    [("@cf/baai/bge-m3", "text", "text"), ("@cf/qwen/qwen3-embedding-0.6b", "documents", "queries")],
)
def test_some_models_embed_questions_apart(model: str, texts: str, queries: str):
    assert native.encode_texts(Call(model), ("a", "b"), {}) == (f"ai/run/{model}", {texts: ["a", "b"]})
    assert native.encode_queries(Call(model), ("a", "b"), {}) == (f"ai/run/{model}", {queries: ["a", "b"]})


def test_options_of_an_embedding_stand_beside_the_texts():
    _, body = native.encode_texts(Call("@cf/baai/bge-small-en-v1.5"), ["a"], {"pooling": "cls"})
    assert body == {"text": ["a"], "pooling": "cls"}
