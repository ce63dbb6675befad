"""Queued work, submitted, polled and collected: against the emulator, or a script for what that never does."""

from __future__ import annotations

import ast
import asyncio
import inspect
import io
import json
import pickle
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from workers_ai import Client, Gateway
from workers_ai import errors as e
from workers_ai.client_queue import ClientQueue
from workers_ai.collecting import MAX_MISSES
from workers_ai.local import Account, LocalServer
from workers_ai.local import Queue as Manners
from workers_ai.queue import Queue
from workers_ai.queued import ItemError, QueuedRequest

Make = Callable[..., Any]

BGE, BGE_M3 = "@cf/baai/bge-small-en-v1.5", "@cf/baai/bge-m3"
LLAMA, GEMMA = "@cf/meta/llama-3.3-70b-instruct-fp8-fast", "@cf/google/gemma-4-26b-a4b-it"
TOKEN = "tok-Zx81-secret"


@dataclass
class Clock:
    """Time that passes only where somebody sleeps."""

    now: float = 1000.0
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    async def asleep(self, seconds: float) -> None:
        self.sleep(seconds)


@dataclass
class Asked:
    """A client's queue whose waiting takes no time, asked plainly or as async code does."""

    queue: ClientQueue
    clock: Clock
    is_async: bool

    def __getattr__(self, name: str) -> Any:
        def ask(*args: Any, **kwargs: Any) -> Any:
            if self.is_async:
                return asyncio.run(getattr(self.queue, f"a{name}")(*args, **kwargs))
            return getattr(self.queue, name)(*args, **kwargs)

        return ask


def asked(client: Client, *, is_async: bool, draw: float = 0.0) -> Asked:
    clock = Clock()
    queue = ClientQueue(client, clock=clock, sleep=clock.sleep, asleep=clock.asleep, draw=lambda: draw)
    return Asked(queue, clock, is_async)


@pytest.fixture(scope="module")
def server() -> Iterator[LocalServer]:
    with LocalServer(account=Account(gateways=["docs"])) as server:
        yield server


@pytest.fixture(params=["plain", "async"])
def is_async(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "async")


@pytest.fixture
def queue(server: LocalServer, is_async: bool) -> Make:
    """The queue of a client of the emulator, which answers by these manners."""

    def make(*, polls: int = 1, shuffled: bool = False, **options: Any) -> Asked:
        server.account.queue = Manners(polls=polls, shuffled=shuffled)
        server.clear()
        told = {"account_id": server.account_id, "api_token": server.api_token, "base_url": server.base_url, **options}
        return asked(Client(**told), is_async=is_async)

    return make


@pytest.fixture
def scripted(service: Make, account: str, is_async: bool) -> Make:
    """The queue of a client, and the service by a script behind it."""

    def make(*script: Any, **options: Any) -> tuple[Asked, Any]:
        fake = service(*script)
        told = {"account_id": account, "api_token": TOKEN, "max_retries": 0, **options}
        client = Client(**told, http_client=fake.client(), http_async_client=fake.aclient())
        return asked(client, is_async=is_async), fake

    return make


def told(result: Any, *, status: int = 200) -> Callable[[httpx.Request], httpx.Response]:
    """A step of a script: an envelope around `result`."""
    return lambda _: httpx.Response(status, json={"result": result, "success": True, "errors": [], "messages": []})


def refused(status: int, code: int, message: str) -> Callable[[httpx.Request], httpx.Response]:
    body = {"errors": [{"code": code, "message": message}], "success": False, "result": {}, "messages": []}
    return lambda _: httpx.Response(status, json=body)


def queued(request_id: str = "id-1") -> Callable[[httpx.Request], httpx.Response]:
    return told({"status": "queued", "request_id": request_id, "model": BGE})


RUNNING = told({"status": "running", "request_id": "id-1", "model": BGE})


