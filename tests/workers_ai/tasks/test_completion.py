"""What a completion asks."""

from __future__ import annotations

import json
from typing import Any

import pytest

from workers_ai import errors as e
from workers_ai.call import Call
from workers_ai.tasks.completion import CompletionRequest, exchange

CLASSIC = "@cf/meta/llama-3.2-3b-instruct"
MODERN = "@cf/google/gemma-4-26b-a4b-it"


def body(model: str, options: dict[str, Any], *, stream: bool = False) -> Any:
    return json.loads(exchange(CompletionRequest(Call(model), "Once", options), stream=stream).request.body)


@pytest.mark.parametrize(
    ("model", "options", "told"),
    [
        (CLASSIC, {}, {"prompt": "Once"}),
        (CLASSIC, {"raw": True, "seed": 1, "stop": ["x"]}, {"prompt": "Once", "raw": True, "seed": 1}),
        (MODERN, {}, {"model": MODERN, "messages": [{"role": "user", "content": "Once"}]}),
    ],
)
def test_a_prompt_takes_the_form_that_the_model_has(model: str, options: dict[str, Any], told: Any):
    assert body(model, options) == told


def test_a_stream_says_so():
    assert body(CLASSIC, {}, stream=True) == {"prompt": "Once", "stream": True}


def test_an_empty_prompt_is_refused_before_anything_is_sent():
    with pytest.raises(e.BadRequestError, match="prompt") as caught:
        exchange(CompletionRequest(Call(CLASSIC), ""))
    assert (caught.value.maybe_sent, caught.value.model) == (False, CLASSIC)
