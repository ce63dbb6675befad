"""Whole chat answers, dressed in the family's form."""

from typing import Any

from .chat_request import ChatRequest
from .completion import Frame, Stamp, wire_text
from .generation import Whole
from .usage import Usage


def native(request: ChatRequest, whole: Whole, usage: Usage) -> Frame:
    """What stands under `result` on `/ai/run`."""
    if request.family.answer == "response":
        text = wire_text(whole.text, numbers=request.family.numbers)
        return {"response": text, "tool_calls": [], "usage": {**usage.counts(), "neurons": usage.neurons}}
    stamp = Stamp.of(request, openai=False)
    return _text_completion(stamp, whole, usage) if request.legacy_prompt else _chat(request, stamp, whole, usage)


def openai(request: ChatRequest, whole: Whole, usage: Usage) -> Frame:
    """The body on `/ai/v1/chat/completions`: no envelope (quirk 2)."""
    return _chat(request, Stamp.of(request, openai=True), whole, usage)


def _chat(request: ChatRequest, stamp: Stamp, whole: Whole, usage: Usage) -> Frame:
    choice: Frame = {
        "index": 0,
        "message": _message(request, whole),
        "logprobs": None,
        "finish_reason": whole.end.finish_reason,
    }
    return stamp.frame("chat.completion", [choice], usage=usage.full())


def _message(request: ChatRequest, whole: Whole) -> dict[str, Any]:
    # An answer cut within its reasoning has no content: "" from some models, null from others (quirk 7).
    text = wire_text(whole.text, numbers=request.family.numbers)
    content = text if whole.text or not whole.reasoning else request.family.no_text
    message = {"role": "assistant", "content": content, **request.family.message_extras}
    return message | ({"reasoning_content": whole.reasoning} if whole.reasoning else {})


def _text_completion(stamp: Stamp, whole: Whole, usage: Usage) -> Frame:
    choice: Frame = {"index": 0, "text": whole.text, "logprobs": None, "finish_reason": whole.end.finish_reason}
    return stamp.frame("text_completion", [choice], usage=usage.full())
