"""Which models `workers-ai models` shows, and what of each."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from workers_ai import catalog

if TYPE_CHECKING:
    from workers_ai.catalog import ModelInfo
    from workers_ai.tasks.models import ListedModel


class Capability(StrEnum):
    """What a model can do, in a word."""

    TOOLS = "tools"
    VISION = "vision"
    JSON = "json"
    REASONING = "reasoning"
    LORA = "lora"
    QUEUE = "queue"


_FLAGS = {
    Capability.TOOLS: "function_calling",
    Capability.VISION: "vision",
    Capability.JSON: "json_mode",
    Capability.REASONING: "reasoning",
    Capability.LORA: "lora",
    Capability.QUEUE: "async_queue",
}


class Seen(StrEnum):
    """Who knows a model, where the account was asked too."""

    BOTH = "both"
    CATALOGUE_ONLY = "catalogue only"
    ACCOUNT_ONLY = "account only"


@dataclass(frozen=True, slots=True)
class Row:
    """One model. seen: None where the account was not asked."""

    info: ModelInfo
    seen: Seen | None = None

    @property
    def capabilities(self) -> list[Capability]:
        """What it is known to do."""
        return [word for word, name in _FLAGS.items() if getattr(self.info, name)]

    @property
    def usd(self) -> float | None:
        """USD for a million tokens in and a million out; None where no price by tokens is printed."""
        price = self.info.price
        return None if price is None or price.input is None else price.input + (price.output or 0.0)

    def notes(self, today: datetime.date) -> list[str]:
        """What somebody who chooses should know besides, in a few words each."""
        info, notes = self.info, []
        if info.deprecated_on is not None:
            ended = "ended" if info.deprecated(today) else "ends"
            after = f", use {info.replacement}" if info.replacement else ""
            notes.append(f"{ended} {info.deprecated_on}{after}")
        elif info.status in ("deprecated", "unlisted"):
            notes.append(info.status)
        notes += [word for word, told in (("paid plan", info.requires_paid_plan), ("beta", info.beta)) if told]
        notes += [f"{price.usd:g} USD {price.unit}" for price in info.prices if price.usd]
        if self.seen not in (None, Seen.BOTH):
            notes.append(str(self.seen))
        return notes

    def as_json(self) -> dict[str, Any]:
        """Everything that the table shows, as JSON holds it."""
        info = self.info
        price = info.price
        told = {
            "id": info.id,
            "task": info.task,
            "status": info.status,
            "context_window": info.context_window,
            "dimensions": info.dimensions,
            "capabilities": [str(word) for word in self.capabilities],
            "usd_per_million_tokens": None
            if price is None
            else {"input": price.input, "cached_input": price.cached_input, "output": price.output},
            "prices": [{"usd": each.usd, "unit": each.unit} for each in info.prices],
            "requires_paid_plan": info.requires_paid_plan,
            "beta": info.beta,
            "deprecated_on": None if info.deprecated_on is None else str(info.deprecated_on),
            "replacement": info.replacement,
        }
        return told if self.seen is None else {**told, "seen": str(self.seen)}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for; unset filters let everything pass.

    text: part of an id. task: the service's name or a part of it. max_price: USD for a million tokens in and one out.
    min_context: tokens. ended: also models that have ended or are not listed any more.
    """

    text: str | None = None
    task: str | None = None
    can: frozenset[Capability] = field(default_factory=frozenset)
    max_price: float | None = None
    min_context: int | None = None
    ended: bool = False

    def fits(self, row: Row, today: datetime.date) -> bool:
        """Whether a model passes every filter. What is not known of a model does not pass a filter for it."""
        info = row.info
        return (
            (self.text is None or self.text.casefold() in info.id.casefold())
            and (self.task is None or _plain(self.task) in _plain(info.task))
            and self.can <= set(row.capabilities)
            and (self.max_price is None or (row.usd is not None and row.usd <= self.max_price))
            and (self.min_context is None or (info.context_window or 0) >= self.min_context)
            and (self.ended or _serves(row, today))
        )


def _serves(row: Row, today: datetime.date) -> bool:
    """Whether a model is in service: what the account lists is, unless its end has come."""
    info = row.info
    if info.deprecated(today) or info.status == "deprecated":
        return False
    return info.status == "current" or row.seen in (Seen.BOTH, Seen.ACCOUNT_ONLY)


def rows(wanted: Wanted, *, today: datetime.date, live: Iterable[ListedModel] | None = None) -> list[Row]:
    """The models that fit, by task and id. live: the account's own listing, if it was asked."""
    all_rows = _catalogued() if live is None else _merged({model.id: model for model in live})
    return sorted(
        (row for row in all_rows if wanted.fits(row, today)), key=lambda row: (row.info.task, row.info.id.casefold())
    )


def _catalogued() -> list[Row]:
    return [Row(info) for info in catalog.models()]


def _merged(live: Mapping[str, ListedModel]) -> list[Row]:
    """Both listings in one: what the account states goes before the catalogue."""
    known = {info.id for info in catalog.models()}
    here = [
        Row(live[info.id].info, Seen.BOTH) if info.id in live else Row(info, Seen.CATALOGUE_ONLY)
        for info in catalog.models()
    ]
    return here + [Row(live[name].info, Seen.ACCOUNT_ONLY) for name in live if name not in known]


def _plain(task: str) -> str:
    return task.casefold().replace("-", " ").replace("_", " ")
