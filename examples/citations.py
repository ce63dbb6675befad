"""An answer, and which of the sources that it was given it cites."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_MARK = re.compile(r"\[(\d+(?:\s*,\s*\d+)*)\]|\bSource (\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Source:
    """A passage that an answer was made from: where it stands, and how well the reranker found that it fits."""

    name: str
    score: float


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer to a question. sources: those that the model was given, in the order of their numbers."""

    question: str
    text: str
    sources: Sequence[Source]

    @property
    def cited(self) -> list[Source]:
        """The sources whose numbers the text names, as `[2]`, `[1, 2]` or `Source 2`; a number of none is left out."""
        numbers = [int(number) for marks in _MARK.findall(self.text) for number in re.findall(r"\d+", "".join(marks))]
        return [self.sources[number - 1] for number in dict.fromkeys(numbers) if 1 <= number <= len(self.sources)]

    def __str__(self) -> str:
        cites = [f"   cites {source.name} (score {source.score:.3f})" for source in self.cited]
        return "\n".join([self.question, f"   {self.text}", *(cites or ["   cites nothing"])])
