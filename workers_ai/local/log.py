"""The log of one gateway: entries in the form of the logs API, and the questions that can be put to them."""

import json
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from . import errors
from .errors import ServiceError

_MAX_ENTRIES = 10_000
_MAX_PER_PAGE = 50
_ORDERS = frozenset({"created_at", "provider", "model", "model_type", "success", "cached"})
_NUMBERS = {"cost": "cost", "duration": "duration", "tokens_in": "tokens_in", "tokens_out": "tokens_out"}
# Only one entry alone tells these.
_DETAILS = frozenset({"cost", "request_head", "response_head"})
_BODIES = frozenset({"request_body", "response_body"})


class Log:
    """Entries, oldest first. lag: seconds until a new one can be read. `clock` gives seconds."""

    def __init__(self, *, lag: float = 0.0, clock: Callable[[], float]) -> None:
        self.entries: deque[dict[str, Any]] = deque(maxlen=_MAX_ENTRIES)
        self._ready: deque[float] = deque(maxlen=_MAX_ENTRIES)
        self._lag = lag
        self._clock = clock

    def add(self, entry: dict[str, Any]) -> None:
        """One entry more."""
        self.entries.append(entry)
        self._ready.append(self._clock() + self._lag)

    def find(self, log_id: str) -> dict[str, Any]:
        """The entry; `ServiceError` if there is none, or not yet (quirk 97)."""
        found = next((entry for entry in self._readable() if entry["id"] == log_id), None)
        if found is None:
            raise errors.front_door(404, {7002: "Log not found"})
        return found

    def page(self, query: Mapping[str, str]) -> dict[str, Any]:
        """The envelope of a list, for the logs API's own query. Newest first, unless it says otherwise."""
        order = query.get("order_by", "created_at")
        if order not in _ORDERS:
            raise _bad(f"order_by: {order}")
        found = [entry for entry in self._readable() if _fits(entry, query)]
        found.sort(key=lambda entry: entry[order], reverse=query.get("order_by_direction", "desc") == "desc")
        page, per_page = _whole(query, "page", 1), min(_whole(query, "per_page", 20), _MAX_PER_PAGE)
        shown = found[(page - 1) * per_page : page * per_page]
        info = {"page": page, "per_page": per_page, "count": len(shown), "total_count": len(found)}
        return {"success": True, "result": [_short(entry) for entry in shown], "result_info": info}

    def patch(self, log_id: str, changes: Mapping[str, Any]) -> None:
        """Put feedback, score or metadata on an entry."""
        entry = self.find(log_id)
        if (feedback := changes.get("feedback")) is not None and feedback not in (-1, 0, 1):
            raise _bad("feedback: expected -1, 0 or 1")
        if (score := changes.get("score")) is not None and (
            isinstance(score, bool) or not isinstance(score, int | float)
        ):
            raise _bad("score: expected a number")
        entry |= {name: changes[name] for name in ("feedback", "score") if changes.get(name) is not None}
        if changes.get("metadata") is not None:
            entry["metadata"] = json.dumps({**json.loads(entry["metadata"]), **changes["metadata"]})

    def _readable(self) -> list[dict[str, Any]]:
        now = self._clock()
        return [entry for entry, ready in zip(self.entries, self._ready, strict=True) if ready <= now]


def detail(entry: Mapping[str, Any]) -> dict[str, Any]:
    """One entry as it is read alone: all but its bodies, which have addresses of their own."""
    heads = {"request_head": (entry["request_body"] or "")[:500], "response_head": (entry["response_body"] or "")[:500]}
    return {**{name: value for name, value in entry.items() if name not in _BODIES}, **heads}


def _short(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in entry.items() if name not in _DETAILS | _BODIES}


def _fits(entry: Mapping[str, Any], query: Mapping[str, str]) -> bool:
    search = query.get("search", "").lower()
    texts = (entry["request_body"] or "", entry["response_body"] or "", entry["model"], entry["metadata"])
    return (
        (not search or any(search in text.lower() for text in texts))
        and all(query.get(name, entry[name]) == entry[name] for name in ("provider", "model", "model_type"))
        and all(query.get(name, str(entry[name]).lower()) == str(entry[name]).lower() for name in ("cached", "success"))
        and ("feedback" not in query or str(entry.get("feedback")) == query["feedback"])
        and ("meta_info" not in query or query["meta_info"].lower() in entry["metadata"].lower())
        and _in_time(entry, query)
        and all(_in_range(entry, query, name) for name in (*_NUMBERS, "total_tokens"))
        and all(_passes(entry, one) for one in _filters(query))
    )


def _in_time(entry: Mapping[str, Any], query: Mapping[str, str]) -> bool:
    made = datetime.fromisoformat(entry["created_at"])
    start, end = (_time(query[name]) if name in query else None for name in ("start_date", "end_date"))
    return (start is None or start <= made) and (end is None or made <= end)


def _in_range(entry: Mapping[str, Any], query: Mapping[str, str], name: str) -> bool:
    value = entry["tokens_in"] + entry["tokens_out"] if name == "total_tokens" else entry[name]
    try:
        low, high = float(query.get(f"min_{name}", "-inf")), float(query.get(f"max_{name}", "inf"))
    except ValueError:
        raise _bad(f"min_{name}, max_{name}: expected a number") from None
    return bool(low <= value <= high)


def _filters(query: Mapping[str, str]) -> Sequence[Mapping[str, Any]]:
    try:
        found = json.loads(query.get("filters", "[]"))
    except ValueError:
        raise _bad("filters: expected JSON") from None
    if not isinstance(found, list) or not all({"key", "operator", "value"} <= set(one) for one in found):
        raise _bad("filters: expected a list of {key, operator, value}")
    return found


def _passes(entry: Mapping[str, Any], one: Mapping[str, Any]) -> bool:
    held, wanted = _held(entry, str(one["key"])), one["value"] if isinstance(one["value"], list) else [one["value"]]
    match one["operator"]:
        case "eq":
            return any(value in held for value in wanted)
        case "neq":
            return not any(value in held for value in wanted)
        case "contains":
            return any(str(value).lower() in str(each).lower() for value in wanted for each in held)
        case "lt":
            return any(each is not None and each < value for value in wanted for each in held)
        case "gt":
            return any(each is not None and each > value for value in wanted for each in held)
    raise _bad(f"filters: operator {one['operator']}")


def _held(entry: Mapping[str, Any], key: str) -> list[Any]:
    """What an entry holds under a filter's key; of metadata there are several keys and values."""
    metadata = json.loads(entry["metadata"])
    if key in ("metadata.key", "metadata.value"):
        return list(metadata) if key == "metadata.key" else list(metadata.values())
    return [entry.get(key)]


def _time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise _bad(f"expected a date, not {text}") from None


def _whole(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name, str(default))
    if not text.isdecimal() or int(text) < 1:
        raise _bad(f"{name}: expected a number from 1")
    return int(text)


def _bad(message: str) -> ServiceError:
    return errors.front_door(400, {7001: message})
