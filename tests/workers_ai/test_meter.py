"""`NeuronMeter`: what counts, what it costs, who pays, and where a budget ends it."""

from __future__ import annotations

import asyncio
import json
import pickle
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from contextvars import copy_context
from typing import Any

import httpx
import pytest

from workers_ai import errors as e
from workers_ai.answers import Facts
from workers_ai.call import Call
from workers_ai.cost import Cost
from workers_ai.counted import Counted
from workers_ai.counting import running
from workers_ai.gateway import Gateway
from workers_ai.meter import BudgetWarning, NeuronMeter
from workers_ai.tasks.chat import ChatRequest
from workers_ai.tasks.chat import exchange as chat_exchange
from workers_ai.tasks.embeddings import EmbeddingRequest
from workers_ai.tasks.embeddings import exchange as embedding_exchange
from workers_ai.usage import Usage

Make = Callable[..., Any]

LLAMA = "@cf/meta/llama-3.3-70b-instruct-fp8-fast"
CHEAP = "@cf/meta/llama-3.2-1b-instruct"
VENDOR = "openai/gpt-5-mini"

EVENTS = {"content-type": "text/event-stream"}


def answer(neurons: float | None = 2.5, **headers: str) -> Callable[[httpx.Request], httpx.Response]:
    """A step that answers a chat, streamed or not as it is asked, of 10 tokens in and 5 out."""
    usage: dict[str, Any] = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
    if neurons is not None:
        usage["neurons"] = neurons

    def step(request: httpx.Request) -> httpx.Response:
        asked = json.loads(request.content)
        if "text" in asked:
            told = {"data": [[1.0]] * len(asked["text"]), "usage": usage}
            return httpx.Response(200, headers=headers, json={"result": told, "success": True})
        if asked.get("stream"):
            frames = [{"response": "Hi"}, {"response": " there"}, {"response": "", "usage": usage}]
            body = "".join(f"data: {json.dumps(frame)}\n\n" for frame in frames) + "data: [DONE]\n\n"
            return httpx.Response(200, headers={**EVENTS, **headers}, text=body)
        told = {"response": "Hi there", "usage": usage}
        return httpx.Response(200, headers=headers, json={"result": told, "success": True})

    return step


def ask(*, stream: bool, model: str = LLAMA, gateway: Gateway | None = None) -> Any:
    """The exchange of a small chat. Made where the meter runs, which is what counts."""
    call = Call(model, api="native", gateway=gateway)
    return chat_exchange(ChatRequest(call, [{"role": "user", "content": "Hi"}]), stream=stream)


def facts(model: str = LLAMA, **changes: Any) -> Facts:
    told = {"answering_model": model, "usage": Usage(10, 5, 15), "cost": Cost(2.0, 0.000022, "service"), **changes}
    return Facts(model, **told)


# What counts


def test_every_way_to_ask_counts_once(way: Any, service: Make):
    transport = service(answer()).transport()
    with NeuronMeter() as meter:
        way(transport, ask)
    way(transport, ask)  # after the block: not counted
    total = meter.total
    assert (total.calls, total.input_tokens, total.output_tokens, total.neurons) == (1, 10, 5, 2.5)
    assert (meter.tokens, meter.usd) == (15, pytest.approx(2.5 * 0.011 / 1000))
    assert (total.unknown, total.computed, total.estimated) == (0, 0, 0)


def test_an_answer_without_a_figure_of_the_services_is_reckoned_and_marked(way: Any, service: Make):
    with NeuronMeter() as meter:
        way(service(answer(None)).transport(), ask)
    assert meter.total.computed == 1
    assert meter.neurons == pytest.approx((10 * 26668 + 5 * 204805) / 1e6)


def test_an_answer_of_unknown_price_is_counted_as_unknown_and_not_as_free(way: Any, service: Make):
    with NeuronMeter() as meter:
        way(service(answer(None)).transport(), ask, model="@cf/nobody/knows")
        way(service(answer()).transport(), ask)
    assert (meter.calls, meter.total.unknown, meter.neurons) == (2, 1, 2.5)
    lines = {line.split()[0]: line for line in meter.table().splitlines()}
    assert lines["@cf/nobody/knows"].split()[-2:] == ["unknown", "unknown"]
    assert "2.50 + ?" in lines["all"]
    assert "Of unknown price, and in no sum: 1." in meter.table()


