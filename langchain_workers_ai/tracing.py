"""What traces are told of a model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from langchain_core.language_models.base import LangSmithParams

from workers_ai.provider import PROVIDER
from workers_ai.text_fields import TextFields


def identifying_params(model: TextFields) -> dict[str, Any]:
    """What tells two models apart, for traces and for LangChain's cache: all that changes an answer, nothing secret."""
    dumped = model.model_dump(include={"model", "api", "gateway", "extra_body"}, exclude_none=True)
    others = {"fallback": list(model.fallback)} if model.fallback else {}
    return {**dumped, "model_name": dumped["model"], **others, **model._text_options()}


def langsmith_params(
    kind: Literal["chat", "llm"],
    model: str,
    options: Mapping[str, Any],
    stop: list[str] | None,
    call: Mapping[str, Any],
) -> LangSmithParams:
    """The `ls_*` parameters of one call: what it changes goes before the object's own. None of them is secret."""
    told = {**options, **{name: value for name, value in call.items() if value is not None}}
    params = LangSmithParams(ls_provider=PROVIDER, ls_model_name=str(call.get("model") or model), ls_model_type=kind)
    if (temperature := told.get("temperature")) is not None:
        params["ls_temperature"] = temperature
    if (limit := told.get("max_tokens")) is not None:
        params["ls_max_tokens"] = limit
    if ends := (stop or told.get("stop")):
        params["ls_stop"] = [ends] if isinstance(ends, str) else list(ends)
    return params
