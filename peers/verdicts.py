"""What became of a client's checks -> whether it is as known, and Markdown."""

from __future__ import annotations

import re
import textwrap
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal


@dataclass(frozen=True, slots=True)
class Outcome:
    """One check of one client. `told`: what the client said. `feature` ends in ` · MODEL` where it was asked of two."""

    client: str
    feature: str
    ok: bool
    told: str = ""


@dataclass(frozen=True, slots=True)
class Limit:
    """What clients are known not to do: patterns of names, a regular expression for what it looks like, and why."""

    clients: tuple[str, ...]
    features: tuple[str, ...]
    shows: str
    reason: str

    def covers(self, outcome: Outcome) -> bool:
        """Whether it speaks of this check of this client."""
        of_client = any(fnmatchcase(outcome.client, pattern) for pattern in self.clients)
        return of_client and any(fnmatchcase(outcome.feature, pattern) for pattern in self.features)


@dataclass(frozen=True, slots=True)
class Cell:
    """An outcome, judged. `why`: the reason of a known limit, or what was not expected."""

    client: str
    feature: str
    end: Literal["ok", "limit", "unexpected"]
    why: str = ""


def limits_in(text: str) -> list[Limit]:
    """The limits of a TOML text."""
    return [
        Limit(tuple(each["clients"]), tuple(each["features"]), each["shows"], each["reason"])
        for each in tomllib.loads(text)["limit"]
    ]


def judge(outcome: Outcome, limits: Iterable[Limit]) -> Cell:
    """Compare with what is known. What works although a limit says otherwise is as unexpected as what fails."""
    known = next((limit for limit in limits if limit.covers(outcome)), None)
    if outcome.ok and known is None:
        return Cell(outcome.client, outcome.feature, "ok")
    if known is not None and not outcome.ok and re.search(known.shows, outcome.told):
        return Cell(outcome.client, outcome.feature, "limit", known.reason)
    told = "it works" if outcome.ok else outcome.told
    expected = f" (expected: {known.shows})" if known else ""
    return Cell(outcome.client, outcome.feature, "unexpected", told + expected)


def unused(limits: Iterable[Limit], outcomes: Sequence[Outcome], skipped: Iterable[str]) -> list[Limit]:
    """Limits that speak of no check that ran: slips. Those of skipped clients are none."""
    left = [limit for limit in limits if not any(map(limit.covers, outcomes))]
    away = list(skipped)
    return [one for one in left if not any(fnmatchcase(client, p) for client in away for p in one.clients)]


def markdown(cells: Sequence[Cell], clients: Sequence[str], skipped: Mapping[str, str]) -> str:
    """A row for each feature, a column for each client, the reasons below. `skipped`: client -> why."""
    notes: list[str] = []
    rows = [["", *clients], ["---"] * (len(clients) + 1)]
    for feature in _in_order(each.feature.partition(" · ")[0] for each in cells):
        row = [feature]
        for client in clients:
            found = [c for c in cells if c.client == client and c.feature.partition(" · ")[0] == feature]
            row.append("skipped" if client in skipped else _cell(found, notes))
        rows.append(row)
    lines = [f"| {' | '.join(row)} |" for row in rows]
    below = [f"{number}. {note}" for number, note in enumerate(notes, 1)]
    below += [f"Skipped: {client}: {why}" for client, why in skipped.items()]
    if not below:
        return "\n".join(lines)
    folded = [
        textwrap.fill(line, 120, subsequent_indent="   ", break_long_words=False, break_on_hyphens=False)
        for line in below
    ]
    return "\n".join([*lines, "", *folded])


def _cell(cells: Sequence[Cell], notes: list[str]) -> str:
    """One word where both models fare alike, else each model's own. Reasons are added to `notes`, each once."""
    words = {cell.feature.partition(" · ")[2]: _word(cell, notes) for cell in cells}
    if len(set(words.values())) <= 1:
        return next(iter(words.values()), "–")
    return ", ".join(f"{model} {word}" for model, word in words.items())


def _word(cell: Cell, notes: list[str]) -> str:
    if cell.end != "limit":
        return "ok" if cell.end == "ok" else "UNEXPECTED"
    if cell.why not in notes:
        notes.append(cell.why)
    return f"no ({notes.index(cell.why) + 1})"


def _in_order(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))
