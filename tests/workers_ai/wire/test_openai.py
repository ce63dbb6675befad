"""Encoding for `/ai/v1`, the OpenAI-compatible form."""

from __future__ import annotations

from typing import Any

import pytest

from workers_ai.call import Call
from workers_ai.wire import native, openai
from workers_ai.wire.form import FORMS

GPT_OSS = "@cf/openai/gpt-oss-20b"
MESSAGES: Any = [{"role": "user", "content": "x"}]


@pytest.mark.parametrize(
    ("stream", "usage", "more"),
    [
        (False, True, {}),
        (False, False, {}),
        (True, False, {"stream": True}),
        (True, True, {"stream": True, "stream_options": {"include_usage": True}}),
    ],
)
def test_the_model_stands_in_the_body(stream: bool, usage: bool, more: dict[str, Any]):
    path, body = openai.encode_chat(Call(GPT_OSS), MESSAGES, {"seed": 1}, stream=stream, usage=usage)
    assert path == "ai/v1/chat/completions"
    assert body == {"model": GPT_OSS, "messages": MESSAGES, "seed": 1, **more}


def test_a_prompt_is_one_user_s_message():
    told = openai.encode_prompt(Call(GPT_OSS), "x", {}, stream=False, usage=True)
    assert told == openai.encode_chat(Call(GPT_OSS), MESSAGES, {}, stream=False, usage=True)


def test_texts_and_questions_go_alike():
    told = ("ai/v1/embeddings", {"model": "@cf/baai/bge-m3", "input": ["a"], "pooling": "cls"})
    assert openai.encode_texts(Call("@cf/baai/bge-m3"), ("a",), {"pooling": "cls"}) == told
    assert openai.encode_queries(Call("@cf/baai/bge-m3"), ("a",), {"pooling": "cls"}) == told


def test_the_two_forms_are_siblings():
    assert {"native": native, "openai": openai} == FORMS
    for name in ("encode_chat", "encode_prompt", "encode_texts", "encode_queries"):
        assert callable(getattr(native, name))
        assert callable(getattr(openai, name))
