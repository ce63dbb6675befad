"""LlamaIndex's messages to the wire. Functions of values, without a network."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from llama_index.core.base.llms.types import ChatMessage, ImageBlock
from pydantic_core import to_json

from workers_ai.errors import BadRequestError
from workers_ai.wire.call_ids import inward_id
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


def to_wire_messages(messages: Sequence[ChatMessage], *, model: str | None = None) -> list[WireMessage]:
    """All messages as the service takes them; none of the given ones is changed.

    A tool's result also tells the tool's name (quirk 47). One that does not say which call it answers gets the id of
    the first call before it that has no answer yet.
    Raises BadRequestError, naming the kind and `model`, for content that is neither text nor picture.
    """
    names: dict[str, str] = {}
    open_ids: list[str] = []
    wires = []
    for turn, message in enumerate(messages):
        wire = to_wire(message, model=model, turn=turn)
        if wire["role"] == "tool":
            _complete_result(wire, names, open_ids, turn)
        for call in wire.get("tool_calls", ()):
            names[call["id"]] = call["function"]["name"]
            open_ids.append(call["id"])
        wires.append(wire)
    return wires


def to_wire(message: ChatMessage, *, model: str | None = None, turn: int = 0) -> WireMessage:
    """One message as the service takes it: content is never null, and a string unless it holds a picture.

    Of `additional_kwargs` only a tool message's `tool_call_id` and `name`, and an assistant's `tool_calls` where it
    has no block of a call, go out: other packages and LlamaIndex's own agents keep what they like there.
    turn: the message's place in the history; calls without an id get one made of it.
    Raises BadRequestError, naming the kind and `model`, for content that is neither text nor picture.
    """
    role = _ROLES[message.role.value]
    wire = WireMessage(role=role, content=_content(message, model))
    if role == "tool":
        _add_origin(wire, message.additional_kwargs)
    elif role == "assistant" and (calls := _calls(message, turn)):
        wire["tool_calls"] = calls
    return wire


def _content(message: ChatMessage, model: str | None) -> str | list[dict[str, Any]]:
    parts = [part for block in message.blocks for part in _parts(block, model)]
    if all(part["type"] == "text" for part in parts):
        return "\n".join(part["text"] for part in parts)
    return parts


def _parts(block: Any, model: str | None) -> Iterator[dict[str, Any]]:
    """What a block puts into the content, blocks inside it included."""
    kind = block.block_type
    if kind == "text":
        yield {"type": "text", "text": block.text}
    elif kind == "image":
        yield {"type": "image_url", "image_url": _picture(block, model)}
    elif kind in _NESTING:
        inner = getattr(block, _NESTING[kind])
        for part in inner if isinstance(inner, list) else [inner]:
            yield from _parts(part, model)
    elif kind not in _DROPPED:
        raise _refused(f"content of kind {kind!r} has no form on Workers AI; text and pictures have", model)


def _picture(block: ImageBlock, model: str | None) -> dict[str, str]:
    """A picture by its address, or its bytes as a `data:` URL; nothing is downloaded here."""
    url = str(block.url) if block.url and not block.image else _data_url(block, model)
    return {"url": url, "detail": block.detail} if block.detail else {"url": url}


def _data_url(block: ImageBlock, model: str | None) -> str:
    try:
        data = block.resolve_image().read()
    except ValueError as empty:
        raise _refused("a picture is empty", model) from empty
    kind = block.image_mimetype or ImageBlock(image=data).image_mimetype  # the second looks at the bytes
    if not kind:
        raise _refused("a picture of no known kind; say which by image_mimetype", model)
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def _refused(problem: str, model: str | None) -> BadRequestError:
    return BadRequestError(f"messages: {problem}", model=model, maybe_sent=False)


def _add_origin(wire: WireMessage, kept: Mapping[str, Any]) -> None:
    """Which call a tool message answers, and which tool did, where the message says so."""
    if call_id := kept.get("tool_call_id"):
        wire["tool_call_id"] = inward_id(str(call_id))
    if name := kept.get("name"):
        wire["name"] = str(name)


def _complete_result(wire: WireMessage, names: Mapping[str, str], open_ids: list[str], turn: int) -> None:
    """Adds what a tool's message does not say itself, and takes its call off the open ones."""
    call_id = wire.get("tool_call_id") or (open_ids[0] if open_ids else f"call_{turn}_0")
    wire["tool_call_id"] = call_id
    if call_id in open_ids:
        open_ids.remove(call_id)
    if name := wire.get("name") or names.get(call_id):
        wire["name"] = name


def _calls(message: ChatMessage, turn: int) -> list[dict[str, Any]]:
    """The calls of an assistant's message: of its blocks, else of the place where they stood before there were any."""
    told = [
        (block.tool_call_id, block.tool_name, block.tool_kwargs)
        for block in message.blocks
        if block.block_type == "tool_call"
    ]
    if not told:
        held = message.additional_kwargs.get("tool_calls")
        told = [_old_call(call) for call in held] if isinstance(held, list | tuple) else []
    return [
        {
            "id": inward_id(call_id) if call_id else f"call_{turn}_{place}",
            "type": "function",
            "function": {"name": name or "unknown", "arguments": _arguments(arguments)},
        }
        for place, (call_id, name, arguments) in enumerate(told)
    ]


def _old_call(call: Any) -> tuple[str | None, str, Any]:
    """Id, name and arguments of a call as OpenAI's dict, its client's object, or a flat dict."""
    function = _get(call, "function") or call
    return _get(call, "id"), str(_get(function, "name") or ""), _get(function, "arguments")


def _get(held: Any, name: str) -> Any:
    return held.get(name) if isinstance(held, Mapping) else getattr(held, name, None)


def _arguments(held: Any) -> str:
    """Arguments as JSON text, which most models ask for (quirk 46)."""
    return held if isinstance(held, str) else to_json(held or {}, fallback=str).decode()
