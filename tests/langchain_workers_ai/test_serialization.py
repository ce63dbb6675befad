"""Copies: `dumps` and `load`, pickle, deepcopy, model_copy, with every argument set, before and after use."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import httpx
import pytest
from langchain_core.load import dumpd, dumps, load, loads

from langchain_workers_ai import ChatWorkersAI, Gateway, WorkersAI, WorkersAIEmbeddings, WorkersAIRerank

# `load` and `loads` are in beta, and LangChain says so.
pytestmark = pytest.mark.filterwarnings("ignore::langchain_core._api.LangChainBetaWarning")

ACCOUNT = "0123456789abcdef0123456789abcdef"
TOKEN = "token-of-the-test"
GATEWAY = Gateway(
    "docs",
    route="url",
    base_url="https://gateway.example.org/v1",
    token="token-of-the-gateway",
    cache_ttl=3600,
    cache_key="k",
    skip_cache=True,
    collect_log=False,
    collect_log_payload=False,
    metadata={"team": "blue", "n": 1, "ok": True},
    event_id="e1",
    request_timeout_ms=1000,
    max_attempts=3,
    retry_delay_ms=100,
    backoff="linear",
    custom_cost={"per_token_in": 0.1, "per_token_out": 0.2},
    byok_alias="mine",
    no_wholesale=True,
    zdr=True,
    session_id="s",
    turn_id="t",
    no_session_affinity=True,
    allowed_models=("a", "b"),
    allowed_providers="workers-ai",
)


def rotating() -> str:
    """A token asked for at each request; at module level, so that a pickle finds it."""
    return TOKEN


CONNECTION: dict[str, Any] = {
    "account_id": ACCOUNT,
    "api_token": TOKEN,
    "base_url": "https://example.org/client/v4",
    "allow_insecure": True,
    "gateway": GATEWAY,
    "api": "native",
    "timeout": httpx.Timeout(1.0, connect=2.0, read=3.0, write=4.0, pool=5.0),
    "max_retries": 5,
    "rate_limit": "adaptive",
    "rate_limit_store": "redis://127.0.0.1:6379/0",
    "default_headers": {"X-Team": "blue"},
    "default_query": {"a": "1"},
    "extra_body": {"b": {"c": [1, 2.5, None, True]}},
    "session_affinity": "s1",
    "reject_if_busy": True,
}
TEXT: dict[str, Any] = {
    "model": "@cf/openai/gpt-oss-20b",
    "temperature": 0.5,
    "max_tokens": 7,
    "top_p": 0.9,
    "top_k": 5,
    "seed": 3,
    "stop": ["END"],
    "repetition_penalty": 1.1,
    "frequency_penalty": 0.1,
    "presence_penalty": 0.2,
    "n": 2,
    "logprobs": True,
    "top_logprobs": 3,
    "logit_bias": {"5": -1.0},
    "lora": "mine",
    "raw": True,
    "reasoning_effort": None,
    "chat_template_kwargs": {"enable_thinking": False},
    "response_format": {"type": "json_object"},
    "model_kwargs": {"top_a": 1},
    "check_context": "trim",
    "fallback": ("@cf/meta/llama-3.2-3b-instruct",),
    "streaming": False,
    "stream_usage": False,
}
LANGCHAIN: dict[str, Any] = {"name": "ours", "tags": ["blue"], "metadata": {"team": "blue"}, "verbose": False}
CHAT: dict[str, Any] = {
    "tool_choice": "auto",
    "parallel_tool_calls": True,
    "strict": True,
    "disable_streaming": "tool_calling",
    "output_version": "v1",
    "include_response_headers": True,
    "disabled_params": {"seed": None, "top_k": [5]},
    "fetch_images": True,
}
EMBEDDINGS: dict[str, Any] = {
    "model": "@cf/baai/bge-base-en-v1.5",
    "pooling": "mean",
    "dimensions": 768,
    "max_concurrency": 3,
    "query_instruction": "Question:",
    "text_instruction": "Passage:",
    "batch_size": 10,
    "show_progress_bar": True,
}
RERANK: dict[str, Any] = {"model": "@cf/baai/bge-m3", "top_n": 5, "batch_size": 10, "max_concurrency": 3}
CLASSES = [
    (ChatWorkersAI, {**CONNECTION, **TEXT, **LANGCHAIN, **CHAT}),
    (WorkersAI, {**CONNECTION, **TEXT, **LANGCHAIN}),
    (WorkersAIEmbeddings, {**CONNECTION, **EMBEDDINGS}),
    (WorkersAIRerank, {**CONNECTION, **RERANK}),
]
EACH_CLASS = pytest.mark.parametrize(("cls", "arguments"), CLASSES, ids=[cls.__name__ for cls, _ in CLASSES])
NOT_DUMPED = {"api_token", "default_headers", "rate_limit_store", "http_client", "http_async_client"}
LIVE = {
    "http_client",
    "http_async_client",
    "cache",
    "callbacks",
    "rate_limiter",
    "custom_get_token_ids",
    "profile",
    "on_usage",
}
USED = pytest.mark.parametrize("used", [False, True], ids=["before use", "after use"])


@EACH_CLASS
def test_every_argument_is_set_here(cls, arguments):
    """Whoever adds an argument adds it to these tables: a copy must not lose it."""
    assert set(arguments) == set(cls.model_fields) - LIVE


def ask(model):
    """One call."""
    match model:
        case WorkersAIEmbeddings():
            return model.embed_query("a")
        case WorkersAIRerank():
            return model.rerank(["a"], "b")
    return model.invoke("Hi", n=1)


def made(cls, arguments, *, used: bool, service):
    """An object of every argument, and of live clients; used: after a call."""
    connection = {name: service.connection[name] for name in ("http_client", "http_async_client")}
    model = cls(**arguments, **connection)
    if used:
        service.answers(lambda request: httpx.Response(500))
        model.max_retries = 0
        with pytest.raises(Exception, match="500"):
            ask(model)
        model.max_retries = arguments["max_retries"]
        assert len(service.requests) == 1
    return model


def values(model, *, without: set[str]) -> dict[str, Any]:
    return {name: getattr(model, name) for name in type(model).model_fields if name not in without}


@EACH_CLASS
@USED
@pytest.mark.parametrize("token", [TOKEN, rotating], ids=["a token", "a function"])
def test_a_pickle_has_all_but_live_clients(service, cls, arguments, used, token):
    """Worker processes get the token with it; they have no use for another process's sockets."""
    model = made(cls, {**arguments, "api_token": token}, used=used, service=service)
    twin = pickle.loads(pickle.dumps(model))
    assert values(twin, without=NOT_DUMPED & LIVE) == values(model, without=NOT_DUMPED & LIVE)
    assert (twin.http_client, twin.http_async_client) == (None, None)
    assert twin.model_fields_set == model.model_fields_set
    assert twin.gateway.token.get_secret_value() == "token-of-the-gateway"


