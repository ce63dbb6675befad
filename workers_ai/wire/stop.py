"""Stop sequences for models whose input has none: the answer is cut here instead of silently running on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from workers_ai.answers import ChatAnswer, ChatDelta, Facts
from workers_ai.errors import WorkersAIError
from workers_ai.exchange import Reply, StreamReader


def cut(text: str, stops: Sequence[str]) -> str:
    """`text` up to the first of `stops`, which is left out, as the service does where it knows them."""
    places = [place for stop in stops if (place := text.find(stop)) >= 0]
    return text[: min(places)] if places else text


def cut_answer(answer: ChatAnswer, stops: Sequence[str]) -> ChatAnswer:
    """`answer` with each choice cut."""
    return replace(answer, choices=[replace(choice, text=cut(choice.text, stops)) for choice in answer.choices])


class StoppingReader:
    """A stream reader that ends the text at a stop sequence, and reads on for the usage.

    Text that may be the beginning of a stop sequence is held back until it is clear.
    """

    __slots__ = ("_inner", "_open", "_stopped", "_stops")

    def __init__(self, inner: StreamReader[ChatDelta], stops: Sequence[str]) -> None:
        self._inner = inner
        self._stops = stops
        self._open = ""
        self._stopped = False

    @property
    def partial(self) -> str:
        """Text that has arrived so far."""
        return cut(self._inner.partial, self._stops)

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

    def feed(self, data: bytes) -> Iterator[ChatDelta]:
        """Deltas up to the stop sequence."""
        return self._passed(self._inner.feed(data))

    def close(self) -> Iterator[ChatDelta]:
        """What was held back, and the last delta."""
        for delta in self._passed(self._inner.close()):
            if delta.facts is not None and (rest := cut(self._open, self._stops)):
                yield ChatDelta(rest)
            yield delta

    def _passed(self, deltas: Iterable[ChatDelta]) -> Iterator[ChatDelta]:
        try:
            for delta in deltas:
                delta.text = self._clear(delta.text) if delta.text else ""
                if delta != ChatDelta():
                    yield delta
        except WorkersAIError as error:
            error.partial = self.partial  # what had arrived ends at the stop sequence too
            raise

    def _clear(self, text: str) -> str:
        """The part of the text that is certain: before any stop sequence and any beginning of one."""
        if self._stopped:
            return ""
        text = self._open + text
        kept = cut(text, self._stops)
        begun = len(text) - max(overlap(text, stop) for stop in self._stops)
        if begun < len(kept) or len(kept) == len(text):
            # Another sequence may have begun earlier than the one that is complete, if any is.
            self._open = text[begun:]
            return text[:begun]
        self._stopped, self._open = True, ""
        return kept


def stopping(
    reader: Callable[[Reply], StreamReader[ChatDelta]], stops: Sequence[str]
) -> Callable[[Reply], StreamReader[ChatDelta]]:
    """`reader` with its text cut at `stops`."""
    return lambda head: StoppingReader(reader(head), stops)


def overlap(text: str, stop: str) -> int:
    """Characters at the end of `text` with which `stop` begins."""
    longest = min(len(text), len(stop) - 1)
    return next((size for size in range(longest, 0, -1) if text.endswith(stop[:size])), 0)
