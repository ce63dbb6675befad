"""Queued work as values: the handle that finds it again, its state, an input that failed."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Self, get_args

from workers_ai.errors import BadRequestError

if TYPE_CHECKING:
    from workers_ai.cost import Cost
    from workers_ai.errors import WorkersAIError
    from workers_ai.usage import Usage

Kind = Literal["chat", "completion", "embedding", "rerank", "raw"]
"""What the inputs are, and with it what the results are: `ChatAnswer` for the first two, a vector, a ranking, or the
service's own object."""

State = Literal["queued", "running", "done"]

KINDS: tuple[str, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class QueuedRequest:
    """The handle of queued work: all that is needed to fetch its results, from any process. It holds no secret.

    request_ids: the service's ids, several where the inputs were too many for one request.
    model, kind: what was asked for. counts: how many inputs each id stands for; empty where that is not known, as for
        a handle made of an id alone. created: Unix time in seconds.
    references: yours, one for each input; None where none were given.
    reading: what must be known of the request to read its answers (tools, stop sequences); JSON.

    `to_json()` and `from_json(...)` keep it in a file or a database.
    """

    request_ids: tuple[str, ...]
    model: str
    kind: Kind
    counts: tuple[int, ...] = ()
    created: float = field(default_factory=time.time)
    references: tuple[str, ...] | None = None
    reading: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if not self.request_ids or "" in self.request_ids or not all(map(_is_text, self.request_ids)):
            raise BadRequestError("request_id: the id that the service gave is missing", maybe_sent=False)
        if self.kind not in KINDS:
            raise BadRequestError(f"kind={self.kind!r}: one of {', '.join(KINDS)}", maybe_sent=False)
        if self.counts and len(self.counts) != len(self.request_ids):
            raise BadRequestError("counts: one for each request id", maybe_sent=False)

    @property
    def request_id(self) -> str:
        """The service's id of the work; the first one where it was cut into several (`request_ids` has all)."""
        return self.request_ids[0]

    @property
    def count(self) -> int | None:
        """How many inputs there are, None where that is not known."""
        return sum(self.counts) if self.counts else None

    def to_dict(self) -> dict[str, Any]:
        """As plain data, which JSON can hold."""
        told = asdict(self)
        return {name: list(value) if isinstance(value, tuple) else value for name, value in told.items()}

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> Self:
        """The handle that `to_dict` told. Raises BadRequestError for anything else."""
        try:
            listed = {"request_ids": tuple(told["request_ids"]), "counts": tuple(told.get("counts") or ())}
            references = told.get("references")
            return cls(**{**told, **listed, "references": None if references is None else tuple(references)})
        except (TypeError, KeyError) as wrong:
            raise BadRequestError(f"queued: no handle of queued work ({wrong})", maybe_sent=False) from None

    def to_json(self) -> str:
        """As JSON text."""
        return json.dumps(self.to_dict())

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """The handle that `to_json` wrote. Raises BadRequestError for anything else."""
        try:
            told = json.loads(text)
        except ValueError:
            told = None
        if not isinstance(told, Mapping):
            raise BadRequestError("queued: no handle of queued work, which is a JSON object", maybe_sent=False)
        return cls.from_dict(told)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


@dataclass(frozen=True, slots=True)
class ItemError:
    """In place of a result: the input that failed, while others did not. A value; nothing raises it.

    position: of the input among all. reference: yours, or its position as text. error: one of the family.
    """

    position: int
    reference: str | None
    error: WorkersAIError


@dataclass(frozen=True, slots=True)
class QueueStatus:
    """How far queued work is.

    state: "queued", "running" or "done" (when every part of it is). queued: its handle.
    finished: inputs of the parts that are done. results: in the order of the inputs, an `ItemError` where one failed;
    empty until all are there. usage, cost: of the parts that are done; None where neither service nor catalogue know.
    """

    state: State
    queued: QueuedRequest
    finished: int = 0
    results: Sequence[Any] = ()
    usage: Usage | None = None
    cost: Cost | None = None

    @property
    def done(self) -> bool:
        """Whether the results are there."""
        return self.state == "done"

    @property
    def errors(self) -> list[ItemError]:
        """The inputs that failed."""
        return [result for result in self.results if isinstance(result, ItemError)]