def vectors(*rows: float, start: int = 0) -> Callable[[httpx.Request], httpx.Response]:
    """Work that is done: a vector of one number for each input."""
    responses = [
        {
            "id": place,
            "result": {"data": [[row]], "shape": [1, 1]},
            "success": True,
            "external_reference": str(start + place),
        }
        for place, row in enumerate(rows)
    ]
    return told({"responses": responses, "usage": {"prompt_tokens": 4, "completion_tokens": 0, "total_tokens": 4}})


# Sync and async are one


@pytest.mark.parametrize("name", ["submit", "poll", "collect", "submit_job"])
def test_the_async_twin_is_the_sync_method_but_for_its_awaits(name: str):
    def lines(method: object) -> list[str]:
        source = ast.unparse(ast.parse(textwrap.dedent(inspect.getsource(method))))  # type: ignore[arg-type]
        for pattern, twin in (
            (r'^    """(.|\n)*?"""\n', ""),
            (r"async def a", "def "),
            (r"await ", ""),
            (r"\.a(send|sleep|submit_job)\b", r".\1"),
        ):
            source = re.sub(pattern, twin, source, flags=re.MULTILINE)
        return source.splitlines()

    assert lines(getattr(ClientQueue, f"a{name}")) == lines(getattr(ClientQueue, name))


# What is submitted, and what comes back


@pytest.mark.parametrize("shuffled", [False, True])
def test_texts_come_back_as_vectors_in_their_order_whatever_the_order_of_the_answers(queue: Make, shuffled: bool):
    asked = queue(shuffled=shuffled)
    texts = ["harbour", "ferry", "tide", "gull"]
    work = asked.submit(texts, model=BGE, pooling="cls")
    assert asked.collect(work) == asked.queue.owner.embed(texts, model=BGE, pooling="cls")


def test_chats_come_back_as_answers(queue: Make, server: LocalServer):
    asked = queue()
    messages = [{"role": "user", "content": "Say only: two"}]
    work = asked.submit(["Say only: one", messages], model=GEMMA, max_tokens=50)
    answers = asked.collect(work)
    assert [answer.text for answer in answers] == ["one", "two"]
    assert all(answer.usage.total_tokens > 0 for answer in answers)
    assert work.kind == "chat"
    (sent, *_) = server.requests
    assert sent.path.endswith(f"/ai/run/{GEMMA}")
    assert sent.query == {"queueRequest": ["true"]}
    assert sent.json["requests"][1] == {"messages": messages, "max_tokens": 50, "external_reference": "1"}


def test_plain_prompts_are_completed(queue: Make, server: LocalServer):
    asked = queue()
    work = asked.submit(["Once", "Twice"], model=LLAMA, kind="completion", max_tokens=9, raw=True)
    assert all(answer.text for answer in asked.collect(work))
    assert [one["prompt"] for one in server.requests[0].json["requests"]] == ["Once", "Twice"]


def test_tools_and_stop_sequences_are_read_as_of_any_chat_by_another_client_too(queue: Make):
    """What the request was is in the handle: the answers cannot be read without it."""
    asked = queue()
    weather = {"properties": {"city": {"type": "string"}, "days": {"type": "integer"}}, "type": "object"}
    tool = {"type": "function", "function": {"name": "weather", "description": "It.", "parameters": weather}}
    work = asked.submit(["What is the weather in Oslo?"], model=LLAMA, tools=[tool], tool_choice="any")
    kept = QueuedRequest.from_json(work.to_json())
    (answer,) = asked.collect(kept)
    assert [call.name for call in answer.tool_calls] == ["weather"]
    assert answer.tool_calls[0].arguments["city"] == "Oslo"
    stopped = asked.submit(["Say only: one two three"], model=LLAMA, stop=" two")
    assert asked.collect(stopped.to_dict())[0].text == "one"


def test_any_other_input_comes_back_as_the_service_answers_it(queue: Make):
    asked = queue()
    work = asked.submit([{"query": "gull", "contexts": [{"text": "a gull"}]}], model=BGE_M3)
    (ranking,) = asked.collect(work)
    assert (work.kind, ranking["response"][0]["id"]) == ("raw", 0)


