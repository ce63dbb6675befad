"""Many texts: cut into requests, several in flight, results in order."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers_ai import bulk
from workers_ai import errors as e
from workers_ai.call import Call
from workers_ai.tasks.embeddings import EmbeddingRequest
from workers_ai.transport import Transport

Make = Callable[..., Any]

BGE = "@cf/baai/bge-m3"
QWEN = "@cf/qwen/qwen3-embedding-0.6b"


def vectors(request: httpx.Request) -> httpx.Response:
    """Each text's vector tells its number: the texts are "t0", "t1", ..."""
    texts = json.loads(request.content)["text"]
    rows = [[float(text[1:]), 1.0] for text in texts]
    return httpx.Response(200, json={"success": True, "result": {"data": rows, "shape": [len(rows), 2]}})


def requests(count: int, *, size: int = 2, model: str = BGE) -> list[EmbeddingRequest]:
    texts = [f"t{number}" for number in range(count)]
    return bulk.requests_for(EmbeddingRequest(Call(model), texts), batch_size=size)


def rows(count: int) -> list[list[float]]:
    return [[float(number), 1.0] for number in range(count)]


def embed(way: str, transport: Any, told: list[EmbeddingRequest], **options: Any) -> list[list[float]]:
    if way == "plain":
        return bulk.embed(transport, told, **options)
    return asyncio.run(bulk.aembed(transport, told, **options))


WAYS = pytest.mark.parametrize("way", ["plain", "async"])


@given(count=st.integers(0, 250), size=st.none() | st.integers(1, 300))
def test_all_texts_go_out_once_in_order_within_the_limit(count: int, size: int | None):
    texts = [f"t{number}" for number in range(count)]
    told = bulk.requests_for(EmbeddingRequest(Call(BGE), texts), batch_size=size)
    assert [text for each in told for text in each.texts] == texts
    assert all(1 <= len(each.texts) <= min(size or 100, 100) for each in told)


def test_a_model_s_own_limit_holds():
    told = bulk.requests_for(EmbeddingRequest(Call(QWEN), ["x"] * 70), batch_size=100)
    assert [len(each.texts) for each in told] == [32, 32, 6]


def test_a_batch_of_less_than_nothing_is_refused_and_loses_no_text():
    with pytest.raises(ValueError, match="batch_size"):
        bulk.requests_for(EmbeddingRequest(Call(BGE), ["x"]), batch_size=-1)


def test_an_empty_text_is_named_by_its_place_among_all():
    with pytest.raises(e.BadRequestError, match=r"texts\[150\]") as caught:
        bulk.requests_for(EmbeddingRequest(Call(BGE), [*["x"] * 150, ""]))
    assert caught.value.maybe_sent is False


@WAYS
@pytest.mark.parametrize("max_concurrency", [1, 2, 8, 99])
@pytest.mark.parametrize("count", [0, 1, 2, 3, 17])
def test_results_are_in_order_whatever_the_concurrency(service: Make, way: str, max_concurrency: int, count: int):
    fake = service(vectors)
    assert embed(way, fake.transport(), requests(count), max_concurrency=max_concurrency) == rows(count)
    assert len(fake.requests) == (count + 1) // 2


@WAYS
@pytest.mark.parametrize("max_concurrency", [0, -1])
def test_a_concurrency_of_nothing_is_refused_and_loses_no_vector(service: Make, way: str, max_concurrency: int):
    with pytest.raises(ValueError, match=r"max_concurrency|max_workers"):
        embed(way, service(vectors).transport(), requests(6), max_concurrency=max_concurrency)


@WAYS
def test_results_are_in_order_though_the_last_comes_first(listen: Make, acts: Any, way: str):
    def answer(_: int, request: bytes) -> Any:
        texts = json.loads(request.partition(b"\r\n\r\n")[2])["text"]
        first = int(texts[0][1:])
        body = json.dumps({"success": True, "result": {"data": [[float(text[1:]), 1.0] for text in texts]}}).encode()
        return [0.1 if first == 0 else 0.0, acts.http(body)]

    server = listen(answer)
    assert embed(way, Transport(server.settings()), requests(8), max_concurrency=4) == rows(8)


@WAYS
def test_no_more_than_allowed_are_in_flight(listen: Make, acts: Any, way: str):
    flying, most, lock = 0, 0, threading.Lock()

    def answer(_: int, request: bytes) -> Any:
        nonlocal flying, most
        with lock:
            flying += 1
            most = max(most, flying)
        time.sleep(0.02)
        with lock:
            flying -= 1
        texts = json.loads(request.partition(b"\r\n\r\n")[2])["text"]
        rows_ = [[float(text[1:]), 1.0] for text in texts]
        return [acts.http(json.dumps({"success": True, "result": {"data": rows_}}).encode())]

    server = listen(answer)
    assert embed(way, Transport(server.settings()), requests(24), max_concurrency=3) == rows(24)
    assert most == 3


@WAYS
def test_the_first_failure_ends_the_work(listen: Make, acts: Any, way: str):
    refusal = json.dumps({"errors": [{"code": 10000, "message": "no"}]}).encode()

    def answer(_: int, request: bytes) -> Any:
        texts = json.loads(request.partition(b"\r\n\r\n")[2])["text"]
        if "t4" in texts:
            return [acts.http(refusal, status=401)]
        return [acts.http(json.dumps({"data": [[float(text[1:]), 1.0] for text in texts]}).encode())]

    server = listen(answer)
    with pytest.raises(e.AuthenticationError):
        embed(way, Transport(server.settings()), requests(200), max_concurrency=2)
    assert 2 <= len(server.requests) < 50  # the one that fails may overtake one that is sent


@WAYS
def test_each_answer_is_told_as_it_comes(service: Make, way: str):
    told: list[int] = []
    embed(way, service(vectors).transport(), requests(5), on_answer=lambda answer: told.append(len(answer.rows)))
    assert sorted(told) == [1, 2, 2]


TAG: ContextVar[str] = ContextVar("TAG", default="")


@WAYS
def test_the_caller_s_context_reaches_every_request(service: Make, way: str):
    seen: list[str] = []

    def note(request: httpx.Request) -> httpx.Response:
        seen.append(TAG.get())
        return vectors(request)

    mark = TAG.set("mine")
    try:
        embed(way, service(note).transport(), requests(6), max_concurrency=3)
    finally:
        TAG.reset(mark)
    assert seen == ["mine"] * 3
