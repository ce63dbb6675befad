"""Several models in turn: an exchange with others behind it, or one request by which a gateway tries them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from workers_ai import journal
from workers_ai.call import Call
from workers_ai.errors import WorkersAIError
from workers_ai.exchange import OtherModel
from workers_ai.tasks.text_exchange import TextExchange, as_deltas
from workers_ai.universal import universal

Build = Callable[[Call], TextExchange]


def in_turn(call: Call, build: Build) -> TextExchange:
    """The exchange of a call, with the models of its `fallback` behind it.

    build: the exchange of a call of one model. It is made for each model by itself, since they differ in form, tools,
    options and window: once a model's turn comes, or for a gateway's universal endpoint all at once.

    Raises what `build` refuses of the call's own model.
    """
    if not call.fallback:
        return build(call)
    first, *others = call.in_turn()
    exchange = build(first)
    if call.gateway is None or call.gateway.route != "url":
        return replace(exchange, others=[OtherModel(other.model, partial(build, other)) for other in others])
    return universal([exchange, *_fitting(others, build, beside=exchange)], whole=as_deltas)


def _fitting(calls: list[Call], build: Build, *, beside: TextExchange) -> Iterator[TextExchange]:
    """The exchanges of those models that can be asked this at all, each model once: a budget puts one for several."""
    seen = {beside.request.model}
    for call in calls:
        try:
            found = build(call)
        except WorkersAIError as refused:
            journal.changing(refused, None)
            continue
        if found.request.model not in seen:
            seen.add(found.request.model)
            yield found