@pytest.mark.parametrize("top_n", [None, 1])
def test_queries_come_back_as_rankings(queue: Make, server: LocalServer, top_n: int | None):
    asked = queue(shuffled=True)
    pairs = [("gull", ["a ferry", "a gull"]), ("ferry", ["a ferry", "a gull"])]
    options = {} if top_n is None else {"top_n": top_n}
    work = asked.submit(pairs, model=BGE_M3, **options)
    rankings = asked.collect(QueuedRequest.from_json(work.to_json()))
    assert work.kind == "rerank"
    assert [next(iter(ranking)).index for ranking in rankings] == [1, 0]
    assert [len(ranking) for ranking in rankings] == [top_n or 2] * 2
    assert server.requests[0].json["requests"][0]["contexts"] == [{"text": "a ferry"}, {"text": "a gull"}]


def test_what_is_to_be_ranked_is_a_pair(queue: Make):
    with pytest.raises(TypeError, match=r"inputs\[1\]: a pair"):
        queue().submit([("a", ["b"]), ("a",)], model=BGE_M3)
    with pytest.raises(e.BadRequestError, match=r"texts\[0\] is empty"):
        queue().submit([("a", [""])], model=BGE_M3)


def test_the_status_tells_how_far_the_work_is_and_what_it_cost(queue: Make):
    asked = queue(polls=2)
    work = asked.submit(["a", "b"], model=BGE)
    seen = [asked.poll(work) for _ in range(3)]
    assert [status.state for status in seen] == ["queued", "running", "done"]
    assert [status.finished for status in seen] == [0, 0, 2]
    assert [len(status.results) for status in seen] == [0, 0, 2]
    assert seen[2].usage.total_tokens > 0
    assert seen[2].cost.source == "catalog"
    assert work.count == 2


def test_each_round_of_polls_is_told(queue: Make):
    asked, seen = queue(polls=2), []
    asked.collect(asked.submit(["a"], model=BGE), on_status=lambda status: seen.append(status.state))
    assert seen == ["queued", "running", "done"]


@pytest.mark.parametrize("known", [True, False])
def test_a_bar_shows_how_far_the_work_is(queue: Make, known: bool, monkeypatch: pytest.MonkeyPatch):
    tqdm = pytest.importorskip("tqdm.auto")
    bars: list[Any] = []

    class Bar(tqdm.tqdm):  # type: ignore[misc,name-defined]  # has no types of its own
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **{**kwargs, "disable": False, "file": io.StringIO()})
            bars.append(self)

    monkeypatch.setattr("tqdm.auto.tqdm", Bar)
    asked = queue()
    work = asked.submit(["a", "b"], model=BGE)
    asked.collect(work if known else work.request_id, model=BGE, show_progress=True)
    (bar,) = bars
    assert (bar.n, bar.total, bar.postfix) == (2, 2 if known else None, "done")


def test_an_input_that_fails_keeps_its_place_and_leaves_the_others_alone(queue: Make):
    asked = queue(shuffled=True)
    inputs = [{"text": "a"}, {"text": ""}, {"text": "c"}]
    work = asked.submit(inputs, model=BGE, references=["x", "y", "z"])
    first, failed, last = asked.collect(work)
    assert "data" in first
    assert "data" in last
    assert isinstance(failed, ItemError)
    assert (failed.position, failed.reference) == (1, "y")
    assert isinstance(failed.error, e.BadRequestError)
    assert failed.error.model == BGE
    assert asked.poll(work).errors[0].position == 1
    assert pickle.loads(pickle.dumps(failed)).error.message == failed.error.message


def test_many_inputs_go_out_in_several_requests_and_come_back_as_one_list(queue: Make, server: LocalServer):
    asked = queue(shuffled=True)
    inputs = [{"text": f"text {place}"} for place in range(1001)]
    work = asked.submit(inputs, model=BGE)
    assert (len(work.request_ids), work.counts, work.count) == (2, (1000, 1), 1001)
    results = asked.collect(work)
    assert len(results) == 1001
    alone = asked.queue.owner.embed(["text 0", "text 999", "text 1000"], model=BGE)
    assert [results[place]["data"][0] for place in (0, 999, 1000)] == alone


