"""Rerankers on the wire: query and contexts in, places and scores out. `/ai/run` alone: `/ai/v1` refuses (quirk 69)."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from workers_ai.answers import Ranked, Ranking
from workers_ai.usage import Usage
from workers_ai.wire.answer import mapping, result_of, unreadable
from workers_ai.wire.reply_facts import facts_of, header_neurons

if TYPE_CHECKING:
    from workers_ai.call import Call
    from workers_ai.exchange import Reply


def encode(call: Call, query: str, texts: Sequence[str], *, top_k: int | None) -> tuple[str, dict[str, Any]]:
    """Path and body. top_k: how many to answer, best first; left out for a model that is known not to take it."""
    body: dict[str, Any] = {"query": query, "contexts": [{"text": text} for text in texts]}
    if top_k is not None and call.info.takes("top_k") is not False:
        body["top_k"] = top_k
    return call.run_path, body


def read(reply: Reply, *, model: str, texts: Sequence[str], start: int = 0) -> Ranking:
    """The ranking in a reply, sorted by score; of equal scores the earlier text goes first.

    texts: those that were sent. start: the place of the first of them among all that are ranked.
    Raises InvalidResponseError for an id that is not the place of a text, or stands twice, and for a score that is no
    number: a framework would hand on the wrong text.
    """
    return ranking_in(result_of(reply, model=model), reply, model=model, texts=texts, start=start)


def ranking_in(
    result: object, reply: Reply, *, model: str, texts: Sequence[str] | None = None, start: int = 0
) -> Ranking:
    """As `read`, of a result that is out of its envelope already. texts: None where they are not at hand any more."""
    body = mapping(result)
    rows = body.get("response")
    if not isinstance(rows, list):
        raise unreadable(f"No ranking in the answer; its keys are {', '.join(map(str, body))}", reply, model)
    places = range(sys.maxsize if texts is None else len(texts))
    scores: dict[int, float] = {}
    for row in rows:
        place, score = mapping(row).get("id"), mapping(row).get("score")
        if isinstance(place, bool) or not isinstance(place, int) or place not in places or place in scores:
            count = "some" if texts is None else len(texts)
            raise unreadable(f"A ranking of {count} texts has the id {place!r}, or has it twice", reply, model)
        if isinstance(score, bool) or not isinstance(score, (int, float)) or not abs(score) <= sys.float_info.max:
            raise unreadable(f"A ranking has the score {score!r}", reply, model)
        scores[place] = float(score)
    best_first = sorted(scores, key=lambda place: (-scores[place], place))
    usage = Usage.read(body.get("usage"), neurons=header_neurons(reply))
    return Ranking(
        tuple(Ranked(start + place, scores[place], texts[place] if texts else "") for place in best_first),
        facts_of(reply, model=model, body=body, usage=usage),
    )
