"""Structured output: how a model is asked for an instance of a class, and how its answer becomes one.

Three ways lead there, and all of them go through the LLM's own chat endpoints, so that events, usage and the rate
limiter stay: the answer's own format (JSON mode), a tool that must be called, and a schema in the prompt.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, MessageRole, TextBlock
from llama_index.core.program.utils import FlexibleModel, create_flexible_model
from llama_index.core.types import Model, PydanticProgramMode
from pydantic import ValidationError
from pydantic_core import from_json, to_json

from llama_index_workers_ai.responses import so_far
from llama_index_workers_ai.tools import calls_of
from workers_ai.catalog import lookup
from workers_ai.errors import StructuredOutputError
from workers_ai.json_schema import accepted
from workers_ai.wire.tools import WireTool, wire_tool

Way = Literal["json_schema", "tool", "prompt"]

_THE_PROGRAMS = frozenset({"tool_required", "tool_choice", "allow_parallel_tool_calls", "tools", "response_format"})
"""Arguments of a call that structured output sets itself; LlamaIndex's programs leave them out too."""

_SHOWN = 2000
"""Letters of a wrong answer that an error's message shows; `partial` holds all."""


def way_of(mode: PydanticProgramMode, *, model: str, wanted: bool | None, calls_tools: bool) -> Way | None:
    """How `model` is asked; None for a mode that another package must be installed for.

    wanted: JSON mode (True), a tool or the prompt (False), or JSON mode where the catalogue tells of it (None).
    """
    if mode == PydanticProgramMode.LLM:
        return "prompt"
    if mode == PydanticProgramMode.FUNCTION:
        return "tool"
    if mode != PydanticProgramMode.DEFAULT:
        return None
    if lookup(model).json_mode if wanted is None else wanted:
        return "json_schema"
    return "tool" if calls_tools else "prompt"


@dataclass(frozen=True, slots=True)
class Asked(Generic[Model]):
    """One structured question. messages, options: what the chat endpoints get."""

    output_cls: type[Model]
    model: str
    messages: list[ChatMessage]
    options: dict[str, Any]

    def instance(self, response: ChatResponse) -> Model:
        """The object in a whole answer.

        Raises StructuredOutputError, naming the model and what it wrote, for an answer that holds none.
        """
        text = _object_text(response)
        try:
            return _validated(self.output_cls, text)
        except ValidationError as invalid:
            raise self._unmet(response, text, invalid) from invalid

    def _unmet(self, response: ChatResponse, text: str, invalid: ValidationError) -> StructuredOutputError:
        told = response.additional_kwargs
        why = "; ".join(f"{'.'.join(map(str, error['loc']))} {error['msg']}".strip() for error in invalid.errors()[:5])
        wrote = told.get("refusal") or text
        return StructuredOutputError(
            f"The answer is no {self.output_cls.__name__} ({why}); the model wrote: {wrote[:_SHOWN]!r}",
            request_id=told.get("request_id"),
            model=told.get("model_name") or self.model,
            hint="A higher max_tokens helps where it was cut off" if told.get("finish_reason") == "length" else None,
            partial=wrote,
        )


class Growing(Generic[Model]):
    """The object of one stream as it grows: lenient while it does, an instance of the class itself at the end."""

    def __init__(self, asked: Asked[Model]) -> None:
        self._asked = asked
        self._lenient = create_flexible_model(asked.output_cls)
        self._seen: dict[str, Any] = {}
        self._last: ChatResponse | None = None
        self._told: Model | FlexibleModel | None = None

    def add(self, response: ChatResponse) -> Model | FlexibleModel | None:
        """The object so far; None where nothing was added to it."""
        self._last = response
        found = so_far(_object_text(response))
        if found in ({}, self._seen):
            return None
        self._seen = found
        self._told = self._as_far_as(found)
        return self._told

    def end(self) -> Model | None:
        """The whole object; None where it has been told. Raises as `Asked.instance` does."""
        assert self._last is not None
        whole = self._asked.instance(self._last)
        return whole if whole != self._told else None

    def _as_far_as(self, found: dict[str, Any]) -> Model | FlexibleModel:
        try:
            return self._asked.output_cls.model_validate(found)
        except ValidationError:
            return self._lenient.model_validate(found)


def asked(
    output_cls: type[Model],
    messages: Sequence[ChatMessage],
    options: dict[str, Any] | None,
    *,
    way: Way,
    model: str,
    strict: bool | None = None,
) -> Asked[Model]:
    """The question for an instance of `output_cls`, put in one of the three ways.

    options: what else the call is given; what the way itself sets is left out of it.
    """
    rest = {name: value for name, value in (options or {}).items() if name not in _THE_PROGRAMS}
    model = rest.get("model") or model
    if way == "json_schema":
        rest["response_format"] = _response_format(output_cls, strict=rest.pop("strict", strict))
    elif way == "tool":
        tool = _tool(output_cls, strict=rest.pop("strict", strict))
        rest |= {"tools": [tool], "tool_choice": tool["function"]["name"], "parallel_tool_calls": False}
    else:
        messages = _instructed(output_cls, messages)
    return Asked(output_cls, model, list(messages), rest)


def _response_format(output_cls: type[Model], *, strict: bool | None) -> dict[str, Any]:
    schema = output_cls.model_json_schema()
    held = {"name": _name(output_cls, schema), "schema": schema, "strict": strict}
    return {"type": "json_schema", "json_schema": {key: value for key, value in held.items() if value is not None}}


def _tool(output_cls: type[Model], *, strict: bool | None) -> WireTool:
    schema = output_cls.model_json_schema()
    description = schema.pop("description", None)
    name = _name(output_cls, schema)
    return wire_tool(
        {"function": {"name": name, "description": description, "parameters": schema, "strict": strict or None}}
    )


def _name(output_cls: type[Model], schema: dict[str, Any]) -> str:
    """A name for the class in the letters that the service takes: a generic one has brackets in its own."""
    return re.sub(r"[^a-zA-Z0-9_-]", "_", str(schema.get("title") or output_cls.__name__))[:64]


def _instructed(output_cls: type[Model], messages: Sequence[ChatMessage]) -> list[ChatMessage]:
    """`messages` with the schema among what the system says."""
    schema = to_json(accepted(output_cls.model_json_schema())).decode()
    instruction = TextBlock(text=f"Answer with one JSON object and nothing else. Its JSON schema:\n{schema}")
    if messages and messages[0].role == MessageRole.SYSTEM:
        first = messages[0].model_copy(update={"blocks": [*messages[0].blocks, instruction]})
        return [first, *messages[1:]]
    return [ChatMessage(role=MessageRole.SYSTEM, blocks=[instruction]), *messages]


def _object_text(response: ChatResponse) -> str:
    """The JSON in a response: the arguments of its call, else its text (a tool that was forced may leak there)."""
    if calls_of(response.message):
        return str(response.message.additional_kwargs["tool_calls"][0]["function"]["arguments"])
    text = response.message.content or ""
    start, end = text.find("{"), text.rfind("}")
    if text.lstrip()[:1] in ("{", "[") or start < 0:
        return text
    return text[start : end + 1] if end > start else text[start:]  # words or a fence around it


def _validated(output_cls: type[Model], text: str) -> Model:
    """The instance in `text`. Through Python values, as a tool's arguments go: enums and dates come as strings."""
    try:
        return output_cls.model_validate_json(text)
    except ValidationError:
        start, end = text.find("{"), text.rfind("}")
        try:
            found = from_json(text[start : end + 1])
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise
        return output_cls.model_validate(found)
