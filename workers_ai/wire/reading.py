"""What must be known of a request to read its answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from workers_ai.wire.tools import WireTool


@dataclass(frozen=True, slots=True)
class Reading:
    """How an answer is to be read.

    model: the one asked. requested: the one that the caller named, where another stands in its place.
    step: which of several models in turn it is, from 0; None where there is one.
    tools: those that went out; their schemas give arguments their types.
    forced: names of the tools one of which had to be called: only then can text be a call that leaked (quirk 39).
    thinks_in_text: the model writes its thinking into the text, up to `</think>` (quirk 30).
    stops: sequences at which the text is cut on this side (`wire.stop`).
    max_tokens: the limit that was sent, None for none. default_max_tokens: the model's own, where it is known.
    learn: is told the tokens of the prompt as the service counted them; None where nothing is to be learnt.
    """

    model: str
    tools: Sequence[WireTool] = ()
    forced: Sequence[str] = ()
    thinks_in_text: bool = False
    stops: Sequence[str] = ()
    max_tokens: int | None = None
    default_max_tokens: int | None = None
    requested: str | None = None
    step: int | None = None
    learn: Callable[[int], None] | None = None