def test_vectors_count_in_every_thread_and_task(service: Make):
    from workers_ai import bulk

    transport = service(answer()).transport()
    with NeuronMeter() as meter:
        requests = bulk.requests_for(EmbeddingRequest(Call("@cf/baai/bge-m3"), [f"text {n}" for n in range(500)]))
        bulk.embed(transport, requests, max_concurrency=4)
        asyncio.run(bulk.aembed(transport, requests, max_concurrency=4))
    assert (meter.calls, meter.neurons) == (10, 25.0)


def test_a_refused_attempt_costs_nothing_and_its_retry_counts_once(way: Any, service: Make):
    fake = service("error-3040-short", answer())
    with NeuronMeter() as meter:
        way(fake.transport(), ask)
    assert (len(fake.requests), meter.calls, meter.neurons) == (2, 1, 2.5)


def test_a_refusal_that_the_service_charged_for_counts(way: Any, service: Make):
    """JSON mode without an answer in the form: the text was made, and the header tells what it cost."""
    body = {"success": False, "errors": [{"message": "JSON Mode couldn't be met"}], "result": {}}
    fake = service(lambda _: httpx.Response(200, headers={"cf-ai-neurons": "1.25"}, json=body))
    with NeuronMeter() as meter, pytest.raises(e.StructuredOutputError):
        way(fake.transport(), ask)
    assert (meter.calls, meter.neurons) == (1, 1.25)


@pytest.mark.parametrize("told", ["nan", "inf", "-1", "much", ""])
def test_a_header_that_is_no_number_is_none(whole_way: Any, service: Make, told: str):
    body = {"result": {"response": "Hi"}, "success": True}
    with NeuronMeter() as meter:
        whole_way(service(lambda _: httpx.Response(200, headers={"cf-ai-neurons": told}, json=body)).transport(), ask)
    assert (meter.total.unknown, meter.neurons) == (1, 0.0)


def test_what_the_gateway_had_in_its_cache_is_a_call_and_costs_nothing(way: Any, service: Make):
    fake = service(answer(**{"cf-aig-cache-status": "HIT"}))
    with NeuronMeter() as meter:
        way(fake.transport(), ask, gateway=Gateway("docs"))
    total = meter.total
    assert (total.calls, total.cache_hits, total.tokens, total.neurons, total.unknown) == (1, 1, 0, 0.0, 0)


# Streams that end early


def test_a_stream_that_is_left_counts_with_an_estimate(service: Make):
    transport = service(answer()).transport()
    with NeuronMeter() as meter:
        deltas = transport.stream(ask(stream=True))
        assert next(deltas).text == "Hi"
        deltas.close()
    total = meter.total
    assert (total.calls, total.estimated, total.output_tokens) == (1, 1, 1)
    assert total.input_tokens > 0
    assert total.neurons > 0
    assert "Estimated, because a stream ended early: 1." in meter.table()


def test_an_async_stream_that_is_left_counts_too(service: Make):
    transport = service(answer()).transport()

    async def leave() -> None:
        async with aclosing(transport.astream(ask(stream=True))) as deltas:
            await anext(deltas)

    with NeuronMeter() as meter:
        asyncio.run(leave())
    assert (meter.calls, meter.total.estimated) == (1, 1)


def test_a_stream_that_is_left_counts_what_it_told_where_it_told_any(stream_way: Any, service: Make, steps: Any):
    """Some families count as they go."""
    frame = {"response": "Hi", "usage": {"prompt_tokens": 7, "completion_tokens": 3, "neurons": 0.75}}
    fake = service(steps.streamed(f"data: {json.dumps(frame)}\n\n".encode(), httpx.ReadError("gone")))
    with NeuronMeter() as meter, pytest.raises(e.StreamInterruptedError):
        stream_way(fake.transport(), ask)
    total = meter.total
    assert (total.calls, total.input_tokens, total.output_tokens, total.neurons) == (1, 7, 3, 0.75)


def test_a_stream_that_is_left_at_its_last_delta_counts_as_whole(service: Make):
    transport = service(answer()).transport()
    with NeuronMeter() as meter:
        deltas = transport.stream(ask(stream=True))
        while next(deltas).facts is None:
            pass
        deltas.close()
    assert (meter.calls, meter.neurons, meter.total.estimated) == (1, 2.5, 0)


