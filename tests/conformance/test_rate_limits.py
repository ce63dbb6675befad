"""One limit for both frameworks, sync and async, beside the frameworks' own limiters."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from langchain_core.rate_limiters import BaseRateLimiter as LangChainLimiter
from llama_index.core.rate_limiter import BaseRateLimiter as LlamaIndexLimiter

import langchain_workers_ai
import llama_index_workers_ai
from workers_ai import Client
from workers_ai.limiter import PROCESS, OwnLine
from workers_ai.local import LocalServer

CHAT, EMBEDDING = "@cf/google/gemma-4-26b-a4b-it", "@cf/baai/bge-m3"

numbers = itertools.count(4001)


@pytest.fixture
def limit() -> int:
    """A number of its own for each test: the lines are the process's."""
    return next(numbers)


@pytest.fixture
def arguments(emulator: LocalServer, limit: int) -> dict[str, Any]:
    return {
        "account_id": emulator.account_id,
        "api_token": emulator.api_token,
        "base_url": emulator.base_url,
        "rate_limit": limit,
    }


def turns(emulator: LocalServer, model: str, limit: int) -> int:
    """How many requests have been counted."""
    line = PROCESS.line((emulator.base_url, emulator.account_id, model), limit, None)
    assert isinstance(line, OwnLine)
    return len(line._window._turns)


async def test_chats_of_both_frameworks_and_of_the_core_are_counted_together(
    emulator: LocalServer, arguments: dict[str, Any], limit: int
):
    chain = langchain_workers_ai.ChatWorkersAI(**arguments)
    chain.invoke("Hello")
    await chain.ainvoke("Hello")
    list(chain.stream("Hello"))
    assert [item async for item in chain.astream("Hello")]
    langchain_workers_ai.WorkersAI(**arguments).invoke("Hello")
    index = llama_index_workers_ai.WorkersAI(**arguments)
    index.complete("Hello")
    await index.acomplete("Hello")
    list(index.stream_complete("Hello"))
    assert [item async for item in await index.astream_complete("Hello")]
    Client(**arguments).chat("Hello")
    assert turns(emulator, CHAT, limit) == 10


async def test_embeddings_are_counted_by_requests_not_by_texts(
    emulator: LocalServer, arguments: dict[str, Any], limit: int
):
    texts = [f"text {number}" for number in range(150)]
    langchain_workers_ai.WorkersAIEmbeddings(**arguments).embed_documents(texts)
    await llama_index_workers_ai.WorkersAIEmbedding(**arguments).aget_text_embedding_batch(texts)
    assert turns(emulator, EMBEDDING, limit) == 4


class LangChains(LangChainLimiter):
    def __init__(self) -> None:
        self.asked = 0

    def acquire(self, *, blocking: bool = True) -> bool:
        self.asked += 1
        return True

    async def aacquire(self, *, blocking: bool = True) -> bool:
        return self.acquire()


class LlamaIndexs(LlamaIndexLimiter):
    asked: int = 0

    def acquire(self, num_tokens: int = 0) -> None:
        self.asked += 1

    async def async_acquire(self, num_tokens: int = 0) -> None:
        self.asked += 1


async def test_the_frameworks_own_limiters_are_asked_once_a_call_beside_ours(
    emulator: LocalServer, arguments: dict[str, Any], limit: int
):
    of_langchain, of_llama_index = LangChains(), LlamaIndexs()
    chain = langchain_workers_ai.ChatWorkersAI(**arguments, rate_limiter=of_langchain)
    chain.invoke("Hello")
    await chain.ainvoke("Hello")
    index = llama_index_workers_ai.WorkersAI(**arguments, rate_limiter=of_llama_index)
    index.complete("Hello")
    await index.acomplete("Hello")
    assert (of_langchain.asked, of_llama_index.asked) == (2, 2)
    assert turns(emulator, CHAT, limit) == 4
