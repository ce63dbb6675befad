"""An embedder that meets a service of this process, and counts what it is asked."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from workers_ai.text_embedder import TextEmbedder

MODEL = "@cf/baai/bge-small-en-v1.5"
NEURONS_A_LETTER = 0.3 * 1841 / 1e6  # its list price, and three tokens in ten letters


class Counting:
    """A service whose vector of a text tells its length.

    texts: how often each was embedded. neurons: charged so far. refuse: a request's number to a response instead.
    """

    def __init__(self) -> None:
        self.texts: Counter[str] = Counter()
        self.requests = 0
        self.neurons = 0.0
        self.refuse: Callable[[int], httpx.Response | None] = lambda _: None
        self._lock = threading.Lock()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        texts = json.loads(request.content)["text"]
        with self._lock:
            self.requests += 1
            refusal = self.refuse(self.requests)
            if refusal is None:
                self.texts.update(texts)
                self.neurons += (charged := sum(map(len, texts)) * NEURONS_A_LETTER)
        if refusal is not None:
            return refusal
        rows = [[float(len(text)), 0.5, -1.0] for text in texts]
        told = {"success": True, "result": {"data": rows, "shape": [len(rows), 3]}}
        return httpx.Response(200, json=told, headers={"cf-ai-neurons": str(charged)})

    def embedder(self, **options: Any) -> TextEmbedder:
        client = httpx.Client(transport=httpx.MockTransport(self))
        given = {"model": MODEL, "account_id": "0" * 32, "api_token": "token", "batch_size": 10, "max_retries": 0}
        return TextEmbedder(**{**given, **options}, http_client=client)


@pytest.fixture
def counting() -> Counting:
    """The service."""
    return Counting()
