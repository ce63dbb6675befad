"""Dumps, pickles and copies: whole, and without a secret wherever others read them."""

from __future__ import annotations

import copy
import json
import logging
import pickle
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import httpx
import pytest
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.callbacks import CallbackManager
from llama_index.core.rate_limiter import TokenBucketRateLimiter
from llama_index.core.schema import NodeWithScore, TextNode
from llama_index.core.types import PydanticProgramMode

from llama_index_workers_ai import (
    BadRequestError,
    CapacityError,
    Gateway,
    WorkersAI,
    WorkersAIEmbedding,
    WorkersAIRerank,
)

GATEWAY_TOKEN = "gateway-token-not-to-show"
HEADER = "header-not-to-show"


def upper(text: str) -> str:
    return text.upper()


@pytest.fixture
def common(connection) -> Iterator[dict[str, Any]]:
    """Every argument of all classes that a dump keeps, and the secret ones that it leaves out."""
    client, async_client = httpx.Client(), httpx.AsyncClient()
    yield {
        **connection,
        "gateway": Gateway("default", token=GATEWAY_TOKEN, cache_ttl=60, metadata={"team": "x"}, allowed_models=["a"]),
        "api": "native",
        "timeout": httpx.Timeout(5.0, read=7.0, pool=None),
        "max_retries": 4,
        "default_headers": {"x-h": HEADER},
        "default_query": {"q": "1"},
        "extra_body": {"top": {"deep": [1]}},
        "session_affinity": "s",
        "reject_if_busy": True,
        "allow_insecure": True,
        "http_client": client,
        "http_async_client": async_client,
        "callback_manager": CallbackManager([]),
    }
    client.close()


@pytest.fixture
def whole_llm(common) -> WorkersAI:
    return WorkersAI(
        **common,
        model="@cf/meta/llama-3.3-70b-instruct-fp8-fast",
        temperature=0.5,
        max_tokens=50,
        top_p=0.9,
        top_k=5,
        seed=3,
        stop=["\n\n"],
        repetition_penalty=1.1,
        frequency_penalty=0.1,
        presence_penalty=0.1,
        n=1,
        logprobs=False,
        top_logprobs=0,
        logit_bias={"1": 2.0},
        lora="my-lora",
        raw=False,
        reasoning_effort=None,
        chat_template_kwargs={"enable_thinking": False},
        tool_choice="auto",
        parallel_tool_calls=False,
        strict=True,
        fetch_images=True,
        should_use_structured_outputs=False,
        response_format={"type": "text"},
        model_kwargs={"x": 1},
        additional_kwargs={"seed": 4},
        context_window=1000,
        is_chat_model=True,
        is_function_calling_model=False,
        tokenizer="some/name",
        reuse_client=False,
        system_prompt="Be brief.",
        completion_to_prompt=upper,
        pydantic_program_mode=PydanticProgramMode.LLM,
    )


@pytest.fixture
def whole_embedding(common) -> WorkersAIEmbedding:
    return WorkersAIEmbedding(
        **common,
        model_name="@cf/baai/bge-base-en-v1.5",
        embed_batch_size=30,
        num_workers=2,
        max_concurrency=3,
        pooling="cls",
        dimensions=768,
        query_instruction="query:",
        text_instruction="passage:",
    )


@pytest.fixture
def whole_reranker(common) -> WorkersAIRerank:
    return WorkersAIRerank(
        **common, model="@cf/baai/bge-m3", top_n=5, keep_retrieval_score=True, batch_size=10, max_concurrency=3
    )


@pytest.fixture(params=["llm", "embedding", "reranker", "whole_llm", "whole_embedding", "whole_reranker"])
def model(request, monkeypatch) -> Any:
    """Each class, bare and with every argument set; the environment holds what a dump leaves out."""
    found = request.getfixturevalue(request.param)
    monkeypatch.setenv("CLOUDFLARE_API_TOKEN", found.api_token.get_secret_value())
    return found


@pytest.fixture(params=["unused", "used"])
def in_use(request, model) -> Any:
    if request.param == "used":
        use(model)
    return model


MESSAGES = [ChatMessage(role="user", content="Hello")]


def use(model: Any) -> None:
    """One call; that the emulator refuses a body with every argument in it does not matter here."""
    with suppress(BadRequestError, CapacityError):
        match model:
            case WorkersAI():
                model.chat(MESSAGES)
            case WorkersAIRerank():
                model.postprocess_nodes([NodeWithScore(node=TextNode(text="Hello"))], query_str="Hi")
            case _:
                model.get_text_embedding("Hello")


