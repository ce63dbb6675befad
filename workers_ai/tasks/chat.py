"""A chat: messages in, text and tool calls out, whole or streamed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from workers_ai.call import Call
from workers_ai.context import CheckContext, fit_window
from workers_ai.conversation import in_conversation
from workers_ai.errors import BadRequestError
from workers_ai.exchange import Request
from workers_ai.tasks.fallback import in_turn
from workers_ai.tasks.text_exchange import Asking, Fitted, TextExchange, TextReading, fit, reading_of
from workers_ai.token_estimate import CountTokens
from workers_ai.warning import warn
from workers_ai.wire.form import FORMS
from workers_ai.wire.message import WireMessage, text_of_parts
from workers_ai.wire.pictures import addresses
from workers_ai.wire.reading import Reading
from workers_ai.wire.tools import WireTool, forced_names, tool_choice, wire_tool

ChatExchange = TextExchange


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """What a chat asks.

    options: by the names of `wire.options.OPTIONS`; None is not sent.
    stream_usage: whether a stream should tell its tokens.
    tools: in OpenAI's form. tool_choice: "auto", "none", "any", "required", True, a name, or a dict.
    parallel_tool_calls: None leaves it to the model.
    check_context: what to do about a prompt that is longer than the model's window. count: counts tokens exactly.
    """

    call: Call
    messages: Sequence[WireMessage]
    options: Mapping[str, Any] = field(default_factory=dict)
    stream_usage: bool = True
    tools: Sequence[WireTool] = ()
    tool_choice: object = None
    parallel_tool_calls: bool | None = None
    check_context: CheckContext = "error"
    count: CountTokens | None = None


def exchange(request: ChatRequest, *, stream: bool = False) -> ChatExchange:
    """The exchange of a chat.

    Raises BadRequestError, before anything is sent, for an embedding model, for no message, for one without role or
    content, for content or tools that the model does not take, for a choice of a tool that is not there, for an `n`
    that the model would ignore, and ContextLengthError for what cannot fit the model's window.
    """

    def of_one_model(call: Call) -> ChatExchange:
        asked, reading, whole = prepared(replace(request, call=call.within_budget()), stream=stream)
        return TextReading(reading).exchange(asked, stream=stream, whole=whole)

    return in_turn(request.call, of_one_model)


def prepared(request: ChatRequest, *, stream: bool = False) -> tuple[Asking, Reading, bool]:
    """What makes the request of a chat, how its answer is read, and whether it must be asked for in one piece.

    Raises as `exchange` does.
    """
    call = request.call
    call.check_kind("text")
    if not request.messages:
        raise BadRequestError("messages is empty: a chat needs at least one", model=call.model, maybe_sent=False)
    fitted = fit(call, request.options, stream=stream)
    options, reading = _with_tools(request, fitted)
    messages = [_content(_checked(message, place, call), call) for place, message in enumerate(request.messages)]
    fitting = fit_window(
        call,
        messages,
        check=request.check_context,
        max_tokens=options.get("max_tokens"),
        tools=options.get("tools", ()),
        count=request.count,
    )
    call = in_conversation(call, messages)
    encode = FORMS[call.form].encode_chat

    def asked(*, stream: bool) -> Request:
        path, body = encode(call, fitting.messages, options, stream=stream, usage=request.stream_usage)
        return call.request(path, body)

    return asked, replace(reading, learn=fitting.lesson(call.model)), fitted.whole


def _with_tools(request: ChatRequest, fitted: Fitted) -> tuple[dict[str, Any], Reading]:
    """The options with tools and their choice, and how the answer is to be read."""
    call = request.call
    if not request.tools:
        return fitted.options, reading_of(call, fitted)
    _check_takes_tools(call)
    tools = [wire_tool(tool) for tool in request.tools]
    choice = tool_choice(request.tool_choice, tools)
    told = {"tools": tools, "tool_choice": choice, "parallel_tool_calls": request.parallel_tool_calls}
    options = {**fitted.options, **{name: value for name, value in told.items() if value is not None}}
    return options, reading_of(call, fitted, tools=tools, forced=forced_names(choice, tools))


def _check_takes_tools(call: Call) -> None:
    """Refuses tools that the model is known not to take; where the listing merely does not say, warns once."""
    info = call.info
    if info.function_calling is False and not info.tools_in_schema:
        raise BadRequestError(
            f"{call.model} does not take tools",
            model=call.model,
            hint="Choose another: workers_ai.catalog.models(where=lambda m: m.function_calling)",
            maybe_sent=False,
        )
    if info.known and info.function_calling is None:
        _warn_of_tools(call.model)


@lru_cache(maxsize=1024)
def _warn_of_tools(model: str) -> None:
    warn(f"the listing does not say that {model} calls tools; they are sent all the same")


def _checked(message: WireMessage, place: int, call: Call) -> WireMessage:
    """`message` where it is one; the service's own words for a null would not say which (quirk 45).

    A null beside calls is how others spell no text at all.
    """
    wrong = _wrong(message)
    if wrong is not None:
        raise BadRequestError(
            f"messages[{place}]: {wrong}",
            model=call.model,
            hint='Each is {"role": ..., "content": ...}; where there is nothing to say, content is ""',
            maybe_sent=False,
        )
    return message if message.get("content") is not None else {**message, "content": ""}


def _wrong(message: object) -> str | None:
    """What keeps `message` from being a message, None where nothing does."""
    if not isinstance(message, Mapping):
        return f"a mapping is expected, not {type(message).__name__}"
    if not isinstance(message.get("role"), str) or not message["role"]:
        return "it has no role"
    content = message.get("content")
    if content is None and message.get("tool_calls"):
        return None
    if isinstance(content, str) or (
        isinstance(content, (list, tuple)) and all(isinstance(part, Mapping) for part in content)
    ):
        return None
    return "it has no content" if content is None else "its content is neither a text nor a list of parts"


def _content(message: WireMessage, call: Call) -> WireMessage:
    """A message with text-only content as a plain string: classic models refuse lists (quirk 51).

    Pictures are refused where the model is known not to see; where the listing does not say, one warning is given.
    """
    content = message["content"]
    if isinstance(content, str):
        return message
    try:
        return {**message, "content": text_of_parts(content)}
    except ValueError as other:
        if call.info.vision is False:
            raise BadRequestError(
                f"{call.model} takes text only, not {other}",
                model=call.model,
                hint="Choose a model that sees: workers_ai.catalog.models(where=lambda m: m.vision)",
                maybe_sent=False,
            ) from None
        if call.info.known and call.info.vision is None:
            _warn_of_pictures(call.model)
        if call.info.data_urls_only and addresses([message]):
            raise BadRequestError(
                f"{call.model} takes pictures as data: URLs only, no addresses",
                model=call.model,
                hint="Send the picture's bytes, or let it be fetched: fetch_images=True",
                maybe_sent=False,
            ) from None
        return message


@lru_cache(maxsize=1024)
def _warn_of_pictures(model: str) -> None:
    warn(f"the listing does not say that {model} takes pictures; they are sent all the same")
