"""Argument names: other spellings, old ones, and what to say of one that nobody knows."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from workers_ai.warning import warn

Moved = tuple[str, Callable[[Any], Any] | None]
"""What another package's argument is here: our name (`argument.option` for one option of it), and what makes its value
ours, None where it is already."""


def settle(
    values: Mapping[str, Any],
    *,
    known: Collection[str],
    aliases: Mapping[str, str],
    moved: Mapping[str, Moved],
    owner: str,
) -> dict[str, Any]:
    """`values` under the names that `owner` knows.

    aliases: other spelling -> name. moved: another package's spelling -> ours, taken with a DeprecationWarning.
    An option of an argument comes out by its name with the dot.
    Raises TypeError, as Python does, for an argument given twice and for an unknown one, with the nearest known name.
    """
    settled: dict[str, Any] = {}
    for given, value in values.items():
        name = aliases.get(given, given)
        if given in moved and given not in known:
            name, translate = moved[given]
            warn(f"{owner}: {given}= is now {_spelled(name)}", DeprecationWarning)
            value = translate(value) if translate is not None else value
        elif name not in known:
            raise TypeError(unknown(given, known=[*known, *aliases], owner=owner))
        if name in settled:
            raise TypeError(f"{owner}: {name} is given twice, also as {given}")
        settled[name] = value
    return settled


def unknown(name: str, *, known: Collection[str], owner: str) -> str:
    """What to say of an argument that `owner` does not know."""
    from difflib import get_close_matches

    near = get_close_matches(name, known, n=1, cutoff=0.6)
    told = f"; did you mean {near[0]}?" if near else "."
    return f"{owner} knows no argument {name!r}{told} What else the service takes goes into extra_body={{...}}"


def _spelled(name: str) -> str:
    argument, _, option = name.partition(".")
    return f"{argument}={{{option!r}: ...}}" if option else f"{argument}="
