"""A completion: one prompt in, text out, whole or streamed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from workers_ai.call import Call
from workers_ai.context import CheckContext, fit_window
from workers_ai.conversation import in_conversation
from workers_ai.errors import BadRequestError
from workers_ai.exchange import Request
from workers_ai.tasks.fallback import in_turn
from workers_ai.tasks.text_exchange import Asking, TextExchange, TextReading, fit, reading_of
from workers_ai.token_estimate import CountTokens
from workers_ai.wire.form import FORMS
from workers_ai.wire.message import WireMessage
from workers_ai.wire.reading import Reading


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """What a completion asks; options, stream_usage and count as in `ChatRequest`. `raw` leaves out the chat template.

    check_context: as there; of a prompt nothing can be left out, so "trim" is "error".
    """

    call: Call
    prompt: str
    options: Mapping[str, Any] = field(default_factory=dict)
    stream_usage: bool = True
    check_context: CheckContext = "error"
    count: CountTokens | None = None


def exchange(request: CompletionRequest, *, stream: bool = False) -> TextExchange:
    """The exchange of a completion.

    Raises BadRequestError, before anything is sent, for an empty prompt and for an embedding model, and
    ContextLengthError for a prompt that cannot fit the model's window.
    """

    def of_one_model(call: Call) -> TextExchange:
        asked, reading, whole = prepared(replace(request, call=call.within_budget()), stream=stream)
        return TextReading(reading).exchange(asked, stream=stream, whole=whole)

    return in_turn(request.call, of_one_model)


def prepared(request: CompletionRequest, *, stream: bool = False) -> tuple[Asking, Reading, bool]:
    """What makes the request of a completion, how its answer is read, and whether it must be asked for in one piece.

    Raises as `exchange` does.
    """
    asked_of = [WireMessage(role="user", content=request.prompt)]
    call = in_conversation(request.call, asked_of)
    call.check_kind("text")
    if not request.prompt:
        raise BadRequestError("prompt: it is empty", model=call.model, maybe_sent=False)
    fitted = fit(call, request.options, stream=stream)
    fitting = fit_window(
        call,
        asked_of,
        check=request.check_context,
        max_tokens=fitted.options.get("max_tokens"),
        count=request.count,
    )
    encode = FORMS[call.form].encode_prompt

    def asked(*, stream: bool) -> Request:
        path, body = encode(call, request.prompt, fitted.options, stream=stream, usage=request.stream_usage)
        return call.request(path, body)

    return asked, reading_of(call, fitted, learn=fitting.lesson(call.model)), fitted.whole
