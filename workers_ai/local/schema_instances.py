"""Instances of a JSON schema, made from a conversation.

What the conversation gives is taken as for a tool's arguments; what it does not give is made up (`inventions`).
"""

from collections.abc import Callable, Sequence
from typing import Any

from . import json_prompts, schemas
from .arguments import MISSING, Filler
from .chat_request import ChatRequest
from .inventions import Inventor
from .material import Material
from .message import Message
from .schemas import Schema, kind_of, resolved
from .tools import compact
from .turn import Turn

Known = Callable[[Sequence[Message]], str]


def wanted(request: ChatRequest, known: Known) -> str | None:
    """The JSON that the request is to be answered with, as text; None if it asks for none.

    known: the answer in words that a conversation gives, "" if it gives none.
    """
    wish = json_prompts.wish(request.messages)
    if request.schema is None and wish is None:
        return None
    messages = wish.messages if wish is not None else request.messages
    # An open wish in the options may be told in words what its keys are.
    schema = request.schema or (wish.schema if wish is not None else {})
    return compact(of(schema, messages, known))


def of(schema: Schema, messages: Sequence[Message], known: Known) -> Any:
    """An instance of `schema`."""
    turn = Turn.of(messages)
    system = [message.text for message in messages if message.role in {"system", "developer"}]
    material = Material(*reversed(turn.results), turn.asked, turn.before, *system)
    inventor = Inventor(turn.asked, lambda: known(messages), from_results=bool(turn.results))
    return _Maker(material, schema, inventor).make(resolved(schema, schema))


class _Maker(Filler):
    """A filler that leaves less out, and answers in words where there is nothing to fill in."""

    inventor: Inventor

    def __init__(self, material: Material, root: Schema, inventor: Inventor) -> None:
        super().__init__(material, root, inventor=inventor)

    def make(self, schema: Schema) -> Any:
        """The whole value, an object or not."""
        branch = schemas.branches(schema, self.root)[0]
        if kind_of(branch) in {"object", ""} and not choices(branch):
            return self.object(branch) if branch.get("properties") else {"answer": self.inventor.answer()}
        value = self.precise("", branch)
        return self.loose("answer", branch) if value is MISSING else value

    def loose_text(self, name: str, schema: Schema) -> str:
        """A string that the text does not give: made up, or the next thing that is left."""
        if found := self.inventor.text(name, schema):
            return found
        if self.inventor.from_results and (found := self.material.clause()):
            return found
        return self.material.quotation() or self.material.name() or self.inventor.topic

    def is_wanted(self, name: str, schema: Schema) -> bool:
        """An optional property is filled if the message names it, and not to leave it out."""
        return self._switch(name) is True


def choices(schema: Schema) -> bool:
    """Whether only some values are allowed."""
    return schemas.choices_in(schema) is not None