@EACH_CLASS
@USED
@pytest.mark.parametrize("way", [copy.deepcopy, copy.copy, lambda model: model.model_copy(deep=True)])
def test_a_copy_has_all_and_shares_the_clients(service, cls, arguments, used, way):
    model = made(cls, arguments, used=used, service=service)
    twin = way(model)
    assert twin == model
    assert values(twin, without=set()) == values(model, without=set())
    assert twin.http_client is model.http_client


@EACH_CLASS
def test_a_deep_copy_shares_nothing_that_can_change(service, cls, arguments):
    model = made(cls, arguments, used=False, service=service)
    twin = copy.deepcopy(model)
    twin.extra_body["b"]["c"].append("changed")
    assert "changed" not in model.extra_body["b"]["c"]


@EACH_CLASS
@USED
def test_a_model_dump_makes_the_model_again(service, cls, arguments, used):
    model = made(cls, arguments, used=used, service=service)
    for dumped in (model.model_dump(), json.loads(model.model_dump_json())):
        twin = cls(**dumped, api_token=TOKEN)
        without = NOT_DUMPED | LIVE | {"gateway", "tags", "metadata"}  # the last two are LangChain's to leave out
        assert values(twin, without=without) == values(model, without=without)
        assert twin.gateway == model.gateway.replace(token=None)