# Refused before anything is sent


@pytest.mark.parametrize(
    ("inputs", "options", "message"),
    [
        (["a"], {"model": "@cf/meta/llama-3.2-3b-instruct"}, f"has no batch queue.*{re.escape(GEMMA)}"),
        (["a"], {"model": "@cf/qwen/qwen3-embedding-0.6b"}, f"has no batch queue.*{re.escape(BGE_M3)}"),
        ([], {"model": BGE}, "there is none"),
        (["a", ""], {"model": BGE}, r"texts\[1\] is empty"),
        (["a"], {"model": GEMMA, "kind": "embedding"}, "makes no vectors"),
        (["a"], {"model": BGE, "kind": "chat"}, "but vectors"),
        (["a"], {"model": BGE, "kind": "song"}, "one of chat, completion"),
        (["a", [{"content": "x"}]], {"model": GEMMA}, "it has no role"),
        (["a"], {"model": BGE, "references": ["x", "y"]}, "one for each of the 1 inputs"),
        (["a"], {"model": BGE, "references": [5]}, "references: texts"),
        ([{"text": "x" * 10_000_000}], {"model": BGE}, r"inputs\[0\] is larger than 10 MB"),
        ([{"text": "a"}, "b"], {"model": BGE}, r"inputs\[1\]: a mapping is expected"),
    ],
)
def test_what_the_queue_could_not_take_is_refused_before_anything_is_sent(
    queue: Make, server: LocalServer, inputs: Any, options: Any, message: str
):
    with pytest.raises(e.BadRequestError, match=message) as caught:
        queue().submit(inputs, **options)
    assert caught.value.maybe_sent is False
    assert server.requests == []


@pytest.mark.parametrize("inputs", ["text", {"text": "a"}, 5])
def test_inputs_are_a_list(queue: Make, inputs: Any):
    with pytest.raises(TypeError, match="inputs: a list"):
        queue().submit(inputs, model=BGE)


@pytest.mark.parametrize("model", [BGE, GEMMA])
def test_an_unknown_option_is_an_error(queue: Make, model: str):
    with pytest.raises(TypeError, match="did you mean"):
        queue().submit(["a"], model=model, **({"poolin": "cls"} if model == BGE else {"temprature": 1}))


@pytest.mark.parametrize(
    "wrong", [{"timeout": 0}, {"interval": -1}, {"max_interval": 0}], ids=lambda wrong: next(iter(wrong))
)
def test_times_to_wait_are_above_zero(scripted: Make, wrong: dict[str, float]):
    asked, fake = scripted(RUNNING)
    with pytest.raises(e.BadRequestError, match=next(iter(wrong))):
        asked.collect("id-1", model=BGE, **wrong)
    assert fake.requests == []


def test_an_id_alone_needs_its_model(scripted: Make):
    asked, fake = scripted(RUNNING)
    with pytest.raises(e.BadRequestError, match="model"):
        asked.poll("id-1")
    assert fake.requests == []


# Submitted once


@pytest.mark.parametrize(
    ("failure", "told"),
    [
        (httpx.ReadTimeout("late"), "may have been queued"),
        (httpx.ReadError("reset"), "may have been queued"),
        (refused(500, 3043, "Internal"), "may have been queued"),
        (refused(400, 5006, "Bad input"), None),
    ],
)
def test_what_may_have_been_taken_is_not_sent_again(scripted: Make, failure: Any, told: str | None):
    asked, fake = scripted(failure, queued(), max_retries=3)
    with pytest.raises(e.WorkersAIError) as caught:
        asked.submit(["a"], model=BGE)
    assert len(fake.requests) == 1
    assert caught.value.retryable is False
    assert (told in str(caught.value)) if told else ("may have been queued" not in str(caught.value))


