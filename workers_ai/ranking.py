"""Many texts to rank: cut into requests, several of them in flight, their rankings made one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from itertools import chain
from operator import add
from typing import TYPE_CHECKING, TypeVar

from workers_ai.answers import Facts, Ranking
from workers_ai.cost import Cost
from workers_ai.errors import BadRequestError
from workers_ai.in_flight import ain_order, in_order
from workers_ai.tasks.rerank import RerankRequest, check, exchange

if TYPE_CHECKING:
    from workers_ai.transport import Transport

Value = TypeVar("Value")

MAX_TEXTS = 100
"""Texts in one request. The service documents no limit for rerankers: the number is that of its embedding models."""
MAX_CONCURRENCY = 8


def requests_for(request: RerankRequest, *, batch_size: int = MAX_TEXTS) -> list[RerankRequest]:
    """`request`, cut into as many as `batch_size` asks for; none for no texts.

    A reranker scores each text by itself, so scores of several requests compare, and the best of all are among the best
    of each. Raises BadRequestError, before anything is sent, as `tasks.rerank.exchange` does.
    """
    if batch_size < 1:
        raise BadRequestError(f"batch_size={batch_size}: 1 or more", model=request.call.model, maybe_sent=False)
    check(request)
    starts = range(0, len(request.texts), batch_size)
    return [replace(request, texts=request.texts[start : start + batch_size], start=start) for start in starts]


def rank(
    transport: Transport,
    whole: RerankRequest,
    requests: Sequence[RerankRequest],
    *,
    max_concurrency: int = MAX_CONCURRENCY,
) -> Ranking:
    """The ranking of all texts of `whole`, which `requests` are cut from; each of them goes out in a thread.

    At most `max_concurrency` are in flight, and none goes out for no texts. The first failure ends the work: what has
    not begun is not sent.
    """
    rankings = in_order(lambda one: transport.send(exchange(one)), requests, at_once=max_concurrency)
    return merged(rankings, whole)


async def arank(
    transport: Transport,
    whole: RerankRequest,
    requests: Sequence[RerankRequest],
    *,
    max_concurrency: int = MAX_CONCURRENCY,
) -> Ranking:
    """As `rank`, with tasks instead of threads."""
    rankings = await ain_order(lambda one: transport.asend(exchange(one)), requests, at_once=max_concurrency)
    return merged(rankings, whole)


def merged(rankings: Sequence[Ranking], whole: RerankRequest) -> Ranking:
    """One ranking of all, best first, at most `top_n` of them: some models do not take that number."""
    items = sorted(chain.from_iterable(rankings), key=lambda one: (-one.score, one.index))[: whole.top_n]
    return Ranking(tuple(items), _facts([ranking.facts for ranking in rankings], whole.call.model))


def _facts(facts: Sequence[Facts], model: str) -> Facts:
    """Facts of all requests together: what belongs to one of several alone (its id, its headers) is left out."""
    if len(facts) == 1:
        return facts[0]
    answering = {one.answering_model for one in facts}
    usages, costs = [one.usage for one in facts], [one.cost for one in facts]
    return Facts(
        model=model,
        answering_model=answering.pop() if len(answering) == 1 else model,
        usage=reduce(add, known) if (known := _all_known(usages)) else None,
        cost=reduce(_sum, spent) if (spent := _all_known(costs)) else None,
    )


def _all_known(values: Sequence[Value | None]) -> list[Value]:
    """`values`, or none of them where one is not known: a part of a sum would pass for the sum."""
    known = [value for value in values if value is not None]
    return known if len(known) == len(values) else []


def _sum(one: Cost, other: Cost) -> Cost:
    source = one.source if one.source == other.source else "catalog"
    return Cost(one.neurons + other.neurons, one.usd + other.usd, source)
