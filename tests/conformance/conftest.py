"""What the LangChain tests of this folder share: models on the emulator, and models that meet a scripted stream."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import httpx
import pytest

from langchain_workers_ai import ChatWorkersAI
from workers_ai.local import LocalServer

Chat = Callable[..., ChatWorkersAI]


@pytest.fixture
def langchain_chat(emulator: LocalServer) -> Chat:
    """Makes a model that speaks to the emulator; its answers show the quirks that are named."""

    def chat(model: str, *quirks: str, **arguments: Any) -> ChatWorkersAI:
        return ChatWorkersAI(
            account_id=emulator.account_id,
            api_token=emulator.api_token,
            base_url=emulator.base_url,
            model=model,
            default_headers={"x-emulator-quirk": ",".join(quirks)} if quirks else {},
            **arguments,
        )

    return chat


@pytest.fixture
def langchain_script() -> Chat:
    """Makes a model whose every stream is these deltas, one for each frame, and then `more` frames."""

    def chat(deltas: Sequence[dict[str, Any]], *more: dict[str, Any], **arguments: Any) -> ChatWorkersAI:
        frames = [{"choices": [{"index": 0, "delta": delta}]} for delta in deltas]
        last = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
        lines = [f"data: {json.dumps(frame)}\n\n" for frame in [*frames, last, *more]]
        body = "".join([*lines, "data: [DONE]\n\n"]).encode()
        transport = httpx.MockTransport(
            lambda _: httpx.Response(200, headers={"content-type": "text/event-stream"}, content=body)
        )
        return ChatWorkersAI(
            account_id="0" * 32,
            api_token="token-of-the-test",
            http_client=httpx.Client(transport=transport),
            http_async_client=httpx.AsyncClient(transport=transport),
            **{"model": "@cf/google/gemma-4-26b-a4b-it", **arguments},
        )

    return chat