@pytest.mark.parametrize("failure", [httpx.ConnectError("down"), refused(429, 3040, "No capacity")])
def test_what_surely_was_not_taken_is_sent_again(scripted: Make, failure: Any, monkeypatch: pytest.MonkeyPatch):
    asked, fake = scripted(failure, queued("id-2"), max_retries=1)
    monkeypatch.setattr("random.random", lambda: 0.0)
    asked.queue.owner._transport.retry = type(asked.queue.owner._transport.retry)(1, base=0, capacity_base=0)
    assert asked.submit(["a"], model=BGE).request_ids == ("id-2",)
    assert len(fake.requests) == 2


def test_a_failure_halfway_tells_what_was_queued_before_it(scripted: Make):
    asked, fake = scripted(queued("id-1"), refused(403, 5035, "Paid plan"))
    with pytest.raises(e.PermissionDeniedError, match=r"The first 1000 inputs were queued.*'id-1'") as caught:
        asked.submit([{"text": "a"}] * 1001, model=BGE)
    assert len(fake.requests) == 2
    kept = QueuedRequest.from_json(caught.value.partial or "")
    assert (kept.request_ids, kept.counts) == (("id-1",), (1000,))


def test_neither_work_nor_state_comes_from_a_gateway_s_cache_and_the_gateway_does_not_repeat(scripted: Make):
    asked, fake = scripted(queued(), vectors(1.0), gateway=Gateway("docs", cache_ttl=3600, max_attempts=3))
    asked.collect(asked.submit(["a"], model=BGE))
    submitted, polled = (request.headers for request in fake.requests)
    assert submitted["cf-aig-skip-cache"] == polled["cf-aig-skip-cache"] == "true"
    assert submitted["cf-aig-max-attempts"] == "1"
    assert polled["cf-aig-max-attempts"] == "3"


def test_work_goes_through_a_caching_gateway(queue: Make):
    asked = queue(polls=2, gateway=Gateway("docs", cache_ttl=3600))
    assert len(asked.collect(asked.submit(["Say only: one"] * 2, model=GEMMA))) == 2


def test_refusing_when_busy_is_not_for_work_that_waits(scripted: Make):
    asked, fake = scripted(queued(), reject_if_busy=True)
    asked.submit(["a"], model=BGE, extra_body={"truncate_inputs": True})
    (item,) = json.loads(fake.requests[0].content)["requests"]
    assert item == {"text": ["a"], "truncate_inputs": True, "external_reference": "0"}


# Matched to the inputs


HANDLE = QueuedRequest(("id-1",), BGE, "raw", (3,), references=("a", "b", "c"))


def answer(result: int, **told: Any) -> dict[str, Any]:
    return {"result": result, "success": True, **told}


@pytest.mark.parametrize(
    "responses",
    [
        [answer(3, id=2), answer(1, id=0), answer(2, id=1)],
        [answer(3, external_reference="c"), answer(1, external_reference="a"), answer(2, external_reference="b")],
        [answer(3, id=0, external_reference="c"), answer(1, id=1, external_reference="a"), answer(2, id=1)],
        [answer(1), answer(2), answer(3)],
        [answer(1, id=None, external_reference=None), answer(2), answer(3)],
    ],
    ids=["by id", "by reference", "by reference before id", "by order", "by order without ids"],
)
def test_answers_are_matched_to_their_inputs(scripted: Make, responses: Any):
    asked, _ = scripted(told({"responses": responses}))
    assert asked.collect(HANDLE) == [1, 2, 3]


def test_references_that_are_not_unique_do_not_match(scripted: Make):
    asked, _ = scripted(
        told({"responses": [answer(2, id=1, external_reference="x"), answer(1, id=0, external_reference="x")]})
    )
    assert asked.collect(QueuedRequest(("id-1",), BGE, "raw", (2,), references=("x", "x"))) == [1, 2]


