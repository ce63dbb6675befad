"""The batch queue on the wire: many inputs of one model in a request, an id for an answer, and polls with that id."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any, Literal

from pydantic_core import to_json

from workers_ai.answers import Facts
from workers_ai.diagnosis import diagnose, is_refusal
from workers_ai.errors import InvalidResponseError, WorkersAIError
from workers_ai.exchange import Reply
from workers_ai.usage import Usage
from workers_ai.wire.answer import mapping, result_of
from workers_ai.wire.reply_facts import facts_of, header_neurons

QUERY: Mapping[str, str] = {"queueRequest": "true"}
"""Stands behind the path of a submission and of every poll: without it the body would be taken for an input."""

MAX_BYTES = 10_000_000
"""Of one request; the documentation asks for less than 10 MB (workers-ai/features/batch-api)."""

MAX_ITEMS = 1000
"""Inputs of one request. The service names no number; with vectors of 1,024 numbers the answer has some 20 MB then."""

_FRAME = len(b'{"requests":[]}')
_ENDED = frozenset({"error", "failed", "cancelled", "canceled", "expired"})
_NOT_OF_AN_ITEM = frozenset({"cf-ai-neurons"})


def encode_item(body: bytes, reference: str) -> bytes:
    """One input with its reference, on the item itself: elsewhere it comes back as null (quirk 70).

    body: the JSON object that the model would be asked with by itself.
    """
    mark = b'"external_reference":' + to_json(reference) + b"}"
    inside = body[:-1]
    return inside + (mark if inside == b"{" else b"," + mark)


def cut(items: Sequence[bytes], *, max_bytes: int = MAX_BYTES, max_items: int = MAX_ITEMS) -> Iterator[Sequence[bytes]]:
    """`items` in as few requests as the limits allow, in order. An item alone may be too large: see `encode`."""
    start, size = 0, _FRAME
    for place, item in enumerate(items):
        size += len(item) + 1
        if place > start and (size >= max_bytes or place - start >= max_items):
            yield items[start:place]
            start, size = place, _FRAME + len(item) + 1
    if items:
        yield items[start:]


def encode(items: Sequence[bytes]) -> bytes:
    """The body of one submission."""
    return b'{"requests":[' + b",".join(items) + b"]}"


def is_too_large(item: bytes, *, max_bytes: int = MAX_BYTES) -> bool:
    """Whether an item does not even fit alone."""
    return _FRAME + len(item) >= max_bytes


def read_request_id(reply: Reply, *, model: str) -> str:
    """The id of work that was queued. Raises InvalidResponseError where there is none."""
    found = mapping(result_of(reply, model=model)).get("request_id")
    if not isinstance(found, str) or not found:
        raise _unreadable("The service named no request_id for what was to be queued", reply, model)
    return found


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer to one input: its place in the request as the service tells it, its reference, and what came of it.

    result: out of its envelope; None where `error` stands.
    """

    id: int | None
    reference: str | None
    result: object = None
    error: WorkersAIError | None = None


@dataclass(frozen=True, slots=True)
class Polled:
    """What a poll told. head: the reply without its body. answers, facts: None until they are there; the facts are of
    all answers together."""

    state: Literal["queued", "running", "done"]
    head: Reply
    answers: Sequence[Answered] | None = None
    facts: Facts | None = None


def read_poll(reply: Reply, *, model: str) -> Polled:
    """The state of queued work. It is done when `responses` are there; a status beside them says nothing (quirk 70).

    Raises the error that a refusal means, or the status of work that failed as a whole; InvalidResponseError where
    neither responses nor a status came.
    """
    result = result_of(reply, model=model)
    body = mapping(result)
    # Programs in the field meet `results` too, or the bare list.
    listed = result if isinstance(result, list) else body.get("responses", body.get("results"))
    status = str(body.get("status") or "").lower()
    if not isinstance(listed, list):
        if status in _ENDED or is_refusal(body):
            error = diagnose(Reply(reply.status, reply.headers, to_json(body)), model=model)
            error.retryable = False
            raise error
        if not status:
            raise _unreadable("Neither responses nor a status came of the queued work", reply, model)
    head = Reply(reply.status, {name: v for name, v in reply.headers.items() if name not in _NOT_OF_AN_ITEM})
    if not isinstance(listed, list):
        return Polled("queued" if status == "queued" else "running", head)
    answers = [_answered(item, head, model) for item in listed]
    usage = _usage(body, answers, reply)
    return Polled("done", head, answers, facts_of(reply, model=model, body=body, usage=usage))


def _usage(body: Mapping[str, Any], answers: Sequence[Answered], reply: Reply) -> Usage | None:
    """What all inputs used together: as it is told of the whole, else as the answers tell it."""
    whole = Usage.read(body.get("usage"), neurons=header_neurons(reply))
    if whole is not None and (whole.total_tokens or whole.neurons is not None):
        return whole
    told = [each for one in answers if (each := Usage.read(mapping(one.result).get("usage"))) is not None]
    return reduce(add, told) if told else whole


def _answered(item: object, head: Reply, model: str) -> Answered:
    body = mapping(item)
    place, reference = body.get("id"), body.get("external_reference")
    told: dict[str, Any] = {
        "id": place if isinstance(place, int) and not isinstance(place, bool) else None,
        "reference": reference if isinstance(reference, str) else None,
    }
    if is_refusal(body):
        return Answered(**told, error=diagnose(Reply(head.status, head.headers, to_json(body)), model=model))
    # Of some models the answer itself is said to stand in the list, without the wrapping.
    return Answered(**told, result=body.get("result", item))


def _unreadable(message: str, reply: Reply, model: str) -> InvalidResponseError:
    return InvalidResponseError(message, status=reply.status, request_id=reply.request_id, model=model, response=reply)