def fields_of(model: Any, *, without: tuple[str, ...] = ()) -> dict[str, Any]:
    live = {"http_client", "http_async_client", "callback_manager", *without}
    return {name: value for name, value in dict(model).items() if name not in live}


NOT_DUMPED = ("default_headers", "completion_to_prompt", "messages_to_prompt")
"""Secret, or functions: a dump holds neither."""


def without_gateway_token(fields: dict[str, Any]) -> dict[str, Any]:
    gateway = fields["gateway"]
    return {**fields, "gateway": gateway.replace(token=None) if gateway else None}


@pytest.mark.parametrize("way", ["dict", "json"])
def test_a_dump_makes_an_equal_object(in_use, way):
    cls = type(in_use)
    again = cls.from_dict(in_use.to_dict()) if way == "dict" else cls.from_json(in_use.to_json())
    told = without_gateway_token(fields_of(in_use, without=NOT_DUMPED))
    assert fields_of(again, without=NOT_DUMPED) == told
    use(again)


def test_a_pickle_makes_an_equal_object_with_its_token_and_without_a_warning(in_use, caplog):
    with caplog.at_level(logging.WARNING):
        again = pickle.loads(pickle.dumps(in_use))
    assert caplog.records == []
    assert fields_of(again) == fields_of(in_use)
    assert again.api_token.get_secret_value() == in_use.api_token.get_secret_value()
    assert again.http_client is None
    use(again)


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda model: model.model_copy(deep=True)])
def test_a_copy_is_equal_and_shares_its_clients(in_use, duplicate):
    again = duplicate(in_use)
    assert fields_of(again) == fields_of(in_use)
    assert again.http_client is in_use.http_client
    assert again.http_async_client is in_use.http_async_client
    use(again)


def test_a_copy_with_another_model_asks_that_one(llm, server):
    llm.chat(MESSAGES)
    llm.model_copy(update={"model": "@cf/openai/gpt-oss-20b", "api": "openai"}).chat(MESSAGES)
    assert [request.json["model"] for request in server.requests] == [llm.model, "@cf/openai/gpt-oss-20b"]


def test_a_deep_copy_shares_callbacks_and_rate_limiter(connection):
    """They hold locks, and a limiter of its own would double the rate."""
    for cls in (WorkersAI, WorkersAIEmbedding):
        limiter = TokenBucketRateLimiter(requests_per_minute=60)
        model = cls(rate_limiter=limiter, callback_manager=CallbackManager([]), **connection)
        again = copy.deepcopy(model)
        assert again.rate_limiter is limiter
        assert again.callback_manager is model.callback_manager
    reranker = WorkersAIRerank(callback_manager=CallbackManager([]), **connection)
    assert copy.deepcopy(reranker).callback_manager is reranker.callback_manager


def test_no_dump_shows_a_secret(in_use):
    shown = {
        "repr": repr(in_use),
        "str": str(in_use),
        "dict": repr(in_use.dict()),
        "to_dict": repr(in_use.to_dict()),
        "to_json": in_use.to_json(),
        "model_dump": repr(in_use.model_dump()),
        "model_dump_json": in_use.model_dump_json(),
    }
    if hasattr(in_use, "to_payload"):
        shown["payload"] = repr(in_use.to_payload())
    for where, text in shown.items():
        for secret in (in_use.api_token.get_secret_value(), GATEWAY_TOKEN, HEADER):
            assert secret not in text, where


def test_a_dump_is_the_same_whatever_the_token(connection):
    """LlamaIndex's ingestion cache makes its key of it: a new token must not lose the cache."""
    one, other = (WorkersAIEmbedding(**{**connection, "api_token": token}) for token in ("one", "other"))
    assert one.to_dict() == other.to_dict()
    json.dumps(one.to_dict())


def test_a_pickle_leaves_out_what_usage_is_told_to_without_a_warning(connection, caplog):
    embedding = WorkersAIEmbedding(on_usage=lambda usage: None, **connection)
    assert pickle.loads(pickle.dumps(embedding)).on_usage is None
    assert caplog.records == []


def test_a_loaded_object_has_the_token_of_the_environment(llm, monkeypatch):
    monkeypatch.setenv("CLOUDFLARE_API_TOKEN", "from-the-environment")
    assert WorkersAI.from_dict(llm.to_dict()).api_token.get_secret_value() == "from-the-environment"


def test_validation_errors_do_not_show_the_token():
    with pytest.raises(ValueError, match="account_id") as caught:
        WorkersAI(account_id="wrong", api_token="token-not-to-show")
    assert "token-not-to-show" not in str(caught.value)
