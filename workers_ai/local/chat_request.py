"""A chat request after validation: what a backend is asked, and how the answer is to be dressed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from . import response_format, tokens, tools
from .families import ChatFamily, Price
from .message import Message
from .tools import Tool, ToolChoice


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One generation.

    max_tokens: of the completion, reasoning included; `limited` is false where neither request nor family names one.
    thinking: the answer carries reasoning.
    legacy_prompt: asked by `prompt`, not by `messages`.
    include_usage: `stream_options.include_usage`; counts on `/ai/v1` only.
    padding: frames carry `p`.
    tools, choice, parallel: the tools offered, which must be called, whether several calls may come at once.
    prefix: tools and messages as one text, for the prompt cache.
    schema: what `response_format` demands, `{}` for any JSON object; None for words.
    quirks: odd behaviour that a header asked for (`quirk_header`).
    cached_tokens: of the prompt, those that the prompt cache knew.
    options: the sampling options and the choice of tools as sent, for a backend that is a model.
    """

    model: str
    family: ChatFamily
    price: Price
    messages: tuple[Message, ...]
    prompt_tokens: int
    max_tokens: int
    limited: bool = True
    stop: tuple[str, ...] = ()
    thinking: bool = False
    legacy_prompt: bool = False
    stream: bool = False
    include_usage: bool = False
    padding: bool = True
    tools: tuple[Tool, ...] = ()
    choice: ToolChoice = field(default_factory=ToolChoice)
    parallel: bool = True
    prefix: str = ""
    schema: Mapping[str, Any] | None = None
    quirks: frozenset[str] = frozenset()
    cached_tokens: int = 0
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def answering_model(self) -> str:
        """The id that the answer names: not always the one asked for (quirk 9)."""
        return self.model + self.family.model_suffix


# Where no maximum is named: a bound that no extractive answer reaches, and no model is hurt by.
_PLENTY = 16_384

# What a backend that is a model is told besides messages, model, max_tokens and stop.
_PASSED_ON = (
    "temperature",
    "top_p",
    "seed",
    "frequency_penalty",
    "presence_penalty",
    "tool_choice",
    "parallel_tool_calls",
)


def read(
    model: str, family: ChatFamily, price: Price, body: Mapping[str, Any], quirks: frozenset[str] = frozenset()
) -> ChatRequest:
    """The request in a body that passed validation."""
    messages = _messages(body)
    limit = body.get("max_completion_tokens") or body.get("max_tokens") or family.default_max_tokens
    stream_options = body.get("stream_options") or {}
    return ChatRequest(
        model=model,
        family=family,
        price=price,
        messages=messages,
        prompt_tokens=tokens.count_prompt(messages, map(str, body.get("tools") or ())),
        max_tokens=int(limit or _PLENTY),
        limited=limit is not None,
        stop=_stop(body.get("stop")) if family.obeys_stop else (),
        thinking=_thinks(family, body),
        legacy_prompt="messages" not in body,
        stream=body.get("stream") is True,
        include_usage=stream_options.get("include_usage") is True,
        padding=stream_options.get("include_obfuscation") is not False,
        tools=tools.read(body.get("tools")),
        choice=tools.read_choice(body.get("tool_choice")),
        parallel=body.get("parallel_tool_calls") is not False,
        prefix="".join([*map(str, body.get("tools") or ()), *(f"{m.role}{m.cost}" for m in messages)]),
        schema=response_format.schema_in(body.get("response_format")),
        quirks=quirks,
        options={name: body[name] for name in _PASSED_ON if body.get(name) is not None},
    )


def _messages(body: Mapping[str, Any]) -> tuple[Message, ...]:
    if "messages" in body:
        return tuple(map(Message.from_wire, body["messages"]))
    return (Message("user", body["prompt"]),)


def _stop(stop: Any) -> tuple[str, ...]:
    if stop is None:
        return ()
    return (stop,) if isinstance(stop, str) else tuple(map(str, stop))


def _thinks(family: ChatFamily, body: Mapping[str, Any]) -> bool:
    """Reasoning is shown by those that always show it, else when asked for; null asks for none (quirk 58)."""
    if family.thinks != "when asked":
        return family.thinks != "never"
    switch = (body.get("chat_template_kwargs") or {}).get("enable_thinking")
    if switch is not None:
        return switch is True
    return body.get("reasoning_effort") not in {None, "none"}
