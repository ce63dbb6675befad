"""The core by itself: `workers_ai.Client`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

from contestants import ACCOUNT, EMBEDDING_MODEL, MODEL, TOKEN, Turn
from workers_ai import Client


class CoreClient:
    """Each question to `Client`, as a user writes it."""

    def __init__(self, base_url: str) -> None:
        self.client = Client(account_id=ACCOUNT, api_token=TOKEN, base_url=base_url)

    def messages(self, turns: Sequence[Turn]) -> list[dict[str, str]]:
        return [{"role": role, "content": text} for role, text in turns]

    def chat(self, messages: Any) -> str:
        return self.client.chat(messages, model=MODEL).text

    async def achat(self, messages: Any) -> str:
        return (await self.client.achat(messages, model=MODEL)).text

    def stream(self, messages: Any) -> Iterator[str]:
        for delta in self.client.stream_chat(messages, model=MODEL):
            yield delta.text

    async def astream(self, messages: Any) -> AsyncIterator[str]:
        async for delta in self.client.astream_chat(messages, model=MODEL):
            yield delta.text

    def embed(self, texts: list[str]) -> list[list[float]]:
        return self.client.embed(texts, model=EMBEDDING_MODEL)

    async def aembed(self, texts: list[str]) -> list[list[float]]:
        return await self.client.aembed(texts, model=EMBEDDING_MODEL)


def make(base_url: str, *, tokens: int) -> CoreClient:
    """The contestant."""
    return CoreClient(base_url)
