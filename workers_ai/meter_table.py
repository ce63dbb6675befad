"""A meter as plain text: one line a model, then tags and payers, then how sure the figures are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from workers_ai.counted import WORKERS_AI
from workers_ai.meter import FREE_NEURONS_A_DAY

if TYPE_CHECKING:
    from workers_ai.meter import NeuronMeter
    from workers_ai.tally import Tally

_HEAD = ("", "calls", "cached", "tokens in", "tokens out", "neurons", "USD")


def table_of(meter: NeuronMeter) -> str:
    """What `NeuronMeter.table` gives."""
    total, tags, payers = meter.total, meter.by_tag, meter.by_payer
    rows = [_HEAD, *_rows(meter.by_model), _row("all", total)]
    if tags:
        rows += [("by tag", *[""] * 6), *_rows(tags)]
    if set(payers) - {WORKERS_AI}:
        rows += [("by payer", *[""] * 6), *_rows(payers)]
    return "\n".join([*_aligned(rows), *_notes(meter, total)])


def _rows(tallies: Mapping[str, Tally]) -> list[tuple[str, ...]]:
    """One for each, the dearest first."""
    dearest = sorted(tallies.items(), key=lambda each: (-each[1].neurons, -each[1].usd, each[0]))
    return [_row(name, tally) for name, tally in dearest]


def _row(name: str, tally: Tally) -> tuple[str, ...]:
    counts = (tally.calls, tally.cache_hits, tally.input_tokens, tally.output_tokens)
    return (
        name,
        *(f"{count:,}" for count in counts),
        _figure(tally.neurons, tally, ",.2f"),
        _figure(tally.usd, tally, ",.6f"),
    )


def _figure(value: float, tally: Tally, form: str) -> str:
    """A sum, with what is not in it: an answer of unknown cost is not free."""
    if tally.unknown == 0:
        return format(value, form)
    return "unknown" if tally.unknown == tally.calls else f"{value:{form}} + ?"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if place else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _notes(meter: NeuronMeter, total: Tally) -> list[str]:
    notes = [f"Free allocation: {meter.share_of_free_day:.2%} of an account's {FREE_NEURONS_A_DAY:,} neurons a day."]
    if total.computed:
        notes.append(
            f"Reckoned from list prices: {total.computed:,} of {total.calls:,} answers; the service told the rest."
        )
    if total.estimated:
        notes.append(f"Estimated, because a stream ended early: {total.estimated:,}.")
    if total.unknown:
        notes.append(f"Of unknown price, and in no sum: {total.unknown:,}.")
    for budget, unit in ((meter.budget_neurons, "neurons"), (meter.budget_usd, "USD")):
        if budget is not None:
            notes.append(f"Budget: {budget:,.10g} {unit}.")
    return notes
