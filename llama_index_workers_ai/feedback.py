"""Feedback on what a run has asked through a gateway."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from llama_index.core.instrumentation import get_dispatcher  # type: ignore[attr-defined]  # no __all__ there
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.events import BaseEvent
from llama_index.core.instrumentation.events.exception import ExceptionEvent
from llama_index.core.instrumentation.events.llm import (
    LLMChatEndEvent,
    LLMChatStartEvent,
    LLMCompletionEndEvent,
    LLMCompletionStartEvent,
)
from llama_index_instrumentation.dispatcher import active_instrument_tags, instrument_tags
from pydantic import PrivateAttr

from workers_ai.run_feedback import MOST_RUNS, RunFeedback

if TYPE_CHECKING:
    from typing import Unpack

    from workers_ai.gateway import Gateway
    from workers_ai.gateway_logs import GatewayLogs
    from workers_ai.options import DirectOptions
    from workers_ai.tasks.gateway_logs import Feedback, Metadata

RUN_TAG = "run_id"
"""The instrumentation tag that names a run."""


class GatewayFeedback(BaseEventHandler):
    """An event handler that keeps the gateway's log ids by run, so that a run can be judged afterwards.

    ```python
    from llama_index_workers_ai import GatewayFeedback, WorkersAI

    feedback = GatewayFeedback("default")
    llm = WorkersAI(gateway="default")

    with feedback.run() as run_id:
        llm.complete("Hello")
    feedback.send(run_id, 1)  # the user liked it
    ```

    A run is all that is begun in the block: query engines, agents, and streams of a model wherever they end. (A query
    engine with `streaming=True` asks its model when its answer is read: read it in the block.) Without a block the
    instrumentation tag `run_id` names the run, else the id of the span of each call. The other arguments are those of
    `workers_ai.GatewayLogs` (or give it one), whose token needs the permissions AI Gateway Read and Edit.
    max_runs: how many runs are remembered, 1,000 unless told; the oldest are forgotten.

    `run()` hangs the handler into LlamaIndex's root dispatcher; `attach()` does it without a run.
    """

    _feedback: RunFeedback = PrivateAttr()

    def __init__(
        self,
        gateway: GatewayLogs | Gateway | str | Mapping[str, Any] | None = None,
        *,
        max_runs: int = MOST_RUNS,
        **connection: Unpack[DirectOptions],
    ) -> None:
        super().__init__()
        self._feedback = RunFeedback(gateway, max_runs=max_runs, **connection)

    @classmethod
    def class_name(cls) -> str:
        """The name in dumps."""
        return "GatewayFeedback"

    def attach(self) -> None:
        """Hear of every call from now on."""
        root = get_dispatcher()
        if not any(handler is self for handler in root.event_handlers):
            root.add_event_handler(self)

    def detach(self) -> None:
        """Hear of no call any more; what is known stays."""
        root = get_dispatcher()
        root.event_handlers = [handler for handler in root.event_handlers if handler is not self]

    @contextmanager
    def run(self, run_id: str | None = None) -> Iterator[str]:
        """A block whose calls are one run; gives its id, a fresh one unless told. Blocks may stand in each other."""
        self.attach()
        made = run_id or str(uuid4())
        tags = active_instrument_tags.get()
        self._feedback.runs.begin(made, tags.get(RUN_TAG))
        with instrument_tags({**tags, RUN_TAG: made}):
            yield made

    def handle(self, event: BaseEvent, **kwargs: Any) -> None:
        """Takes in one event."""
        span = event.span_id or event.id_
        if isinstance(event, LLMChatStartEvent | LLMCompletionStartEvent):
            run = event.tags.get(RUN_TAG)
            self._feedback.runs.begin(span, str(run) if run is not None else None)
        elif isinstance(event, LLMChatEndEvent | LLMCompletionEndEvent):
            told = event.response.additional_kwargs if event.response is not None else {}
            self._feedback.note(span, told.get("gateway"))
        elif isinstance(event, ExceptionEvent):
            self._feedback.note(span, getattr(event.exception, "gateway", None))

    def log_ids(self, run_id: object) -> tuple[str, ...]:
        """The log ids of a run and of what ran within it, oldest first."""
        return self._feedback.log_ids(run_id)

    def send(
        self, run_id: object, value: Feedback | None, *, score: float | None = None, metadata: Metadata | None = None
    ) -> None:
        """Put feedback on every entry of a run: 1 for praise, -1 for blame, 0 for neither; None leaves it as it is.

        Raises BadRequestError for a run of which no entry is known, and what `GatewayLogs.feedback` raises.
        """
        self._feedback.send(run_id, value, score=score, metadata=metadata)

    async def asend(
        self, run_id: object, value: Feedback | None, *, score: float | None = None, metadata: Metadata | None = None
    ) -> None:
        """As `send`."""
        await self._feedback.asend(run_id, value, score=score, metadata=metadata)