SERIALIZABLE = pytest.mark.parametrize(
    ("cls", "arguments"),
    [each for each in CLASSES if each[0] is not WorkersAIEmbeddings],
    ids=["ChatWorkersAI", "WorkersAI", "WorkersAIRerank"],
)


@SERIALIZABLE
@USED
@pytest.mark.parametrize("allowed", ["all", "the class"])
def test_what_dumps_wrote_load_reads(service, monkeypatch, cls, arguments, used, allowed):
    monkeypatch.setenv("CLOUDFLARE_API_TOKEN", TOKEN)
    monkeypatch.setenv("WORKERS_AI_RATE_LIMIT_STORE", arguments["rate_limit_store"])
    model = made(cls, arguments, used=used, service=service)
    twin = loads(
        dumps(model),
        allowed_objects="all" if allowed == "all" else [cls],
        valid_namespaces=["langchain_workers_ai"],
        secrets_from_env=True,
    )
    without = (NOT_DUMPED | LIVE | {"gateway", "tags", "metadata"}) - {"api_token", "rate_limit_store"}
    assert values(twin, without=without) == values(model, without=without)
    assert twin.gateway == model.gateway.replace(token=None)
    assert dumps(twin) == dumps(model)


@SERIALIZABLE
def test_what_load_made_can_be_used(service, cls, arguments):
    model = cls(**{**arguments, "gateway": "docs"})
    twin = load(
        dumpd(model),
        allowed_objects=[cls],
        valid_namespaces=["langchain_workers_ai"],
        secrets_map={"CLOUDFLARE_API_TOKEN": "another-token-of-the-test"},
    )
    twin.http_client = service.connection["http_client"]
    if cls is WorkersAIRerank:
        service.answers(service.ranks())
    ask(twin)
    assert service.requests[-1].headers["authorization"] == "Bearer another-token-of-the-test"
    assert service.requests[-1].headers["cf-aig-gateway-id"] == "docs"


@SERIALIZABLE
def test_load_without_secrets_makes_an_object_that_asks_for_them_at_the_first_call(cls, arguments):
    twin = load(dumpd(cls(**arguments)), allowed_objects=[cls], valid_namespaces=["langchain_workers_ai"])
    with pytest.raises(Exception, match="CLOUDFLARE_API_TOKEN"):
        ask(twin)


@SERIALIZABLE
def test_dumps_of_one_object_is_the_same_each_time_and_after_use(service, cls, arguments):
    """It is LangChain's cache key: a call must not change it."""
    unused = dumps(made(cls, arguments, used=False, service=service))
    assert dumps(made(cls, arguments, used=True, service=service)) == unused


def test_the_table_of_the_loader_has_our_classes():
    from langchain_core.load.load import ALL_SERIALIZABLE_MAPPINGS

    for path in (
        ("langchain_workers_ai", "chat_models", "ChatWorkersAI"),
        ("langchain_workers_ai", "llms", "WorkersAI"),
        ("langchain_workers_ai", "rerank", "WorkersAIRerank"),
    ):
        assert ALL_SERIALIZABLE_MAPPINGS[path] == path


@pytest.mark.parametrize("timeout", [None, 5, 5.5, httpx.Timeout(5.0), httpx.Timeout(None, connect=1.0)], ids=repr)
def test_every_kind_of_timeout_comes_back(timeout):
    model = ChatWorkersAI(timeout=timeout)
    assert pickle.loads(pickle.dumps(model)).timeout == timeout
    assert ChatWorkersAI(**json.loads(model.model_dump_json())).timeout == timeout
    twin = load(dumpd(model), allowed_objects=[ChatWorkersAI], valid_namespaces=["langchain_workers_ai"])
    assert twin.timeout == timeout


def test_asdict_is_what_identifies_a_model():
    told = ChatWorkersAI(temperature=0.5, api_token=TOKEN).asdict()
    assert told == {
        "_type": "workers-ai-chat",
        "model": "@cf/google/gemma-4-26b-a4b-it",
        "model_name": "@cf/google/gemma-4-26b-a4b-it",
        "api": "auto",
        "temperature": 0.5,
    }
