"""Contexts ranked by how well they meet a query."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from . import errors, tokens
from .families import Price
from .reply import Reply, in_envelope, of_json
from .usage import Usage
from .validation import json_type
from .vectors import cosine, embed

# Wide enough that two texts without a common word meet in next to nothing.
_DIMENSIONS = 2048
_SALT = "ranking"


def native(
    model: str, price: Price, body: Mapping[str, Any], *, score: Callable[[float], float] | None = None
) -> Reply:
    """`{"response": [{"id", "score"}]}`: ids are places in `contexts`, best first, at most `top_k` (quirk 69).

    score: turns nearness (-1 to 1) into the scale of an embedding model, whose schema knows no `top_k` and which tells
    no usage; the default is a reranker's, steep from 0 to 1.
    Raises `ServiceError` for a body without query or contexts, or with an empty text.
    """
    query, contexts = _query_of(body), contexts_of(body)
    top_k = _top_k(body, len(contexts)) if score is None else len(contexts)
    rate = score or steep
    asked = embed(query, _DIMENSIONS, salt=_SALT)
    scores = [rate(cosine(asked, embed(text, _DIMENSIONS, salt=_SALT))) for text in contexts]
    ranked = sorted(range(len(contexts)), key=lambda at: (-scores[at], at))[:top_k]
    usage = Usage(len(contexts) * tokens.count(query) + sum(map(tokens.count, contexts)), 0, price)
    result: dict[str, Any] = {"response": [{"id": at, "score": scores[at]} for at in ranked]}
    if score is None:
        result["usage"] = usage.full()
    return of_json(in_envelope(result), usage=usage)


def steep(nearness: float) -> float:
    """A reranker's scale: next to 0 without common words, next to 1 for a clear match."""
    return 1 / (1 + math.exp(-30 * (nearness - 0.3)))


def mild(nearness: float) -> float:
    """An embedding model's scale: everything has something in common with everything."""
    return 0.5 + 0.5 * nearness


def contexts_of(body: Mapping[str, Any]) -> list[str]:
    """The texts under `contexts`."""
    contexts = body.get("contexts")
    if contexts is None:
        raise errors.bad_input("required properties at '/' are 'query,contexts'")
    if not isinstance(contexts, list):
        raise errors.bad_input(f"Type mismatch of '/contexts', '{json_type(contexts)}' not in 'array'")
    return [_text_of(at, context) for at, context in enumerate(contexts)]


def _text_of(at: int, context: Any) -> str:
    if not isinstance(context, dict) or not isinstance(context.get("text"), str):
        raise errors.bad_input(f"required properties at '/contexts/{at}' are 'text'")
    if not context["text"]:
        raise errors.bad_input(f"Length of '/contexts/{at}/text' must be >= 1")
    text: str = context["text"]
    return text


def _query_of(body: Mapping[str, Any]) -> str:
    query = body.get("query")
    if query is None:
        raise errors.bad_input("required properties at '/' are 'query,contexts'")
    if not isinstance(query, str):
        raise errors.bad_input(f"Type mismatch of '/query', '{json_type(query)}' not in 'string'")
    if not query:
        raise errors.bad_input("Length of '/query' must be >= 1")
    return query


def _top_k(body: Mapping[str, Any], default: int) -> int:
    top_k = body.get("top_k", default)
    if isinstance(top_k, bool) or not isinstance(top_k, int):
        raise errors.bad_input(f"Type mismatch of '/top_k', '{json_type(top_k)}' not in 'integer'")
    if "top_k" in body and top_k < 1:
        raise errors.bad_input("'/top_k' must be >= 1")
    return top_k