def test_a_stream_counts_where_it_was_asked_for_wherever_it_is_read(service: Make):
    transport = service(answer()).transport()
    with NeuronMeter() as meter:
        deltas = transport.stream(ask(stream=True))
    assert meter.calls == 0
    list(deltas)
    assert meter.calls == 1


# Meters, tags, threads


def test_meters_can_be_nested_and_all_count(whole_way: Any, service: Make):
    transport = service(answer()).transport()
    with NeuronMeter() as outer:
        whole_way(transport, ask)
        with NeuronMeter() as inner:
            whole_way(transport, ask)
        whole_way(transport, ask)
    assert (outer.calls, inner.calls) == (3, 1)
    assert running() == ()


def test_a_meter_entered_twice_counts_once(whole_way: Any, service: Make):
    transport = service(answer()).transport()
    meter = NeuronMeter()
    with meter:
        with meter:
            whole_way(transport, ask)
        whole_way(transport, ask)
    with meter:
        whole_way(transport, ask)
    assert meter.calls == 3


def test_tags_name_a_part_of_the_work(whole_way: Any, service: Make):
    transport = service(answer()).transport()
    meter = NeuronMeter()
    with meter.tag("docs"):
        whole_way(transport, ask)
        with meter.tag("eval", "nightly"):
            whole_way(transport, ask)
    with meter:
        whole_way(transport, ask)
    assert {name: tally.calls for name, tally in meter.by_tag.items()} == {"docs": 2, "eval": 1, "nightly": 1}
    assert meter.calls == 3
    assert "by tag" in meter.table()


def test_an_async_block_is_a_block(service: Make):
    transport = service(answer()).transport()

    async def work() -> NeuronMeter:
        async with NeuronMeter() as meter:
            await asyncio.gather(*(transport.asend(ask(stream=False)) for _ in range(20)))
        await transport.asend(ask(stream=False))
        return meter

    assert asyncio.run(work()).calls == 20


def test_tasks_beside_each_other_have_meters_of_their_own(service: Make):
    transport = service(answer()).transport()

    async def one(times: int) -> int:
        async with NeuronMeter() as meter:
            for _ in range(times):
                await transport.asend(ask(stream=False))
        return meter.calls

    async def work() -> list[int]:
        return list(await asyncio.gather(*map(one, range(1, 8))))

    assert asyncio.run(work()) == [1, 2, 3, 4, 5, 6, 7]


def test_threads_that_add_at_the_same_time_lose_nothing():
    meter, gate = NeuronMeter(), threading.Barrier(8, timeout=30)

    def add(_: int) -> None:
        gate.wait()
        for _ in range(500):
            meter.count(Counted("m", "workers-ai", 1, 2, 0.5, 0.25, "service"), tags=["t"])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(8)))
    total = meter.total
    assert (total.calls, total.tokens, total.neurons, total.usd) == (4000, 12000, 2000.0, 1000.0)
    assert meter.by_tag["t"] == meter.by_model["m"] == total


def test_a_thread_of_the_users_own_counts_with_a_copy_of_the_context(service: Make):
    transport = service(answer()).transport()
    with NeuronMeter() as meter:
        thread = threading.Thread(target=copy_context().run, args=(lambda: transport.send(ask(stream=False)),))
        thread.start()
        thread.join(30)
    assert meter.calls == 1


def test_a_block_may_be_left_in_another_context():
    """As an async generator that is closed elsewhere does."""
    meter = NeuronMeter()
    copy_context().run(meter.__enter__)
    meter.__exit__(None, None, None)
    assert running() == ()


def test_a_meter_survives_a_pickle():
    meter = NeuronMeter(10)
    meter.count(Counted("m", "workers-ai", 1, 2, 0.5, 0.25, "service"))
    other = pickle.loads(pickle.dumps(meter))
    other.count(Counted("m", "workers-ai", 1, 2, 0.5, 0.25, "service"))
    assert (meter.calls, other.calls, other.budget_neurons) == (1, 2, 10)


def test_what_a_meter_gives_out_is_not_what_it_holds():
    meter = NeuronMeter()
    meter.count(Counted("m", "workers-ai", neurons=1.0))
    meter.total.neurons = meter.by_model["m"].neurons = 99.0
    assert meter.neurons == 1.0


