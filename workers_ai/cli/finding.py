"""What the doctor found: one line for each thing it looked at."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class State(StrEnum):
    """How a thing is."""

    OK = "ok"
    WRONG = "wrong"
    UNCHECKED = "not checked"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line. subject: "account", "token", ... told: what was seen. remedy: what to do, where something is wrong."""

    subject: str
    state: State
    told: str
    remedy: str | None = None

    @classmethod
    def ok(cls, subject: str, told: str) -> Finding:
        """All is well."""
        return cls(subject, State.OK, told)

    @classmethod
    def wrong(cls, subject: str, told: str, remedy: str) -> Finding:
        """Something is to be done."""
        return cls(subject, State.WRONG, told, remedy)

    @classmethod
    def unchecked(cls, subject: str, why: str) -> Finding:
        """It could not be looked at."""
        return cls(subject, State.UNCHECKED, why)

    def line(self) -> str:
        """For a terminal: one line, whatever was told."""
        text = f"{self.subject}: {self.told}"
        text = f"{text.rstrip('. ')}. To do: {self.remedy}" if self.remedy else text
        return " ".join(text.split())

    def as_json(self) -> dict[str, Any]:
        """For a program."""
        return {"subject": self.subject, "state": str(self.state), "told": self.told, "remedy": self.remedy}
