"""Stream frames to deltas, for both forms and for streams that mix them (quirks 13 to 31)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pydantic_core import from_json

from workers_ai.answers import ChatDelta
from workers_ai.diagnosis import diagnose, is_refusal
from workers_ai.errors import InvalidResponseError, StreamInterruptedError
from workers_ai.exchange import Reply
from workers_ai.sse import DONE, Event, EventDecoder
from workers_ai.usage import StreamUsage
from workers_ai.wire.answer import reasoning_of
from workers_ai.wire.reply_facts import facts_of
from workers_ai.wire.text import as_text

_TEXT_EVENTS = frozenset({"", "message"})


def stream_reader(model: str) -> Callable[[Reply], ChatStreamReader]:
    """How the stream of a chat or a prompt with `model` is read."""
    return lambda head: ChatStreamReader(head, model=model)


class ChatStreamReader:
    """State of one streamed answer. Its last delta carries the facts, and comes only when the stream was whole."""

    __slots__ = (
        "_body",
        "_done",
        "_events",
        "_finish_reason",
        "_head",
        "_model",
        "_pieces",
        "_understood",
        "_usage",
    )

    def __init__(self, head: Reply, *, model: str) -> None:
        self._head = head
        self._model = model
        self._events = EventDecoder()
        self._usage = StreamUsage()
        self._pieces: list[str] = []
        self._body: dict[str, Any] = {}  # the answer's own id, model and time, from the first frame that tells them
        self._finish_reason: str | None = None
        self._done = False
        self._understood = False  # whether any frame was one of ours

    @property
    def partial(self) -> str:
        """Text that has arrived so far."""
        return "".join(self._pieces)

    def feed(self, data: bytes) -> Iterator[ChatDelta]:
        """Deltas with text or reasoning, as frames complete. Raises the error an error frame carries."""
        for event in self._events.feed(data):
            yield from self._take(event)

    def close(self) -> Iterator[ChatDelta]:
        """The last delta. Raises StreamInterruptedError when neither `[DONE]` nor a finish reason was seen."""
        for event in self._events.close():
            yield from self._take(event)
        if not self._done and self._finish_reason is None:
            raise StreamInterruptedError(
                "The stream ended before the answer was finished",
                model=self._model,
                request_id=self._head.request_id,
                partial=self.partial,
                hint="`partial` holds what had arrived",
            )
        if not self._understood:
            raise InvalidResponseError(
                "The stream held no frame with text", model=self._model, request_id=self._head.request_id
            )
        yield ChatDelta(
            facts=facts_of(
                self._head,
                model=self._model,
                body=self._body,
                usage=self._usage.total(),
                finish_reason=self._finish_reason or "stop",  # old native streams tell none (quirk 22)
            )
        )

    def _take(self, event: Event) -> Iterator[ChatDelta]:
        if event.name not in _TEXT_EVENTS and event.name != "error":
            return  # AI Search names what is no text (quirk 28)
        for frame in self._frames(event.data):
            if (delta := self._delta(frame)) is not None:
                yield delta

    def _frames(self, data: bytes) -> Iterator[Mapping[str, Any]]:
        """The JSON objects of one event; lines that no blank line separates are frames of their own (quirk 24)."""
        if data == DONE:
            self._done = True
            return
        try:
            frame = from_json(data)
        except ValueError:
            if b"\n" not in data:
                raise InvalidResponseError(
                    "A frame of the stream is no JSON", model=self._model, partial=self.partial
                ) from None
            for line in data.split(b"\n"):
                yield from self._frames(line)
            return
        if isinstance(frame, Mapping):
            yield frame

    def _delta(self, frame: Mapping[str, Any]) -> ChatDelta | None:
        if is_refusal(frame):
            raise diagnose(self._head, model=self._model, partial=self.partial, frame=frame)
        choices = frame.get("choices")
        if "usage" in frame:
            self._understood = True
            self._usage.add(frame["usage"], native="choices" not in frame)
        if not self._body and "id" in frame:
            self._body = {key: frame.get(key) for key in ("id", "model", "created")}
        if choices:
            return self._choice_delta(choices[0], frame)
        return self._native_delta(frame)

    def _choice_delta(self, choice: Mapping[str, Any], frame: Mapping[str, Any]) -> ChatDelta | None:
        self._understood = True
        if reason := choice.get("finish_reason"):
            self._finish_reason = reason  # may come twice, or be null on the natural last frame (quirk 17)
        delta = choice.get("delta") or choice.get("message") or {}
        text = as_text(delta.get("content") if "content" in delta else choice.get("text"))
        # One frame can hold the same text in both forms (quirk 15): `choices` wins where it has any.
        if not text and "response" in frame:
            text = as_text(frame["response"])
        reasoning = reasoning_of(delta)
        return self._made(text, reasoning, choice.get("logprobs"))

    def _native_delta(self, frame: Mapping[str, Any]) -> ChatDelta | None:
        if "response" not in frame:
            return None  # padding, or calls without text (quirks 20, 21)
        self._understood = True
        return self._made(as_text(frame["response"]), "", None)

    def _made(self, text: str, reasoning: str, logprobs: Any) -> ChatDelta | None:
        if text:
            self._pieces.append(text)
        return ChatDelta(text, reasoning, logprobs) if text or reasoning or logprobs else None
