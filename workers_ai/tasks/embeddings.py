"""Embeddings: texts in, one vector each out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Never

from workers_ai.answers import Vectors
from workers_ai.call import Call
from workers_ai.errors import BadRequestError
from workers_ai.exchange import Exchange
from workers_ai.wire.answer import read_vectors
from workers_ai.wire.form import FORMS

Pooling = Literal["mean", "cls"]


@dataclass(frozen=True, slots=True)
class EmbeddingRequest:
    """What an embedding asks.

    texts: up to the model's own limit (100; 32 for qwen3). queries: they are questions, which some models embed
    apart. pooling: unset means not sent, and the model decides (quirk 67): the two do not mix in one index.
    dimensions: of a vector, where the model lets one choose. instruction: for models that take one.
    """

    call: Call
    texts: Sequence[str]
    queries: bool = False
    pooling: Pooling | None = None
    dimensions: int | None = None
    instruction: str | None = None


def exchange(request: EmbeddingRequest) -> Exchange[Vectors, Never]:
    """The exchange of one embedding request: `len(texts)` rows of floats, in the order of the texts.

    Raises BadRequestError, before anything is sent, for a model that makes no vectors, for no text, for more than the
    model's limit, for a text that is empty (the service refuses it without saying which) and for a pooling that the
    model does not offer.
    """
    call, texts = request.call, request.texts
    call.check_kind("embeddings")
    if not 1 <= len(texts) <= call.info.max_texts:
        message = f"texts: 1 to {call.info.max_texts} in one request, not {len(texts)}"
        raise BadRequestError(message, model=call.model, maybe_sent=False)
    check(request)
    form = FORMS[call.form]
    encode = form.encode_queries if request.queries else form.encode_texts
    path, body = encode(call, texts, _options(request))
    return Exchange(
        call.request(path, body),
        lambda reply: read_vectors(reply, model=call.model, expected=len(texts)),
        idempotent=True,
    )


def _options(request: EmbeddingRequest) -> dict[str, Any]:
    told = {
        "pooling": request.pooling,
        "dimensions": request.dimensions,
        "instruction": request.instruction,
    }
    return {name: value for name, value in told.items() if value is not None}


def check(request: EmbeddingRequest) -> None:
    """Raises BadRequestError for an empty text, by its position, and for a pooling that the model does not offer."""
    call, problem = request.call, None
    if isinstance(request.texts, str):
        raise TypeError("texts: a list of texts, not one text")
    if (empty := next((place for place, text in enumerate(request.texts) if not text), None)) is not None:
        problem = f"texts[{empty}] is empty"
    elif request.pooling not in (None, "mean", "cls"):
        problem = f"pooling={request.pooling!r}: 'mean' or 'cls'"
    elif request.pooling is not None and call.info.known and not call.info.takes_pooling:
        problem = f"pooling: {call.model} does not take it"
    if problem is not None:
        raise BadRequestError(problem, model=call.model, maybe_sent=False)
