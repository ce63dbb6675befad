"""Rerank: a query and texts in, the texts' places out, best first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Never

from workers_ai.answers import Ranking
from workers_ai.call import Call
from workers_ai.errors import BadRequestError
from workers_ai.exchange import Exchange
from workers_ai.wire import ranking


@dataclass(frozen=True, slots=True)
class RerankRequest:
    """What a reranker is asked.

    top_n: texts to answer, the best ones; None for all. start: the place of `texts[0]` among all texts that are ranked,
    where they go out in several requests.
    """

    call: Call
    query: str
    texts: Sequence[str]
    top_n: int | None = None
    start: int = 0


def exchange(request: RerankRequest) -> Exchange[Ranking, Never]:
    """The exchange of one request, by `/ai/run` whatever `api` says: `/ai/v1` refuses rerankers (quirk 69).

    Raises BadRequestError, before anything is sent, for a model that ranks no texts, for no text, an empty query or
    text (the service refuses it without saying which) and for a `top_n` below 1.
    """
    call, texts = request.call, request.texts
    check(request)
    if not texts:
        raise BadRequestError("texts: at least one", model=call.model, maybe_sent=False)
    path, body = ranking.encode(call, request.query, texts, top_k=request.top_n)
    return Exchange(
        call.request(path, body),
        lambda reply: ranking.read(reply, model=call.model, texts=texts, start=request.start),
        idempotent=True,
    )


def check(request: RerankRequest) -> None:
    """Raises BadRequestError as `exchange` does, but takes no texts too. An empty text is named by its position."""
    if isinstance(request.texts, str):
        raise TypeError("texts: a list of texts, not one text")
    request.call.check_kind("rerank")
    if (problem := _problem(request)) is not None:
        raise BadRequestError(problem, model=request.call.model, maybe_sent=False)


def _problem(request: RerankRequest) -> str | None:
    if (problem := _fault("query", request.query)) is not None:
        return problem
    if request.top_n is not None and request.top_n < 1:
        return f"top_n={request.top_n}: 1 or more, or None for all"
    faults = (_fault(f"texts[{place}]", text) for place, text in enumerate(request.texts, request.start))
    return next((fault for fault in faults if fault is not None), None)


def _fault(name: str, text: object) -> str | None:
    if not isinstance(text, str):
        return f"{name}: a text, not {type(text).__name__}"
    return None if text else f"{name} is empty"
