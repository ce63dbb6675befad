"""Many texts: cut into requests, several of them in flight, halved where the service asks for it, results in order."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from threading import Lock
from typing import TYPE_CHECKING

from workers_ai.batching import cut
from workers_ai.errors import (
    BadRequestError,
    ContextLengthError,
    InvalidResponseError,
    WorkersAIError,
    recast,
)
from workers_ai.in_flight import ain_order, in_order
from workers_ai.tasks.embeddings import EmbeddingRequest, check, exchange
from workers_ai.text_tokens import likely

if TYPE_CHECKING:
    from workers_ai.answers import Vectors
    from workers_ai.errors import ErrorClasses
    from workers_ai.transport import Transport

MAX_CONCURRENCY = 8

OnAnswer = Callable[["Vectors"], object]
"""Called with the answer to each request, one at a time; its rows are those of the request's texts."""

Around = Callable[[EmbeddingRequest, Callable[[], "Vectors"]], "Vectors"]
"""Called for each request with what sends it, and returns what that returned: events and rate limits stand here."""

AsyncAround = Callable[[EmbeddingRequest, Callable[[], Awaitable["Vectors"]]], Awaitable["Vectors"]]
"""As `Around`."""


def requests_for(request: EmbeddingRequest, *, batch_size: int | None = None) -> list[EmbeddingRequest]:
    """`request`, cut into as many as the model's limits (or a smaller `batch_size`) ask for; none for no texts.

    The limits: texts, and tokens of all texts together by a rough count. Raises BadRequestError, before anything is
    sent, for an empty text and ContextLengthError for one that is surely too long, each naming its position among all
    texts, and BadRequestError for a pooling or dimensions that the model does not offer.
    """
    if batch_size is not None and batch_size < 1:
        raise BadRequestError(f"batch_size={batch_size}: 1 or more", model=request.call.model, maybe_sent=False)
    check(request)
    info, texts = request.call.info, request.texts
    size = min(batch_size or info.max_texts, info.max_texts)
    besides = likely(request.instruction) if request.instruction else 0
    slices = cut(texts, most_texts=size, most_tokens=info.max_batch_tokens, tokens=lambda text: likely(text) + besides)
    return [replace(request, texts=texts[each]) for each in slices]


def embed(
    transport: Transport,
    requests: Sequence[EmbeddingRequest],
    *,
    max_concurrency: int = MAX_CONCURRENCY,
    on_answer: OnAnswer | None = None,
    around: Around | None = None,
    places: Sequence[int] | None = None,
) -> list[list[float]]:
    """The vectors of all requests in order, with at most `max_concurrency` of them in flight, each in a thread.

    A request that is refused for the tokens of all its texts goes out again in halves; a text that is too long by
    itself is named. The first failure ends the work: what has not begun is not sent, and the error's `done` and
    `not_done` tell the texts. Raises InvalidResponseError when vectors differ in length.
    on_answer: called with each request's answer. around: called for each request with what sends it.
    places: where each text stands in the list that errors are to speak of; unset, as they come.
    """

    def send(request: EmbeddingRequest) -> Vectors:
        if around is None:
            return transport.send(exchange(request))
        return around(request, lambda: transport.send(exchange(request)))

    def work(whole: _Part) -> None:
        waiting = [whole]
        while waiting:
            part = waiting.pop()
            try:
                answer = send(part.request)
            except ContextLengthError as refused:
                waiting += part.after(refused)
            else:
                gathered.take(part, answer)

    parts = _parts(requests, places)
    gathered = _Gathered(parts, on_answer, transport.errors)
    try:
        in_order(work, parts, at_once=max_concurrency)
    except WorkersAIError as failed:
        gathered.tell(failed)
        raise
    return gathered.in_order()


