"""Many texts: cut into requests, several in flight, results in order."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable
from contextvars import ContextVar
from random import Random
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


def test_texts_that_are_long_together_are_cut_before_anything_is_sent():
    texts = ["word " * 2000] * 30
    told = bulk.requests_for(EmbeddingRequest(Call(BGE), texts))
    assert [len(each.texts) for each in told] == [23, 7], "of 2,501 tokens each by the rough count"


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


class Strict:
    """A service that refuses as Workers AI does, and counts a token for each character, which no estimate foresees.

    Its vectors tell the number that each text begins with.
    """

    def __init__(self, *, all_texts: int = 60_000, one_text: int = 8192) -> None:
        self.all_texts, self.one_text = all_texts, one_text
        self.sizes: list[int] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        texts = json.loads(request.content)["text"]
        self.sizes.append(len(texts))
        counts = list(map(len, texts))
        if max(counts) > self.one_text:
            return self._refused(f"Sequence too long: {max(counts)} tokens, the maximum is {self.one_text}")
        if sum(counts) > self.all_texts:
            return self._refused(f"Max context reached {sum(counts)} tokens but model supports only {self.all_texts}")
        return httpx.Response(200, json={"data": [[float(t.split(":")[0]), 1.0] for t in texts]})

    @staticmethod
    def _refused(reason: str) -> httpx.Response:
        error = {"message": f"AiError: AiError: {reason} (173b31cf)", "code": 3030}
        return httpx.Response(400, json={"errors": [error], "success": False, "result": {}})


def of_lengths(lengths: list[int]) -> list[EmbeddingRequest]:
    texts = [f"{number}:".ljust(length, "x") for number, length in enumerate(lengths)]
    return bulk.requests_for(EmbeddingRequest(Call(BGE), texts))


@WAYS
def test_a_request_refused_for_all_its_texts_goes_out_in_halves(service: Make, way: str):
    strict = Strict()
    told = of_lengths([700] * 250)
    assert embed(way, service(strict).transport(), told, max_concurrency=1) == rows(250)
    assert strict.sizes == [100, 50, 50, 100, 50, 50, 50]


@WAYS
def test_halves_are_halved_again(service: Make, way: str):
    strict = Strict(all_texts=1500)
    assert embed(way, service(strict).transport(), of_lengths([700] * 9)) == rows(9)
    assert max(size for size in strict.sizes if size <= 2) == 2


@WAYS
def test_a_single_text_that_is_too_long_is_named_by_its_place_among_all(service: Make, way: str):
    strict = Strict()
    told = of_lengths([20] * 130 + [9000] + [20] * 30)
    with pytest.raises(e.ContextLengthError, match=r"^texts\[130\] is too long for one text: Sequence") as caught:
        embed(way, service(strict).transport(), told, max_concurrency=1)
    assert strict.sizes == [100, 61, 1], "the longest is asked for by itself, and that is refused"
    assert (caught.value.tokens, caught.value.limit) == (9000, 8192)
    assert (caught.value.code, caught.value.maybe_sent) == (3030, True)
    assert "cut it" in str(caught.value)


@WAYS
def test_the_text_that_looks_longest_may_be_innocent(service: Make, way: str):
    """Another is the one that the service refuses: the rest is asked for, and narrowed in the same way."""

    class Odd(Strict):
        def __call__(self, request: httpx.Request) -> httpx.Response:
            texts = json.loads(request.content)["text"]
            self.sizes.append(len(texts))
            if any(text.startswith("1:") for text in texts):
                return self._refused("Sequence too long: 9000 tokens, the maximum is 8192")
            return httpx.Response(200, json={"data": [[float(t.split(":")[0]), 1.0] for t in texts]})

    odd = Odd()
    with pytest.raises(e.ContextLengthError, match=r"texts\[1\] is too long"):
        embed(way, service(odd).transport(), of_lengths([20, 200, 900]))
    assert odd.sizes == [3, 1, 2, 1]


@WAYS
def test_of_many_requests_that_fail_the_error_tells_which_texts_are_done(service: Make, way: str):
    def answer(request: httpx.Request) -> httpx.Response:
        if "t6" in json.loads(request.content)["text"]:
            return httpx.Response(401, json={"errors": [{"code": 10000, "message": "no"}]})
        return vectors(request)

    with pytest.raises(e.AuthenticationError) as caught:
        embed(way, service(answer).transport(), requests(10), max_concurrency=1)
    assert (list(caught.value.done), list(caught.value.not_done)) == ([range(6)], [range(6, 10)])
    assert str(caught.value).endswith("Done: texts[0:6]; not done: texts[6:10]")


def test_what_is_under_way_at_a_failure_is_counted_once_it_is_done(listen: Make, acts: Any):
    begun = threading.Event()

    def answer(_: int, request: bytes) -> Any:
        texts = json.loads(request.partition(b"\r\n\r\n")[2])["text"]
        if "t0" in texts:
            begun.wait(5)
            return [acts.http(json.dumps({"errors": [{"code": 10000, "message": "no"}]}).encode(), status=401)]
        begun.set()
        return [0.05, acts.http(json.dumps({"data": [[float(text[1:]), 1.0] for text in texts]}).encode())]

    server = listen(answer)
    with pytest.raises(e.AuthenticationError) as caught:
        bulk.embed(Transport(server.settings()), requests(40), max_concurrency=2)
    assert list(caught.value.done) == [range(2, 4)]
    assert list(caught.value.not_done) == [range(2), range(4, 40)]


@WAYS
def test_a_single_text_has_no_list_of_what_is_done(service: Make, way: str):
    refused = service(lambda _: httpx.Response(401, json={"errors": [{"code": 10000, "message": "no"}]}))
    with pytest.raises(e.AuthenticationError) as caught:
        embed(way, refused.transport(), requests(1))
    assert (caught.value.done, caught.value.not_done) == ((), ())
    assert "Done" not in str(caught.value)


class Ours(e.InvalidResponseError):
    """An adapter's own class."""


