"""How any LLM of LlamaIndex's is asked."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.llms import LLM

from contestants import Turn


class LlamaIndexModel:
    """A contestant without embeddings."""

    def __init__(self, llm: LLM) -> None:
        self.llm = llm

    def messages(self, turns: Sequence[Turn]) -> list[ChatMessage]:
        return [ChatMessage(role=role, content=text) for role, text in turns]

    def chat(self, messages: Any) -> str:
        return self.llm.chat(messages).message.content or ""

    async def achat(self, messages: Any) -> str:
        return (await self.llm.achat(messages)).message.content or ""

    def stream(self, messages: Any) -> Iterator[str]:
        for answer in self.llm.stream_chat(messages):
            yield answer.delta or ""

    async def astream(self, messages: Any) -> AsyncIterator[str]:
        async for answer in await self.llm.astream_chat(messages):
            yield answer.delta or ""

    def embed(self, texts: list[str]) -> list[list[float]]:
        raise NotImplementedError

    async def aembed(self, texts: list[str]) -> list[list[float]]:
        raise NotImplementedError
