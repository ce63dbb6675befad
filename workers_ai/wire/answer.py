"""Whole answers, decoded by the keys that are there: native and OpenAI form alike (quirks 1 to 12)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic_core import from_json

from workers_ai.answers import ChatAnswer, Choice, Vectors
from workers_ai.diagnosis import diagnose, is_refusal
from workers_ai.errors import EmptyAnswerError, InvalidResponseError
from workers_ai.exchange import Reply
from workers_ai.usage import Usage
from workers_ai.wire.cut_off import inferred_finish_reason, stopped, tell_if_cut
from workers_ai.wire.numbers import parse_numbers, rows_of_floats
from workers_ai.wire.reading import Reading
from workers_ai.wire.reply_facts import facts_of, header_neurons
from workers_ai.wire.text import as_text
from workers_ai.wire.think import split
from workers_ai.wire.tool_calls import leaked_call, read_calls


def read_chat(reply: Reply, reading: Reading) -> ChatAnswer:
    """The answer in a reply, in either form.

    Raises the error that a refusal with status 200 means, InvalidResponseError for an empty or unreadable result.
    """
    return chat_in(result_of(reply, model=reading.model), reply, reading)


def chat_in(result: object, reply: Reply, reading: Reading) -> ChatAnswer:
    """As `read_chat`, of a result that is out of its envelope already."""
    model = reading.model
    if not isinstance(result, Mapping) or not result:
        raise unreadable("The service answered with an empty result", reply, model, kind=EmptyAnswerError)
    usage = Usage.read(result.get("usage"), neurons=header_neurons(reply))
    choices = _choices(result, reading, inferred_finish_reason(usage, reading))
    if not choices:
        raise unreadable(f"No text in the answer; its keys are {', '.join(map(str, result))}", reply, model)
    first = choices[0]
    tell_if_cut(first.finish_reason, empty=not (first.text or first.tool_calls), reading=reading)
    facts = facts_of(
        reply,
        model=model,
        requested=reading.requested,
        step=reading.step,
        body=result,
        usage=usage,
        finish_reason=first.finish_reason,
    )
    return ChatAnswer(choices, facts, result)


def read_vectors(reply: Reply, *, model: str, expected: int, length: int | None = None) -> Vectors:
    """The vectors in a reply: under `data` as rows, or as OpenAI's objects whose `index` gives their place.

    Raises InvalidResponseError when there are not `expected` of them, they differ in length or are not of the `length`
    asked for: a framework would silently leave texts without a vector.
    """
    result = result_of(reply, model=model, parse=parse_numbers)
    return vectors_in(result, reply, model=model, expected=expected, length=length)


def vectors_in(result: object, reply: Reply, *, model: str, expected: int, length: int | None = None) -> Vectors:
    """As `read_vectors`, of a result that is out of its envelope already."""
    body = result if isinstance(result, Mapping) else {}
    # bge-m3 answers `contexts` alone under `response` (http-api, trap 6).
    held = body.get("data") or body.get("response")
    rows = rows_of_floats([_row(row) for row in _in_order(held if isinstance(held, list) else [])])
    lengths = set(map(len, rows))
    if len(rows) != expected or len(lengths) > 1 or 0 in lengths:
        raise unreadable(f"{expected} vectors of one length were expected, {len(rows)} came", reply, model)
    if length is not None and lengths != {length}:
        raise unreadable(f"Vectors of {length} numbers were expected, they have {lengths.pop()}", reply, model)
    meta = body.get("meta")
    told = body.get("usage") or (meta if isinstance(meta, Mapping) else None)  # by model (quirk 66)
    usage = Usage.read(told, neurons=header_neurons(reply))
    return Vectors(rows, facts_of(reply, model=model, body=body, usage=usage))


def result_of(reply: Reply, *, model: str, parse: Callable[[bytes], object] = from_json) -> object:
    """The result of a reply, out of its envelope if it has one (quirk 2)."""
    try:
        document = parse(reply.body)
    except ValueError as broken:
        raise unreadable("The answer is no JSON", reply, model) from broken
    if is_refusal(document):
        raise diagnose(reply, model=model)
    if isinstance(document, Mapping) and "result" in document and "success" in document:
        return document["result"]
    return document


def _choices(result: Mapping[str, Any], reading: Reading, inferred: str) -> list[Choice]:
    """The choices of either form. `choices` goes before `response`: an answer may hold both."""
    if listed := result.get("choices"):
        choices = listed if isinstance(listed, list) else []
        return [_choice(choice, reading, inferred) for choice in choices if _is_choice(choice)]
    for key in ("response", "response_text"):  # the second was reported of one model only (quirk 11)
        if key in result:
            message = {"content": result[key], "tool_calls": result.get("tool_calls")}
            return [_choice({"message": message}, reading, inferred)]
    return []


def _is_choice(value: object) -> bool:
    return isinstance(value, Mapping) and (isinstance(value.get("message"), Mapping) or "text" in value)


def _choice(choice: Mapping[str, Any], reading: Reading, inferred: str) -> Choice:
    """One choice. inferred: why it ended, where it does not say."""
    message = mapping(choice.get("message"))
    held = message["content"] if "content" in message else choice.get("text")  # `text`: a completion
    text, reasoning = as_text(held), reasoning_of(message)
    ended = choice.get("finish_reason") or inferred
    if reading.thinks_in_text and not reasoning:
        reasoning, text = split(text, cut_off=ended == "length")
    calls = read_calls(message.get("tool_calls"), reading.tools)
    if not calls and (leaked := leaked_call(text, reading.forced, reading.tools)) is not None:
        calls, text = [leaked], ""
    return Choice(
        text=text,
        reasoning=reasoning,
        finish_reason=stopped(finish_reason(ended, calls=bool(calls)), text, reading),
        logprobs=choice.get("logprobs"),
        parsed=held if isinstance(held, dict) else None,
        tool_calls=calls,
        refusal=as_text(message.get("refusal")) or None,
    )


def mapping(value: object) -> Mapping[str, Any]:
    """`value` if it is an object; an empty one for anything else that a service may send in its place."""
    return value if isinstance(value, Mapping) else {}


def finish_reason(told: object, *, calls: bool) -> str | None:
    """Why an answer ended. One with calls ends with "tool_calls", whatever the model says (quirk 38)."""
    if calls and told in (None, "", "stop"):
        return "tool_calls"
    return told if isinstance(told, str) and told else None


def reasoning_of(message: Mapping[str, Any]) -> str:
    """Reasoning of a message or a delta: under either key, taken once when both hold the same (quirk 29)."""
    return as_text(message.get("reasoning_content") or message.get("reasoning"))


def _in_order(data: list[Any]) -> list[Any]:
    if not data or not all(isinstance(row, Mapping) and isinstance(row.get("index"), int) for row in data):
        return data
    if len({row["index"] for row in data}) < len(data):
        return []  # two claim the same place
    return sorted(data, key=lambda row: int(row["index"]))


def _row(row: Any) -> Any:
    return row.get("embedding") if isinstance(row, Mapping) else row


def unreadable(
    message: str, reply: Reply, model: str, *, kind: type[InvalidResponseError] = InvalidResponseError
) -> InvalidResponseError:
    """The error for a success that cannot be read; its hint names the other ways to ask."""
    return kind(
        message,
        status=reply.status,
        request_id=reply.request_id,
        model=model,
        hint="Try the other API (api='openai' or 'native'), or the other way of asking: with or without a stream",
        response=reply,
    )
