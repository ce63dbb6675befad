"""What chats and completions have in common: which options go out, and how text is read back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from workers_ai.answers import ChatAnswer, ChatDelta, Facts
from workers_ai.call import Call
from workers_ai.errors import BadRequestError
from workers_ai.exchange import Exchange, Reply, Request, StreamReader
from workers_ai.wire.answer import chat_in, read_chat
from workers_ai.wire.frame import stream_reader
from workers_ai.wire.options import given
from workers_ai.wire.reading import Reading
from workers_ai.wire.response_format import response_format, wants_json
from workers_ai.wire.stop import cut_answer, stopping
from workers_ai.wire.tool_calls import CallPiece

TextExchange = Exchange[ChatAnswer, ChatDelta]


class Asking(Protocol):
    """Makes the request of a text answer, streamed or not."""

    def __call__(self, *, stream: bool) -> Request: ...


@dataclass(frozen=True, slots=True)
class Fitted:
    """Options as a model takes them.

    options: those that go out. stops: where the answer is cut here, because the model's input has no `stop`.
    whole: the answer must be asked for in one piece, even when the caller streams.
    """

    options: dict[str, Any]
    stops: Sequence[str] = ()
    whole: bool = False


def fit(call: Call, asked: Mapping[str, Any], *, stream: bool) -> Fitted:
    """`asked`, fitted to the call's model.

    Raises BadRequestError, before anything is sent, for an `n` that the model would silently ignore.
    """
    options, info = given(asked), call.info
    if (options.get("n") or 1) > 1 and (stream or (info.known and not info.takes_n)):
        reason = "a stream has one answer" if stream else f"{call.model} gives one answer"
        raise BadRequestError(f"n={options['n']}: {reason}", model=call.model, maybe_sent=False)
    if isinstance(options.get("response_format"), Mapping):
        options["response_format"] = response_format(options["response_format"], info)
    stops = options.pop("stop", None) or []
    stops = [stop for stop in ([stops] if isinstance(stops, str) else stops) if stop]
    if stops and info.takes("stop") is not False:
        options["stop"] = stops
    return Fitted(
        options,
        stops=() if info.takes_stop else stops,
        # Classic models refuse JSON mode in a stream (quirks 55, 104).
        whole=wants_json(options) and info.api == "native",
    )


def reading_of(call: Call, fitted: Fitted, **tools: Any) -> Reading:
    """How the answer to a call with these options is read. tools: what `Reading` holds of tools."""
    info = call.info
    return Reading(
        call.model,
        requested=call.requested,
        step=call.step,
        thinks_in_text=info.splits_think_tag,
        stops=fitted.stops,
        max_tokens=fitted.options.get("max_tokens"),
        default_max_tokens=info.default_max_tokens,
        **tools,
    )


@dataclass(frozen=True, slots=True)
class TextReading:
    """How a text answer is read, and cut at the stop sequences that the model does not know."""

    reading: Reading

    def read(self, reply: Reply) -> ChatAnswer:
        """The answer in a whole reply."""
        return self._noted(read_chat(reply, self.reading))

    def read_result(self, result: object, reply: Reply) -> ChatAnswer:
        """The answer in a result that is out of its envelope; `reply`: what it came with."""
        return self._noted(chat_in(result, reply, self.reading))

    def _noted(self, answer: ChatAnswer) -> ChatAnswer:
        if self.reading.learn is not None and answer.usage is not None:
            self.reading.learn(answer.usage.input_tokens)
        return cut_answer(answer, self.reading.stops) if self.reading.stops else answer

    def _reader(self) -> Callable[[Reply], StreamReader[ChatDelta]]:
        reader: Callable[[Reply], StreamReader[ChatDelta]] = stream_reader(self.reading)
        if self.reading.learn is not None:
            reader = learning(reader, self.reading.learn)
        return stopping(reader, self.reading.stops) if self.reading.stops else reader

    def exchange(self, asked: Asking, *, stream: bool, whole: bool = False) -> TextExchange:
        """The exchange of a request. asked: makes it, streamed or not. whole: ask for it in one piece in any case."""
        if not stream:
            return Exchange(asked(stream=False), self.read)
        return Exchange(
            asked(stream=not whole),
            self.read,
            reader=self._reader(),
            whole=as_deltas,
            unstreamed=None if whole else lambda: Exchange(asked(stream=False), self.read),
        )


class LearningReader:
    """A stream reader that tells the tokens of the prompt, once they are known."""

    __slots__ = ("_inner", "_learn")

    def __init__(self, inner: StreamReader[ChatDelta], learn: Callable[[int], None]) -> None:
        self._inner = inner
        self._learn = learn

    @property
    def partial(self) -> str:
        """Text that has arrived so far."""
        return self._inner.partial

    @property
    def begun(self) -> bool:
        """Whether any part of the answer has come."""
        return self._inner.begun

    @property
    def done(self) -> bool:
        """Whether the stream has said that it is at its end."""
        return self._inner.done

    def facts_so_far(self) -> Facts | None:
        """What is known of an answer that ends here."""
        return self._inner.facts_so_far()

    def feed(self, data: bytes) -> Iterable[ChatDelta]:
        """As the inner reader; the facts come with the end."""
        return self._inner.feed(data)

    def close(self) -> Iterator[ChatDelta]:
        """The last deltas, and what is to be learnt from them."""
        for delta in self._inner.close():
            if delta.facts is not None and delta.facts.usage is not None:
                self._learn(delta.facts.usage.input_tokens)
            yield delta


def learning(
    reader: Callable[[Reply], StreamReader[ChatDelta]], learn: Callable[[int], None]
) -> Callable[[Reply], StreamReader[ChatDelta]]:
    """`reader` for streams that are learnt from."""
    return lambda head: LearningReader(reader(head), learn)


def as_deltas(answer: ChatAnswer) -> Iterator[ChatDelta]:
    """The deltas of an answer that came whole although a stream was asked for."""
    choice = answer.choices[0]
    if choice.reasoning:
        yield ChatDelta(reasoning=choice.reasoning)
    if choice.text:
        yield ChatDelta(choice.text, logprobs=choice.logprobs)
    if choice.tool_calls:
        yield ChatDelta(
            calls=[
                CallPiece(place, call.arguments_text, call.id, call.name)
                for place, call in enumerate(choice.tool_calls)
            ]
        )
    yield ChatDelta(facts=answer.facts, refusal=choice.refusal)
