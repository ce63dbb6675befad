"""Queued work: many inputs handed to the service's batch queue, and their results fetched when they are there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Never

from pydantic_core import to_json

from workers_ai.answers import Ranking
from workers_ai.catalog import lookup, models
from workers_ai.cost import Cost
from workers_ai.errors import BadRequestError, InvalidResponseError, WorkersAIError
from workers_ai.exchange import Exchange, Reply, Request
from workers_ai.queued import ItemError, Kind, QueuedRequest
from workers_ai.tasks import chat as chats
from workers_ai.tasks import completion, embeddings
from workers_ai.tasks import rerank as reranks
from workers_ai.tasks.text_exchange import TextReading
from workers_ai.usage import Usage
from workers_ai.wire import queue as wire
from workers_ai.wire.answer import vectors_in
from workers_ai.wire.ranking import ranking_in
from workers_ai.wire.reading import Reading

if TYPE_CHECKING:
    from workers_ai.call import Call

_MOST_GAPS = 100_000
"""Places that are believed in without a handle: an id far beyond the answers is no place."""


@dataclass(frozen=True, slots=True)
class Job:
    """Work to be queued.

    bodies: for each input the JSON object that the model would be asked with by itself. references: yours, one each.
    reading: what must be known to read the answers, as JSON.
    """

    call: Call
    kind: Kind
    bodies: Sequence[bytes]
    references: tuple[str, ...] | None = None
    reading: Mapping[str, Any] = field(default_factory=dict)

    def handle(self, request_ids: Sequence[str], counts: Sequence[int]) -> QueuedRequest:
        """The handle of the parts that were queued."""
        references = self.references and self.references[: sum(counts)]
        return QueuedRequest(
            tuple(request_ids), self.call.model, self.kind, tuple(counts), references=references, reading=self.reading
        )


def of_chats(call: Call, requests: Sequence[chats.ChatRequest], references: Sequence[str] | None = None) -> Job:
    """A job of chats that differ in their messages.

    Raises BadRequestError as one chat would, before anything is sent.
    """
    check_offered(call)
    prepared = [chats.prepared(replace(request, call=_alone(call))) for request in requests]
    return _of_texts(call, "chat", prepared, references)


def of_prompts(
    call: Call, requests: Sequence[completion.CompletionRequest], references: Sequence[str] | None = None
) -> Job:
    """A job of plain prompts, as `of_chats`."""
    check_offered(call)
    prepared = [completion.prepared(replace(request, call=_alone(call))) for request in requests]
    return _of_texts(call, "completion", prepared, references)


def of_texts(request: embeddings.EmbeddingRequest, references: Sequence[str] | None = None) -> Job:
    """A job of texts to embed, each an input of its own, so that one that fails leaves the others alone.

    Raises BadRequestError as one embedding would, before anything is sent, naming the text.
    """
    call = _alone(request.call)
    call.check_kind("embeddings")
    check_offered(call)
    embeddings.check(request)
    alone = replace(request, call=call)
    bodies = [_body(embeddings.exchange(replace(alone, texts=[text])).request) for text in request.texts]
    reading = {} if request.dimensions is None else {"dimensions": request.dimensions}
    return _job(request.call, "embedding", bodies, references, reading)


def of_rankings(requests: Sequence[reranks.RerankRequest], references: Sequence[str] | None = None) -> Job:
    """A job of queries with the texts that each is to rank. Raises BadRequestError as one rerank would."""
    call = requests[0].call
    check_offered(call)
    bodies = [_body(reranks.exchange(replace(one, call=_alone(one.call))).request) for one in requests]
    top_n = requests[0].top_n
    return _job(call, "rerank", bodies, references, {"top_n": top_n} if top_n is not None else {})


def of_inputs(call: Call, inputs: Sequence[Mapping[str, Any]], references: Sequence[str] | None = None) -> Job:
    """A job of inputs as the model itself takes them: the way out, for tasks that this package does not know."""
    check_offered(call)
    alone = _alone(call)
    for place, one in enumerate(inputs):
        if not isinstance(one, Mapping):
            raise _refused(f"inputs[{place}]: a mapping is expected, not {type(one).__name__}", call)
    return _job(call, "raw", [_body(alone.request(alone.run_path, one)) for one in inputs], references)


def usual_kind(model: str) -> Kind:
    """What inputs of a model are where nothing else is said."""
    info = lookup(model)
    if info.does("embeddings"):
        return "embedding"
    if info.does("rerank"):
        return "rerank"
    return "chat" if info.task in ("Text Generation", "Unknown") else "raw"


def check_offered(call: Call) -> None:
    """Raises BadRequestError for a model that is known to have no queue, with the list of those that do."""
    if call.info.async_queue is False:
        offered = models(where=lambda one: one.async_queue is True and one.status == "current")
        named = ", ".join(one.id for one in offered if one.task == call.info.task) or "none of its task"
        raise _refused(f"{call.model} has no batch queue", call, hint=f"Models that have one: {named}")


def submissions(job: Job) -> Iterator[tuple[int, Exchange[str, Never]]]:
    """The exchanges that queue a job, each with the number of its inputs: the answer is the service's id.

    None of them is sent again where it may have been taken: the work would be done, and paid for, twice.
    """
    names = job.references or tuple(map(str, range(len(job.bodies))))
    items = [wire.encode_item(body, name) for body, name in zip(job.bodies, names, strict=True)]
    for place, item in enumerate(items):
        if wire.is_too_large(item):
            raise _refused(f"inputs[{place}] is larger than {wire.MAX_BYTES // 1_000_000} MB", job.call)
    model = job.call.model
    for part in wire.cut(items):
        request = _request(job.call, wire.encode(part), max_attempts=1)
        yield len(part), Exchange(request, lambda reply: wire.read_request_id(reply, model=model), once=True)


def poll(call: Call, request_id: str) -> Exchange[wire.Polled, Never]:
    """The exchange that asks how far queued work is."""
    request = _request(call, to_json({"request_id": request_id}))
    return Exchange(request, lambda reply: wire.read_poll(reply, model=call.model), idempotent=True)


@dataclass(frozen=True, slots=True)
class Part:
    """What one id brought: the results in the order of its inputs, and what they cost."""

    results: Sequence[Any]
    usage: Usage | None
    cost: Cost | None


def part_of(queued: QueuedRequest, number: int, polled: wire.Polled) -> Part:
    """The results of the part with that number, of a poll that found it done."""
    answers = polled.answers or ()
    places = _places(queued, number, answers)
    start = sum(queued.counts[:number])
    read = _reader(queued)
    results = [
        _result(start + place, reference, found, polled.head, read, queued.model)
        for place, (reference, found) in enumerate(places)
    ]
    facts = polled.facts
    return Part(results, facts.usage if facts else None, facts.cost if facts else None)


def failed_part(queued: QueuedRequest, number: int, error: WorkersAIError) -> Part:
    """The part with that number, all of whose inputs failed with one error."""
    start, count = sum(queued.counts[:number]), queued.counts[number] if queued.counts else 0
    places = range(start, start + count)
    return Part([ItemError(place, _reference(queued, place), error) for place in places], None, None)


def _result(
    position: int,
    reference: str | None,
    found: wire.Answered | None,
    head: Reply,
    read: Callable[[object, Reply], Any],
    model: str,
) -> Any:
    """What came of one input: the value that its kind means, or an ItemError."""
    if found is None:
        missing = InvalidResponseError("No answer came for this input", model=model, request_id=head.request_id)
        return ItemError(position, reference, missing)
    if found.error is not None:
        return ItemError(position, reference, found.error)
    try:
        return read(found.result, head)
    except WorkersAIError as unreadable:
        return ItemError(position, reference, unreadable)


def _places(
    queued: QueuedRequest, number: int, answers: Sequence[wire.Answered]
) -> list[tuple[str | None, wire.Answered | None]]:
    """For each input of a part its reference and its answer, wherever in the list that stood.

    By the reference that went out with the input, else by the id, which is the input's index; by the order of the
    list only where it has neither.
    """
    if not queued.counts:
        return [(found.reference if found else None, found) for found in _placed(answers, {}, _length(answers))]
    start, count = sum(queued.counts[:number]), queued.counts[number]
    names = [_reference(queued, place) for place in range(start, start + count)]
    known = {name: place for place, name in enumerate(names)} if len(set(names)) == count else {}
    return list(zip(names, _placed(answers, known, count), strict=True))


def _placed(answers: Sequence[wire.Answered], known: Mapping[str, int], count: int) -> list[wire.Answered | None]:
    if len(answers) == count and all(_place(one, known) is None for one in answers):
        return list(answers)
    found: list[wire.Answered | None] = [None] * count
    for answer in answers:
        place = _place(answer, known)
        if place is None or not 0 <= place < count:
            continue
        found[place] = answer if found[place] is None else _claimed_twice(answer)
    return found


def _place(answer: wire.Answered, known: Mapping[str, int]) -> int | None:
    return answer.id if answer.reference is None else known.get(answer.reference, answer.id)


def _claimed_twice(answer: wire.Answered) -> wire.Answered:
    return replace(answer, error=InvalidResponseError("Two answers came for this input: neither can be trusted"))


def _length(answers: Sequence[wire.Answered]) -> int:
    """How many inputs there were, as far as the answers tell: one that is missing at the end is not seen."""
    last = max((answer.id for answer in answers if answer.id is not None), default=-1)
    return max(len(answers), last + 1) if last < _MOST_GAPS else len(answers)


def _reference(queued: QueuedRequest, position: int) -> str:
    return queued.references[position] if queued.references is not None else str(position)


def _reader(queued: QueuedRequest) -> Callable[[object, Reply], Any]:
    """What turns one result into the value that the kind of the work means."""
    model = queued.model
    if queued.kind in ("chat", "completion"):
        info = lookup(model)
        reading = Reading(
            model,
            thinks_in_text=info.splits_think_tag,
            default_max_tokens=info.default_max_tokens,
            **queued.reading,
        )
        return TextReading(reading).read_result
    if queued.kind == "embedding":
        length = queued.reading.get("dimensions")
        return lambda result, head: vectors_in(result, head, model=model, expected=1, length=length).rows[0]
    if queued.kind == "rerank":
        return lambda result, head: _best(ranking_in(result, head, model=model), queued.reading.get("top_n"))
    return lambda result, _: result


def _best(ranking: Ranking, top_n: int | None) -> Ranking:
    """What was asked for: not every model that ranks takes a number."""
    return replace(ranking, items=ranking.items[:top_n])


_READ_BY = ("tools", "forced", "stops", "max_tokens")


def _of_texts(call: Call, kind: Kind, prepared: Sequence[Any], references: Sequence[str] | None) -> Job:
    bodies = [_body(asked(stream=False)) for asked, _, _ in prepared]
    told = {name: getattr(prepared[0][1], name) for name in _READ_BY} if prepared else {}
    return _job(call, kind, bodies, references, {name: value for name, value in told.items() if value})


def _body(request: Request) -> bytes:
    assert isinstance(request.body, bytes), "the input of a model is JSON"
    return request.body


def _job(
    call: Call,
    kind: Kind,
    bodies: Sequence[bytes],
    references: Sequence[str] | None,
    reading: Mapping[str, Any] | None = None,
) -> Job:
    if not bodies:
        raise _refused("inputs: there is none", call)
    if references is not None and (isinstance(references, str) or len(references) != len(bodies)):
        raise _refused(f"references: one for each of the {len(bodies)} inputs", call)
    if references is not None and not all(isinstance(one, str) for one in references):
        raise _refused("references: texts", call)
    return Job(call, kind, bodies, None if references is None else tuple(references), reading or {})


def _alone(call: Call) -> Call:
    """The call of one input. The queue stands at /ai/run alone, and nobody waits there who could be refused."""
    return replace(call, api="native", reject_if_busy=False)


def _request(call: Call, body: bytes, **of_gateway: Any) -> Request:
    """A request to the queue. of_gateway: what it asks of a gateway besides.

    Never from a gateway's cache: a poll would be answered with the state of long ago.
    """
    gateway = call.gateway and call.gateway.replace(skip_cache=True, **of_gateway)
    headers = {"x-session-affinity": call.session_affinity} if call.session_affinity else {}
    return Request(call.run_path, body, call.model, headers=headers, gateway=gateway, query=wire.QUERY)


def _refused(message: str, call: Call, *, hint: str | None = None) -> BadRequestError:
    return BadRequestError(message, model=call.model, hint=hint, maybe_sent=False)
