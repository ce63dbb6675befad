"""What the two halves of `demo --agent` have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from workers_ai.cli.answering import Models

Show = Callable[[str], None]
"""Shows a piece of text at once."""


@dataclass(slots=True)
class Acted:
    """What an agent did. tools: those that ran, in their order. pieces: how many its texts came in."""

    tools: list[str] = field(default_factory=list)
    pieces: int = 0

    def note(self, name: str, arguments: Mapping[str, Any], result: object, show: Show) -> None:
        """Remember and show a tool that ran."""
        self.tools.append(name)
        told = ", ".join(f"{key}={value!r}" for key, value in arguments.items())
        show(f"\n   {name}({told}) -> {result}\n")


class Agent(Protocol):
    """A module of the demo: one framework's agent."""

    def act(self, question: str, models: Models, show: Show) -> Acted:
        """Answer the question with the tools."""
        ...
