"""Rerankers on the wire: what goes out, and which text a reply means by an id (quirks 66, 69)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers_ai import errors as e
from workers_ai.answers import Ranking
from workers_ai.call import Call
from workers_ai.exchange import Reply
from workers_ai.wire import ranking

RERANKER = "@cf/baai/bge-reranker-base"
TEXTS = ["zero", "one", "two"]


def read(told: object, *, start: int = 0, **headers: str) -> Ranking:
    reply = Reply(200, {name.replace("_", "-"): value for name, value in headers.items()}, json.dumps(told).encode())
    return ranking.read(reply, model=RERANKER, texts=TEXTS, start=start)


def rows(*pairs: tuple[Any, Any]) -> dict[str, Any]:
    return {"success": True, "result": {"response": [{"id": place, "score": score} for place, score in pairs]}}


@pytest.mark.parametrize(
    ("model", "top_k", "sent"),
    [
        (RERANKER, 2, {"top_k": 2}),
        (RERANKER, None, {}),
        ("@cf/baai/bge-m3", 2, {}),
        ("@cf/nobody/ranks", 2, {"top_k": 2}),
    ],
)
def test_the_number_wanted_goes_to_models_that_may_take_it(model: str, top_k: int | None, sent: dict[str, Any]):
    path, body = ranking.encode(Call(model), "Which?", ["a", "b"], top_k=top_k)
    assert path == f"ai/run/{model}"
    assert body == {"query": "Which?", "contexts": [{"text": "a"}, {"text": "b"}], **sent}


def test_usage_and_neurons_are_the_services_own(payload: Callable[[str], Any]):
    found = ranking.read(payload("ranking-with-usage").reply, model=RERANKER, texts=TEXTS[:2])
    assert [(one.index, one.score, one.text) for one in found] == [(1, 0.8125, "one"), (0, 0.0000625, "zero")]
    assert (found.usage.input_tokens, found.usage.neurons, found.cost.source) == (30, 0.0085, "service")


def test_usage_is_optional_and_the_header_tells_neurons_then():
    assert read(rows((0, 1))).usage is None
    assert read(rows((0, 1)), cf_ai_neurons="0.04").cost.neurons == 0.04


def test_the_order_is_by_score_and_of_equal_ones_by_place():
    found = read(rows((2, 0.1), (1, 0.5), (0, 0.5)))
    assert [one.index for one in found] == [0, 1, 2]


@pytest.mark.parametrize("told", [rows(), rows((1, -3.5)), rows((1, 7), (0, -7))])
def test_fewer_than_were_sent_are_an_answer_and_so_is_any_scale(told: Any):
    assert len(read(told)) == len(told["result"]["response"])
    assert all(type(one.score) is float for one in read(told))


def test_places_are_told_among_all_texts():
    assert [(one.index, one.text) for one in read(rows((2, 1), (0, 0)), start=100)] == [(102, "two"), (100, "zero")]


@pytest.mark.parametrize(
    "told",
    [
        rows((3, 0.5)),
        rows((-1, 0.5)),
        rows(("0", 0.5)),
        rows((None, 0.5)),
        rows((True, 0.5)),
        rows((1.0, 0.5)),
        rows(([], 0.5)),
        rows((0, 0.5), (0, 0.4)),
        rows((0, None)),
        rows((0, "0.5")),
        rows((0, True)),
        rows((0, float("nan"))),
        rows((0, float("inf"))),
        rows((0, 10**400)),
        {"success": True, "result": {"response": [0.5, 0.4]}},
        {"success": True, "result": {"response": "zero"}},
        {"success": True, "result": {"response": {"0": 0.5}}},
        {"success": True, "result": {"data": [[0.5]]}},
        {"success": True, "result": {}},
        {"success": True, "result": None},
        [],
        "zero",
    ],
)
def test_what_does_not_name_a_text_and_a_score_is_an_error(told: Any):
    """Python's encoder writes NaN and Infinity: the service might too."""
    with pytest.raises(e.InvalidResponseError) as caught:
        read(told)
    assert caught.value.model == RERANKER


def test_a_refusal_in_a_200_is_the_error_it_tells(payload: Callable[[str], Any]):
    with pytest.raises(e.WorkersAIError) as caught:
        ranking.read(payload("error-success-false-only").reply, model=RERANKER, texts=TEXTS)
    assert not isinstance(caught.value, e.InvalidResponseError)


@given(st.permutations(range(3)), st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=3, max_size=3))
def test_whatever_the_order_each_score_stays_with_its_text(order: list[int], scores: list[float]):
    found = read(rows(*((place, scores[place]) for place in order)))
    assert {one.text: one.score for one in found} == dict(zip(TEXTS, scores, strict=True))
    told = [one.score for one in found]
    assert told == sorted(told, reverse=True)
