"""Stream frames to deltas, for both forms and for streams that mix them (quirks 13 to 31)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from pydantic_core import from_json

from workers_ai.answers import ChatDelta, Facts
from workers_ai.diagnosis import diagnose, is_refusal
from workers_ai.errors import InvalidResponseError, StreamInterruptedError
from workers_ai.exchange import Reply
from workers_ai.sse import DONE, Event, EventDecoder
from workers_ai.usage import StreamUsage, Usage
from workers_ai.wire.answer import finish_reason, mapping, reasoning_of
from workers_ai.wire.cut_off import inferred_finish_reason, stopped, tell_if_cut
from workers_ai.wire.reading import Reading
from workers_ai.wire.reply_facts import facts_of
from workers_ai.wire.text import as_text
from workers_ai.wire.think import ThinkSplitter
from workers_ai.wire.tool_calls import CallAssembler, CallPiece, leaked_call

_FOREIGN = frozenset({"chunk", "output"})
"""Keys of frames with a form of their own: moondream's, which repeat the text so far (quirk 27)."""

_TEXT_EVENTS = frozenset({"", "message", "error"})


def stream_reader(reading: Reading) -> Callable[[Reply], ChatStreamReader]:
    """How a stream is read."""
    return lambda head: ChatStreamReader(head, reading)


