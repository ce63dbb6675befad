"""Many texts: cut into requests, several of them in flight, results in order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextvars import copy_context
from dataclasses import replace
from typing import TYPE_CHECKING

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

    if len(requests) <= 1 or max_concurrency == 1:
        return [row for request in requests for row in one(request)]
    with ThreadPoolExecutor(min(max_concurrency, len(requests))) as pool:
        # Threads do not inherit context variables by themselves: callers' meters and tags live there.
        futures = [pool.submit(copy_context().run, one, request) for request in requests]
        done, _ = wait(futures, return_when=FIRST_EXCEPTION)
        if any(future.exception() for future in done):
            pool.shutdown(cancel_futures=True)
        return [row for future in futures if not future.cancelled() for row in future.result()]


async def aembed(
    transport: Transport,
    requests: Sequence[EmbeddingRequest],
    *,
    max_concurrency: int = MAX_CONCURRENCY,
    on_answer: OnAnswer | None = None,
) -> list[list[float]]:
    """As `embed`, with tasks instead of threads."""
    found: list[list[list[float]]] = [[] for _ in requests]
    waiting: Iterator[tuple[int, EmbeddingRequest]] = iter(enumerate(requests))

    async def work() -> None:
        for place, request in waiting:  # shared: each worker takes the next one
            answer = await transport.asend(exchange(request))
            if on_answer is not None:
                on_answer(answer)
            found[place] = answer.rows

    workers = [asyncio.ensure_future(work()) for _ in range(min(max_concurrency, len(requests)))]
    try:
        await asyncio.gather(*workers)
    finally:
        for worker in workers:
            worker.cancel()
    return [row for rows in found for row in rows]
