"""The last turn of a chat: what is asked, and what was done about it so far."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from . import prompts
from .message import Message
from .tools import ToolCall

_CURRENT = re.compile(r"current message:\s*(?P<text>.*)\Z", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Turn:
    """The chat since the last user message: what is asked, what was called, what came back, what was said before."""

    asked: str
    called: tuple[ToolCall, ...] = ()
    results: tuple[str, ...] = ()
    before: str = ""

    @classmethod
    def of(cls, messages: Sequence[Message]) -> "Turn":
        """The last turn of a chat. Calls without a result count as not made."""
        at = max((i for i, message in enumerate(messages) if message.role == "user"), default=-1)
        since = messages[at + 1 :]
        answered = {message.call_id for message in since if message.is_result}
        brought = [message for message in since if message.is_result]
        called = [call for message in since for call in message.calls if call.id in answered]
        # A result without a call before it still says which tool ran.
        called += [ToolCall(m.name) for m in brought if m.name and m.name not in {call.name for call in called}]
        earlier = "\n".join(m.text for m in messages[:at] if m.role in {"user", "assistant"}) if at > 0 else ""
        return cls(_asked(messages, at), tuple(called), tuple(m.text for m in brought), earlier)


def _asked(messages: Sequence[Message], at: int) -> str:
    if at < 0:
        return messages[-1].text if messages else ""
    if current := _CURRENT.search(messages[at].text):
        return current["text"].strip()
    # A prompt of a framework carries a context beside its question: only the question is what is asked.
    reading = prompts.read([messages[at]])
    return reading.question if reading.context is not None else messages[at].text
