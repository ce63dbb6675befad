"""The core by itself: every operation, plain and async."""

from __future__ import annotations

import asyncio
import json
import logging
import traceback
from collections.abc import Callable
from typing import Any

import httpx
import pytest

import workers_ai
from workers_ai import Client, Gateway
from workers_ai import errors as e

Make = Callable[..., Any]

LLAMA = "@cf/meta/llama-3.2-3b-instruct"
GPT_OSS = "@cf/openai/gpt-oss-20b"
TOKEN = "tok-Zx81-secret"


@pytest.fixture
def client(service: Make, account: str) -> Make:
    """Makes a client and the service behind it."""

    def make(*script: Any, **options: Any) -> tuple[Client, Any]:
        fake = service(*script)
        told = {"account_id": account, "api_token": TOKEN, "max_retries": 0, **options}
        return Client(**told, http_client=fake.client(), http_async_client=fake.aclient()), fake

    return make


async def collect(deltas: Any) -> list[Any]:
    return [delta async for delta in deltas]


@pytest.mark.parametrize("prompt", ["chat", "complete"])
def test_a_text_is_asked_for_in_four_ways(client: Make, prompt: str):
    whole, fake = client("answer-native-usage")
    assert getattr(whole, prompt)("How?", model=LLAMA).text == "Les mouettes crient."
    assert asyncio.run(getattr(whole, f"a{prompt}")("How?", model=LLAMA)).text == "Les mouettes crient."
    streamed, other = client("stream-old-tail")
    deltas = list(getattr(streamed, f"stream_{prompt}")("How?", model=LLAMA))
    later = asyncio.run(collect(getattr(streamed, f"astream_{prompt}")("How?", model=LLAMA)))
    for told in (deltas, later):
        assert "".join(delta.text for delta in told) == "  Good day!"
        assert told[-1].facts.finish_reason == "stop"
    bodies = [json.loads(request.content) for request in [*fake.requests, *other.requests]]
    wanted = {"prompt": "How?"} if prompt == "complete" else {"messages": [{"role": "user", "content": "How?"}]}
    assert all(body.items() >= wanted.items() for body in bodies)


def test_options_go_into_the_body_and_only_those_that_are_set(client: Make):
    made, fake = client("answer-native-usage")
    made.chat([{"role": "user", "content": "x"}], model=LLAMA, temperature=0.5, max_tokens=None, seed=0)
    assert json.loads(fake.requests[0].content) == {
        "messages": [{"role": "user", "content": "x"}],
        "temperature": 0.5,
        "seed": 0,
    }


def test_other_spellings_of_options_are_understood_as_the_chat_classes_do(client: Make):
    made, fake = client("answer-native-usage")
    made.chat("x", model=LLAMA, max_completion_tokens=5)
    assert json.loads(fake.requests[0].content)["max_tokens"] == 5


TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}


@pytest.mark.parametrize("operation", ["chat", "stream_chat"])
def test_tools_and_their_choice_are_taken_as_the_chat_classes_take_them(client: Make, operation: str):
    made, fake = client("answer-two-choices" if operation == "chat" else "stream-old-tail")
    answer = getattr(made, operation)("x", model=GPT_OSS, tools=[TOOL], tool_choice="any", parallel_tool_calls=False)
    if operation == "stream_chat":
        list(answer)
    sent = json.loads(fake.requests[0].content)
    assert sent["tools"][0]["function"]["name"] == "weather"
    assert sent["tool_choice"] == {"type": "function", "function": {"name": "weather"}}
    assert sent["parallel_tool_calls"] is False


def test_a_choice_of_a_tool_that_is_not_there_is_refused(client: Make):
    made, fake = client("answer-two-choices")
    with pytest.raises(e.BadRequestError, match="tool_choice"):
        made.chat("x", model=GPT_OSS, tools=[TOOL], tool_choice="wether")
    assert fake.requests == []


def test_tools_that_are_none_are_not_sent(client: Make):
    made, fake = client("answer-native-usage")
    made.chat("x", model=LLAMA, tools=None, tool_choice=None, parallel_tool_calls=None, model_kwargs=None)
    assert json.loads(fake.requests[0].content).keys() == {"messages"}


