"""`Client.queue`: work that nobody waits for. Submitted now, polled or collected later, from any process."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from workers_ai.collecting import Collecting, with_handle
from workers_ai.errors import BadRequestError, WorkersAIError, recast
from workers_ai.queue_bar import OnStatus, watched
from workers_ai.queued import ItemError, Kind, QueuedRequest, QueueStatus
from workers_ai.retry import may_have_been_taken
from workers_ai.tasks import queue as tasks

if TYPE_CHECKING:
    from workers_ai.connection import ConnectionFields

TIMEOUT = 3600.0
"""Seconds that `collect` waits unless told otherwise."""

INTERVAL, MAX_INTERVAL = 1.0, 30.0
"""Seconds between polls, at first and at most."""

Handle = QueuedRequest | Mapping[str, Any] | Sequence[str] | str
Built = TypeVar("Built")


@dataclass(frozen=True, slots=True)
class Queue:
    """The batch queue, with the connection of `owner`. Every operation is there plain, and async with an `a` in front.

    clock, sleep, asleep, draw: of the waiting; a test puts its own in their places.
    """

    owner: ConnectionFields
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], object] = time.sleep
    asleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    draw: Callable[[], float] = random.random

    def submit_job(self, job: tasks.Job) -> QueuedRequest:
        """Queues a job; the handle to fetch its results with.

        A request that may have been taken is not sent again: the failure is raised, with a word about it. Where others
        went before it, its `partial` is their handle, as JSON.
        """
        ids: list[str] = []
        counts: list[int] = []
        for count, exchange in self._built(tasks.submissions, job):
            try:
                ids.append(self.owner._transport.send(exchange))
                counts.append(count)
            except WorkersAIError as error:
                raise _not_queued(error, job, ids, counts) from error.__cause__
        return job.handle(ids, counts)

    async def asubmit_job(self, job: tasks.Job) -> QueuedRequest:
        """As `submit_job`."""
        ids: list[str] = []
        counts: list[int] = []
        for count, exchange in self._built(tasks.submissions, job):
            try:
                ids.append(await self.owner._transport.asend(exchange))
                counts.append(count)
            except WorkersAIError as error:
                raise _not_queued(error, job, ids, counts) from error.__cause__
        return job.handle(ids, counts)

    def poll(self, queued: Handle, *, model: str | None = None, kind: Kind | None = None) -> QueueStatus:
        """How far the work is, asked once; with its results where it is done. Arguments as in `collect`."""
        work = self._collecting(queued, model, kind, None, INTERVAL, MAX_INTERVAL)
        for number in work.due():
            work.took(number, self.owner._transport.send(work.exchange(number)))
        return self._shown(work.status())

    async def apoll(self, queued: Handle, *, model: str | None = None, kind: Kind | None = None) -> QueueStatus:
        """As `poll`."""
        work = self._collecting(queued, model, kind, None, INTERVAL, MAX_INTERVAL)
        for number in work.due():
            work.took(number, await self.owner._transport.asend(work.exchange(number)))
        return self._shown(work.status())

    def collect(
        self,
        queued: Handle,
        *,
        model: str | None = None,
        kind: Kind | None = None,
        timeout: float | None = TIMEOUT,
        interval: float = INTERVAL,
        max_interval: float = MAX_INTERVAL,
        on_status: OnStatus | None = None,
        show_progress: bool = False,
    ) -> list[Any]:
        """The results of queued work, waited for: one for each input, in their order, an `ItemError` where it failed.

        A chat's or prompt's result is a `ChatAnswer`, a text's a list of floats, a query's a `Ranking` (its items tell
        the places of the texts; the texts themselves are not kept), that of kind "raw" the service's own object.

        queued: the handle, also as a dict; or the service's id (several: a list) with the model and, where it is not
            the model's ordinary one, the kind.
        timeout: seconds to wait, None for ever. interval, max_interval: seconds between polls; each pause is longer
            than the one before, and a quarter of it is drawn by lot.
        on_status: called with a `QueueStatus` after each round of polls. show_progress: a bar on a terminal (tqdm).

        Raises APITimeoutError when the time is up: the work goes on, the hint tells how to fetch it, and `partial` is
        the handle as JSON. A poll that fails for a while (no connection, 5xx) is repeated within that time.
        """
        work = self._collecting(queued, model, kind, timeout, interval, max_interval)
        with watched(work.queued.count, on_status, shown=show_progress) as tell:
            while True:
                for number in work.due():
                    try:
                        work.took(number, self.owner._transport.send(work.exchange(number)))
                    except WorkersAIError as error:
                        work.failed(number, error)
                tell(self._shown(work.status()))
                if work.done:
                    return self._own(work.results())
                self.sleep(self._built(work.pause))

    async def acollect(
        self,
        queued: Handle,
        *,
        model: str | None = None,
        kind: Kind | None = None,
        timeout: float | None = TIMEOUT,
        interval: float = INTERVAL,
        max_interval: float = MAX_INTERVAL,
        on_status: OnStatus | None = None,
        show_progress: bool = False,
    ) -> list[Any]:
        """As `collect`."""
        work = self._collecting(queued, model, kind, timeout, interval, max_interval)
        with watched(work.queued.count, on_status, shown=show_progress) as tell:
            while True:
                for number in work.due():
                    try:
                        work.took(number, await self.owner._transport.asend(work.exchange(number)))
                    except WorkersAIError as error:
                        work.failed(number, error)
                tell(self._shown(work.status()))
                if work.done:
                    return self._own(work.results())
                await self.asleep(self._built(work.pause))

    def _collecting(
        self,
        queued: Handle,
        model: str | None,
        kind: Kind | None,
        timeout: float | None,
        interval: float,
        longest: float,
    ) -> Collecting:
        handle = self._built(handle_of, queued, model, kind)
        call = self.owner._call(handle.model, {})
        return self._built(Collecting, handle, call, timeout, interval, longest, self.clock, self.draw)

    def _built(self, build: Callable[..., Built], *args: Any) -> Built:
        """What `build` makes; what it refuses is raised as the owner's class of error."""
        return self.owner._exchange(build, *args)

    def _shown(self, status: QueueStatus) -> QueueStatus:
        return QueueStatus(
            status.state, status.queued, status.finished, self._own(status.results), status.usage, status.cost
        )

    def _own(self, results: Sequence[Any]) -> list[Any]:
        """`results`, their errors as the owner's classes."""
        classes = self.owner.error_classes
        return [
            ItemError(result.position, result.reference, recast(result.error, classes))
            if isinstance(result, ItemError)
            else result
            for result in results
        ]


