"""Many texts: cut into requests, several of them in flight, results in order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING

from workers_ai.errors import BadRequestError
from workers_ai.in_flight import ain_order, in_order
from workers_ai.tasks.embeddings import EmbeddingRequest, check, exchange

if TYPE_CHECKING:
    from workers_ai.answers import Vectors
    from workers_ai.transport import Transport

MAX_CONCURRENCY = 8

OnAnswer = Callable[["Vectors"], None]


def requests_for(request: EmbeddingRequest, *, batch_size: int | None = None) -> list[EmbeddingRequest]:
    """`request`, cut into as many as the model's limit (or a smaller `batch_size`) asks for; none for no texts.

    Raises BadRequestError, before anything is sent, for an empty text, naming its position among all texts, and for a
    pooling that the model does not offer.
    """
    if batch_size is not None and batch_size < 1:
        raise BadRequestError(f"batch_size={batch_size}: 1 or more", model=request.call.model, maybe_sent=False)
    check(request)
    texts, limit = request.texts, request.call.info.max_texts
    size = min(batch_size or limit, limit)
    return [replace(request, texts=texts[start : start + size]) for start in range(0, len(texts), size)]


def embed(
    transport: Transport,
    requests: Sequence[EmbeddingRequest],
    *,
    max_concurrency: int = MAX_CONCURRENCY,
    on_answer: OnAnswer | None = None,
) -> list[list[float]]:
    """The vectors of all requests in order, with at most `max_concurrency` of them in flight, each in a thread.

    The first failure ends the work: what has not begun is not sent. on_answer: called with each request's answer.
    """

    def one(request: EmbeddingRequest) -> list[list[float]]:
        answer = transport.send(exchange(request))
        if on_answer is not None:
            on_answer(answer)
        return answer.rows

    return list(chain.from_iterable(in_order(one, requests, at_once=max_concurrency)))


async def aembed(
    transport: Transport,
    requests: Sequence[EmbeddingRequest],
    *,
    max_concurrency: int = MAX_CONCURRENCY,
    on_answer: OnAnswer | None = None,
) -> list[list[float]]:
    """As `embed`, with tasks instead of threads."""

    async def one(request: EmbeddingRequest) -> list[list[float]]:
        answer = await transport.asend(exchange(request))
        if on_answer is not None:
            on_answer(answer)
        return answer.rows

    return list(chain.from_iterable(await ain_order(one, requests, at_once=max_concurrency)))
