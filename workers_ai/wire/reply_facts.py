"""The facts of a reply: from its headers, its catalogue entry and what its body told."""

from __future__ import annotations

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
) -> Facts:
    """Facts of one answer. body: where `id`, `model` and `created` stand, if they do."""
    gateway = gateway_facts(head.headers)
    created = body.get("created")
    cached = str(gateway.get("cache_status", "")).upper() == "HIT"
    return Facts(
        model=model,
        answering_model=_name(body.get("model")) or _name(gateway.get("model")) or model,
        finish_reason=finish_reason,
        id=_name(body.get("id")),
        created=created if isinstance(created, int) else None,
        request_id=head.request_id,
        usage=usage,
        cost=cost_of(usage, lookup(model), from_cache=cached),
        gateway=gateway,
        headers=head.headers,
    )


def header_neurons(head: Reply) -> float | None:
    """The `cf-ai-neurons` header of an answer in one piece: two places only, so the body goes first (quirk 72)."""
    try:
        return float(head.headers["cf-ai-neurons"])
    except (KeyError, ValueError):
        return None


def _name(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