def handle_of(queued: Handle, model: str | None, kind: Kind | None) -> QueuedRequest:
    """The handle that is meant. Raises BadRequestError for an id without its model."""
    if isinstance(queued, QueuedRequest):
        return queued
    if isinstance(queued, Mapping):
        return QueuedRequest.from_dict(queued)
    if not model:
        raise BadRequestError(
            "model: an id alone does not tell it",
            hint="Name the model that the work was submitted to",
            maybe_sent=False,
        )
    ids = (queued,) if isinstance(queued, str) else tuple(queued)
    return QueuedRequest(ids, model, kind or tasks.usual_kind(model))


def raise_first(results: Sequence[Any], queued: QueuedRequest) -> None:
    """Raises the error of the first input that failed, if one did: it tells which, and how to fetch the others."""
    for result in results:
        if isinstance(result, ItemError):
            told = f"Input {result.position} failed, which need not be said of the others. Fetch them"
            raise with_handle(result.error, queued, told)


def _not_queued(error: WorkersAIError, job: tasks.Job, ids: Sequence[str], counts: Sequence[int]) -> WorkersAIError:
    """The failure of a submission, with what is known of its inputs, and the way to those before them."""
    if may_have_been_taken(error) and (error.status is None or error.status >= 500):
        told = "It may have been queued all the same: it is not sent again, as the work would be done twice"
        error.hint = f"{error.hint}. {told}" if error.hint else told
    if ids:
        queued = job.handle(ids, counts)
        with_handle(error, queued, f"The first {queued.count} inputs were queued. Fetch their results")
    return error
