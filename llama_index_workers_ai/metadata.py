"""What LlamaIndex asks of a model, from the catalogue."""

from __future__ import annotations

from llama_index.core.base.llms.types import LLMMetadata, MessageRole

from workers_ai.catalog import ModelInfo, lookup

UNKNOWN_WINDOW = 24_000
"""Tokens to assume of a model whose window nobody knows.

No current chat model has less, the bases for LoRA adapters left aside, and an id that the catalogue lacks is newer
still. LlamaIndex's own 3,900 would cut an answer over many nodes into several paid calls.
"""

UNKNOWN_OUTPUT = -1
"""LlamaIndex's sign for "not known"; its prompt helper then leaves room for 256 tokens."""


def metadata_of(
    model: str,
    *,
    context_window: int | None = None,
    max_tokens: int | None = None,
    is_chat_model: bool = True,
    is_function_calling_model: bool | None = None,
) -> LLMMetadata:
    """The metadata of `model`. Total: LlamaIndex reads it in every call, so no id may fail here.

    context_window, max_tokens: in tokens. What is given goes before what the catalogue knows.
    """
    info = lookup(model)
    calls = is_function_calling_model
    if calls is None:
        calls = is_chat_model and _calls_tools(info)
    return LLMMetadata(
        context_window=context_window or info.context_window or UNKNOWN_WINDOW,
        num_output=max_tokens or info.default_max_tokens or UNKNOWN_OUTPUT,
        is_chat_model=is_chat_model,
        is_function_calling_model=calls,
        model_name=model,
        system_role=MessageRole.SYSTEM,
    )


def _calls_tools(info: ModelInfo) -> bool:
    """As the listing says; where it is silent, whether tools are an input of the model."""
    return bool(info.function_calling if info.function_calling is not None else info.tools_in_schema)
