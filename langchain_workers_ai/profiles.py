"""The catalogue's entry of a model as LangChain's model profile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from langchain_core.language_models.model_profile import ModelProfile

from workers_ai.catalog import lookup

if TYPE_CHECKING:
    from workers_ai.catalog import ModelInfo


def profile_of(model: str) -> ModelProfile | None:
    """What LangChain asks of a model: windows, inputs, outputs. None for a model that the catalogue does not hold.

    Only what is known stands in it, and only keys that the installed langchain-core knows.
    """
    info = lookup(model)
    if not info.known:
        return None
    told: dict[str, Any] = {
        "name": info.id,
        "status": info.status if info.status == "deprecated" else None,
        "max_input_tokens": info.max_input_tokens or info.context_window,
        "text_inputs": info.takes_messages or info.takes_prompt,
        "text_outputs": info.takes_messages or info.takes_prompt,
        "image_inputs": info.vision,
        "image_url_inputs": info.vision and not info.data_urls_only if info.vision is not None else None,
        "image_tool_message": info.vision,
        "tool_calling": _takes_tools(info),
        "tool_choice": info.takes("tool_choice"),
        "tool_call_streaming": _takes_tools(info),
        "structured_output": info.json_mode,
        "reasoning_output": info.reasoning,
        "reasoning_effort_levels": list(info.reasoning_effort_levels) or None,
        "reasoning_effort_default": info.reasoning_effort_default,
        "temperature": info.takes("temperature"),
    }
    known = ModelProfile.__annotations__
    return cast("ModelProfile", {key: value for key, value in told.items() if value is not None and key in known})


def _takes_tools(info: ModelInfo) -> bool | None:
    """As the listing says; where it is silent, as the model's input schema says."""
    return info.tools_in_schema if info.function_calling is None else info.function_calling
