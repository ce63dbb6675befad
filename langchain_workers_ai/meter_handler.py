"""Feeds a `NeuronMeter` from LangChain's events, where its block does not reach."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration

from workers_ai.provider import PROVIDER

if TYPE_CHECKING:
    from uuid import UUID

    from langchain_core.outputs import Generation, LLMResult

    from workers_ai.meter import NeuronMeter

_OF_CHAINS = ("seq:step:", "map:key:", "condition:", "branch:", "langsmith:")
"""Beginnings of the tags that LangChain gives by itself."""


class NeuronMeterHandler(BaseCallbackHandler):
    """A callback that feeds a meter: for runs whose threads or workers do not inherit the meter's block.

    ```python
    from langchain_workers_ai import ChatWorkersAI, NeuronMeter, NeuronMeterHandler

    meter = NeuronMeter()
    model = ChatWorkersAI(callbacks=[NeuronMeterHandler(meter)])
    ```

    An answer counts once, whether the block, this handler, or both have seen it; answers from LangChain's own cache
    do not count. The tags of a run count as the meter's: `by_tag` has them. Embeddings tell no events: for those use
    the block. Budgets are kept where the block reaches.
    """

    def __init__(self, meter: NeuronMeter) -> None:
        self.meter = meter

    def on_llm_end(
        self,
        response: LLMResult,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        tags: list[str] | None = None,
        **kwargs: Any,
    ) -> None:
        """Takes in the answers of one run."""
        own = [tag for tag in tags or () if not tag.startswith(_OF_CHAINS)]
        tokens = dict((response.llm_output or {}).get("token_usage") or {})
        for generation in (each for listed in response.generations for each in listed):
            told, usage = _told(generation)
            if not _is_ours(told) or "total_cost" in usage:  # LangChain puts that into what its cache gives back
                continue
            counts = usage or _from_output(tokens)
            self.meter.feed(
                told,
                input_tokens=counts.get("input_tokens", 0),
                output_tokens=counts.get("output_tokens", 0),
                tags=own,
            )


def _told(generation: Generation) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Metadata and usage of one generation; of several choices of one answer only the first has both."""
    if not isinstance(generation, ChatGeneration):
        return generation.generation_info or {}, {}
    message = generation.message
    return message.response_metadata, dict(message.usage_metadata or {}) if isinstance(message, AIMessage) else {}


def _is_ours(told: Mapping[str, Any]) -> bool:
    return told.get("model_provider") == PROVIDER


def _from_output(tokens: dict[str, Any]) -> dict[str, int]:
    """The tokens of a plain LLM's result; they stand beside its generations, for all together, and are used up here."""
    return {
        "input_tokens": int(tokens.pop("prompt_tokens", 0)),
        "output_tokens": int(tokens.pop("completion_tokens", 0)),
    }
