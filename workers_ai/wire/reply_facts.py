"""The facts of a reply: from its headers, its catalogue entry and what its body told."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from workers_ai.answers import Facts
from workers_ai.catalog import lookup
from workers_ai.cost import cost_of
from workers_ai.exchange import Reply
from workers_ai.gateway import gateway_facts
from workers_ai.usage import Usage


def facts_of(
    head: Reply,
    *,
    model: str,
    body: Mapping[str, Any],
    usage: Usage | None,
    finish_reason: str | None = None,
    requested: str | None = None,
    step: int | None = None,
) -> Facts:
    """Facts of one answer.

    model: the one asked. requested: the one that the caller named, where that is another. step: of several in turn.
    body: where `id`, `model` and `created` stand, if they do.
    """
    gateway = gateway_facts(head.headers)
    created = body.get("created")
    cached = str(gateway.get("cache_status", "")).upper() == "HIT"
    answering = _name(body.get("model")) or _name(gateway.get("model")) or model
    if requested is not None and model.startswith("@") and not lookup(answering).known:
        answering = model  # by what runs behind it (quirk 9) nobody could tell which of two models it was
    # A route or a router names the model that it chose.
    info = lookup(model) if lookup(model).known else lookup(answering)
    return Facts(
        model=requested or model,
        answering_model=answering,
        finish_reason=finish_reason,
        id=_name(body.get("id")),
        # The parser takes integers of any length, and Python writes none of thousands of digits.
        created=created if isinstance(created, int) and abs(created) < 2**63 else None,
        request_id=head.request_id,
        usage=usage,
        cost=cost_of(usage, info, from_cache=cached),
        gateway=gateway,
        headers=head.headers,
        fallback_step=step,
    )


def header_neurons(head: Reply) -> float | None:
    """The `cf-ai-neurons` header of an answer in one piece: two places only, so the body goes first (quirk 72)."""
    try:
        told = float(head.headers["cf-ai-neurons"])
    except (KeyError, ValueError):
        return None
    return told if 0 <= told < math.inf else None


def _name(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
