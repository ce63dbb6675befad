"""OpenAI's shapes: the stamp that all frames of an answer share, chunks, whole completions, and text as JSON."""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from . import ids
from .backend import End
from .chat_request import ChatRequest

Frame = dict[str, Any]

# As long as a double holds it exactly. "007" stays text: it is no JSON number.
_NUMBER = re.compile(r"0|[1-9][0-9]{0,14}")


def wire_text(text: str, *, numbers: bool) -> str | int:
    """Text as the service puts it into JSON: what is all digits becomes a number in some families (quirk 6)."""
    return int(text) if numbers and _NUMBER.fullmatch(text) else text


def finish_reason(request: ChatRequest, end: End) -> str:
    """Why the answer ended; "stop" beside calls if the quirk is asked for (38)."""
    return "stop" if end.finish_reason == "tool_calls" and "finish-stop" in request.quirks else end.finish_reason


def reasoning_key(request: ChatRequest) -> str:
    """Where reasoning stands in a message or delta (quirk 29)."""
    return "reasoning" if "reasoning-key" in request.quirks else "reasoning_content"


@dataclass(frozen=True, slots=True)
class Stamp:
    """Id, time (Unix seconds) and model of one answer."""

    id: str
    created: int
    model: str

    @classmethod
    def of(cls, request: ChatRequest, *, openai: bool) -> "Stamp":
        """A fresh stamp. Ids of `/ai/v1` are the router's, native ones those of the model's server (quirk 10)."""
        own_id = ids.chat_completion_id if request.family.name == "gpt-oss" else ids.hex_id
        return cls((ids.routed_id if openai else own_id)(), int(time.time()), request.answering_model)

    def frame(self, kind: str, choices: Sequence[Frame], **extra: Any) -> Frame:
        """An object of this answer, e.g. `kind="chat.completion.chunk"`."""
        return {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "choices": list(choices),
            **extra,
        }

    def chunk(self, choices: Sequence[Frame], **extra: Any) -> Frame:
        """A frame of a chat stream."""
        return self.frame("chat.completion.chunk", choices, **extra)


def delta_choice(delta: Frame, **extra: Any) -> Frame:
    """The one choice of a chat stream's frame."""
    return {"index": 0, "delta": delta, **extra}
