"""A gateway's log: its entries, filtered and in pages, one entry, and feedback on one."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, Never, TypedDict, TypeVar
from urllib.parse import quote

from pydantic_core import to_json

from workers_ai.arguments import unknown
from workers_ai.diagnosis import diagnose, is_refusal
from workers_ai.errors import BadRequestError, InvalidResponseError
from workers_ai.exchange import Exchange, Reply, Request

Feedback = Literal[-1, 0, 1]
Metadata = Mapping[str, str | int | float | bool]
Read = TypeVar("Read")

MOST_PER_PAGE = 50

_ORDERS = ("created_at", "provider", "model", "model_type", "success", "cached")
_DIRECTIONS = ("asc", "desc")


class LogFilters(TypedDict, total=False):
    """What a list of the log can be narrowed and ordered by.

    start_date, end_date: datetimes, or ISO 8601 texts. feedback: 1 for praise, 0 for blame, as Cloudflare's SDK has it.
    cost in USD, duration in milliseconds. meta_info: a text in the metadata.
    filters: `{"key", "operator", "value"}` each; operators eq, neq, contains, lt, gt; value a list.
    """

    search: str
    start_date: datetime | str
    end_date: datetime | str
    order_by: Literal["created_at", "provider", "model", "model_type", "success", "cached"]
    order_by_direction: Literal["asc", "desc"]
    cached: bool
    success: bool
    provider: str
    model: str
    model_type: str
    feedback: Literal[0, 1]
    min_cost: float
    max_cost: float
    min_duration: float
    max_duration: float
    min_tokens_in: int
    max_tokens_in: int
    min_tokens_out: int
    max_tokens_out: int
    min_total_tokens: int
    max_total_tokens: int
    meta_info: str
    filters: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class GatewayLog:
    """One entry of a gateway's log.

    model: normalised by Cloudflare to `provider/model`, so not always the id that was asked for.
    created_at: in UTC. duration_ms: milliseconds. tokens_in, tokens_out, cost (USD): None where they were not told;
    a list tells no cost. step: which step of a route answered, from 0. metadata: yours, as it was kept.
    feedback, score: what has been given. raw: the entry as the service sent it.
    """

    id: str
    created_at: datetime | None = None
    provider: str | None = None
    model: str | None = None
    status_code: int | None = None
    success: bool | None = None
    cached: bool | None = None
    duration_ms: float | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    cost: float | None = None
    step: int | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    feedback: int | None = None
    score: float | None = None
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def read(cls, entry: Any) -> GatewayLog:
        """From an entry as the service sends it. Raises InvalidResponseError for one without an id."""
        if not isinstance(entry, Mapping) or not isinstance(entry.get("id"), str):
            raise InvalidResponseError("An entry of the log has no id")
        return cls(
            id=entry["id"],
            created_at=_moment(entry.get("created_at")),
            metadata=_metadata(entry.get("metadata")),
            duration_ms=entry.get("duration"),
            raw=entry,
            **{name: entry.get(name) for name in _PLAIN},
        )


_PLAIN = (
    "provider",
    "model",
    "status_code",
    "success",
    "cached",
    "tokens_in",
    "tokens_out",
    "cost",
    "step",
    "feedback",
    "score",
)


@dataclass(frozen=True, slots=True)
class Page:
    """Some entries, and whether there are more."""

    entries: Sequence[GatewayLog]
    more: bool


def page(gateway: str, filters: Mapping[str, Any], *, number: int, per_page: int) -> Exchange[Page, Never]:
    """The exchange of one page. number: from 1.

    Raises TypeError for an unknown filter, and BadRequestError, before anything is sent, for a wrong value of one.
    """
    query = {**query_of(filters), "page": str(number), "per_page": str(per_page)}

    def read(reply: Reply) -> Page:
        document = _document(reply)
        entries = [GatewayLog.read(entry) for entry in _list(document.get("result"))]
        info = document.get("result_info") or {}
        total = info.get("total_count") if isinstance(info, Mapping) else None
        more = number * per_page < total if isinstance(total, int) else len(entries) == per_page
        return Page(entries, more=bool(entries) and more)

    return Exchange(Request(_path(gateway), method="GET", query=query), read, idempotent=True)


def entry(gateway: str, log_id: str) -> Exchange[GatewayLog, Never]:
    """The exchange of one entry."""
    return _of_entry(gateway, log_id, lambda reply: GatewayLog.read(_document(reply).get("result") or {}))


def feedback(
    gateway: str, log_id: str, value: Feedback | None, *, score: float | None = None, metadata: Metadata | None = None
) -> Exchange[None, Never]:
    """The exchange that puts feedback on an entry: 1, -1, or 0 for neither; None leaves it as it is.

    Raises BadRequestError, before anything is sent, for any other value, for a score that is no number, for metadata
    of anything but strings, numbers and booleans, and where nothing is given at all.
    """
    problem = None
    if value is not None and (isinstance(value, bool) or value not in (-1, 0, 1)):
        problem = f"feedback value={value!r}: -1, 0 or 1"
    elif score is not None and not _is_number(score):
        problem = f"feedback score={score!r}: a number"
    elif metadata is not None and not all(isinstance(each, (str, int, float, bool)) for each in metadata.values()):
        problem = "feedback metadata: its values are strings, numbers or booleans"
    elif value is None and score is None and metadata is None:
        problem = "feedback: give a value, a score or metadata"
    if problem is not None:
        raise BadRequestError(problem, maybe_sent=False)
    told = {"feedback": value, "score": score, "metadata": metadata}
    body = to_json({name: each for name, each in told.items() if each is not None})
    return _of_entry(gateway, log_id, _nothing, method="PATCH", body=body)


def query_of(filters: Mapping[str, Any]) -> dict[str, str]:
    """Filters as they stand in the address; None is not sent."""
    query = {}
    for name, value in filters.items():
        if name not in LogFilters.__annotations__:
            known = frozenset(LogFilters.__annotations__)
            raise TypeError(unknown(name, known=known, owner="a list of the gateway's log"))
        if value is not None:
            query[name] = _text(name, value)
    return query


def _text(name: str, value: Any) -> str:
    problem = None
    if name in ("order_by", "order_by_direction"):
        choices = _ORDERS if name == "order_by" else _DIRECTIONS
        problem = None if value in choices else f"one of {', '.join(choices)}"
    elif name in ("start_date", "end_date"):
        problem = None if isinstance(value, datetime) or _moment(value) else "a datetime, or an ISO 8601 text"
    elif name in ("cached", "success"):
        problem = None if isinstance(value, bool) else "True or False"
    elif name == "feedback":
        problem = None if value in (0, 1) and not isinstance(value, bool) else "0 or 1"
    elif name.startswith(("min_", "max_")):
        problem = None if _is_number(value) else "a number"
    elif name == "filters":
        right = all(isinstance(one, Mapping) and {"key", "operator", "value"} <= set(one) for one in value)
        problem = None if right else "a list of {key, operator, value}"
    elif not isinstance(value, str):
        problem = "a text"
    if problem is not None:
        raise BadRequestError(f"{name}={value!r}: {problem}", maybe_sent=False)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps([dict(one) for one in value]) if name == "filters" else str(value)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _of_entry(
    gateway: str, log_id: object, read: Callable[[Reply], Read], *, method: str = "GET", body: bytes | None = None
) -> Exchange[Read, Never]:
    if not isinstance(log_id, str) or not log_id.strip():
        raise BadRequestError(
            f"log_id={log_id!r}: the id that an answer's facts tell, gateway['log_id']", maybe_sent=False
        )
    # No check of its form: ids have changed theirs, and old ones stay good.
    path = f"{_path(gateway)}/{quote(log_id, safe='')}"
    return Exchange(Request(path, method=method, body=body), read, idempotent=True)


def _path(gateway: str) -> str:
    return f"ai-gateway/gateways/{gateway}/logs"


def _document(reply: Reply) -> Mapping[str, Any]:
    document = reply.json()
    if not isinstance(document, Mapping):
        raise InvalidResponseError("The log's answer is no JSON object")
    if is_refusal(document):
        raise diagnose(reply)
    return document


def _nothing(reply: Reply) -> None:
    _document(reply)


def _list(value: object) -> Sequence[Any]:
    if not isinstance(value, list):
        raise InvalidResponseError("The log's answer holds no list")
    return value


def _moment(value: object) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _metadata(value: object) -> Mapping[str, Any]:
    """A JSON text, not an object (http-api 12, trap 21)."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return {}
    return value if isinstance(value, Mapping) else {}
