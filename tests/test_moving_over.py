"""Moving over is one line: the arguments of the other packages, as their documentation has them, make our classes.

None of these packages is installed here. Each pair makes our class with their arguments and with our own, asks the
emulator once with both, and compares the requests and the answers.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from langchain_core.embeddings import Embeddings

from langchain_workers_ai import ChatWorkersAI, WorkersAIEmbeddings
from llama_index_workers_ai import WorkersAI, WorkersAIEmbedding
from workers_ai.gateway import Gateway
from workers_ai.local import LocalServer
from workers_ai.settings import BASE_URL

MODEL = "@cf/meta/llama-3.3-70b-instruct-fp8-fast"
ROUTER_OPTIONS = {"aig_session_id": "s-2", "aig_turn_id": "t-3", "aig_no_session_affinity": True}

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
PAIRS = re.findall(r"^```diff\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
AFTER = ["\n".join(line[1:] for line in pair.splitlines() if not line.startswith("-")) for pair in PAIRS]

Ask = Callable[[Any], Any]


def chat(model: Any) -> str:
    return model.invoke("Say hello.").text


def complete(model: Any) -> str:
    return str(model.complete("Say hello."))


def vector(model: Embeddings) -> list[float]:
    return model.embed_query("Where is the harbour?")


def text_vector(model: Any) -> list[float]:
    return model.get_text_embedding("Where is the harbour?")


def own(emulator: LocalServer, **told: Any) -> dict[str, Any]:
    """Our spelling of where the emulator is."""
    where = {"account_id": emulator.account_id, "api_token": emulator.api_token, "base_url": emulator.base_url}
    return {**where, **told}


def sent(emulator: LocalServer, made: Any, ask: Ask) -> tuple[Any, ...]:
    """What one question puts on the wire, and its answer."""
    before = len(emulator.requests)
    answer = ask(made)
    (request,) = emulator.requests[before:]
    return request.path, request.json, {**request.headers, "content-length": None}, answer


def same(emulator: LocalServer, cls: type, ask: Ask, theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> None:
    """Both spellings ask the same and hear the same."""
    assert sent(emulator, cls(**theirs), ask) == sent(emulator, cls(**own(emulator, **ours)), ask)


def noted(emulator: LocalServer, cls: type, ask: Ask, theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> set[str]:
    """As `same`; the names that the notes about old spellings tell, each at the line that makes the object."""
    with warnings.catch_warnings(record=True) as notes:
        warnings.simplefilter("always")
        same(emulator, cls, ask, theirs, ours)
    assert all(note.category is DeprecationWarning and note.filename == __file__ for note in notes)
    return {str(note.message).removeprefix(f"{cls.__name__}: ").partition("=")[0] for note in notes}


def test_chat_openai(emulator: LocalServer):
    """Its address takes the account along; nothing is old, so nothing is noted."""
    theirs = {
        "model": MODEL,
        "base_url": f"{emulator.base_url}/accounts/{emulator.account_id}/ai/v1",
        "api_key": emulator.api_token,
        "temperature": 0,
        "max_tokens": None,
        "timeout": None,
        "max_retries": 2,
    }
    same(emulator, ChatWorkersAI, chat, theirs, {"model": MODEL, "api": "openai", "temperature": 0})


def test_chat_openai_s_long_names(emulator: LocalServer):
    theirs = {
        "model_name": MODEL,
        "openai_api_base": f"{emulator.base_url}/accounts/{emulator.account_id}/ai/v1",
        "openai_api_key": emulator.api_token,
        "request_timeout": 30,
    }
    ours = {"model": MODEL, "api": "openai", "timeout": 30}
    assert noted(emulator, ChatWorkersAI, chat, theirs, ours) == {"openai_api_base", "openai_api_key"}


def test_chat_openai_through_a_gateway(emulator: LocalServer):
    theirs = {
        "model": MODEL,
        "base_url": f"{emulator.gateway_url}/{emulator.account_id}/default/workers-ai/v1",
        "api_key": emulator.api_token,
    }
    gateway = Gateway("default", route="url", base_url=emulator.gateway_url)
    same(emulator, ChatWorkersAI, chat, theirs, {"model": MODEL, "api": "openai", "gateway": gateway})


def test_openai_like(emulator: LocalServer):
    theirs = {
        "model": MODEL,
        "api_base": f"{emulator.base_url}/accounts/{emulator.account_id}/ai/v1",
        "api_key": emulator.api_token,
        "context_window": 24000,
        "is_chat_model": True,
        "is_function_calling_model": True,
    }
    ours = {"model": MODEL, "api": "openai", "context_window": 24000, "is_function_calling_model": True}
    same(emulator, WorkersAI, complete, theirs, ours)


@pytest.mark.parametrize(("theirs", "api"), [("workers_ai", "native"), ("openai_compatible", "openai")])
def test_langchain_cloudflare_s_chat_class(emulator: LocalServer, theirs: str, api: str):
    old = {
        "ai_gateway": "default",
        "endpoint_format": theirs,
        "session_id": "conversation-1",
        "aig_request_timeout": 20_000,
        "aig_max_attempts": 3,
        "aig_retry_delay": 500,
        "aig_backoff": "exponential",
        "aig_allowed_models": [MODEL],
        **ROUTER_OPTIONS,
    }
    gateway = {
        "id": "default",
        "request_timeout_ms": 20_000,
        "max_attempts": 3,
        "retry_delay_ms": 500,
        "backoff": "exponential",
        "allowed_models": [MODEL],
        "session_id": "s-2",
        "turn_id": "t-3",
        "no_session_affinity": True,
    }
    ours = {"model": MODEL, "api": api, "gateway": gateway, "session_affinity": "conversation-1"}
    told = {"temperature": 0.7, "reject_if_busy": True, "max_tokens": 64}
    used = noted(emulator, ChatWorkersAI, chat, own(emulator, model=MODEL, **told, **old), {**ours, **told})
    assert used == old.keys()


@pytest.mark.parametrize("prefix", ["cf_", "cloudflare_"])
def test_the_prefixed_names_of_langchain_cloudflare(emulator: LocalServer, prefix: str):
    theirs = {
        "model": MODEL,
        f"{prefix}account_id": emulator.account_id,
        f"{prefix}api_token": emulator.api_token,
        "base_url": emulator.base_url,
    }
    assert noted(emulator, ChatWorkersAI, chat, theirs, {"model": MODEL}) == {*theirs} - {"model", "base_url"}


def test_langchain_cloudflare_s_embeddings(emulator: LocalServer):
    theirs = {
        "account_id": emulator.account_id,
        "api_token": emulator.api_token,
        "model_name": "@cf/baai/bge-base-en-v1.5",
        "api_base_url": f"{emulator.base_url}/accounts",
        "ai_gateway": "default",
        "batch_size": 50,
    }
    ours = {"model": "@cf/baai/bge-base-en-v1.5", "gateway": "default", "batch_size": 50}
    assert noted(emulator, WorkersAIEmbeddings, vector, theirs, ours) == {"api_base_url", "ai_gateway"}


def test_cloudflare_embedding(emulator: LocalServer, monkeypatch: pytest.MonkeyPatch):
    """It takes no address; `auth_token` stays a spelling of ours, so nothing is noted."""
    monkeypatch.setenv("CLOUDFLARE_BASE_URL", emulator.base_url)
    theirs = {
        "account_id": emulator.account_id,
        "auth_token": emulator.api_token,
        "model": "@cf/baai/bge-base-en-v1.5",
        "embed_batch_size": 10,
    }
    ours = {"model_name": "@cf/baai/bge-base-en-v1.5", "embed_batch_size": 10}
    same(emulator, WorkersAIEmbedding, text_vector, theirs, ours)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # noted above, name by name
@pytest.mark.parametrize("lines", AFTER, ids=[re.findall(r"import (\w+)", lines)[0] for lines in AFTER])
def test_what_the_readme_shows_after(emulator: LocalServer, monkeypatch: pytest.MonkeyPatch, lines: str):
    """At the emulator's address instead of Cloudflare's."""
    monkeypatch.setenv("CLOUDFLARE_BASE_URL", emulator.base_url)
    told = {"account_id": emulator.account_id, "api_token": emulator.api_token}
    exec(lines.replace(BASE_URL, emulator.base_url), told)  # that is what a reader does
    made = told["model"]
    ask = {ChatWorkersAI: chat, WorkersAI: complete, WorkersAIEmbedding: text_vector}[type(made)]
    assert ask(made)
    assert emulator.requests[-1].path.startswith(f"/client/v4/accounts/{emulator.account_id}/ai/")
