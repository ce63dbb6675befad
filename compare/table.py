"""What became of tests -> Markdown."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Outcome:
    """One test of one contestant on one family of models. `case` tells it from others of the same name."""

    who: str
    family: str
    test: str
    case: str
    end: Literal["passed", "failed", "skipped"]


def summary(outcomes: Sequence[Outcome]) -> str:
    """A row for each contestant, a column for each family: passed / failed / skipped."""
    families = _in_order(each.family for each in outcomes)
    counts = Counter((each.who, each.family, each.end) for each in outcomes)
    rows = [["passed / failed / skipped", *families], ["---"] * (len(families) + 1)]
    for who in _in_order(each.who for each in outcomes):
        ends = [[counts[who, family, end] for end in ("passed", "failed", "skipped")] for family in families]
        rows.append([who, *(" / ".join(map(str, three)) for three in ends)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def differences(outcomes: Sequence[Outcome], *, ours: str, theirs: str) -> str:
    """The tests that one of two passes where the other fails, by name, with the number of cases. Both ways."""
    lines = []
    for passes, fails in ((ours, theirs), (theirs, ours)):
        cases, of = (
            _passed_only_by(outcomes, passes, fails),
            Counter(each.test for each in outcomes if each.who == ours),
        )
        told = [f"`{test}` ({number} of {of[test]})" for test, number in sorted(cases.items())]
        line = f"- {passes} passes and {fails} fails {sum(cases.values())}: {', '.join(told) or 'none'}."
        lines += textwrap.wrap(line, 120, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
    return "\n".join(lines)


def _passed_only_by(outcomes: Iterable[Outcome], passes: str, fails: str) -> Counter[str]:
    ends = {(each.who, each.family, each.case): each for each in outcomes}
    return Counter(
        each.test
        for (who, family, case), each in ends.items()
        if who == passes and each.end == "passed"
        if (other := ends.get((fails, family, case))) is not None and other.end == "failed"
    )


def _in_order(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))
