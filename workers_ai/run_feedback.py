"""Feedback by run: which entries of a gateway's log a run has made, and how they are judged."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from workers_ai.errors import BadRequestError
from workers_ai.gateway_logs import GatewayLogs

if TYPE_CHECKING:
    from typing import Unpack

    from workers_ai.gateway import Gateway
    from workers_ai.options import DirectOptions
    from workers_ai.tasks.gateway_logs import Feedback, Metadata

MOST_RUNS = 1_000


class RunLogs:
    """Log ids by run, those of its children included. Beyond `most` runs, and ids of one run, the oldest are forgotten.

    Safe to use from several threads.
    """

    def __init__(self, most: int = MOST_RUNS) -> None:
        if most < 1:
            raise ValueError(f"max_runs={most}: 1 or more")
        self._most = most
        self._parents: OrderedDict[str, str | None] = OrderedDict()
        self._ids: dict[str, OrderedDict[str, None]] = {}
        self._lock = threading.Lock()

    def begin(self, run: str, parent: str | None = None) -> None:
        """A run has begun, within `parent`."""
        with self._lock:
            if parent is not None:
                for each in self._line(parent):
                    self._parents.move_to_end(each)  # what still begins runs is not to be forgotten before them
            self._begin(run, parent)

    def add(self, run: str, log_id: str) -> None:
        """A call of this run has made an entry of the log."""
        with self._lock:
            if run not in self._parents:
                self._begin(run, None)
            for each in self._line(run):
                ids = self._ids.setdefault(each, OrderedDict())
                ids[log_id] = None
                while len(ids) > self._most:
                    ids.popitem(last=False)

    def of(self, run: str) -> tuple[str, ...]:
        """The ids of a run, oldest first; none where it is unknown or forgotten."""
        with self._lock:
            return tuple(self._ids.get(run, ()))

    def _begin(self, run: str, parent: str | None) -> None:
        self._parents[run] = parent
        while len(self._parents) > self._most:
            forgotten, _ = self._parents.popitem(last=False)
            self._ids.pop(forgotten, None)

    def _line(self, run: str) -> list[str]:
        """The run and what it stands in, as far as it is known."""
        line: list[str] = []
        at: str | None = run
        while at is not None and at in self._parents and at not in line:
            line.append(at)
            at = self._parents[at]
        return line


class RunFeedback:
    """Keeps log ids by run, and sends feedback on them. The adapters' handlers tell it what happens.

    gateway, connection: as `GatewayLogs` takes them, or a GatewayLogs. max_runs: how many runs are remembered.
    """

    def __init__(
        self,
        gateway: GatewayLogs | Gateway | str | Mapping[str, Any] | None = None,
        *,
        max_runs: int = MOST_RUNS,
        **connection: Unpack[DirectOptions],
    ) -> None:
        self.logs = gateway if isinstance(gateway, GatewayLogs) else GatewayLogs(gateway, **connection)
        self.runs = RunLogs(max_runs)

    def log_ids(self, run_id: object) -> tuple[str, ...]:
        """The log ids of a run and of what ran within it, oldest first."""
        return self.runs.of(str(run_id))

    def send(
        self,
        run_id: object,
        value: Feedback | None,
        *,
        score: float | None = None,
        metadata: Metadata | None = None,
    ) -> None:
        """Put feedback on every entry of a run: 1 for praise, -1 for blame, 0 for neither; None leaves it as it is.

        Raises BadRequestError for a run of which no entry is known, and what `GatewayLogs.feedback` raises.
        """
        for log_id in self._known(run_id):
            self.logs.feedback(log_id, value, score=score, metadata=metadata)

    async def asend(
        self,
        run_id: object,
        value: Feedback | None,
        *,
        score: float | None = None,
        metadata: Metadata | None = None,
    ) -> None:
        """As `send`."""
        for log_id in self._known(run_id):
            await self.logs.afeedback(log_id, value, score=score, metadata=metadata)

    def note(self, run: str, gateway: object) -> None:
        """What an answer or an error told of the gateway, {} for nothing."""
        if isinstance(gateway, Mapping) and isinstance(log_id := gateway.get("log_id"), str):
            self.runs.add(run, log_id)

    def _known(self, run_id: object) -> tuple[str, ...]:
        if found := self.log_ids(run_id):
            return found
        raise BadRequestError(
            f"run_id={str(run_id)!r}: no entry of the gateway's log is known of this run",
            hint="It passed no gateway, kept no log (collect_log=False), has not ended, or is forgotten (max_runs)",
            maybe_sent=False,
        )
