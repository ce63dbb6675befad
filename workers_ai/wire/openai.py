"""Encoding for `/ai/v1`, the OpenAI-compatible form: the model stands in the body."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from workers_ai.wire.message import WireMessage

if TYPE_CHECKING:
    from workers_ai.call import Call


def encode_chat(
    call: Call, messages: Sequence[WireMessage], options: Mapping[str, Any], *, stream: bool, usage: bool
) -> tuple[str, dict[str, Any]]:
    """Path and body of a chat. usage: ask a stream to tell its tokens."""
    body: dict[str, Any] = {"model": call.model, "messages": list(messages), **options}
    if stream:
        body["stream"] = True
        if usage:
            body["stream_options"] = {"include_usage": True}
    return call.chat_path, body


def encode_prompt(
    call: Call, prompt: str, options: Mapping[str, Any], *, stream: bool, usage: bool
) -> tuple[str, dict[str, Any]]:
    """Path and body of a plain prompt, as one user message: there is no completions path."""
    return encode_chat(call, [{"role": "user", "content": prompt}], options, stream=stream, usage=usage)


def encode_texts(call: Call, texts: Sequence[str], options: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Path and body of an embedding request."""
    return "ai/v1/embeddings", {"model": call.model, "input": list(texts), **options}


encode_queries = encode_texts  # this form does not tell questions from texts
