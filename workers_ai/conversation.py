"""Which requests belong to one conversation, so that they meet the same prompt cache."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

from workers_ai.call import DERIVED

if TYPE_CHECKING:
    from workers_ai.call import Call


def in_conversation(call: Call, messages: Sequence[Mapping[str, Any]]) -> Call:
    """`call` with its conversation's name as `session_affinity`, where that is "auto"."""
    if call.session_affinity != DERIVED:
        return call
    return replace(call, session_affinity=name_of(messages))


def name_of(messages: Sequence[Mapping[str, Any]]) -> str:
    """A name that stays the same while a conversation grows: a hash of all up to the first question and that.

    So conversations that begin alike share it, as they share the beginning of the cached prompt. The hash says nothing
    of the messages to anybody who does not know them already.
    """
    before = list(takewhile(lambda message: message.get("role") != "user", messages))
    beginning = messages[: len(before) + 1]
    told = [[message.get("role"), message.get("content")] for message in beginning]
    return f"conversation-{sha256(to_json(told, fallback=str)).hexdigest()[:32]}"
