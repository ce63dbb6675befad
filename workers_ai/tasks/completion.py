"""A completion: one prompt in, text out, whole or streamed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from workers_ai.call import Call
from workers_ai.errors import BadRequestError
from workers_ai.exchange import Request
from workers_ai.tasks.text_exchange import Asking, TextExchange, TextReading, fit, reading_of
from workers_ai.wire.form import FORMS
from workers_ai.wire.reading import Reading


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """What a completion asks; options and stream_usage as in `ChatRequest`. `raw` leaves out the chat template."""

    call: Call
    prompt: str
    options: Mapping[str, Any] = field(default_factory=dict)
    stream_usage: bool = True


def exchange(request: CompletionRequest, *, stream: bool = False) -> TextExchange:
    """The exchange of a completion.

    Raises BadRequestError, before anything is sent, for an empty prompt and for an embedding model.
    """
    request = replace(request, call=request.call.within_budget())
    asked, reading, whole = prepared(request, stream=stream)
    return TextReading(reading).exchange(asked, stream=stream, whole=whole)


def prepared(request: CompletionRequest, *, stream: bool = False) -> tuple[Asking, Reading, bool]:
    """What makes the request of a completion, how its answer is read, and whether it must be asked for in one piece.

    Raises as `exchange` does.
    """
    call = request.call
    call.check_kind("text")
    if not request.prompt:
        raise BadRequestError("prompt: it is empty", model=call.model, maybe_sent=False)
    fitted = fit(call, request.options, stream=stream)
    encode = FORMS[call.form].encode_prompt

    def asked(*, stream: bool) -> Request:
        path, body = encode(call, request.prompt, fitted.options, stream=stream, usage=request.stream_usage)
        return call.request(path, body)

    return asked, reading_of(call, fitted), fitted.whole
