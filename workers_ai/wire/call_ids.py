"""Ids of tool calls: unique on our side, unchanged on the service's."""

from __future__ import annotations

import re

_REPEATING = re.compile(r"functions\..*:\d+$")  # kimi counts from 0 in every turn
_OUR_MARK = re.compile(r"~[0-9a-f]{8}$")


def outward_id(wire_id: object) -> str:
    """An id that no other call has: the wire's own, marked where models repeat it (quirk 33), ours where there is none.

    `inward_id` takes the mark off again.
    """
    from uuid import uuid4

    if not isinstance(wire_id, str) or not wire_id:
        return f"call_{uuid4().hex[:24]}"
    return f"{wire_id}~{uuid4().hex[:8]}" if _REPEATING.match(wire_id) else wire_id


def inward_id(call_id: str) -> str:
    """The id as the model wrote it, to send back unchanged (quirk 34)."""
    return _OUR_MARK.sub("", call_id)
