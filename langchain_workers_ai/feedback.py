"""Feedback on what a run has asked through a gateway."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.outputs import ChatGeneration, Generation, LLMResult

from workers_ai.run_feedback import RunFeedback


class GatewayFeedback(BaseCallbackHandler, RunFeedback):
    """A callback handler that keeps the gateway's log ids by run, so that a run can be judged afterwards.

    ```python
    from uuid import uuid4

    from langchain_workers_ai import ChatWorkersAI, GatewayFeedback

    feedback = GatewayFeedback("default")
    model = ChatWorkersAI(gateway="default")

    run_id = uuid4()
    model.invoke("Hello", {"run_id": run_id, "callbacks": [feedback]})
    feedback.send(run_id, 1)  # the user liked it
    ```

    Works for chains, agents and streams: the id of a run stands for every call within it. The other arguments are
    those of `workers_ai.GatewayLogs` (or give it one), whose token needs the permissions AI Gateway Read and Edit.
    max_runs: how many runs are remembered, 1,000 unless told; the oldest are forgotten.

    Embeddings tell LangChain of no run, so theirs are unknown here.
    """

    run_inline = True  # in order, before the call goes on: else a stream's end could come after the call for `send`

    def on_chain_start(
        self,
        serialized: dict[str, Any],
        inputs: dict[str, Any],
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        **kwargs: Any,
    ) -> None:
        """A chain begins."""
        self._begin(run_id, parent_run_id)

    def on_tool_start(
        self,
        serialized: dict[str, Any],
        input_str: str,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        **kwargs: Any,
    ) -> None:
        """A tool begins; it may ask a model."""
        self._begin(run_id, parent_run_id)

    def on_retriever_start(
        self,
        serialized: dict[str, Any],
        query: str,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        **kwargs: Any,
    ) -> None:
        """A retriever begins; it may ask a model."""
        self._begin(run_id, parent_run_id)

    def on_chat_model_start(
        self,
        serialized: dict[str, Any],
        messages: list[Any],
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        **kwargs: Any,
    ) -> None:
        """A chat model is asked."""
        self._begin(run_id, parent_run_id)

    def on_llm_start(
        self,
        serialized: dict[str, Any],
        prompts: list[str],
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        **kwargs: Any,
    ) -> None:
        """A plain model is asked."""
        self._begin(run_id, parent_run_id)

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:
        """A model has answered."""
        for choices in response.generations:
            for choice in choices:
                self.note(str(run_id), _told(choice).get("gateway"))

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **kwargs: Any) -> None:
        """A call has failed: what the gateway has logged of it can be judged too."""
        self.note(str(run_id), getattr(error, "gateway", None))

    def _begin(self, run_id: UUID, parent: UUID | None) -> None:
        self.runs.begin(str(run_id), str(parent) if parent is not None else None)


def _told(choice: Generation) -> dict[str, Any]:
    if isinstance(choice, ChatGeneration):
        return choice.message.response_metadata
    return choice.generation_info or {}
