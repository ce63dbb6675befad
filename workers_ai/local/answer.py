"""Whole chat answers, dressed in the family's form."""

import json
from typing import Any

from . import schemas
from .call_pieces import flat_call, whole_call
from .chat_request import ChatRequest
from .completion import Frame, Stamp, finish_reason, reasoning_key, wire_text
from .generation import Whole
from .usage import Usage


def native(request: ChatRequest, whole: Whole, usage: Usage) -> Frame:
    """What stands under `result` on `/ai/run`."""
    if request.family.answer == "response":
        return _classic(request, whole, usage)
    stamp = Stamp.of(request, openai=False)
    return _text_completion(stamp, whole, usage) if request.legacy_prompt else _chat(request, stamp, whole, usage)


def _classic(request: ChatRequest, whole: Whole, usage: Usage) -> Frame:
    family = request.family
    calls = [flat_call(family, call.name, call.arguments, request.quirks) for call in whole.calls]
    # Null beside calls, and never a number there (quirk 4).
    text = _classic_text(request, whole) if whole.text or not calls else None
    answer: Frame = {"response": text, "tool_calls": calls}
    if calls and family.native_finish:
        answer["finish_reason"] = "stop"
    return {**answer, "usage": {**usage.short(), "neurons": usage.neurons}}


def _classic_text(request: ChatRequest, whole: Whole) -> Any:
    """In JSON mode the parsed value, not its text (quirk 5)."""
    if request.schema is not None:
        try:
            return json.loads(whole.text)
        except ValueError:
            return whole.text
    return wire_text(whole.text, numbers=request.family.numbers)


def breaks_promise(request: ChatRequest, whole: Whole) -> bool:
    """Whether JSON mode was asked for and not met: the text broke off, or nothing can meet the schema (quirk 55)."""
    if request.schema is None or whole.calls:
        return False
    if "json-unmet" in request.quirks:
        return True
    if request.family.answer == "completion":
        return False
    try:
        json.loads(whole.text)
    except ValueError:
        return True
    return schemas.is_impossible(request.schema, request.schema)


def openai(request: ChatRequest, whole: Whole, usage: Usage) -> Frame:
    """The body on `/ai/v1/chat/completions`: no envelope (quirk 2)."""
    return _chat(request, Stamp.of(request, openai=True), whole, usage)


def _chat(request: ChatRequest, stamp: Stamp, whole: Whole, usage: Usage) -> Frame:
    choice: Frame = {
        "index": 0,
        "message": _message(request, whole),
        "logprobs": None,
        "finish_reason": finish_reason(request, whole.end),
    }
    return stamp.frame("chat.completion", [choice], usage=usage.full())


def _message(request: ChatRequest, whole: Whole) -> dict[str, Any]:
    # Nothing but reasoning or calls leaves no content: "" from some models, null from others (quirk 7).
    text = wire_text(whole.text, numbers=request.family.numbers)
    content = text if whole.text or not (whole.reasoning or whole.calls) else request.family.no_text
    message = {"role": "assistant", "content": content, **request.family.message_extras}
    if whole.reasoning:
        message[reasoning_key(request)] = whole.reasoning
    if whole.refusal:
        message |= {"content": None, "refusal": whole.refusal}
    if whole.calls:
        message["tool_calls"] = [
            whole_call(request.family, call.index, call.name, call.arguments, request.quirks) for call in whole.calls
        ]
    return message


def _text_completion(stamp: Stamp, whole: Whole, usage: Usage) -> Frame:
    choice: Frame = {"index": 0, "text": whole.text, "logprobs": None, "finish_reason": whole.end.finish_reason}
    return stamp.frame("text_completion", [choice], usage=usage.full())
