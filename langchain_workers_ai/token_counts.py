"""LangChain's questions about tokens, answered without transformers: `trim_messages(token_counter=model)` asks them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from langchain_core.language_models.base import BaseLanguageModel
from langchain_core.messages import BaseMessage

from langchain_workers_ai.messages import with_tool_names
from langchain_workers_ai.tools import to_wire_tools
from workers_ai.token_estimate import corrected, estimate_tokens, of_tools

if TYPE_CHECKING:
    from langchain_workers_ai.tools import Tool


def counter_of(model: BaseLanguageModel[Any]) -> Callable[[str], int] | None:
    """Counts by `custom_get_token_ids`, where the model was given that."""
    encode = model.custom_get_token_ids
    return None if encode is None else lambda text: len(encode(text))


def tokens_of_text(model: BaseLanguageModel[Any], name: str, text: str) -> int:
    """Tokens of a text, rather too many than too few: `TokenEstimate.high`."""
    return estimate_tokens(text, model=name, count=counter_of(model)).high


def tokens_of_messages(
    model: BaseLanguageModel[Any], name: str, messages: Sequence[BaseMessage], tools: Sequence[Tool] | None
) -> int:
    """Tokens of messages and tools, as `tokens_of_text`."""
    count = counter_of(model)
    found = estimate_tokens(with_tool_names(list(messages), name), model=name, count=count)
    if tools:
        found += corrected(of_tools(to_wire_tools(tools), count), name, exact=count is not None)
    return found.high
