"""The floor: httpx with one shared client and default limits, JSON by pydantic_core, nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing
from typing import Any

import httpx
from pydantic_core import from_json, to_json

from contestants import ACCOUNT, BATCH, CONCURRENCY, EMBEDDING_MODEL, MODEL, TOKEN, Turn

HEADERS = {"authorization": f"Bearer {TOKEN}", "content-type": "application/json"}


class RawHttpx:
    """The least that a program which uses httpx can do."""

    def __init__(self, base_url: str) -> None:
        self.chat_url = f"{base_url}/accounts/{ACCOUNT}/ai/run/{MODEL}"
        self.embedding_url = f"{base_url}/accounts/{ACCOUNT}/ai/run/{EMBEDDING_MODEL}"
        self.client = httpx.Client()
        self.async_client = httpx.AsyncClient()

    def messages(self, turns: Sequence[Turn]) -> list[dict[str, str]]:
        return [{"role": role, "content": text} for role, text in turns]

    def chat(self, messages: Any) -> str:
        response = self.client.post(self.chat_url, content=to_json({"messages": messages}), headers=HEADERS)
        return _text(response.content)

    async def achat(self, messages: Any) -> str:
        response = await self.async_client.post(self.chat_url, content=to_json({"messages": messages}), headers=HEADERS)
        return _text(response.content)

    def stream(self, messages: Any) -> Iterator[str]:
        body = to_json({"messages": messages, "stream": True})
        with self.client.stream("POST", self.chat_url, content=body, headers=HEADERS) as response:
            rest = b""
            for piece in response.iter_bytes():
                *events, rest = (rest + piece).split(b"\n\n")
                for event in events:
                    if event != b"data: [DONE]":
                        yield from_json(event[6:])["response"]

    async def astream(self, messages: Any) -> AsyncIterator[str]:
        body = to_json({"messages": messages, "stream": True})
        async with self.async_client.stream("POST", self.chat_url, content=body, headers=HEADERS) as response:
            rest = b""
            async with aclosing(response.aiter_bytes()) as pieces:  # type: ignore[type-var]  # a generator, in fact
                async for piece in pieces:
                    *events, rest = (rest + piece).split(b"\n\n")
                    for event in events:
                        if event != b"data: [DONE]":
                            yield from_json(event[6:])["response"]

    def embed(self, texts: list[str]) -> list[list[float]]:
        rows: list[list[float]] = []
        for start in range(0, len(texts), BATCH):
            body = to_json({"text": texts[start : start + BATCH]})
            rows += _rows(self.client.post(self.embedding_url, content=body, headers=HEADERS).content)
        return rows

    async def aembed(self, texts: list[str]) -> list[list[float]]:
        free = asyncio.Semaphore(CONCURRENCY)

        async def one(batch: list[str]) -> list[list[float]]:
            async with free:
                body = to_json({"text": batch})
                response = await self.async_client.post(self.embedding_url, content=body, headers=HEADERS)
                return _rows(response.content)

        batches = [texts[start : start + BATCH] for start in range(0, len(texts), BATCH)]
        return [row for rows in await asyncio.gather(*map(one, batches)) for row in rows]


def make(base_url: str, *, tokens: int) -> RawHttpx:
    """The contestant."""
    return RawHttpx(base_url)


def _text(body: bytes) -> str:
    text: str = from_json(body)["result"]["response"]
    return text


def _rows(body: bytes) -> list[list[float]]:
    rows: list[list[float]] = from_json(body)["result"]["data"]
    return rows
