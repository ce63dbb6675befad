"""Waiting for queued work: which parts to ask for next, how long to pause, when to give up. Knows no socket."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Never

from workers_ai.cost import Cost
from workers_ai.errors import APITimeoutError, BadRequestError, InvalidResponseError, ServerError, WorkersAIError
from workers_ai.queued import QueuedRequest, QueueStatus, State
from workers_ai.tasks.queue import Part, failed_part, part_of, poll

if TYPE_CHECKING:
    from workers_ai.call import Call
    from workers_ai.exchange import Exchange
    from workers_ai.wire.queue import Polled

FACTOR = 1.6
"""How much longer each pause is than the one before."""

SPREAD = 0.25
"""The part of a pause that is drawn, so that clients that began together do not ask together."""

MAX_MISSES = 5
"""Polls in a row that may fail, each after its own retries, before the waiting ends."""

# Failures that tell of one part and leave the others alone; any other (a token, a quota) is the caller's to see to.
_OF_ONE_PART = (BadRequestError, InvalidResponseError, ServerError)


@dataclass(slots=True)
class Collecting:
    """The parts of queued work, and what is known of each. Times in seconds.

    timeout: None waits for ever. interval: the first pause; the n-th is `interval * FACTOR**n`, at most `longest`, less
    up to a quarter by chance.
    """

    queued: QueuedRequest
    call: Call
    timeout: float | None
    interval: float
    longest: float
    clock: Callable[[], float]
    draw: Callable[[], float]
    _parts: dict[int, Part] = field(default_factory=dict)
    _failures: dict[int, WorkersAIError] = field(default_factory=dict)
    _state: State = "queued"
    _pauses: int = 0
    _misses: int = 0
    _missed: WorkersAIError | None = None
    _begun: float = 0.0

    def __post_init__(self) -> None:
        for name, value in (("timeout", self.timeout), ("interval", self.interval), ("max_interval", self.longest)):
            if value is not None and not value > 0:
                raise BadRequestError(f"{name}={value}: seconds, above zero", model=self.call.model, maybe_sent=False)
        self._begun = self.clock()

    def due(self) -> list[int]:
        """The parts to ask for now."""
        return [number for number in range(len(self.queued.request_ids)) if number not in self._parts]

    def exchange(self, number: int) -> Exchange[Polled, Never]:
        """The poll of a part."""
        return poll(self.call, self.queued.request_ids[number])

    def took(self, number: int, polled: Polled) -> None:
        """Takes in what a poll told."""
        self._misses, self._missed = 0, None
        if polled.state == "done":
            self._parts[number] = part_of(self.queued, number, polled)
        if polled.state != "queued":
            self._state = "running"

    def failed(self, number: int, error: WorkersAIError) -> None:
        """Takes in how a poll failed. Raises the failure where it ends the waiting.

        One that passes is borne a few times in a row: the work goes on meanwhile. One that is of this part alone
        leaves the other parts' results to be fetched, and stands in the place of its own; where all parts fail so,
        the first failure is raised.
        """
        if error.retryable and self._misses < MAX_MISSES:
            self._misses, self._missed = self._misses + 1, error
            return
        if error.retryable or not isinstance(error, _OF_ONE_PART):
            raise self._with_handle(error)
        self._failures[number] = error
        self._parts[number] = failed_part(self.queued, number, error)
        if len(self._failures) == len(self.queued.request_ids):
            raise next(iter(self._failures.values()))

    @property
    def done(self) -> bool:
        """Whether every part is here."""
        return not self.due()

    def results(self) -> list[Any]:
        """The results of the parts that are here, in the order of the inputs."""
        return [result for number in sorted(self._parts) for result in self._parts[number].results]

    def status(self) -> QueueStatus:
        """How far the work is."""
        parts = self._parts.values()
        usages = [part.usage for part in parts if part.usage is not None]
        return QueueStatus(
            "done" if self.done else self._state,
            self.queued,
            finished=sum(len(part.results) for part in parts),
            results=self.results() if self.done else (),
            usage=sum(usages[1:], usages[0]) if usages else None,
            cost=_sum([part.cost for part in parts if part.cost is not None]),
        )

    def pause(self) -> float:
        """Seconds until the parts are to be asked for again. Raises APITimeoutError once the time is up."""
        left = None if self.timeout is None else self._begun + self.timeout - self.clock()
        if left is not None and left <= 0:
            raise self._late()
        pause = min(self.longest, self.interval * FACTOR**self._pauses) * (1 - SPREAD * self.draw())
        # The exponent stops where the pause does: a power without end is none that a float can hold.
        self._pauses += self.interval * FACTOR**self._pauses < self.longest
        return pause if left is None else min(pause, left)

    def _late(self) -> APITimeoutError:
        message = f"The queued work is not done after {self.timeout:g} s: it is {self.status().state}"
        late = APITimeoutError(message, model=self.call.model)
        late.__cause__ = self._missed
        self._with_handle(late)
        return late

    def _with_handle(self, error: WorkersAIError) -> WorkersAIError:
        return with_handle(error, self.queued, "The work itself goes on. Fetch its results later")


def with_handle(error: WorkersAIError, queued: QueuedRequest, told: str) -> WorkersAIError:
    """`error` with the way back to queued work: the ids in its hint, the whole handle in `partial`."""
    listed = queued.request_ids
    ids = repr(listed[0]) if len(listed) == 1 else repr(list(listed))
    way = f"{told}: queue.collect({ids}, model={queued.model!r}, kind={queued.kind!r})"
    error.hint = f"{error.hint}. {way}" if error.hint else way
    error.partial = queued.to_json()
    return error


def _sum(costs: Sequence[Cost]) -> Cost | None:
    if not costs:
        return None
    told = all(cost.source == "service" for cost in costs)
    neurons, usd = sum(cost.neurons for cost in costs), sum(cost.usd for cost in costs)
    return Cost(neurons, usd, "service" if told else "catalog")
