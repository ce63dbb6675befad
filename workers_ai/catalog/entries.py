"""The shipped data, read at the first question: `models.json` and `rate_limits.json` to `ModelInfo`."""

from __future__ import annotations

import datetime
import functools
import json
import os
from typing import Any

from .info import ModelInfo, Price, UnitPrice
from .unknown import unknown

Json = dict[str, Any]

# The service answers some models under this ending (quirk 9); AI Gateway's compat path wants this beginning.
ALIAS_ENDING = "-external"
GATEWAY_PREFIX = "workers-ai/"


@functools.lru_cache(maxsize=1024)
def find(model: str) -> ModelInfo:
    """The entry of an id or of an alias of it, else the default for an unknown id."""
    for name in (model, base_of(model)):
        if name in data()["models"]:
            return _info(name)
    return unknown(model)


def base_of(model: str) -> str:
    """The id without what the gateway puts before it and the service behind it."""
    return model.removeprefix(GATEWAY_PREFIX).removesuffix(ALIAS_ENDING)


def ids() -> tuple[str, ...]:
    """Every id of the catalogue, sorted."""
    return tuple(data()["models"])


# Two threads that ask first at the same moment both read the file and get equal data: no lock is needed.
@functools.cache
def data() -> Json:
    """`models.json`: "models" by id, "options" (sets of names) and "sources" (of prices) by name."""
    return _read("models.json")


@functools.cache
def rate_limits() -> Json:
    """`rate_limits.json`: requests a minute "by_task", "by_model" and for "paid_plan" models."""
    return _read("rate_limits.json")


def _read(name: str) -> Json:
    with open(os.path.join(os.path.dirname(__file__), name), encoding="utf-8") as file:
        content: Json = json.load(file)
    return content


def _info(model: str) -> ModelInfo:
    fields = {name: _value(name, value) for name, value in data()["models"][model].items()}
    return ModelInfo(id=model, known=True, requests_per_minute=_requests_per_minute(model), **fields)


def _value(name: str, value: Any) -> Any:
    """A field of an entry as `ModelInfo` wants it."""
    if name == "price":
        return Price(**_with_source(value))
    if name == "prices":
        return tuple(UnitPrice(**_with_source(price)) for price in value)
    if name == "options":
        return frozenset(data()["options"][value])
    if name == "deprecated_on":
        return datetime.date.fromisoformat(value)
    return tuple(value) if isinstance(value, list) else value


def _with_source(price: Json) -> Json:
    """`seen` names an entry of the list of sources: spelled out here, stored once."""
    source: Json = data()["sources"][price["seen"]]
    return {name: value for name, value in price.items() if name != "seen"} | source


def _requests_per_minute(model: str) -> int | None:
    """The model's own limit, else the paid plan's, else that of its task."""
    entry, limits = data()["models"][model], rate_limits()
    common = limits["paid_plan"] if entry.get("requires_paid_plan") else limits["by_task"].get(entry["task"])
    limit: int | None = limits["by_model"].get(model, common)
    return limit