@pytest.mark.parametrize("operation", ["chat", "complete"])
def test_further_inputs_of_a_model_go_under_the_options(client: Make, operation: str):
    made, fake = client("answer-native-usage")
    getattr(made, operation)("x", model=LLAMA, seed=1, model_kwargs={"guidance": 3, "seed": 2})
    sent = json.loads(fake.requests[0].content)
    assert (sent["guidance"], sent["seed"]) == (3, 1)


@pytest.mark.parametrize(("effort", "sent"), [("default", {}), (None, {"reasoning_effort": None})])
def test_the_default_reasoning_effort_is_left_to_the_model(client: Make, effort: str | None, sent: dict[str, Any]):
    made, fake = client("answer-two-choices")
    made.chat("x", model=GPT_OSS, reasoning_effort=effort)
    told = json.loads(fake.requests[0].content)
    assert {name: value for name, value in told.items() if name not in ("model", "messages")} == sent


@pytest.mark.parametrize("operation", ["chat", "complete", "stream_chat", "embed"])
def test_an_unknown_option_is_an_error_with_its_neighbour(client: Make, operation: str):
    made, fake = client("answer-native-usage")
    told = ["x"] if operation == "embed" else "x"
    wrong, right = ("poolin", "pooling") if operation == "embed" else ("temprature", "temperature")
    with pytest.raises(TypeError, match=f"did you mean {right}"):
        getattr(made, operation)(told, **{wrong: 1})
    assert fake.requests == []


def test_a_call_may_take_another_gateway_model_and_api(client: Make):
    made, fake = client("answer-two-choices", gateway=Gateway("docs", cache_ttl=60))
    answer = made.chat("x", model=GPT_OSS, gateway={"skip_cache": True}, extra_body={"user": "u"})
    (request,) = fake.requests
    assert request.url.path.endswith("/ai/v1/chat/completions")
    assert request.headers["cf-aig-gateway-id"] == "docs"
    assert request.headers["cf-aig-skip-cache"] == "true"
    assert json.loads(request.content)["user"] == "u"
    assert [choice.text for choice in answer.choices] == ["Heads", "Tails"]


def test_texts_become_vectors_in_their_order(client: Make):
    made, _ = client("vectors-native-shape")
    rows = [[0.125, -0.25, 0.5], [0.0, 1.0, -0.75]]
    assert made.embed(["a", "b"], model="@cf/baai/bge-small-en-v1.5", pooling="mean") == rows
    assert asyncio.run(made.aembed(["a", "b"], model="@cf/baai/bge-small-en-v1.5")) == rows


@pytest.mark.parametrize("way", ["plain", "async"])
def test_embeddings_take_what_the_model_classes_take(client: Make, way: str):
    def answer(request: httpx.Request) -> httpx.Response:
        rows = [[1.0, 0.5]] * len(json.loads(request.content)["queries"])
        usage = {"prompt_tokens": 7, "total_tokens": 7}
        return httpx.Response(200, json={"success": True, "result": {"data": rows, "usage": usage}})

    made, fake = client(answer)
    told: list[int] = []
    options: dict[str, Any] = {
        "model": "@cf/qwen/qwen3-embedding-0.6b",
        "queries": True,
        "instruction": "Find it",
        "batch_size": 2,
        "max_concurrency": 1,
        "show_progress_bar": True,
        "on_usage": lambda usage: told.append(usage.input_tokens),
    }
    texts = ["a", "c", "a", "c"]
    rows = made.embed(texts, **options) if way == "plain" else asyncio.run(made.aembed(texts, **options))
    assert rows == [[1.0, 0.5]] * 4
    assert [json.loads(request.content) for request in fake.requests] == [
        {"queries": ["a", "c"], "instruction": "Find it"}
    ] * 2
    assert told == [7, 7]


def test_dimensions_that_a_model_does_not_offer_are_refused_here(client: Make):
    made, fake = client("vectors-native-shape")
    with pytest.raises(e.BadRequestError, match="dimensions=5"):
        made.embed(["a"], dimensions=5)
    assert fake.requests == []