@pytest.mark.parametrize(
    ("responses", "wrong"),
    [
        ([answer(1, id=0), answer(3, id=2)], {1: "No answer came"}),
        ([answer(1, id=0), answer(2, id=1), answer(3, id=7)], {2: "No answer came"}),
        ([answer(1, id=0), answer(2, id=1), answer(9, id=1), answer(3, id=2)], {1: "Two answers came"}),
        ([answer(1, id=0), answer(2, id=1), answer(3)], {2: "No answer came"}),
        ([], {0: "No answer came", 1: "No answer came", 2: "No answer came"}),
    ],
)
def test_an_input_without_one_sure_answer_is_an_error_in_its_place(
    scripted: Make, responses: Any, wrong: dict[int, str]
):
    asked, _ = scripted(told({"responses": responses}))
    results = asked.collect(HANDLE)
    assert len(results) == 3
    for place, result in enumerate(results):
        if place in wrong:
            assert isinstance(result, ItemError)
            assert wrong[place] in result.error.message
            assert result.reference == "abc"[place]
        else:
            assert result == place + 1


def test_an_answer_that_cannot_be_read_is_an_error_in_its_place(scripted: Make):
    good = {"id": 0, "result": {"data": [[1.0]]}, "success": True}
    asked, _ = scripted(told({"responses": [good, {"id": 1, "result": {"data": []}, "success": True}]}))
    first, second = asked.collect(["id-1"], model=BGE)
    assert first == [1.0]
    assert isinstance(second.error, e.InvalidResponseError)


def test_vectors_of_another_length_than_was_asked_for_are_no_answer(scripted: Make):
    asked, fake = scripted(queued(), vectors(1.0))
    work = asked.submit(
        ["a"], model="@cf/swiss-ai/embedder", kind="embedding", dimensions=2, queries=True, instruction="Find:"
    )
    (result,) = asked.collect(QueuedRequest.from_json(work.to_json()))
    assert "Vectors of 2 numbers were expected" in result.error.message
    (item,) = json.loads(fake.requests[0].content)["requests"]
    assert item == {"text": ["Find: a"], "dimensions": 2, "external_reference": "0"}


def test_without_a_handle_a_gap_among_the_ids_is_seen(scripted: Make):
    asked, _ = scripted(told({"responses": [answer(3, id=2, external_reference="c"), answer(1, id=0)]}))
    first, gap, last = asked.collect("id-1", model=BGE, kind="raw")
    assert (first, last) == (1, 3)
    assert isinstance(gap, ItemError)


# Waited for


def test_pauses_grow_to_their_limit_and_are_spread(scripted: Make):
    asked, fake = scripted(*[RUNNING] * 8, vectors(1.0))
    asked.collect("id-1", model=BGE, interval=1.0, max_interval=5.0)
    assert asked.clock.slept == pytest.approx([1, 1.6, 2.56, 4.096, 5, 5, 5, 5])
    assert len(fake.requests) == 9
    drawn, _ = scripted(RUNNING, vectors(1.0))
    drawn.queue = ClientQueue(
        **{**{f: getattr(drawn.queue, f) for f in ("owner", "clock", "sleep", "asleep")}, "draw": lambda: 1.0}
    )
    drawn.collect("id-1", model=BGE, interval=2.0)
    assert drawn.clock.slept == [1.5]


def test_the_wait_ends_with_the_way_back_to_the_work(scripted: Make):
    asked, fake = scripted(queued(), RUNNING)
    work = asked.submit(["a", "b"], model=BGE)
    with pytest.raises(e.APITimeoutError, match=r"not done after 10 s.*queue\.collect\('id-1'") as caught:
        asked.collect(work, timeout=10)
    assert sum(asked.clock.slept) == pytest.approx(10)
    assert QueuedRequest.from_json(caught.value.partial or "") == work
    fake.script[-1] = vectors(1.0, 2.0)
    assert asked.collect(QueuedRequest.from_json(caught.value.partial or "")) == [[1.0], [2.0]]


def test_without_a_limit_it_waits_on(scripted: Make):
    asked, _ = scripted(*[RUNNING] * 300, vectors(1.0))
    assert asked.collect("id-1", model=BGE, timeout=None) == [[1.0]]
    assert asked.clock.now - 1000 > 3600


