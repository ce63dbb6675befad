"""Feeds a `NeuronMeter` from LlamaIndex's events, where its block does not reach."""

from __future__ import annotations

from typing import Any

from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.events import BaseEvent
from llama_index.core.instrumentation.events.llm import LLMChatEndEvent, LLMCompletionEndEvent
from pydantic import ConfigDict, Field

from llama_index_workers_ai.usage_event import WorkersAIUsageEvent
from workers_ai.meter import NeuronMeter
from workers_ai.provider import PROVIDER


class NeuronMeterHandler(BaseEventHandler):
    """An event handler that feeds a meter: for work whose threads do not inherit the meter's block.

    ```python
    from llama_index.core.instrumentation import get_dispatcher
    from llama_index_workers_ai import NeuronMeter, NeuronMeterHandler

    meter = NeuronMeter()
    get_dispatcher().add_event_handler(NeuronMeterHandler(meter))
    ```

    An answer counts once, whether the block, this handler, or both have seen it; embeddings count too, rankings only
    in the block. Budgets are kept where the block reaches.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    meter: NeuronMeter = Field(exclude=True)

    def __init__(self, meter: NeuronMeter, **kwargs: Any) -> None:
        super().__init__(**{"meter": meter, **kwargs})

    @classmethod
    def class_name(cls) -> str:
        """The name in traces."""
        return "NeuronMeterHandler"

    def handle(self, event: BaseEvent, **kwargs: Any) -> None:
        """Takes in the answer that an event tells of; other events, and other providers' answers, pass."""
        if isinstance(event, WorkersAIUsageEvent):
            if event.request_id is not None:  # what cannot be told from others could count twice
                self.meter.feed(event.model_dump(), input_tokens=event.input_tokens or 0, output_tokens=0)
            return
        if not isinstance(event, (LLMChatEndEvent, LLMCompletionEndEvent)) or event.response is None:
            return
        told = event.response.additional_kwargs
        if told.get("model_provider") == PROVIDER:
            self.meter.feed(
                told,
                input_tokens=told.get("prompt_tokens", 0),
                output_tokens=told.get("completion_tokens", 0),
            )
