"""What a reranker is asked, and what is refused before anything is sent."""

from __future__ import annotations

import json
from typing import Any

import pytest

from workers_ai import errors as e
from workers_ai.call import Call
from workers_ai.tasks.rerank import RerankRequest, check, exchange

RERANKER = "@cf/baai/bge-reranker-base"


@pytest.mark.parametrize("api", ["auto", "native", "openai"])
def test_it_goes_to_run_whatever_the_api(api: Any):
    asked = exchange(RerankRequest(Call(RERANKER, api=api), "Which?", ["a"], top_n=3))
    assert asked.request.path == f"ai/run/{RERANKER}"
    assert json.loads(asked.request.body) == {"query": "Which?", "contexts": [{"text": "a"}], "top_k": 3}
    assert asked.idempotent


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"texts": []}, "at least one"),
        ({"texts": ["a", ""]}, r"texts\[1\] is empty"),
        ({"texts": ["a", ""], "start": 100}, r"texts\[101\] is empty"),
        ({"texts": ["a", None]}, r"texts\[1\]: a text, not NoneType"),
        ({"query": ""}, "query is empty"),
        ({"query": b"Which?"}, "query: a text, not bytes"),
        ({"top_n": 0}, "top_n=0: 1 or more"),
        ({"call": Call("@cf/baai/bge-small-en-v1.5")}, "no rankings of texts"),
    ],
)
def test_what_the_service_would_refuse_is_refused_here(told: dict[str, Any], words: str):
    request = RerankRequest(**{"call": Call(RERANKER), "query": "Which?", "texts": ["a"], **told})
    with pytest.raises(e.BadRequestError, match=words) as caught:
        exchange(request)
    assert (caught.value.maybe_sent, caught.value.model) == (False, request.call.model)


def test_one_text_that_was_meant_as_a_list_is_not_taken_letter_by_letter():
    with pytest.raises(TypeError, match="texts: a list"):
        check(RerankRequest(Call(RERANKER), "Which?", "abc"))


@pytest.mark.parametrize("model", [RERANKER, "@cf/baai/bge-m3", "@cf/nobody/ranks"])
def test_models_that_rank_or_are_not_known_are_taken(model: str):
    check(RerankRequest(Call(model), "Which?", ["a"]))
