"""Encoding for `/ai/run`: the model stands in the path, its input is the body."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from workers_ai.wire.message import WireMessage

if TYPE_CHECKING:
    from workers_ai.call import Call


def encode_chat(
    call: Call, messages: Sequence[WireMessage], options: Mapping[str, Any], *, stream: bool, usage: bool
) -> tuple[str, dict[str, Any]]:
    """Path and body of a chat. `usage` changes nothing: native streams tell it unasked."""
    return call.run_path, _streamed({"messages": list(messages), **options}, stream=stream)


def encode_prompt(
    call: Call, prompt: str, options: Mapping[str, Any], *, stream: bool, usage: bool
) -> tuple[str, dict[str, Any]]:
    """Path and body of a plain prompt: as one user message for models that chat, unless it is to go in raw."""
    info = call.info
    if (info.api == "openai" or not info.takes_prompt) and info.takes_messages and not options.get("raw"):
        return encode_chat(call, [{"role": "user", "content": prompt}], options, stream=stream, usage=usage)
    return call.run_path, _streamed({"prompt": prompt, **options}, stream=stream)


def encode_texts(call: Call, texts: Sequence[str], options: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Path and body of an embedding request. `options`: pooling, or what the model's own form takes."""
    name = "documents" if call.info.embedding_input == "documents" else "text"
    return call.run_path, {name: list(texts), **options}


def encode_queries(call: Call, texts: Sequence[str], options: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """As `encode_texts`, for texts that are questions: some models embed those apart (http-api, trap 5)."""
    name = "queries" if call.info.embedding_input == "documents" else "text"
    return call.run_path, {name: list(texts), **options}


def _streamed(body: dict[str, Any], *, stream: bool) -> dict[str, Any]:
    return {**body, "stream": True} if stream else body
