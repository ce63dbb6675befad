"""Whole answers, decoded by the keys that are there (quirks 1 to 12, 66)."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers_ai import errors as e
from workers_ai.answers import ChatAnswer, Vectors
from workers_ai.call import Call
from workers_ai.exchange import Reply
from workers_ai.tasks import chat, embeddings

MODEL = "@cf/example/model"
EMBEDDER = "@cf/example/embedder"


def read(told: object, **headers: str) -> ChatAnswer:
    exchange = chat.exchange(chat.ChatRequest(Call(MODEL), [{"role": "user", "content": "x"}]))
    body = told if isinstance(told, bytes) else json.dumps(told).encode()
    return exchange.read(Reply(200, {name.replace("_", "-"): value for name, value in headers.items()}, body))


def read_vectors(told: object, expected: int) -> Vectors:
    exchange = embeddings.exchange(embeddings.EmbeddingRequest(Call(EMBEDDER), ["x"] * expected))
    return exchange.read(Reply(200, {}, json.dumps(told).encode()))


def message(**told: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "message": told, "finish_reason": "stop"}]}


@pytest.mark.parametrize("envelope", [lambda it: it, lambda it: {"success": True, "errors": [], "result": it}])
@pytest.mark.parametrize(
    ("result", "text"),
    [
        ({"response": "a"}, "a"),
        ({"response": 6}, "6"),
        ({"response": 0}, "0"),
        ({"response": {"a": 1}}, '{"a":1}'),
        ({"response": None, "usage": {"prompt_tokens": 1}}, ""),
        ({"response_text": "a"}, "a"),
        (message(content="a"), "a"),
        (message(content=6), "6"),
        (message(content=None, reasoning="b"), ""),
        (message(reasoning="b"), ""),
        (message(content=[{"type": "text", "text": "a"}]), "a"),
        ({"choices": [{"text": "a"}]}, "a"),
        ({"response": "native", **message(content="a")}, "a"),
        ({"response": "a", "choices": []}, "a"),
    ],
)
def test_both_forms_are_read_with_and_without_their_envelope(
    envelope: Callable[[object], object], result: Any, text: str
):
    answer = read(envelope(result))
    assert answer.text == text
    assert answer.raw == result


@pytest.mark.parametrize(
    ("told", "reasoning"),
    [
        ({"reasoning_content": "a"}, "a"),
        ({"reasoning": "a"}, "a"),
        ({"reasoning": "a", "reasoning_content": "a"}, "a"),
        ({"reasoning": "a", "reasoning_content": ""}, "a"),
        ({"reasoning": None, "reasoning_content": None}, ""),
        ({}, ""),
    ],
)
def test_reasoning_stands_apart_and_once(told: dict[str, Any], reasoning: str):
    assert read(message(content="x", **told)).reasoning == reasoning


def test_an_object_of_json_mode_is_kept_beside_its_text():
    answer = read({"response": {"a": 1}})
    assert answer.choices[0].parsed == {"a": 1}
    assert json.loads(answer.text) == {"a": 1}
    assert read({"response": "plain"}).choices[0].parsed is None


def test_every_choice_is_there(payload: Callable[[str], Any]):
    answer = read(payload("answer-two-choices").body)
    assert [(choice.text, choice.reasoning) for choice in answer.choices] == [("Heads", ""), ("Tails", "A coin.")]
    assert answer.choices[0].logprobs == {"content": [{"token": "Heads", "logprob": -0.5}]}
    assert (answer.facts.id, answer.facts.created) == ("chatcmpl-two", 1790000002)
    assert answer.usage is not None
    assert answer.usage.reasoning_tokens == 1


@pytest.mark.parametrize(
    "told",
    [
        {},
        [],
        None,
        17,
        "text",
        {"success": True, "result": {}},
        {"success": True, "result": None},
        {"success": True, "result": []},
        {"success": True, "result": {"image": "aGk="}},
        {"choices": []},
        {"usage": {"prompt_tokens": 1}},
        b"",
        b"<html>Sign in</html>",
        b'{"response":"cut',
    ],
)
def test_an_answer_without_text_is_an_error_and_never_an_empty_text(told: object):
    with pytest.raises(e.InvalidResponseError) as caught:
        read(told, cf_ray="ray-1")
    assert (caught.value.status, caught.value.request_id, caught.value.model) == (200, "ray-1", MODEL)
    assert (caught.value.retryable, caught.value.maybe_sent) == (False, True)
    assert caught.value.response is not None


@pytest.mark.parametrize(
    "told",
    [
        {"choices": "text"},
        {"choices": {"a": 1}},
        {"choices": [None]},
        {"choices": ["text"]},
        {"choices": [{"message": "text"}]},
        {"choices": [{"message": []}, 7]},
    ],
)
def test_an_answer_of_wrong_types_is_an_error_of_the_family(told: object):
    with pytest.raises(e.WorkersAIError):
        read(told)


def test_success_false_in_a_200_is_the_error_it_tells(payload: Callable[[str], Any]):
    with pytest.raises(e.BadRequestError, match="JSON Mode couldn't be met"):
        read(payload("error-json-mode-unmet").body)


@pytest.mark.parametrize(
    ("told", "headers", "neurons"),
    [
        ({"response": "a"}, {"cf-ai-neurons": "0.42"}, 0.42),
        ({"response": "a", "usage": {"prompt_tokens": 1, "neurons": 0.4187}}, {"cf-ai-neurons": "0.42"}, 0.4187),
        ({"response": "a", "usage": {"prompt_tokens": 1}}, {"cf-ai-neurons": "0.42"}, 0.42),
        ({"response": "a", "usage": {"prompt_tokens": 1}}, {"cf-ai-neurons": "many"}, None),
        ({"response": "a", "usage": {"prompt_tokens": 1}}, {}, None),
    ],
)
def test_neurons_come_from_the_body_or_else_from_the_header(told: Any, headers: dict[str, str], neurons: float | None):
    usage = read(told, **headers).usage
    assert (usage.neurons if usage else None) == neurons


def test_a_cached_answer_of_the_gateway_costs_nothing_and_tells_what_the_gateway_said(payload: Callable[[str], Any]):
    told = payload("answer-gateway-hit")
    answer = read(told.body, **told.headers)
    assert answer.cost is not None
    assert (answer.cost.neurons, answer.cost.usd) == (0.0, 0.0)
    assert answer.facts.gateway == {"cache_status": "HIT", "log_id": "01HZX0LOGHIT", "step": 0, "event_id": "ev-9"}
    assert answer.facts.metadata()["gateway"]["log_id"] == "01HZX0LOGHIT"


@pytest.mark.parametrize(
    ("told", "headers", "model"),
    [
        ({"response": "a"}, {}, MODEL),
        ({"response": "a", "model": "@cf/other"}, {}, "@cf/other"),
        ({"response": "a"}, {"cf-aig-model": "@cf/routed"}, "@cf/routed"),
        ({"response": "a", "model": None}, {}, MODEL),
        ({"response": "a", "model": 7}, {}, MODEL),
    ],
)
def test_the_answering_model_is_told_beside_the_one_asked_for(told: Any, headers: dict[str, str], model: str):
    facts = read(told, **headers).facts
    assert (facts.model, facts.answering_model) == (MODEL, model)


# Vectors


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("vectors-native-shape", [[0.125, -0.25, 0.5], [0.0, 1.0, -0.75]]),
        ("vectors-openai", [[0.75, -0.125], [0.5, 0.25]]),
        ("vectors-null-response-meta", [[0.5, 0.5]]),
        ("vectors-usage", [[0.5, 0.5]]),
        ("vectors-contexts-alone", [[0.5, 0.25], [0.125, 1.0]]),
    ],
)
def test_rows_are_floats_in_the_order_of_the_texts(payload: Callable[[str], Any], name: str, rows: list[list[float]]):
    found = read_vectors(json.loads(payload(name).body), len(rows)).rows
    assert found == rows
    assert all(type(value) is float for row in found for value in row)


@pytest.mark.parametrize(
    ("name", "tokens", "neurons"),
    [
        ("vectors-native-shape", None, None),
        ("vectors-usage", 7, None),
        ("vectors-null-response-meta", 0, 0.03125),
    ],
)
def test_usage_of_an_embedding_is_optional(
    payload: Callable[[str], Any], name: str, tokens: int | None, neurons: float | None
):
    expected = 2 if name == "vectors-native-shape" else 1
    usage = read_vectors(json.loads(payload(name).body), expected).usage
    assert (usage.input_tokens if usage else None) == tokens
    assert (usage.neurons if usage else None) == neurons


@pytest.mark.parametrize(
    "told",
    [
        {"data": [[0.5, 0.5]]},
        {"data": [[0.5], [0.5], [0.5]]},
        {"data": [[0.5, 0.5], [0.5]]},
        {"data": [[0.5], []]},
        {"data": []},
        {"data": None},
        {"data": "text"},
        {"data": {"0": [0.5], "1": [0.5]}},
        {"data": [[0.5], None]},
        {"data": [[0.5], [None]]},
        {"data": [[0.5], ["0.5"]]},
        {"data": [[0.5], [[0.5]]]},
        {"data": [{"index": 0, "embedding": [0.5]}, {"index": 0, "embedding": [0.5]}]},
        {"data": [{"index": 0, "embedding": "AAAA"}, {"index": 1, "embedding": "AAAA"}]},
        {"response": None},
        {},
        [],
        None,
    ],
)
def test_fewer_more_or_unequal_vectors_are_an_error(told: object):
    with pytest.raises(e.InvalidResponseError):
        read_vectors(told, 2)


ODD = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "choices",
                    "message",
                    "content",
                    "response",
                    "result",
                    "success",
                    "usage",
                    "data",
                    "index",
                    "embedding",
                ]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@given(told=ODD)
def test_any_json_is_an_answer_or_an_error_of_the_family(told: object):
    with contextlib.suppress(e.WorkersAIError):
        read(told)
    with contextlib.suppress(e.WorkersAIError):
        read_vectors(told, 1)