@WAYS
def test_vectors_of_two_lengths_in_two_answers_are_an_error(service: Make, way: str):
    def answer(request: httpx.Request) -> httpx.Response:
        texts = json.loads(request.content)["text"]
        return httpx.Response(200, json={"data": [[1.0] * (3 if "t4" in texts else 2) for _ in texts]})

    transport = service(answer).transport(errors={e.InvalidResponseError: Ours})
    with pytest.raises(Ours, match="3 numbers, another 2") as caught:
        embed(way, transport, requests(6), max_concurrency=1)
    assert caught.value.model == BGE
    assert list(caught.value.not_done) == [range(4, 6)]


@WAYS
def test_each_request_can_be_given_something_around_it(service: Make, way: str):
    seen: list[tuple[int, int]] = []

    def around(request: EmbeddingRequest, send: Any) -> Any:
        answer = send()
        seen.append((len(request.texts), len(answer.rows)))
        return answer

    async def aaround(request: EmbeddingRequest, send: Any) -> Any:
        answer = await send()
        seen.append((len(request.texts), len(answer.rows)))
        return answer

    told = around if way == "plain" else aaround
    assert embed(way, service(vectors).transport(), requests(5), around=told) == rows(5)
    assert sorted(seen) == [(1, 1), (2, 2), (2, 2)]


@WAYS
@pytest.mark.parametrize("seed", range(3))
def test_order_and_count_hold_though_answers_come_in_any_order(listen: Make, acts: Any, way: str, seed: int):
    random = Random(seed)
    pauses = [random.uniform(0, 0.03) for _ in range(40)]

    def answer(number: int, request: bytes) -> Any:
        texts = json.loads(request.partition(b"\r\n\r\n")[2])["text"]
        body = json.dumps({"success": True, "result": {"data": [[float(text[1:]), 1.0] for text in texts]}}).encode()
        return [pauses[number % 40], acts.http(body)]

    server = listen(answer)
    assert embed(way, Transport(server.settings()), requests(79), max_concurrency=8) == rows(79)
    assert len(server.requests) == 40


def test_ranges_of_places():
    assert bulk.ranges([]) == ()
    assert bulk.ranges([0, 1, 2, 5, 7, 8]) == (range(3), range(5, 6), range(7, 9))


def test_more_ranges_than_one_reads_are_left_out_of_the_text_of_an_error():
    error = e.ServerError("no", not_done=[range(place, place + 1) for place in range(0, 20, 2)])
    assert str(error).endswith("Done: none; not done: texts[0:1], texts[2:3], texts[4:5], texts[6:7], texts[8:9], ...")
