"""How the demo looks: plain lines for what streams, tables for what was used. No control codes when piped."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table

from workers_ai.cli.answering import Answered
from workers_ai.cli.finding import Finding, State

_CONTROLS = dict.fromkeys(code for code in range(32) if chr(code) not in "\n\t")
"""A corpus or a model may hold codes that would move the cursor; they are not shown."""

_WITHOUT_END = 10_000
"""Columns of a line that nobody looks at."""

_STATES = {State.OK: ("ok", "green"), State.WRONG: ("NO", "bold red"), State.UNCHECKED: ("--", "dim")}

_COUNTED = {
    "service": "counted by the service (cost source: service)",
    "catalog": "reckoned from list prices (cost source: catalog)",
    None: "unknown to service and catalogue",
}


class Printer:
    """Writes to a console, word for word: what is in square brackets is no markup here."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False)

    def line(self, text: str = "", *, style: str | None = None) -> None:
        """A line, broken by the terminal and not by us, so that it can be searched and copied."""
        self._console.print(text.translate(_CONTROLS), style=style, markup=False, emoji=False, soft_wrap=True)

    def piece(self, text: str) -> None:
        """A piece of a line, shown at once."""
        self._console.print(text.translate(_CONTROLS), end="", markup=False, emoji=False, soft_wrap=True)

    def finding(self, finding: Finding) -> None:
        """One line of the doctor's."""
        word, style = _STATES[finding.state]
        self._console.print(f"{word:<4}", style=style, end="", markup=False)
        self.line(finding.line())

    def wide(self, table: Table) -> None:
        """A table that is as wide as its longest line where nobody looks: a file or a pipe has no width."""
        if self._console.is_terminal:
            self._console.print(table)
            return
        usual = self._console.width
        self._console.width = _WITHOUT_END
        self._console.width = self._console.measure(table).maximum
        self._console.print(table)
        self._console.width = usual

    def table(self, answers: Sequence[Answered]) -> None:
        """What each answer used, and the sum; below, who answered and whose the figures are."""
        table = Table(box=box.SIMPLE, show_footer=len(answers) > 1, padding=(0, 1, 0, 0), pad_edge=False)
        table.add_column("", "all")
        for title, total in _figures(answers).items():
            table.add_column(title, total, justify="right", overflow="fold")  # a figure is never cut short
        for number, answer in enumerate(answers, 1):
            table.add_row(str(number), *_figures([answer]).values())
        self._console.print(table)
        models = ", ".join(dict.fromkeys(answer.model for answer in answers))
        sources = " or ".join(dict.fromkeys(_COUNTED[answer.cost_source] for answer in answers))
        self.line(f"Answered by {models}. Neurons and USD: {sources}.")


def _figures(answers: Sequence[Answered]) -> dict[str, str]:
    """Column -> figure, added up over the answers."""
    return {
        "Tokens in": f"{sum(answer.input_tokens for answer in answers):,}",
        "Tokens out": f"{sum(answer.output_tokens for answer in answers):,}",
        "Neurons": _sum([answer.neurons for answer in answers], ".3f"),
        "USD": _sum([answer.usd for answer in answers], ".7f"),
    }


def _sum(figures: Sequence[float | None], form: str) -> str:
    known = [figure for figure in figures if figure is not None]
    return format(sum(known), form) if len(known) == len(figures) else "unknown"
