"""Arguments of the connection hold for every class and every way to ask: headers, queueing, a user's own client."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from langchain_core.documents import Document
from llama_index.core.schema import NodeWithScore, TextNode

import langchain_workers_ai
import llama_index_workers_ai
from workers_ai import Client

ANSWERS: dict[str, Any] = {
    "stream": 'data: {"choices": [{"delta": {"content": "Hi"}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n',
    "text": {"choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}]},
    "vectors": {"result": {"data": [[1.0]]}, "success": True},
    "scores": {"result": {"response": [{"id": 0, "score": 0.5}]}, "success": True},
    "models": {"result": [], "success": True},
}


def answer(request: httpx.Request) -> httpx.Response:
    """A good answer to whatever was asked."""
    if request.method == "GET":
        return httpx.Response(200, json=ANSWERS["models"])
    asked = json.loads(request.content)
    if asked.get("stream"):
        return httpx.Response(200, headers={"content-type": "text/event-stream"}, text=ANSWERS["stream"])
    kind = "scores" if "contexts" in asked else "vectors" if "text" in asked or "input" in asked else "text"
    return httpx.Response(200, json=ANSWERS[kind])


async def _drained(items: Any) -> list[Any]:
    return [item async for item in (await items if asyncio.iscoroutine(items) else items)]


def plain(ask: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return ask


def later(ask: Callable[[Any], Any]) -> Callable[[Any], Any]:
    async def whole(model: Any) -> Any:
        return await ask(model)

    return lambda model: asyncio.run(whole(model))


def drained(ask: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return later(lambda model: _drained(ask(model)))


NODES = [NodeWithScore(node=TextNode(text="a"))]
LC, LI = langchain_workers_ai, llama_index_workers_ai
WAYS: list[tuple[type[Any], str, Callable[[Any], Any]]] = [
    (Client, "chat", plain(lambda m: m.chat("Hi"))),
    (Client, "achat", later(lambda m: m.achat("Hi"))),
    (Client, "stream_chat", plain(lambda m: list(m.stream_chat("Hi")))),
    (Client, "astream_chat", drained(lambda m: m.astream_chat("Hi"))),
    (Client, "complete", plain(lambda m: m.complete("Hi"))),
    (Client, "embed", plain(lambda m: m.embed(["a"]))),
    (Client, "aembed", later(lambda m: m.aembed(["a"]))),
    (Client, "rerank", plain(lambda m: m.rerank("q", ["a"]))),
    (Client, "arerank", later(lambda m: m.arerank("q", ["a"]))),
    (LC.ChatWorkersAI, "invoke", plain(lambda m: m.invoke("Hi"))),
    (LC.ChatWorkersAI, "ainvoke", later(lambda m: m.ainvoke("Hi"))),
    (LC.ChatWorkersAI, "stream", plain(lambda m: list(m.stream("Hi")))),
    (LC.ChatWorkersAI, "astream", drained(lambda m: m.astream("Hi"))),
    (LC.WorkersAI, "invoke", plain(lambda m: m.invoke("Hi"))),
    (LC.WorkersAI, "astream", drained(lambda m: m.astream("Hi"))),
    (LC.WorkersAIEmbeddings, "embed_documents", plain(lambda m: m.embed_documents(["a"]))),
    (LC.WorkersAIEmbeddings, "aembed_query", later(lambda m: m.aembed_query("a"))),
    (LC.WorkersAIRerank, "compress", plain(lambda m: m.compress_documents([Document("a")], "q"))),
    (LI.WorkersAI, "complete", plain(lambda m: m.complete("Hi"))),
    (LI.WorkersAI, "acomplete", later(lambda m: m.acomplete("Hi"))),
    (LI.WorkersAI, "stream_complete", plain(lambda m: list(m.stream_complete("Hi")))),
    (LI.WorkersAI, "astream_complete", drained(lambda m: m.astream_complete("Hi"))),
    (LI.WorkersAIEmbedding, "get_text_embedding", plain(lambda m: m.get_text_embedding("a"))),
    (LI.WorkersAIEmbedding, "aget_query_embedding", later(lambda m: m.aget_query_embedding("a"))),
    (LI.WorkersAIRerank, "postprocess", plain(lambda m: m.postprocess_nodes(NODES, query_str="q"))),
]
EACH_WAY = pytest.mark.parametrize(
    ("cls", "ask"), [(cls, ask) for cls, _, ask in WAYS], ids=[f"{c.__module__}-{c.__name__}-{n}" for c, n, _ in WAYS]
)


class Seen:
    """What was sent, and what a user's own hooks saw of it."""

    def __init__(self) -> None:
        self.sent: list[httpx.Request] = []
        self.hooked: list[str] = []

    def clients(self) -> dict[str, Any]:
        def record(request: httpx.Request) -> httpx.Response:
            self.sent.append(request)
            return answer(request)

        async def asked(request: httpx.Request) -> None:
            self.hooked.append("request")

        async def answered(response: httpx.Response) -> None:
            self.hooked.append("response")

        hooks: Any = {
            "request": [lambda _: self.hooked.append("request")],
            "response": [lambda _: self.hooked.append("response")],
        }
        ahooks: Any = {"request": [asked], "response": [answered]}
        transport = httpx.MockTransport(record)
        return {
            "http_client": httpx.Client(transport=transport, event_hooks=hooks),
            "http_async_client": httpx.AsyncClient(transport=transport, event_hooks=ahooks),
        }


