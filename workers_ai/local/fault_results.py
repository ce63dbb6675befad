"""Wrong results of embedding models and rerankers: too few, too many, none, or none of those that were asked about."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from .fault import Answer
from .reply import encode


def fewer_vectors(answer: Answer) -> bytes:
    """The last one is missing."""
    return _with_list(answer, "data", lambda vectors: vectors[:-1])


def more_vectors(answer: Answer) -> bytes:
    """The last one comes twice."""
    return _with_list(answer, "data", lambda vectors: [*vectors, *vectors[-1:]])


def no_vectors(answer: Answer) -> bytes:
    """None."""
    return _with_list(answer, "data", lambda _: [])


def short_vector(answer: Answer) -> bytes:
    """The last one has half its numbers."""
    return _with_list(answer, "data", lambda vectors: [*vectors[:-1], *map(_shorter, vectors[-1:])])


def empty_ranking(answer: Answer) -> bytes:
    """No text is ranked."""
    return _with_list(answer, "response", lambda _: [])


def foreign_ranking(answer: Answer) -> bytes:
    """Ids of texts that were not sent."""
    return _with_list(answer, "response", lambda ranked: [{**each, "id": each["id"] + 1000} for each in ranked])


def _shorter(vector: Any) -> Any:
    if isinstance(vector, dict):  # OpenAI's form
        return {**vector, "embedding": _shorter(vector["embedding"])}
    return vector[: len(vector) // 2]


def _with_list(answer: Answer, key: str, change: Callable[[list[Any]], list[Any]]) -> bytes:
    """The body with another list under `key` of its result; as it is where there is none."""
    if answer.is_stream:
        return answer.body
    document = json.loads(answer.body)
    result = document.get("result", document)
    if not isinstance(result, dict) or not isinstance(result.get(key), list):
        return answer.body
    result[key] = change(result[key])
    if "shape" in result:
        result["shape"][0] = len(result[key])
    return encode(document)
