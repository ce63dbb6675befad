"""Strings that nobody gave: made up by rule, honestly and dully. Nothing here knows a joke."""

from collections.abc import Callable

from . import extract
from .arguments import words_of
from .material import Material
from .schemas import Schema

_QUESTIONS = frozenset(extract.terms("question setup ask riddle"))
_ANSWERS = frozenset(
    extract.terms("answer punchline resolve response reply conclusion explanation summary text content reason story")
)


class Inventor:
    """Makes up strings about what was asked. `known`: the answer that the conversation gives, "" if it gives none."""

    def __init__(self, asked: str, known: Callable[[], str] = str) -> None:
        material = Material(asked)
        self.topic = material.topic() or (f'"{rest}"' if (rest := material.rest()) else "this")
        self._known = known

    def text(self, name: str, schema: Schema) -> str:
        """A question or an answer, if the property's name calls for one, or else its description; or ""."""
        for told in (" ".join(words_of(name)), str(schema.get("description", ""))):
            about = set(extract.terms(told)) if told else set()
            if about & _QUESTIONS:
                return f"What is there to say about {self.topic}?"
            if about & _ANSWERS:
                return self.answer()
        return ""

    def answer(self) -> str:
        """What is known, or that nothing is."""
        return self._known() or f"About {self.topic} the local emulator knows nothing: it is no language model."
