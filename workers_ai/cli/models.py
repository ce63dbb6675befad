"""`workers-ai models`: the catalogue as a table, merged with the account's own listing when asked."""

from __future__ import annotations

import datetime
import json
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table

from workers_ai.cli.failure import CommandError
from workers_ai.cli.model_rows import Row, Seen, Wanted, rows
from workers_ai.cli.printing import Printer

if TYPE_CHECKING:
    from workers_ai.tasks.models import ListedModel


def run(wanted: Wanted, *, live: bool, as_json: bool, printer: Printer | None = None) -> None:
    """Show the models that fit. live: ask the account that the environment names, too.

    Raises CommandError where nothing fits, WorkersAIError for what the service refuses.
    """
    today = datetime.datetime.now(datetime.UTC).date()
    found = rows(wanted, today=today, live=_listing() if live else None)
    if as_json:
        print(json.dumps([row.as_json() for row in found], indent=2))
        return
    if not found:
        raise CommandError("no model fits; leave out a filter, or add --all for those that have ended")
    _show(found, today, printer or Printer())


def _listing() -> list[ListedModel]:
    from workers_ai.client import Client

    with Client() as client:
        return client.models.list()


def _show(found: Sequence[Row], today: datetime.date, printer: Printer) -> None:
    """A table for each task; below, how many there are and what the figures mean."""
    for task, group in groupby(found, key=lambda row: row.info.task):
        models = list(group)
        printer.line(f"{task} ({len(models)})", style="bold")
        printer.wide(_table(models, today))
    printer.line(f"{len(found)} models. Prices: USD per million tokens, in / out. --all shows ended ones, too.")
    if found[0].seen is None:
        printer.line("From the shipped catalogue; --live asks the account what it can see.")
        return
    for seen in (Seen.CATALOGUE_ONLY, Seen.ACCOUNT_ONLY):
        printer.line(f"{seen}: {sum(row.seen is seen for row in found)}")


def _table(models: Sequence[Row], today: datetime.date) -> Table:
    """Columns that no model of the group fills are left out."""
    columns = {
        "Model": [row.info.id for row in models],
        "Context": [f"{row.info.context_window:,}" if row.info.context_window else "" for row in models],
        "Dimensions": [f"{row.info.dimensions:,}" if row.info.dimensions else "" for row in models],
        "USD in / out": [_usd(row) for row in models],
        "Can, notes": ["; ".join(filter(None, [" ".join(row.capabilities), *row.notes(today)])) for row in models],
    }
    filled = {title: cells for title, cells in columns.items() if any(cells)}
    table = Table(box=box.SIMPLE, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for title in filled:
        figures = title in ("Context", "Dimensions", "USD in / out")
        words = title == "Can, notes"
        table.add_column(
            title, justify="right" if figures else "left", no_wrap=not words, min_width=10 if words else None
        )
    for cells in zip(*filled.values(), strict=True):
        table.add_row(*cells)
    return table


def _usd(row: Row) -> str:
    price = row.info.price
    figures = [] if price is None else [price.input, price.output]
    return " / ".join(f"{figure:.3f}" for figure in figures if figure is not None)
