"""Copies of a model object: what is alive in it is shared, not copied."""

from __future__ import annotations

from typing import Any


def sharing(memo: dict[int, Any] | None, *parts: Any) -> dict[int, Any]:
    """A memo for `copy.deepcopy` in which `parts` stand for themselves: callbacks, a rate limiter, a cache.

    They hold locks and connections, and a copy that had a rate limiter of its own would double the rate.
    """
    known = {} if memo is None else memo
    known.update((id(part), part) for part in parts)
    return known
