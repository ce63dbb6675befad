"""What an embedding asks, and what it refuses before anything is sent."""

from __future__ import annotations

import json
from typing import Any

import pytest

from workers_ai import errors as e
from workers_ai.call import Call
from workers_ai.exchange import Reply
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
        (BGE_M3, ["a"], {"dimensions": 256}, "dimensions=256.* its vectors have 1024"),
        (BGE_M3, ["a", "word " * 8193], {}, r"texts\[1\] is too long for one text: 8193 tokens at least"),
    ],
)
def test_what_the_service_would_refuse_or_ignore_is_refused_here(model: str, texts: Any, told: Any, words: str):
    with pytest.raises(e.BadRequestError, match=words) as caught:
        exchange(EmbeddingRequest(Call(model), texts, **told))
    assert (caught.value.maybe_sent, caught.value.model) == (False, model)


def test_the_limit_itself_is_fine():
    assert exchange(EmbeddingRequest(Call(BGE_M3), ["x"] * 100))
    assert exchange(EmbeddingRequest(Call(QWEN), ["x"] * 32))


def test_its_own_number_of_dimensions_may_be_said_of_any_model():
    asked = exchange(EmbeddingRequest(Call(BGE_M3), ["a"], dimensions=1024))
    assert json.loads(asked.request.body) == {"text": ["a"]}


def test_dimensions_go_out_where_the_model_may_know_them():
    asked = exchange(EmbeddingRequest(Call("@cf/nobody/embeds"), ["a"], dimensions=256))
    assert json.loads(asked.request.body) == {"text": ["a"], "dimensions": 256}


@pytest.mark.parametrize("length", [2, 4])
def test_vectors_of_another_length_than_the_one_asked_for_are_an_error(length: int):
    asked = exchange(EmbeddingRequest(Call("@cf/nobody/embeds"), ["a"], dimensions=3))
    body = json.dumps({"data": [[0.5] * length]}).encode()
    with pytest.raises(e.InvalidResponseError, match=f"of 3 numbers were expected, they have {length}"):
        asked.read(Reply(200, {}, body))


@pytest.mark.parametrize("text", ["word " * 8192, "x" * 100_000, " " * 100_000])
def test_a_text_that_may_be_short_enough_is_the_services_to_judge(text: str):
    assert exchange(EmbeddingRequest(Call(BGE_M3), [text]))


@pytest.mark.parametrize("texts", ["one text", ["a", None], ["a", 5], [["a"]]])
def test_what_is_no_list_of_texts_is_refused(texts: Any):
    with pytest.raises(TypeError, match="text"):
        exchange(EmbeddingRequest(Call(BGE_M3), texts, instruction="Find"))


@pytest.mark.parametrize(
    ("model", "queries", "body"),
    [
        (BGE_M3, False, {"text": ["Find a"]}),
        (BGE_M3, True, {"text": ["Find a"]}),
        (QWEN, False, {"documents": ["Find a"]}),
        (QWEN, True, {"queries": ["a"], "instruction": "Find"}),
    ],
)
def test_an_instruction_stands_where_the_model_reads_it(model: str, queries: bool, body: Any):
    request = EmbeddingRequest(Call(model), ["a"], queries=queries, instruction="Find")
    assert json.loads(exchange(request).request.body) == body
