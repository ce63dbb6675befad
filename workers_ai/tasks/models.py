"""The account's own list of models (`models/search`), page by page."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Never

from workers_ai.catalog import ModelInfo, Price, lookup
from workers_ai.diagnosis import diagnose, is_refusal
from workers_ai.errors import InvalidResponseError
from workers_ai.exchange import Exchange, Reply, Request

PER_PAGE = 100
"""Models asked for at once."""

_MOST_PAGES = 200  # a server that repeats itself for ever must not keep us

_TOKEN_UNITS = {
    "per M input tokens": "input",
    "per M cached input tokens": "cached_input",
    "per M output tokens": "output",
}
_FLAGS = ("function_calling", "vision", "reasoning", "lora", "async_queue", "beta", "partner", "realtime")
_NUMBERS = {
    "context_window": "context_window",
    "max_input_tokens": "max_input_tokens",
    "output_dimensions": "dimensions",
}


@dataclass(frozen=True, slots=True)
class ListedModel:
    """One model as the account's own listing has it.

    id: the one to call (the listing's `name`; its own `id` is a number of the listing, quirk 74).
    task: the service's name, e.g. "Text Generation". properties: values by `property_id`, texts or lists as they came.
    raw: the whole entry.
    """

    id: str
    task: str = "Unknown"
    description: str = ""
    properties: Mapping[str, Any] = field(default_factory=dict)
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def info(self) -> ModelInfo:
        """What the catalogue knows of it, with what the listing states over it; `known` stays the catalogue's."""
        return replace(lookup(self.id), id=self.id, **self._stated())

    def _stated(self) -> dict[str, Any]:
        """The fields of `ModelInfo` that the listing states. What it does not say is not taken for a no."""
        told: dict[str, Any] = {"task": self.task} if self.task != "Unknown" else {}
        told |= {name: True for name in _FLAGS if _is_true(self.properties.get(name))}
        if _is_true(self.properties.get("require_workers_paid")):
            told["requires_paid_plan"] = True
        for given, name in _NUMBERS.items():
            if (number := _whole(self.properties.get(given))) is not None:
                told[name] = number
        if (price := _price(self.properties.get("price"))) is not None:
            told["price"] = price
        if (ends := _date(self.properties.get("planned_deprecation_date"))) is not None:
            told["deprecated_on"] = ends
        if self.raw.get("deprecated") is True:
            told["status"] = "deprecated"
        return told


@dataclass(frozen=True, slots=True)
class ModelPage:
    """One page. total: of all pages, and size: of a full page, where the service told them."""

    models: list[ListedModel]
    total: int | None = None
    size: int | None = None


@dataclass(slots=True)
class ModelSearch:
    """A search over all its pages: asks for the next until one is short, empty, or brings nothing new.

    search: part of an id. task: the service's name. author: the part between `@cf/` and the next slash.
    """

    search: str | None = None
    task: str | None = None
    author: str | None = None
    found: dict[str, ListedModel] = field(default_factory=dict)
    _pages: int = 0
    _ended: bool = False

    @property
    def models(self) -> list[ListedModel]:
        """What has been found, in the service's order."""
        return list(self.found.values())

    def next_page(self) -> Exchange[ModelPage, Never] | None:
        """The exchange of the next page, None where there is no other."""
        if self._ended:
            return None
        query = {"search": self.search, "task": self.task, "author": self.author}
        told = {name: value for name, value in query.items() if value}
        told |= {"page": str(self._pages + 1), "per_page": str(PER_PAGE)}
        request = Request("ai/models/search", method="GET", query=told)
        return Exchange(request, partial(read_page, page=self._pages + 1), idempotent=True)

    def take(self, page: ModelPage) -> None:
        """Takes in the answer to `next_page`."""
        new = {model.id: model for model in page.models if model.id not in self.found}
        self.found |= new
        self._pages += 1
        # Without a word about sizes the first page is taken for a full one: the service may grant fewer than asked.
        size = page.size or (len(page.models) if self._pages == 1 else PER_PAGE)
        whole = page.total is not None and len(self.found) >= page.total
        self._ended = whole or not new or len(page.models) < size or self._pages >= _MOST_PAGES


def read_page(reply: Reply, *, page: int = 1) -> ModelPage:
    """One page of the listing. Raises the error of a refusal, InvalidResponseError for what is no listing."""
    document = reply.json()
    if is_refusal(document):
        raise diagnose(reply)
    entries = document.get("result") if isinstance(document, Mapping) else None
    if not isinstance(entries, list):
        raise InvalidResponseError(f"page {page} of the models is no list", request_id=reply.request_id)
    info = document.get("result_info")
    told: Mapping[str, Any] = info if isinstance(info, Mapping) else {}
    return ModelPage(listed(entries), _whole(told.get("total_count")), _whole(told.get("per_page")))


def listed(entries: Iterable[Any]) -> list[ListedModel]:
    """The models of a listing's entries; what has no name is passed over."""
    return [_model(entry) for entry in entries if isinstance(entry, Mapping) and isinstance(entry.get("name"), str)]


def _model(entry: Mapping[str, Any]) -> ListedModel:
    task = entry.get("task")
    properties = entry.get("properties")
    return ListedModel(
        id=entry["name"],
        task=str(task.get("name") or "Unknown") if isinstance(task, Mapping) else "Unknown",
        description=str(entry.get("description") or ""),
        properties={
            str(each.get("property_id")): each.get("value")
            for each in (properties if isinstance(properties, list) else [])
            if isinstance(each, Mapping)
        },
        raw=entry,
    )


def _price(value: Any) -> Price | None:
    """USD per million tokens; other units (tiles, minutes) are left to the catalogue."""
    found: dict[str, Any] = {}
    for each in value if isinstance(value, list) else []:
        name = _TOKEN_UNITS.get(str(each.get("unit"))) if isinstance(each, Mapping) else None
        if name is not None and isinstance(each.get("price"), (int, float)):
            found[name] = float(each["price"])
    return Price(**found, source="the account's listing") if found else None


def _is_true(value: Any) -> bool:
    return value is True or (isinstance(value, str) and value.casefold() == "true")


def _whole(value: Any) -> int | None:
    """A number that may be a text; None for what is none, or is not above zero."""
    text = str(value) if isinstance(value, (int, str)) and not isinstance(value, bool) else ""
    return int(text) if text.isascii() and text.isdecimal() and 0 < len(text) < 16 and int(text) else None


def _date(value: Any) -> datetime.date | None:
    try:
        return datetime.date.fromisoformat(str(value)[:10])
    except ValueError:
        return None
