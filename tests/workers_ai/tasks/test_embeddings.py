"""What an embedding asks, and what it refuses before anything is sent."""

from __future__ import annotations

import json
from typing import Any

import pytest

from workers_ai import errors as e
from workers_ai.call import Call
from workers_ai.tasks.embeddings import EmbeddingRequest, exchange

BGE_M3 = "@cf/baai/bge-m3"
BGE_SMALL = "@cf/baai/bge-small-en-v1.5"
QWEN = "@cf/qwen/qwen3-embedding-0.6b"


@pytest.mark.parametrize(
    ("model", "told", "path", "body"),
    [
        (BGE_M3, {}, f"ai/run/{BGE_M3}", {"text": ["a", "b"]}),
        (BGE_SMALL, {"pooling": "cls"}, f"ai/run/{BGE_SMALL}", {"text": ["a", "b"], "pooling": "cls"}),
        (QWEN, {}, f"ai/run/{QWEN}", {"documents": ["a", "b"]}),
        (QWEN, {"queries": True}, f"ai/run/{QWEN}", {"queries": ["a", "b"]}),
        (
            QWEN,
            {"queries": True, "instruction": "Find"},
            f"ai/run/{QWEN}",
            {"queries": ["a", "b"], "instruction": "Find"},
        ),
        ("@cf/nobody/embeds", {"pooling": "mean"}, "ai/run/@cf/nobody/embeds", {"text": ["a", "b"], "pooling": "mean"}),
    ],
)
def test_the_body_holds_the_texts_under_the_model_s_own_name(model: str, told: Any, path: str, body: Any):
    asked = exchange(EmbeddingRequest(Call(model), ["a", "b"], **told))
    assert (asked.request.path, json.loads(asked.request.body)) == (path, body)
    assert asked.idempotent


@pytest.mark.parametrize(
    ("model", "texts", "told", "words"),
    [
        (BGE_M3, [], {}, "1 to 100"),
        (BGE_M3, ["x"] * 101, {}, "not 101"),
        (QWEN, ["x"] * 33, {}, "1 to 32"),
        (BGE_M3, ["a", "", "c"], {}, r"texts\[1\] is empty"),
        (BGE_SMALL, ["a"], {"pooling": "max"}, "pooling='max'"),
        (BGE_M3, ["a"], {"pooling": "mean"}, "does not take it"),
    ],
)
def test_what_the_service_would_refuse_or_ignore_is_refused_here(model: str, texts: Any, told: Any, words: str):
    with pytest.raises(e.BadRequestError, match=words) as caught:
        exchange(EmbeddingRequest(Call(model), texts, **told))
    assert (caught.value.maybe_sent, caught.value.model) == (False, model)


def test_the_limit_itself_is_fine():
    assert exchange(EmbeddingRequest(Call(BGE_M3), ["x"] * 100))
    assert exchange(EmbeddingRequest(Call(QWEN), ["x"] * 32))