def test_no_texts_need_no_request(client: Make):
    made, fake = client("vectors-native-shape")
    assert made.embed([]) == asyncio.run(made.aembed([])) == []
    assert fake.requests == []


def test_one_text_that_was_meant_as_a_list_is_not_taken_letter_by_letter(client: Make):
    made, fake = client("vectors-native-shape")
    with pytest.raises((TypeError, ValueError), match="texts"):
        made.embed("ab")
    assert fake.requests == []


def test_texts_are_ranked_plain_and_async(client: Make):
    made, fake = client("ranking-with-usage")
    rankings = [made.rerank("Which?", ["a", "b"], top_n=2), asyncio.run(made.arerank("Which?", ["a", "b"], top_n=2))]
    for found in rankings:
        assert [(one.index, one.text, one.score) for one in found] == [(1, "b", 0.8125), (0, "a", 0.0000625)]
        assert (found.usage.input_tokens, found.cost.neurons) == (30, 0.0085)
    assert {request.url.path.rpartition("/ai/")[2] for request in fake.requests} == {"run/@cf/baai/bge-reranker-base"}
    assert json.loads(fake.requests[0].content)["top_k"] == 2


def test_ranking_no_texts_needs_no_request(client: Make):
    made, fake = client("ranking-with-usage")
    assert len(made.rerank("Which?", [])) == len(asyncio.run(made.arerank("Which?", []))) == 0
    assert fake.requests == []


def test_a_ranking_takes_the_options_of_a_call_and_no_others(client: Make):
    made, fake = client("ranking-with-usage", gateway="docs")
    made.rerank("Which?", ["a", "b"], gateway={"skip_cache": True}, extra_body={"c": 1})
    assert fake.requests[0].headers["cf-aig-skip-cache"] == "true"
    assert json.loads(fake.requests[0].content)["c"] == 1
    with pytest.raises(TypeError, match="did you mean top_n"):
        made.rerank("Which?", ["a"], topn=1)


def test_a_client_is_a_context_manager_and_works_after_it(client: Make):
    made, _ = client("answer-native-usage")
    with made as entered:
        assert entered is made

    async def later() -> None:
        async with made as entered:
            assert entered is made

    asyncio.run(later())
    assert made.chat("x", model=LLAMA).text


def test_an_answer_tells_usage_cost_and_facts(client: Make):
    made, _ = client("answer-native-header-neurons")
    answer = made.chat("x", model=LLAMA)
    assert answer.usage is not None
    assert answer.cost is not None
    assert (answer.usage.total_tokens, answer.cost.neurons, answer.cost.source) == (5, 0.42, "service")
    assert answer.facts.metadata() == {
        "model_name": LLAMA,
        "model_requested": LLAMA,
        "model_provider": "cloudflare-workers-ai",
        "finish_reason": "stop",
        "request_id": "req-0042",
        "neurons": 0.42,
        "cost_usd": pytest.approx(0.42 * 0.011 / 1000),
        "cost_source": "service",
    }


@pytest.mark.parametrize("api_token", [TOKEN, lambda: TOKEN])
def test_the_token_is_in_nothing_that_a_client_shows(client: Make, api_token: Any, caplog: pytest.LogCaptureFixture):
    made, _ = client("error-10000-authentication", api_token=api_token)
    with caplog.at_level(logging.DEBUG), pytest.raises(e.AuthenticationError) as caught:
        made.chat("x", model=LLAMA)
    shown = [repr(made), str(made), repr(made.model_dump()), made.model_dump_json(), repr(dict(made)), caplog.text]
    shown += [str(caught.value), repr(caught.value), *traceback.format_exception(caught.value)]
    assert TOKEN not in "\n".join(shown)


def test_the_public_names_are_these():
    assert set(workers_ai.__all__) >= {"Client", "Gateway", "Usage", "close_all", "__version__", *e.__all__} - {
        "ErrorClasses",
        "recast",
    }
    for name in workers_ai.__all__:
        assert getattr(workers_ai, name) is not None
    assert set(dir(workers_ai)) == set(workers_ai.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Clint'"):
        _ = workers_ai.Clint
