"""Tools as a request offers them, and calls of them as a history holds them."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool: OpenAI's form and the flat form come to the same. `parameters`: a JSON schema, {} for none."""

    name: str
    description: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_wire(cls, tool: Mapping[str, Any]) -> "Tool":
        """One entry of a request's `tools`."""
        function = tool.get("function")
        facts = function if isinstance(function, dict) else tool
        parameters = facts.get("parameters")
        return cls(
            str(facts.get("name", "")),
            str(facts.get("description") or ""),
            parameters if isinstance(parameters, dict) else {},
        )

    def to_openai(self) -> dict[str, Any]:
        """In OpenAI's form."""
        facts = {"name": self.name, "description": self.description, "parameters": self.parameters}
        return {"type": "function", "function": facts}

    @property
    def properties(self) -> dict[str, Any]:
        """The parameters' schemas by name."""
        found = self.parameters.get("properties")
        return found if isinstance(found, dict) else {}

    @property
    def required(self) -> list[str]:
        """Names of the parameters that a call must give."""
        return required_of(self.parameters)


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call of a tool. `arguments` as parsed; {} where the history's text is no JSON object."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    id: str = ""

    @classmethod
    def from_wire(cls, call: Mapping[str, Any]) -> "ToolCall":
        """A call in a message, in OpenAI's form or flat (quirk 32)."""
        function = call.get("function")
        facts = function if isinstance(function, dict) else call
        return cls(str(facts.get("name", "")), parsed(facts.get("arguments")), str(call.get("id") or ""))

    def same_as(self, other: "ToolCall") -> bool:
        """Whether both ask the same of the same tool."""
        return self.name == other.name and dict(self.arguments) == dict(other.arguments)

    @property
    def text(self) -> str:
        """The arguments as compact JSON, as a model writes them; nothing is escaped."""
        return compact(self.arguments)


@dataclass(frozen=True, slots=True)
class ToolChoice:
    """What `tool_choice` asks for: `mode` "none", "auto", "required"; `names` where only some tools may be called."""

    mode: str = "auto"
    names: tuple[str, ...] = ()

    @property
    def forced(self) -> bool:
        """A call must come."""
        return self.mode == "required"


def required_of(schema: Mapping[str, Any]) -> list[str]:
    """The properties an object must have; without a word about it, all that have no default and may not be null."""
    properties = schema.get("properties")
    if not isinstance(properties, dict):
        return []
    if isinstance(schema.get("required"), list):
        return [name for name in schema["required"] if name in properties]
    return [name for name, facts in properties.items() if isinstance(facts, dict) and "default" not in facts]


def read(tools: Any) -> tuple[Tool, ...]:
    """The tools of a request that passed validation."""
    return tuple(Tool.from_wire(tool) for tool in tools or () if isinstance(tool, dict))


def read_choice(choice: Any) -> ToolChoice:
    """`tool_choice` in any of its forms (http-api 2.2)."""
    if isinstance(choice, str):
        return ToolChoice(choice)
    if not isinstance(choice, dict):
        return ToolChoice()
    if choice.get("type") == "allowed_tools":
        allowed = choice.get("allowed_tools", choice)
        return ToolChoice(str(allowed.get("mode", "auto")), tuple(_names(allowed.get("tools") or ())))
    return ToolChoice("required", tuple(_names([choice])))


def _names(choices: Iterable[Any]) -> Iterable[str]:
    for choice in choices:
        inner = choice.get(choice.get("type"), choice)
        if isinstance(inner, dict) and inner.get("name"):
            yield str(inner["name"])


def parsed(arguments: Any) -> dict[str, Any]:
    """Arguments as an object: as it is, or read from a text."""
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments)
        except ValueError:
            return {}
    return arguments if isinstance(arguments, dict) else {}


def compact(value: Any) -> str:
    """JSON without blanks, letters of all scripts as they are."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