def test_a_poll_that_fails_for_a_while_does_not_end_the_wait(scripted: Make):
    hiccups = [httpx.ConnectError("down"), refused(500, 3043, "Internal"), refused(429, 3040, "Full")]
    asked, fake = scripted(*hiccups, RUNNING, *hiccups, vectors(1.0))
    assert asked.collect("id-1", model=BGE) == [[1.0]]
    assert len(fake.requests) == 8


def test_polls_that_fail_for_long_end_the_wait_with_the_way_back(scripted: Make):
    asked, fake = scripted(httpx.ConnectError("down"))
    with pytest.raises(e.APIConnectionError, match=r"queue\.collect\('id-1'"):
        asked.collect("id-1", model=BGE)
    assert len(fake.requests) == MAX_MISSES + 1


def test_each_poll_has_its_own_retries(scripted: Make, monkeypatch: pytest.MonkeyPatch):
    asked, fake = scripted(refused(500, 3043, "Internal"))
    transport = asked.queue.owner._transport
    transport.retry = type(transport.retry)(2, base=0, capacity_base=0)
    with pytest.raises(e.ServerError):
        asked.poll("id-1", model=BGE)
    assert len(fake.requests) == 3


@pytest.mark.parametrize("refusal", [refused(401, 10000, "Authentication error"), refused(400, 5006, "No such id")])
def test_a_poll_that_cannot_succeed_ends_the_wait_at_once(scripted: Make, refusal: Any):
    asked, fake = scripted(refusal)
    with pytest.raises((e.AuthenticationError, e.BadRequestError)):
        asked.collect("id-1", model=BGE)
    assert (len(fake.requests), asked.clock.slept) == (1, [])


def test_a_part_that_is_lost_leaves_the_others(scripted: Make):
    asked, fake = scripted(refused(400, 5006, "No such id"), RUNNING, vectors(1.0, start=2))
    work = QueuedRequest(("id-1", "id-2"), BGE, "embedding", (2, 1))
    first, second, third = asked.collect(work)
    assert isinstance(first, ItemError)
    assert (second.position, second.error.message) == (1, "No such id")
    assert third == [1.0]
    assert [json.loads(request.content)["request_id"] for request in fake.requests] == ["id-1", "id-2", "id-2"]


def test_only_what_is_unfinished_is_asked_for_again(scripted: Make):
    asked, fake = scripted(vectors(1.0), RUNNING, RUNNING, vectors(2.0, start=1))
    seen: list[int] = []
    work = QueuedRequest(("id-1", "id-2"), BGE, "embedding", (1, 1))
    assert asked.collect(work, on_status=lambda status: seen.append(status.finished)) == [[1.0], [2.0]]
    assert seen == [1, 1, 2]
    assert [json.loads(request.content)["request_id"] for request in fake.requests] == ["id-1", "id-2", "id-2", "id-2"]
    assert all(request.url.params["queueRequest"] == "true" for request in fake.requests)


# From another process

SUBMIT = """
import sys
from workers_ai import Client
print(Client().queue.submit(["harbour", "ferry"], model=sys.argv[1], references=["h", "f"]).to_json())
"""
COLLECT = """
import json, sys
from workers_ai import Client, QueuedRequest
found = Client().queue.collect(QueuedRequest.from_json(sys.argv[1]), interval=0.05, timeout=30)
print(json.dumps(found))
"""


def test_another_process_collects_what_one_submitted_and_left(server: LocalServer):
    server.account.queue = Manners(polls=1)

    def run(script: str, argument: str) -> Any:
        command = [sys.executable, "-c", script, argument]
        environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(sys.path), **server.environment()}
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60, env=environment).stdout

    kept = run(SUBMIT, BGE)
    assert server.api_token not in kept
    vectors = json.loads(run(COLLECT, kept))
    client = Client(account_id=server.account_id, api_token=server.api_token, base_url=server.base_url)
    assert vectors == client.embed(["harbour", "ferry"], model=BGE)
    assert Queue(client).collect(json.loads(kept)["request_ids"][0], model=BGE) == vectors
