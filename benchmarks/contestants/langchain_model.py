"""How any chat model of LangChain's is asked."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage

from contestants import Turn


class LangChainModel:
    """A contestant without embeddings."""

    def __init__(self, model: BaseChatModel) -> None:
        self.model = model

    def messages(self, turns: Sequence[Turn]) -> list[BaseMessage]:
        return [HumanMessage(text) if role == "user" else AIMessage(text) for role, text in turns]

    def chat(self, messages: Any) -> str:
        return str(self.model.invoke(messages).content)

    async def achat(self, messages: Any) -> str:
        return str((await self.model.ainvoke(messages)).content)

    def stream(self, messages: Any) -> Iterator[str]:
        for chunk in self.model.stream(messages):
            yield chunk.content  # type: ignore[misc]  # text alone is asked for

    async def astream(self, messages: Any) -> AsyncIterator[str]:
        async for chunk in self.model.astream(messages):
            yield chunk.content  # type: ignore[misc]

    def embed(self, texts: list[str]) -> list[list[float]]:
        raise NotImplementedError

    async def aembed(self, texts: list[str]) -> list[list[float]]:
        raise NotImplementedError
