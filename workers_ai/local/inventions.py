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
    """Makes up strings about what was asked.

    known: the answer that the conversation gives, "" if it gives none.
    from_results: tools brought something, so a string that nobody gave is taken from there before it is made up.
    """

    def __init__(self, asked: str, known: Callable[[], str] = str, *, from_results: bool = False) -> None:
        self.from_results = from_results
        material = Material(asked)
        told = material.topic()
        self.topic = told or material.rest() or "this"
        # A topic is named; a whole message is quoted.
        self._shown = told or f'"{self.topic}"'
        self._known = known

    def text(self, name: str, schema: Schema) -> str:
        """A question or an answer, if the property's name calls for one, or else its description; or ""."""
        for told in (" ".join(words_of(name)), str(schema.get("description", ""))):
            about = set(extract.terms(told)) if told else set()
            if about & _QUESTIONS:
                return f"What is there to say about {self._shown}?"
            if about & _ANSWERS:
                return self.answer()
        return ""

    def answer(self) -> str:
        """What is known, or that nothing is."""
        return self._known() or f"About {self._shown} the local emulator knows nothing: it is no language model."
