"""Whether the models that somebody uses are in service."""

from __future__ import annotations

import datetime
import os
import re
from collections.abc import Collection, Mapping

from workers_ai import catalog
from workers_ai.cli.finding import Finding

_ID = re.compile(r"@(?:cf|hf)/[^\s/,;]+/[^\s,;]+")


def in_environment() -> dict[str, str]:
    """Model ids that are the value of an environment variable -> the variable's name."""
    return {value: name for name, value in sorted(os.environ.items()) if _ID.fullmatch(value)}


def judge(
    model: str, *, today: datetime.date, listing: Mapping[str, catalog.ModelInfo] | None, origin: str = ""
) -> Finding:
    """One model: known, in service, for whom.

    listing: the account's own, None where it could not be read. origin: where the model is named.
    """
    subject = f"model {model}{f' ({origin})' if origin else ''}"
    info = listing[model] if listing is not None and model in listing else catalog.lookup(model)
    if not model.startswith("@"):
        return Finding.ok(subject, "no model of Workers AI: a route or another vendor's, which only a call can tell")
    if info.deprecated(today) or info.status == "deprecated":
        ended = f"ended on {info.deprecated_on}" if info.deprecated_on else "has ended"
        return Finding.wrong(subject, f"it {ended}", _successor(info))
    if not info.known and (listing is None or model not in listing):
        nearest = catalog.suggest(model)
        remedy = f"did you mean {nearest}?" if nearest else "choose another: workers-ai models --live"
        where = "the catalogue" if listing is None else "the catalogue and the account's listing"
        return Finding.wrong(subject, f"unknown to {where}", remedy)
    return Finding.ok(subject, "; ".join(_remarks(info, model, listing)))


def _successor(info: catalog.ModelInfo) -> str:
    return f"use {info.replacement}" if info.replacement else "choose another: workers-ai models"


def _remarks(info: catalog.ModelInfo, model: str, listing: Collection[str] | None) -> list[str]:
    remarks = [info.task]
    if info.deprecated_on is not None:
        remarks.append(f"ends on {info.deprecated_on}, then {_successor(info)}")
    if info.requires_paid_plan:
        remarks.append("for Workers Paid or prepaid credits only")
    if not info.known:
        remarks.append("newer than this version's catalogue")
    elif listing is not None and model not in listing:
        remarks.append("not in the account's listing, which leaves some out")
    return remarks
