"""Who is measured: each can chat, stream and embed, plain and async, over the stand-in.

A contestant that cannot be had here (its framework is not installed, its adapter not written) says why.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from importlib import import_module
from typing import Any, Protocol

MODEL = "@cf/meta/llama-3.3-70b-instruct-fp8-fast"
EMBEDDING_MODEL = "@cf/baai/bge-base-en-v1.5"
ACCOUNT, TOKEN = "0" * 32, "bench-token"
BATCH = 100
CONCURRENCY = 8

RAW, CORE = "raw httpx", "core Client"
LANGCHAIN_NULL, LANGCHAIN = "LangChain null", "LangChain"
LLAMA_INDEX_NULL, LLAMA_INDEX = "LlamaIndex null", "LlamaIndex"

_HOMES = {
    RAW: "contestants.raw_httpx",
    LANGCHAIN_NULL: "contestants.langchain_null",
    LLAMA_INDEX_NULL: "contestants.llama_index_null",
    CORE: "contestants.core_client",
    LANGCHAIN: "contestants.langchain_adapter",
    LLAMA_INDEX: "contestants.llama_index_adapter",
}
NAMES = tuple(_HOMES)
NULLS = {LANGCHAIN: LANGCHAIN_NULL, LLAMA_INDEX: LLAMA_INDEX_NULL}
"""Adapter -> its framework alone."""

Turn = tuple[str, str]
"""Role ("user", "assistant") and text."""


class Contestant(Protocol):
    """What a scenario asks of each."""

    def messages(self, turns: Sequence[Turn]) -> Any:
        """A conversation in the contestant's own objects; made outside of what is measured."""

    def chat(self, messages: Any) -> str:
        """The text of the answer."""

    async def achat(self, messages: Any) -> str:
        """As `chat`."""

    def stream(self, messages: Any) -> Iterator[str]:
        """The text of each token."""

    def astream(self, messages: Any) -> AsyncIterator[str]:
        """As `stream`."""

    def embed(self, texts: list[str]) -> list[list[float]]:
        """A vector for each text."""

    async def aembed(self, texts: list[str]) -> list[list[float]]:
        """As `embed`."""


class AbsentError(Exception):
    """A contestant that cannot be had here; its text is the reason."""


def make(name: str, base_url: str, *, tokens: int) -> Contestant:
    """The contestant, speaking to `base_url`. Raises AbsentError.

    tokens: length of a stream, for the ones that answer from memory.
    """
    try:
        contestant: Contestant = import_module(_HOMES[name]).make(base_url, tokens=tokens)
    except ImportError as missing:
        raise AbsentError(f"{missing}") from None
    return contestant
