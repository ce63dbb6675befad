"""A chat: messages in, text out, whole or streamed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from workers_ai.answers import ChatAnswer, ChatDelta
from workers_ai.call import Call
from workers_ai.errors import BadRequestError
from workers_ai.exchange import Exchange, Reply, Request
from workers_ai.wire.answer import read_chat
from workers_ai.wire.form import FORMS
from workers_ai.wire.frame import stream_reader
from workers_ai.wire.message import WireMessage, text_of_parts
from workers_ai.wire.options import given
from workers_ai.wire.stop import cut_answer, stopping

ChatExchange = Exchange[ChatAnswer, ChatDelta]


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """What a chat asks.

    options: by the names of `wire.options.OPTIONS`; None is not sent.
    stream_usage: whether a stream should tell its tokens.
    """

    call: Call
    messages: Sequence[WireMessage]
    options: Mapping[str, Any] = field(default_factory=dict)
    stream_usage: bool = True


def exchange(request: ChatRequest, *, stream: bool = False) -> ChatExchange:
    """The exchange of a chat.

    Raises BadRequestError, before anything is sent, for no message, for content the model does not take, and for
    an `n` that it would ignore.
    """
    call = request.call
    if not request.messages:
        raise BadRequestError("messages: there is none", model=call.model, maybe_sent=False)
    options, stops = fitting(call, request.options, stream=stream)
    encode = FORMS[call.form].encode_chat
    messages = _contents(request)

    def asked(*, stream: bool) -> Request:
        path, body = encode(call, messages, options, stream=stream, usage=request.stream_usage)
        return call.request(path, body)

    return text_exchange(
        asked(stream=stream), call.model, stops=stops, unstreamed=lambda: asked(stream=False), stream=stream
    )


def text_exchange(
    request: Request, model: str, *, stops: Sequence[str], unstreamed: Callable[[], Request], stream: bool
) -> ChatExchange:
    """The exchange for a request that text answers. unstreamed: makes the same request without the stream.

    stops: where the answer is cut here, because the model's input has no `stop`.
    """

    def read(reply: Reply) -> ChatAnswer:
        answer = read_chat(reply, model=model)
        return cut_answer(answer, stops) if stops else answer

    if not stream:
        return Exchange(request, read)
    reader = stream_reader(model)
    return Exchange(
        request,
        read,
        reader=stopping(reader, stops) if stops else reader,
        whole=as_deltas,
        unstreamed=Exchange(unstreamed(), read),
    )


def as_deltas(answer: ChatAnswer) -> Iterator[ChatDelta]:
    """The deltas of an answer that came whole although a stream was asked for."""
    choice = answer.choices[0]
    if choice.text or choice.reasoning:
        yield ChatDelta(choice.text, choice.reasoning, choice.logprobs)
    yield ChatDelta(facts=answer.facts)


def fitting(call: Call, options: Mapping[str, Any], *, stream: bool) -> tuple[dict[str, Any], list[str]]:
    """The options to send, and the stop sequences to cut at here because the model does not know them."""
    sent, info = given(options), call.info
    stops = sent.get("stop") or []
    stops = [stops] if isinstance(stops, str) else list(stops)
    if "stop" in sent:
        sent["stop"] = stops
        if not stops or not all(stops):
            del sent["stop"]  # an empty list, or an empty sequence: nothing to stop at
            stops = [stop for stop in stops if stop]
    if (sent.get("n") or 1) > 1 and (stream or (info.known and not info.takes_n)):
        reason = "a stream has one answer" if stream else f"{call.model} gives one answer"
        raise BadRequestError(f"n={sent['n']}: {reason}", model=call.model, maybe_sent=False)
    if not stops or info.takes_stop:
        return sent, []
    if info.takes("stop") is False:
        sent.pop("stop", None)
    return sent, stops


def _contents(request: ChatRequest) -> list[WireMessage]:
    """Messages with text-only content as plain strings: classic models refuse lists (quirk 51)."""
    return [_content(message, request.call) for message in request.messages]


def _content(message: WireMessage, call: Call) -> WireMessage:
    content = message["content"]
    if isinstance(content, str):
        return message
    try:
        return {**message, "content": text_of_parts(content)}
    except ValueError as other:
        if call.info.takes_content_parts:
            return message
        raise BadRequestError(
            f"{call.model} takes text only, not {other}",
            model=call.model,
            hint="Choose a model with vision: workers_ai.catalog.models(where=lambda m: m.vision)",
            maybe_sent=False,
        ) from None