# Who pays


@pytest.mark.parametrize(
    ("model", "gateway", "payer"),
    [
        (LLAMA, None, "workers-ai"),
        (LLAMA, Gateway("docs", byok_alias="ours"), "workers-ai"),
        (VENDOR, Gateway("docs"), "unified-billing"),
        (VENDOR, None, "unified-billing"),
        (VENDOR, Gateway("docs", byok_alias="ours"), "own-key:ours"),
        (VENDOR, Gateway("docs", no_wholesale=True), "own-key"),
    ],
)
def test_it_says_who_pays(model: str, gateway: Gateway | None, payer: str):
    meter = NeuronMeter()
    meter.count(Counted.of(facts(model), gateway))
    assert list(meter.by_payer) == [payer]
    assert meter.share_of_free_day == (pytest.approx(2.0 / 10_000) if payer == "workers-ai" else 0.0)
    assert ("by payer" in meter.table()) is (payer != "workers-ai")


def test_a_route_is_put_down_to_the_model_that_it_chose():
    told = facts("dynamic/cheap", answering_model=LLAMA, gateway={"provider": "workers-ai", "model": LLAMA})
    counted = Counted.of(told, Gateway("docs"))
    assert (counted.model, counted.payer) == (LLAMA, "workers-ai")


def test_a_name_that_the_service_gives_what_runs_behind_a_model_is_no_model():
    """Quirk 9."""
    told = facts("@cf/google/gemma-4-26b-a4b-it", answering_model="@cf/google/gemma-4-26b-a4b-it-external")
    assert Counted.of(told, None).model == "@cf/google/gemma-4-26b-a4b-it"


# Fed from elsewhere


def test_an_answer_that_is_told_again_counts_once_and_gets_the_tags_that_it_lacks():
    meter, told = NeuronMeter(), facts(request_id="r-1", id="a-1")
    meter.count(Counted.of(told, None), tags=["block"])
    assert meter.feed(told.metadata(), input_tokens=10, output_tokens=5, tags=["block", "run"]) is False
    assert meter.feed(told.metadata(), input_tokens=10, output_tokens=5, tags=["run"]) is False
    assert (meter.calls, meter.neurons) == (1, 2.0)
    assert {name: tally.calls for name, tally in meter.by_tag.items()} == {"block": 1, "run": 1}
    assert meter.feed(facts(request_id="r-2").metadata(), input_tokens=10, output_tokens=5) is True
    assert meter.calls == 2


def test_an_answer_without_any_id_is_known_by_its_figures():
    meter, told = NeuronMeter(), facts()
    meter.count(Counted.of(told, None))
    assert meter.feed(told.metadata(), input_tokens=10, output_tokens=5) is False


# Budgets


def test_a_spent_budget_refuses_the_next_call_before_it_is_sent(way: Any, service: Make):
    fake = service(answer(2.5))
    with NeuronMeter(budget_neurons=5) as meter:
        way(fake.transport(), ask)
        way(fake.transport(), ask)
        with pytest.raises(e.BudgetExceededError, match="5 neurons is spent: 5") as refused:
            way(fake.transport(), ask)
    assert (len(fake.requests), meter.calls) == (2, 2)
    assert (refused.value.maybe_sent, refused.value.retryable, refused.value.model) == (False, False, LLAMA)


def test_a_budget_in_dollars(whole_way: Any, service: Make):
    fake = service(answer(2.5))
    with NeuronMeter(budget_usd=0.00001):
        whole_way(fake.transport(), ask)
        with pytest.raises(e.BudgetExceededError, match="USD"):
            whole_way(fake.transport(), ask)


def test_the_budget_of_every_meter_around_holds(whole_way: Any, service: Make):
    fake = service(answer(2.5))
    with NeuronMeter(budget_neurons=1), NeuronMeter(budget_neurons=100):
        whole_way(fake.transport(), ask)
        with pytest.raises(e.BudgetExceededError):
            whole_way(fake.transport(), ask)


def test_a_budget_ends_a_batch_between_its_requests(service: Make):
    from workers_ai import bulk

    fake = service(answer(2.5))
    with NeuronMeter(budget_neurons=5):
        requests = bulk.requests_for(EmbeddingRequest(Call("@cf/baai/bge-m3"), ["text"] * 1000))
        with pytest.raises(e.BudgetExceededError):
            bulk.embed(fake.transport(), requests, max_concurrency=1)
    assert len(fake.requests) == 2


