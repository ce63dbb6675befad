"""Many texts to rank: cut into requests, several in flight, one ranking."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers_ai import errors as e
from workers_ai import ranking
from workers_ai.answers import Ranking
from workers_ai.call import Call
from workers_ai.exchange import Reply
from workers_ai.tasks.rerank import RerankRequest

Make = Callable[..., Any]

RERANKER = "@cf/baai/bge-reranker-base"
WAYS = pytest.mark.parametrize("way", ["plain", "async"])


def scored(request: httpx.Request) -> httpx.Response:
    """Scores each text by the number in it, best first, at most `top_k`; one token a text."""
    asked = json.loads(request.content)
    found = [{"id": place, "score": float(held["text"])} for place, held in enumerate(asked["contexts"])]
    found.sort(key=lambda row: -row["score"])
    usage = {"prompt_tokens": len(found), "total_tokens": len(found), "neurons": 0.5}
    return httpx.Response(
        200, json={"success": True, "result": {"response": found[: asked.get("top_k")], "usage": usage}}
    )


def rank(way: str, transport: Any, whole: RerankRequest, *, batch_size: int = 100, at_once: int = 8) -> Ranking:
    parts = ranking.requests_for(whole, batch_size=batch_size)
    if way == "plain":
        return ranking.rank(transport, whole, parts, max_concurrency=at_once)
    return asyncio.run(ranking.arank(transport, whole, parts, max_concurrency=at_once))


def whole(texts: list[str], top_n: int | None = None, model: str = RERANKER) -> RerankRequest:
    return RerankRequest(Call(model), "Which?", texts, top_n)


@WAYS
@pytest.mark.parametrize("top_n", [None, 1, 7, 500])
def test_the_best_of_all_are_found_over_several_requests(service: Make, way: str, top_n: int | None):
    texts = [str(number * 37 % 250) for number in range(250)]
    fake = service(scored)
    found = rank(way, fake.transport(), whole(texts, top_n))
    assert sorted(len(json.loads(sent.content)["contexts"]) for sent in fake.requests) == [50, 100, 100]
    assert [one.text for one in found] == [str(number) for number in range(249, -1, -1)][:top_n]
    assert all(texts[one.index] == one.text for one in found)


@given(
    texts=st.lists(st.integers(0, 50).map(str), max_size=30),
    top_n=st.none() | st.integers(1, 40),
    size=st.integers(1, 40),
)
def test_one_request_and_many_give_the_same(texts: list[str], top_n: int | None, size: int):
    class Direct:
        def send(self, exchange: Any) -> Any:
            reply = scored(httpx.Request("POST", "https://example.org", content=exchange.request.body))
            return exchange.read(Reply(200, {}, reply.content))

    told = whole(texts, top_n)
    cut = [ranking.rank(Direct(), told, ranking.requests_for(told, batch_size=n)).items for n in (size, 1000)]
    assert cut[0] == cut[1]


@WAYS
def test_more_than_was_wanted_is_cut_here(service: Make, way: str):
    """bge-m3 takes no `top_k`."""
    fake = service(scored)
    found = rank(way, fake.transport(), whole(["1", "3", "2"], 2, "@cf/baai/bge-m3"))
    assert [one.text for one in found] == ["3", "2"]
    assert "top_k" not in json.loads(fake.requests[0].content)


@WAYS
def test_no_texts_make_no_request(service: Make, way: str):
    fake = service(scored)
    found = rank(way, fake.transport(), whole([]))
    assert (list(found), len(found), found.usage, found.facts.model) == ([], 0, None, RERANKER)
    assert fake.requests == []


@WAYS
def test_an_empty_text_far_behind_is_named_before_anything_is_sent(service: Make, way: str):
    fake = service(scored)
    texts = ["1"] * 250
    texts[230] = ""
    with pytest.raises(e.BadRequestError, match=r"texts\[230\] is empty"):
        rank(way, fake.transport(), whole(texts))
    assert fake.requests == []


@pytest.mark.parametrize("size", [0, -5])
def test_a_batch_of_nothing_is_refused(size: int):
    with pytest.raises(e.BadRequestError, match="batch_size"):
        ranking.requests_for(whole(["1"]), batch_size=size)


@WAYS
def test_usage_and_cost_are_the_sums(service: Make, way: str):
    found = rank(way, service(scored).transport(), whole(["1", "2", "3"]), batch_size=1)
    assert (found.usage.input_tokens, found.usage.neurons, found.cost.neurons) == (3, 1.5, 1.5)
    assert found.cost.source == "service"
    assert (found.facts.request_id, dict(found.facts.headers)) == (None, {})


def test_a_sum_of_which_a_part_is_not_known_is_not_told(service: Make):
    def untold(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"success": True, "result": {"response": [{"id": 0, "score": 0.5}]}})

    found = rank("plain", service(scored, untold).transport(), whole(["1", "2"]), batch_size=1, at_once=1)
    assert len(found) == 2
    assert (found.usage, found.cost) == (None, None)


@WAYS
@pytest.mark.parametrize("at_once", [1, 3])
def test_at_most_so_many_are_in_flight(service: Make, way: str, at_once: int):
    """All that may fly meet at a barrier: with fewer in flight it would break."""
    flying, most, lock = 0, 0, threading.Lock()

    def counted(request: httpx.Request) -> httpx.Response:
        nonlocal flying, most
        with lock:
            flying += 1
            most = max(most, flying)
        if way == "plain":
            barrier.wait(timeout=20)
        with lock:
            flying -= 1
        return scored(request)

    barrier = threading.Barrier(at_once)
    rank(way, service(counted).transport(), whole([str(n) for n in range(6)]), batch_size=1, at_once=at_once)
    assert most <= at_once


@WAYS
def test_the_first_failure_ends_the_work(service: Make, way: str):
    def refused(request: httpx.Request) -> httpx.Response:
        return httpx.Response(400, json={"errors": [{"code": 5006, "message": "Bad input"}]})

    fake = service(scored, refused)
    with pytest.raises(e.BadRequestError, match="Bad input"):
        rank(way, fake.transport(), whole([str(n) for n in range(20)]), batch_size=1, at_once=1)
    assert len(fake.requests) == 2
