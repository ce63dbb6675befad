"""What an attempt used that came to no answer: a stream that was left or broke off, a refusal that was charged."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pydantic_core import from_json

from workers_ai.answers import Facts
from workers_ai.catalog import lookup
from workers_ai.cost import cost_of
from workers_ai.counted import Counted
from workers_ai.token_estimate import estimate_tokens
from workers_ai.usage import Usage
from workers_ai.wire.reply_facts import facts_of, header_neurons

if TYPE_CHECKING:
    from workers_ai.attempt import Attempt
    from workers_ai.exchange import Request


def broken_off(attempt: Attempt[Any, Any]) -> Counted | None:
    """What to count for an attempt without an answer; None where nothing can have been charged.

    A stream that had begun was worked on and is charged: with the usage that it told up to here if that counts an
    answer, else with an estimate of what was asked and of the text that had come. Anything else was charged only if
    the service says so.
    """
    request, reader = attempt.asked, attempt.reader
    if reader is not None and reader.begun:
        facts = reader.facts_so_far()
        return None if facts is None else _of_stream(facts, request, reader.partial)
    neurons = header_neurons(attempt.head) if attempt.head is not None else None
    if not neurons or attempt.head is None or request.model is None:
        return None
    facts = facts_of(attempt.head, model=request.model, body={}, usage=Usage(neurons=neurons))
    return Counted.of(facts, request.gateway)


def _of_stream(facts: Facts, request: Request, text: str) -> Counted:
    told = facts.usage
    if told is not None and told.output_tokens:
        return Counted.of(facts, request.gateway)
    asked = told.input_tokens if told is not None and told.input_tokens else _asked(request)
    answered = estimate_tokens(text, model=request.model).likely
    usage = Usage(asked, answered, asked + answered)
    cost = cost_of(usage, lookup(request.model or facts.answering_model))
    return Counted.of(replace(facts, usage=usage, cost=cost), request.gateway, source="estimate")


def _asked(request: Request) -> int:
    """Tokens of what was asked, estimated."""
    body = from_json(request.body) if isinstance(request.body, bytes) else {}
    return estimate_tokens(body.get("messages") or str(body.get("prompt") or ""), model=request.model).likely