def test_a_warning_is_given_once_and_the_calls_go_on(whole_way: Any, service: Make):
    fake = service(answer(2.5))
    with NeuronMeter(budget_neurons=1, on_budget="warn") as meter:
        whole_way(fake.transport(), ask)
        with pytest.warns(BudgetWarning, match="1 neurons is spent"):
            whole_way(fake.transport(), ask)
        whole_way(fake.transport(), ask)  # warnings are errors here: a second one would fail
    assert meter.calls == 3


def test_a_cheaper_model_takes_over_and_the_answer_shows_both(way: Any, service: Make):
    fake = service(answer(2.5))
    with NeuronMeter(budget_neurons=1, on_budget=CHEAP) as meter:
        way(fake.transport(), ask)
        told = way(fake.transport(), ask).facts.metadata()
    assert [request.url.path.rpartition("/run/")[2] for request in fake.requests] == [LLAMA, CHEAP]
    assert (told["model_requested"], told["model_name"]) == (LLAMA, CHEAP)
    assert {name: tally.calls for name, tally in meter.by_model.items()} == {LLAMA: 1, CHEAP: 1}


def test_embeddings_keep_their_model(whole_way: Any, service: Make):
    fake = service(answer(2.5))
    with NeuronMeter(budget_neurons=1, on_budget=CHEAP):
        for _ in range(2):
            exchange = embedding_exchange(EmbeddingRequest(Call("@cf/baai/bge-m3"), ["a"]))
            assert fake.transport().send(exchange).rows == [[1.0]]
    assert all(request.url.path.endswith("bge-m3") for request in fake.requests)


def test_an_unknown_price_cannot_be_held_against_a_budget_and_that_is_said(whole_way: Any, service: Make):
    fake = service(answer(None))
    with NeuronMeter(budget_neurons=1):
        whole_way(fake.transport(), ask, model="@cf/nobody/knows")
        with pytest.warns(BudgetWarning, match="price is not known"):
            whole_way(fake.transport(), ask, model="@cf/nobody/knows")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"budget_neurons": -1}, "budget_neurons"),
        ({"budget_neurons": float("nan")}, "budget_neurons"),
        ({"budget_neurons": True}, "budget_neurons"),
        ({"budget_usd": "1"}, "budget_usd"),
        ({"on_budget": "stop"}, "on_budget"),
        ({"on_budget": None}, "on_budget"),
        ({"on_budget": "@cf/baai/bge-m3"}, "a text model"),
    ],
)
def test_what_is_no_budget_is_refused_by_name(arguments: dict[str, Any], named: str):
    with pytest.raises(ValueError, match=named):
        NeuronMeter(**arguments)


# What is shown


def test_the_table_is_one_that_a_person_can_read():
    meter = NeuronMeter(500)
    with meter.tag("docs"):
        for each in running():
            each.meter.count(Counted(LLAMA, "workers-ai", 1200, 30, 1234.5, 0.01358, "service"), tags=each.tags)
            each.meter.count(Counted(CHEAP, "workers-ai", 8, 4, 0.5, 0.0000055, "catalog"), tags=each.tags)
    assert meter.table().splitlines() == [
        "                                          calls  cached  tokens in  tokens out   neurons       USD",
        "@cf/meta/llama-3.3-70b-instruct-fp8-fast      1       0      1,200          30  1,234.50  0.013580",
        "@cf/meta/llama-3.2-1b-instruct                1       0          8           4      0.50  0.000005",
        "all                                           2       0      1,208          34  1,235.00  0.013586",
        "by tag",
        "docs                                          2       0      1,208          34  1,235.00  0.013586",
        "Free allocation: 12.35% of an account's 10,000 neurons a day.",
        "Reckoned from list prices: 1 of 2 answers; the service told the rest.",
        "Budget: 500 neurons.",
    ]


def test_an_empty_meter_has_a_table():
    assert "all" in NeuronMeter().table()


def test_dollars_are_shown_without_the_dust_of_their_sum():
    assert facts(cost=Cost(3.1054, 3.4158999999999996e-05, "service")).metadata()["cost_usd"] == 3.4159e-05