def make(cls: type[Any], seen: Seen, **arguments: Any) -> Any:
    return cls(account_id="0" * 32, api_token="tok-Zx81", **seen.clients(), **arguments)


@EACH_WAY
def test_default_headers_and_reject_if_busy_go_with_every_request(cls, ask):
    seen = Seen()
    ask(make(cls, seen, default_headers={"X-Team": "docs"}, reject_if_busy=True))
    assert seen.sent
    for request in seen.sent:
        assert request.headers["x-team"] == "docs"
        assert json.loads(request.content)["options"] == {"rejectIfBusy": True}


@EACH_WAY
def test_unasked_neither_is_sent(cls, ask):
    seen = Seen()
    ask(make(cls, seen))
    assert all("options" not in json.loads(request.content) for request in seen.sent)
    assert not any(name.startswith(("x-", "cf-aig")) for request in seen.sent for name in request.headers)


@EACH_WAY
def test_the_event_hooks_of_a_users_client_are_called(cls, ask):
    seen = Seen()
    ask(make(cls, seen))
    assert seen.hooked == ["request", "response"] * len(seen.sent)


def test_default_headers_go_with_the_listing_too():
    seen = Seen()
    make(Client, seen, default_headers={"X-Team": "docs"}).models.list()
    assert seen.sent[0].headers["x-team"] == "docs"


# What is wrong is said before anything is sent, in the same words everywhere

CLASSES = list(dict.fromkeys(cls for cls, _, _ in WAYS))
EACH_CLASS = pytest.mark.parametrize("cls", CLASSES)


@EACH_CLASS
def test_an_argument_by_position_is_told_how_to_be_given(cls):
    with pytest.raises(
        TypeError, match=rf"{cls.__name__} takes its arguments by name, e.g. {cls.__name__}\("
    ) as raised:
        cls("tok-S3CR3T")
    assert "S3CR3T" not in str(raised.value)


@EACH_CLASS
@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"http_client": httpx.AsyncClient()}, "http_client: a plain client, not AsyncClient; an async one goes into"),
        ({"http_async_client": httpx.Client()}, "http_async_client: an async client, not Client; a plain one goes"),
        ({"http_client": "a proxy"}, "http_client: an httpx.Client .* not str"),
        ({"base_url": "https://api.cloudflare.com"}, "up to and including /client/v4"),
        ({"gateway": {"id": "docs", "cache_tll": 60}}, "unknown option 'cache_tll'; did you mean cache_ttl?"),
    ],
)
def test_a_wrong_argument_is_told_when_the_object_is_made(cls, wrong, words):
    with pytest.raises((TypeError, ValueError), match=words):
        cls(account_id="0" * 32, api_token="tok", **wrong)
