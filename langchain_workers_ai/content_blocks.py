"""The content blocks of our messages: LangChain asks a translator of the provider's own for them.

Every block of a chunk gets a string index of its own that begins with `lc_`: LangChain joins blocks by index, and
with the bare numbers that it would give, text and a call that follows it become one corrupt block.
"""

from __future__ import annotations

from typing import Any, cast

from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.messages import content as blocks
from langchain_core.messages.block_translators import register_translator

from workers_ai.provider import PROVIDER


def translate(message: AIMessage) -> list[blocks.ContentBlock]:
    """Blocks of a whole message: reasoning, text, calls."""
    found: list[dict[str, Any]] = [*_reasoning(message), *_text(message), *_refusal(message)]
    found += [{**call, "type": "tool_call"} for call in message.tool_calls]
    found += [{**call, "type": "invalid_tool_call"} for call in message.invalid_tool_calls]
    return cast("list[blocks.ContentBlock]", found)


def translate_chunk(message: AIMessageChunk) -> list[blocks.ContentBlock]:
    """Blocks of a chunk, each with the index that joins it to its kind and to no other."""
    if message.chunk_position == "last" and (message.tool_calls or any(c["name"] for c in message.invalid_tool_calls)):
        return translate(message)  # all chunks in one: the pieces have become whole calls
    found = [{**block, "index": "lc_rs_0"} for block in _reasoning(message)]
    found += [{**block, "index": "lc_txt_0"} for block in _text(message)]
    found += [{**block, "index": "lc_rf_0"} for block in _refusal(message)]
    found += [
        {**piece, "type": "tool_call_chunk", "index": f"lc_tc_{piece.get('index') or 0}"}
        for piece in message.tool_call_chunks
    ]
    return cast("list[blocks.ContentBlock]", found)


def _reasoning(message: AIMessage) -> list[dict[str, Any]]:
    text = message.additional_kwargs.get("reasoning_content")
    return [{"type": "reasoning", "reasoning": text}] if text else []


def _text(message: AIMessage) -> list[dict[str, Any]]:
    content = message.content
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    return [block if isinstance(block, dict) else {"type": "text", "text": block} for block in content]


def _refusal(message: AIMessage) -> list[dict[str, Any]]:
    text = message.additional_kwargs.get("refusal")
    return [{"type": "refusal", "refusal": text}] if text else []


def register() -> None:
    """Makes LangChain use these for messages whose `model_provider` is ours."""
    register_translator(PROVIDER, translate, translate_chunk)
