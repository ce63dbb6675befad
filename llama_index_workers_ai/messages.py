"""LlamaIndex's messages to the wire. Functions of one value."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llama_index.core.base.llms.types import ChatMessage
from pydantic_core import to_json

from workers_ai.errors import BadRequestError
from workers_ai.wire.message import WireMessage

_ROLES = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "chatbot": "assistant",
    "model": "assistant",
    "function": "tool",
    "tool": "tool",
}
"""LlamaIndex's roles -> the service's four."""

_NESTING = {"citable": "content", "citation": "cited_content"}
"""Blocks around other blocks -> where those stand. The service has no citations: the text inside them remains."""

_DROPPED = frozenset({"thinking", "cache", "tool_call"})
"""Blocks that are no content: reasoning is never sent back, the cache needs no points, calls have their own place."""


def to_wire(message: ChatMessage, *, model: str | None = None) -> WireMessage:
    """One message as the service takes it: content is a string and never null (quirks 45, 51).

    Of `additional_kwargs` only a tool message's `tool_call_id` and `name` go out: other packages and LlamaIndex's
    own agents keep what they like there.
    Raises BadRequestError, naming the kind and `model`, for content that is no text.
    """
    role = _ROLES[message.role.value]
    text = "\n".join(text for block in message.blocks for text in _texts(block, model))
    wire = WireMessage(role=role, content=text)
    if role == "tool":
        _add_origin(wire, message.additional_kwargs)
    elif calls := _calls(message, model):
        wire["tool_calls"] = calls
    return wire


def _texts(block: Any, model: str | None) -> Iterator[str]:
    """The texts of a block, those of blocks inside it included."""
    kind = block.block_type
    if kind == "text":
        yield block.text
    elif kind in _NESTING:
        inner = getattr(block, _NESTING[kind])
        for part in inner if isinstance(inner, list) else [inner]:
            yield from _texts(part, model)
    elif kind not in _DROPPED:
        raise BadRequestError(
            f"messages: content of kind {kind!r} is not taken yet, only text", model=model, maybe_sent=False
        )


def _add_origin(wire: WireMessage, kept: dict[str, Any]) -> None:
    """Which call a tool message answers, and which tool did, where the message says so."""
    if call_id := kept.get("tool_call_id"):
        wire["tool_call_id"] = str(call_id)
    if name := kept.get("name"):
        wire["name"] = str(name)


def _calls(message: ChatMessage, model: str | None) -> list[dict[str, Any]]:
    """The tool calls of a message from the history; ids that are missing are made from their places."""
    blocks: list[Any] = [block for block in message.blocks if block.block_type == "tool_call"]
    if not blocks and message.additional_kwargs.get("tool_calls"):
        raise BadRequestError(
            'messages: tool calls in additional_kwargs["tool_calls"] alone are not taken yet; use ToolCallBlock',
            model=model,
            maybe_sent=False,
        )
    return [
        {
            "id": block.tool_call_id or f"call_{place}",
            "type": "function",
            "function": {"name": block.tool_name, "arguments": _arguments(block.tool_kwargs)},
        }
        for place, block in enumerate(blocks)
    ]


def _arguments(kwargs: dict[str, Any] | str) -> str:
    """Arguments as JSON text, which most models ask for (quirk 46)."""
    return kwargs if isinstance(kwargs, str) else to_json(kwargs).decode()
