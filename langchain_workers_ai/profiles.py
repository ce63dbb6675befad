"""The catalogue's entry of a model as LangChain's model profile."""

from __future__ import annotations

from typing import Any, cast

from langchain_core.language_models.model_profile import ModelProfile

from workers_ai.catalog import lookup


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
        "reasoning_output": info.reasoning,
        "reasoning_effort_levels": list(info.reasoning_effort_levels) or None,
        "reasoning_effort_default": info.reasoning_effort_default,
        "temperature": info.takes("temperature"),
    }
    known = ModelProfile.__annotations__
    return cast("ModelProfile", {key: value for key, value in told.items() if value is not None and key in known})
