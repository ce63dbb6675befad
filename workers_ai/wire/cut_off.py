"""Answers that ended because no more tokens were allowed: told by the service, or inferred where it says nothing."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from workers_ai.warning import warn

if TYPE_CHECKING:
    from workers_ai.usage import Usage
    from workers_ai.wire.reading import Reading


class AnswerCutWarning(UserWarning):
    """An answer was cut off by its token limit."""


def inferred_finish_reason(usage: Usage | None, reading: Reading) -> str:
    """Why an answer of the native form ended: that form has no finish reason (quirk 22), but counts tokens."""
    limit = reading.max_tokens or reading.default_max_tokens
    return "length" if usage is not None and limit and usage.output_tokens >= limit else "stop"


def stopped(finish_reason: str | None, text: str, reading: Reading) -> str | None:
    """Why an answer ended, seen from here: one cut at a stop sequence ended there, whatever came after."""
    return "stop" if any(stop in text for stop in reading.stops) else finish_reason


def tell_if_cut(finish_reason: str | None, *, empty: bool, reading: Reading) -> None:
    """Warns of an answer that its token limit cut off without the caller having asked for that.

    One that is empty, without a call too, spent its tokens on reasoning (quirk 57): said each time. One that ran into
    the model's own default is said once per model: classic models stop at 256 tokens.
    """
    if finish_reason != "length":
        return
    if empty:
        warn(
            f"{reading.model} gave no text: reasoning used up max_tokens"
            f"{f'={reading.max_tokens}' if reading.max_tokens else ''}; raise it",
            AnswerCutWarning,
        )
    elif reading.max_tokens is None:
        _tell_of_default(reading.model, reading.default_max_tokens)


@lru_cache(maxsize=1024)
def _tell_of_default(model: str, default: int | None) -> None:
    told = f" of {default} tokens" if default else ""
    message = f"an answer of {model} was cut off at the model's own limit{told}; set max_tokens"
    warn(message, AnswerCutWarning)