class ChatStreamReader:
    """State of one streamed answer. Its last delta carries the facts, and comes only when the stream was whole."""

    __slots__ = (
        "_body",
        "_calls",
        "_done",
        "_events",
        "_finish_reason",
        "_foreign",
        "_head",
        "_leak",
        "_model",
        "_pieces",
        "_reading",
        "_refusal",
        "_thinking",
        "_understood",
        "_usage",
    )

    def __init__(self, head: Reply, reading: Reading) -> None:
        self._head = head
        self._reading = reading
        self._model = reading.model
        self._events = EventDecoder()
        self._usage = StreamUsage()
        self._calls = CallAssembler(reading.tools)
        self._thinking = ThinkSplitter() if reading.thinks_in_text else None
        self._leak: str | None = "" if reading.forced else None  # text that may turn out to be a call
        self._pieces: list[str] = []
        self._refusal = ""
        self._body: dict[str, Any] = {}  # the answer's own id, model and time, from the first frame that tells them
        self._finish_reason: str | None = None
        self._done = False
        self._foreign = False  # whether any was of a kind that is not read here
        self._understood = False  # whether any frame was one of ours

    @property
    def partial(self) -> str:
        """Text that has arrived so far."""
        return "".join(self._pieces)

    @property
    def begun(self) -> bool:
        """Whether any frame of the answer has come."""
        return self._understood or self._foreign

    @property
    def done(self) -> bool:
        """Whether `[DONE]` has come."""
        return self._done

    def facts_so_far(self) -> Facts:
        """What is known of an answer that ends here, its usage as far as it was told."""
        return self._facts(self._usage.total(), None)

    def feed(self, data: bytes) -> Iterator[ChatDelta]:
        """Deltas with text, reasoning or calls, as frames complete. Raises the error an error frame carries."""
        for event in self._events.feed(data):
            yield from self._take(event)
            if self._done:
                return  # nothing behind it belongs to the answer, wherever the network cuts

    def close(self) -> Iterator[ChatDelta]:
        """What was held back, and the last delta.

        Raises StreamInterruptedError when neither `[DONE]` nor a finish reason was seen.
        """
        for event in () if self._done else self._events.close():
            yield from self._take(event)
        self._check_whole()
        usage = self._usage.total()
        ended = self._finish_reason or inferred_finish_reason(usage, self._reading)
        yield from self._held_back(ended)
        reason = stopped(finish_reason(ended, calls=self._calls.any), self.partial, self._reading)
        tell_if_cut(reason, empty=not (self.partial or self._calls.any), reading=self._reading)
        yield ChatDelta(
            refusal=self._refusal or None,  # whole, at the end: half a refusal would pass for one
            facts=self._facts(usage, reason),
        )

    def _facts(self, usage: Usage | None, finish_reason: str | None) -> Facts:
        return facts_of(
            self._head,
            model=self._model,
            requested=self._reading.requested,
            step=self._reading.step,
            body=self._body,
            usage=usage,
            finish_reason=finish_reason,
        )

    def _check_whole(self) -> None:
        if not self._done and self._finish_reason is None:
            raise StreamInterruptedError(
                "The stream ended before the answer was finished",
                model=self._model,
                request_id=self._head.request_id,
                partial=self.partial,
                hint="`partial` holds what had arrived" if self.begun else "Nothing had arrived: ask without streaming",
                retryable=not self.begun,
            )
        if not self._understood or (self._foreign and not self._pieces):
            raise InvalidResponseError(
                "The stream held no frame with text", model=self._model, request_id=self._head.request_id
            )

    def _held_back(self, ended: str) -> Iterator[ChatDelta]:
        """Text that could have been something else until the end: thinking without its end, a call that leaked."""
        text = ""
        if self._thinking is not None:
            reasoning, text = self._thinking.close(cut_off=ended == "length")
            if reasoning:
                yield ChatDelta(reasoning=reasoning)
        if self._leak is not None:
            text = self._leak + text
            leaked = None if self._calls.any else leaked_call(text, self._reading.forced, self._reading.tools)
            if leaked is not None:
                function = {"name": leaked.name, "arguments": leaked.arguments}
                yield ChatDelta(calls=self._calls.add([{"id": leaked.id, "function": function}]))
                return
        if text:
            self._pieces.append(text)
            yield ChatDelta(text)

    def _take(self, event: Event) -> Iterator[ChatDelta]:
        if event.name not in _TEXT_EVENTS:
            return  # AI Search names what is no text (quirk 28)
        for frame in self._frames(event.data):
            if (delta := self._delta(frame)) is not None:
                yield delta

    def _frames(self, data: bytes) -> Iterator[Mapping[str, Any]]:
        """The JSON objects of one event; lines that no blank line separates are frames of their own (quirk 24)."""
        if data == DONE:
            self._done = True
            return
        if not data.strip():
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
        if "usage" in frame:
            self._usage.add(frame["usage"], native="choices" not in frame)
        if not self._body and "id" in frame:
            self._body = {key: frame.get(key) for key in ("id", "model", "created")}
        self._foreign = self._foreign or not _FOREIGN.isdisjoint(frame)
        choices = frame.get("choices")
        if isinstance(choices, list):
            self._understood = True
            if choices and isinstance(choices[0], Mapping):
                return self._choice_delta(choices[0], frame)
        return self._native_delta(frame)

    def _choice_delta(self, choice: Mapping[str, Any], frame: Mapping[str, Any]) -> ChatDelta | None:
        if isinstance(reason := choice.get("finish_reason"), str) and reason:
            self._finish_reason = reason  # may come twice, or be null on the natural last frame (quirk 17)
        delta = mapping(choice.get("delta") or choice.get("message"))
        text = as_text(delta.get("content") if "content" in delta else choice.get("text"))
        # One frame can hold the same text in both forms (quirk 15): `choices` wins where it has any.
        if not text and "response" in frame:
            text = as_text(frame["response"])
        if refusal := delta.get("refusal"):
            self._refusal += as_text(refusal)
        calls = delta.get("tool_calls")
        return self._made(text, reasoning_of(delta), choice.get("logprobs"), calls or frame.get("tool_calls"))

    def _native_delta(self, frame: Mapping[str, Any]) -> ChatDelta | None:
        if "response" not in frame and "tool_calls" not in frame:
            return None  # padding (quirks 20, 21)
        self._understood = True
        return self._made(as_text(frame.get("response")), "", None, frame.get("tool_calls"))

    def _made(self, text: str, reasoning: str, logprobs: Any, calls: object) -> ChatDelta | None:
        pieces: Sequence[CallPiece] = self._calls.add(calls) if calls else ()
        if text and self._thinking is not None:
            thought, text = self._thinking.feed(text)
            reasoning += thought
        if text and self._leak is not None:
            text = self._passed(text)
        if text:
            self._pieces.append(text)
        if text or reasoning or logprobs or pieces:
            return ChatDelta(text, reasoning, logprobs, calls=pieces)
        return None

    def _passed(self, text: str) -> str:
        """`text`, unless a forced call may be leaking as JSON: then it is held until the end shows which."""
        self._leak = (self._leak or "") + text
        if self._leak.lstrip()[:1] in ("", "{"):
            return ""
        text, self._leak = self._leak, None
        return text
