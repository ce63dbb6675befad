"""Measurements as tables: CPU for one operation, its ratio to raw httpx of the same run, and the goals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Any

from contestants import NULLS, RAW
from fresh import CONSTRUCT_GOALS, GOAL, Weight
from scenarios import Goal, Scenario

Sample = Mapping[str, Any]
"""What a worker told of one block."""


@dataclass(frozen=True, slots=True)
class Row:
    """One contestant in one scenario, over all rounds.

    cpu: microseconds for one operation, `least` to `most` over the rounds. ratio, wall_ratio: of CPU and of wall to
    raw httpx, the median of the rounds' own ratios: what disturbs the machine disturbs neighbours alike. total: raw
    httpx and the framework alone, added up, as such a ratio: what no adapter on httpx goes below. wall: milliseconds
    of a block.
    """

    contestant: str
    cpu: float = 0.0
    least: float = 0.0
    most: float = 0.0
    ratio: float | None = None
    total: float | None = None
    wall: float = 0.0
    wall_ratio: float | None = None
    first_token: float | None = None
    connections: int = 0
    in_flight: int = 0
    goal: Goal | None = None
    failure: str | None = None

    @property
    def met(self) -> bool | None:
        """Whether the goal is reached; None where there is none or it cannot be told."""
        if self.goal is None or self.ratio is None:
            return None
        reached = (
            (self.ratio, self.goal.ratio),
            (self.wall, self.goal.wall_ms),
            (self.wall_ratio, self.goal.wall_ratio),
        )
        return all(most is None or (value is not None and value <= most) for value, most in reached)


@dataclass(slots=True)
class Result:
    """Everything one run measured. absent: contestant -> why it is not here."""

    weights: list[Weight] = field(default_factory=list)
    rows: dict[str, list[Row]] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)


def row(contestant: str, samples: Sequence[Sample], floor: Sequence[Sample], goal: Goal | None) -> Row:
    """What the blocks of one contestant say; floor: those of raw httpx in the same rounds."""
    failure = next((str(sample["error"]) for sample in samples if "error" in sample), None)
    if failure is None and any(one["check"] != floor[0].get("check") for one in samples):
        failure = f"check {samples[0]['check']}, raw httpx has {floor[0].get('check')}: not the same work"
    if failure is not None:
        return Row(contestant, failure=failure.splitlines()[0])
    costs = [sample["cpu"] / sample["operations"] * 1e6 for sample in samples]
    firsts = [sample["first_token"] * 1e3 for sample in samples if sample["first_token"] is not None]
    return Row(
        contestant,
        cpu=median(costs),
        least=min(costs),
        most=max(costs),
        ratio=median(one["cpu"] / other["cpu"] for one, other in zip(samples, floor, strict=True)),
        wall=median(sample["wall"] for sample in samples) * 1e3,
        wall_ratio=median(one["wall"] / other["wall"] for one, other in zip(samples, floor, strict=True)),
        first_token=median(firsts) if firsts else None,
        connections=max(sample["connections"] for sample in samples),
        in_flight=max(sample["most_in_flight"] for sample in samples),
        goal=goal,
    )


def with_totals(rows: Sequence[Row]) -> list[Row]:
    """`rows`, the adapters told what floor and framework take together in this run."""
    ratios = {one.contestant: one.ratio for one in rows}

    def total(one: Row) -> float | None:
        null = ratios.get(NULLS.get(one.contestant, ""))
        return None if null is None else 1 + null

    return [replace(one, total=total(one)) for one in rows]


def weights_table(weights: Sequence[Weight]) -> Iterator[str]:
    """Import and construction."""
    head = ["import", "framework ms", "adapter ms", "ratio", "spread", "without gc", "spread", "goal", "met"]
    yield from _table(head, [_weight_cells(weight) for weight in weights])
    yield ""
    head = ["construct", "1st ms", "2nd ms", "goal", "met"]
    yield from _table(head, [_construct_cells(weight) for weight in weights])


def scenario_table(name: str, scenario: Scenario, rows: Sequence[Row]) -> Iterator[str]:
    """One scenario."""
    yield f"{name}. {scenario.title}"
    first = any(one.first_token is not None for one in rows)
    head = ["", f"CPU us/{scenario.unit}", f"x {RAW}", "floor+null", "spread us", "wall ms", "x wall"]
    head += [*(["1st token ms"] if first else []), "conns", "in flight", "goal", "met"]
    yield from _table(head, [_cells(one, first_token=first) for one in rows])


def _cells(one: Row, *, first_token: bool) -> list[str]:
    if one.failure is not None:
        return [one.contestant, "failed: " + one.failure[:90]]
    cells = [one.contestant, f"{one.cpu:.1f}", *("" if x is None else f"{x:.2f}" for x in (one.ratio, one.total))]
    wall_ratio = "" if one.wall_ratio is None else f"{one.wall_ratio:.2f}"
    cells += [f"{one.least:.1f}..{one.most:.1f}", f"{one.wall:.1f}", wall_ratio]
    if first_token:
        cells.append("-" if one.first_token is None else f"{one.first_token:.2f}")
    return [*cells, str(one.connections), str(one.in_flight), _goal(one.goal), _yes(one.met)]


def _weight_cells(weight: Weight) -> list[str]:
    if weight.absent is not None:
        return [weight.name, "skipped: " + weight.absent[:90]]
    cells = [f"{weight.framework:.0f}", f"{weight.adapter:.0f}", f"{weight.ratio:.3f}", _spread(weight.ratios)]
    cells += [f"{weight.own_ratio:.3f}", _spread(weight.own_ratios)]
    return [weight.name, *cells, f"<= {GOAL:.2f}", _yes(weight.ratio <= GOAL)]


def _construct_cells(weight: Weight) -> list[str]:
    if weight.absent is not None:
        return [weight.name, "skipped"]
    met = all(one <= goal for one, goal in zip(weight.construct, CONSTRUCT_GOALS, strict=True))
    goal = " / ".join(f"{each:g}" for each in CONSTRUCT_GOALS)
    return [weight.name, *(f"{each:.2f}" for each in weight.construct), f"<= {goal}", _yes(met)]


def _spread(ratios: Sequence[float]) -> str:
    return f"{min(ratios):.3f}..{max(ratios):.3f}"


def _goal(goal: Goal | None) -> str:
    if goal is None:
        return ""
    told = [f"{goal.ratio:.2f}"] if goal.ratio is not None else []
    told += [f"{goal.wall_ms:.0f} ms"] if goal.wall_ms is not None else []
    told += [f"{goal.wall_ratio:.2f} wall"] if goal.wall_ratio is not None else []
    return "<= " + ", ".join(told)


def _yes(met: object) -> str:
    return "" if met is None else "yes" if met else "NO"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    whole = [each for each in rows if len(each) == len(head)]
    widths = [max(len(each[place]) for each in [head, *whole]) for place in range(len(head))]
    widths[0] = max([widths[0], *(len(each[0]) for each in rows)])
    for cells in [head, *rows]:
        if len(cells) < len(head):  # skipped or failed: the reason runs over the columns
            yield f"  {cells[0].ljust(widths[0])}  {'  '.join(cells[1:])}"
            continue
        aligned = [cells[0].ljust(widths[0])]
        aligned += [cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True)]
        yield ("  " + "  ".join(aligned)).rstrip()