async def aembed(
    transport: Transport,
    requests: Sequence[EmbeddingRequest],
    *,
    max_concurrency: int = MAX_CONCURRENCY,
    on_answer: OnAnswer | None = None,
    around: AsyncAround | None = None,
    places: Sequence[int] | None = None,
) -> list[list[float]]:
    """As `embed`, with tasks instead of threads."""

    async def send(request: EmbeddingRequest) -> Vectors:
        if around is None:
            return await transport.asend(exchange(request))
        return await around(request, lambda: transport.asend(exchange(request)))

    async def work(whole: _Part) -> None:
        waiting = [whole]
        while waiting:
            part = waiting.pop()
            try:
                answer = await send(part.request)
            except ContextLengthError as refused:
                waiting += part.after(refused)
            else:
                gathered.take(part, answer)

    parts = _parts(requests, places)
    gathered = _Gathered(parts, on_answer, transport.errors)
    try:
        await ain_order(work, parts, at_once=max_concurrency)
    except WorkersAIError as failed:
        gathered.tell(failed)
        raise
    return gathered.in_order()


def _parts(requests: Sequence[EmbeddingRequest], places: Sequence[int] | None) -> list[_Part]:
    ends = list(accumulate(len(request.texts) for request in requests))
    places = range(ends[-1] if ends else 0) if places is None else places
    return [_Part(each, places[end - len(each.texts) : end]) for each, end in zip(requests, ends, strict=True)]


@dataclass(frozen=True, slots=True)
class _Part:
    """Some of the texts, and the request for them. places: where each stands among all texts."""

    request: EmbeddingRequest
    places: Sequence[int]

    def after(self, refused: ContextLengthError) -> list[_Part]:
        """What to ask instead, the first last. Raises `refused`, the text named, where this is a single one.

        One limit is on all texts together: halves may pass. The other is on each text, and the service does not say
        which it was: the longest by itself will tell, and costs nothing if it is refused.
        """
        texts = self.request.texts
        if len(texts) == 1:
            place = self.places[0]
            refused.message = f"texts[{place}] is too long for one text: {refused.message}"
            refused.hint = "Shorten it, or cut it into several"
            raise refused
        if refused.of_one_text:
            longest = max(range(len(texts)), key=lambda at: likely(texts[at]))
            return [self._of([at for at in range(len(texts)) if at != longest]), self._of([longest])]
        middle = len(texts) // 2
        return [self._of(range(middle, len(texts))), self._of(range(middle))]

    def _of(self, chosen: Sequence[int]) -> _Part:
        texts = [self.request.texts[at] for at in chosen]
        return _Part(replace(self.request, texts=texts), [self.places[at] for at in chosen])


class _Gathered:
    """The vectors so far, each at its text's place. Several threads bring them."""

    def __init__(self, parts: Sequence[_Part], on_answer: OnAnswer | None, errors: ErrorClasses) -> None:
        self._rows: dict[int, list[float]] = {}
        self._places = [place for part in parts for place in part.places]
        self._on_answer = on_answer
        self._errors = errors
        self._lock = Lock()
        self._length: int | None = None

    def in_order(self) -> list[list[float]]:
        """All vectors, in the order of the texts."""
        return [self._rows[place] for place in self._places]

    def take(self, part: _Part, answer: Vectors) -> None:
        with self._lock:
            length = len(answer.rows[0])
            if self._length not in (None, length):
                message = (
                    f"Vectors of one length were expected: one answer has {length} numbers, another {self._length}"
                )
                facts = answer.facts
                error = InvalidResponseError(message, model=facts.model, request_id=facts.request_id)
                raise recast(error, self._errors)
            self._length = length
            self._rows.update(zip(part.places, answer.rows, strict=True))
            if self._on_answer is not None:
                self._on_answer(answer)

    def tell(self, failed: WorkersAIError) -> None:
        """Notes on an error which texts have their vectors and which have not, if there were several."""
        if len(self._places) > 1:
            failed.done = ranges(place for place in self._places if place in self._rows)
            failed.not_done = ranges(place for place in self._places if place not in self._rows)


def ranges(places: Iterable[int]) -> tuple[range, ...]:
    """Ascending numbers as the ranges that they fill."""
    found: list[range] = []
    for place in places:
        if found and found[-1].stop == place:
            found[-1] = range(found[-1].start, place + 1)
        else:
            found.append(range(place, place + 1))
    return tuple(found)
