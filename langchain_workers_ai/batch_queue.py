"""The service's batch queue under LangChain's classes: many inputs, worked on when there is room."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from langchain_core.messages import AIMessage

from langchain_workers_ai.messages import to_result, with_tool_names
from workers_ai.errors import BadRequestError

if TYPE_CHECKING:
    from langchain_core.language_models import LanguageModelInput

    from langchain_workers_ai.chat_models import ChatWorkersAI
    from langchain_workers_ai.embeddings import WorkersAIEmbeddings
    from workers_ai import ChatAnswer, QueuedRequest, WorkersAIError
    from workers_ai.queue import Handle, Queue
    from workers_ai.tasks.queue import Job
    from workers_ai.wire.message import WireMessage


TIMEOUT = 3600.0
"""Seconds that results are waited for unless told otherwise."""

# The queue's own modules are loaded by the first call that needs them.


class BatchQueueMixin:
    """What `ChatWorkersAI` offers of the batch queue."""

    def batch_queue(
        self,
        inputs: Sequence[LanguageModelInput],
        *,
        timeout: float | None = TIMEOUT,
        return_exceptions: bool = False,
        show_progress: bool = False,
        **kwargs: Any,
    ) -> list[AIMessage | WorkersAIError]:
        """One message for each input, in their order, as `batch` gives them; but by the service's batch queue.

        The work is done when there is room: it may take minutes or hours, and is not refused for want of capacity. Only
        some models have a queue; another is refused before anything is sent, and the error lists those that do.

        timeout: seconds to wait, None for ever; then APITimeoutError tells how to fetch the results later, and its
            `partial` is the handle for `batch_collect`, as JSON.
        return_exceptions: put the error of an input that failed into its place. Otherwise the first one is raised, and
            tells how to fetch the others.
        show_progress: a bar on a terminal (tqdm).
        kwargs: options of each call. Tools go here (`tools=[...]`): what `bind` or `bind_tools` made does not reach
            this method.

        Callbacks and tracers are not called: nobody is there when the model answers.
        """
        if not inputs:
            return []
        queued = self.batch_submit(inputs, **kwargs)
        return self.batch_collect(
            queued, timeout=timeout, return_exceptions=return_exceptions, show_progress=show_progress
        )

    async def abatch_queue(
        self,
        inputs: Sequence[LanguageModelInput],
        *,
        timeout: float | None = TIMEOUT,
        return_exceptions: bool = False,
        show_progress: bool = False,
        **kwargs: Any,
    ) -> list[AIMessage | WorkersAIError]:
        """As `batch_queue`."""
        if not inputs:
            return []
        queued = await self.abatch_submit(inputs, **kwargs)
        return await self.abatch_collect(
            queued, timeout=timeout, return_exceptions=return_exceptions, show_progress=show_progress
        )

    def batch_submit(
        self,
        inputs: Sequence[LanguageModelInput],
        *,
        references: Sequence[str] | None = None,
        **kwargs: Any,
    ) -> QueuedRequest:
        """Queues `inputs` and waits for nothing: the handle, for `batch_collect` now or in another process.

        references: yours, one text for each input. kwargs as in `batch_queue`.
        """
        chat = _chat(self)
        wires = [chat._with_pictures(*_wire(chat, one, kwargs)) for one in inputs]
        return _queue(chat).submit_job(_job(chat, wires, references, kwargs))

    async def abatch_submit(
        self,
        inputs: Sequence[LanguageModelInput],
        *,
        references: Sequence[str] | None = None,
        **kwargs: Any,
    ) -> QueuedRequest:
        """As `batch_submit`."""
        chat = _chat(self)
        wires = [await chat._awith_pictures(*_wire(chat, one, kwargs)) for one in inputs]
        return await _queue(chat).asubmit_job(_job(chat, wires, references, kwargs))

    def batch_collect(
        self,
        queued: Handle,
        *,
        timeout: float | None = TIMEOUT,
        return_exceptions: bool = False,
        show_progress: bool = False,
    ) -> list[AIMessage | WorkersAIError]:
        """The messages of queued work, waited for.

        queued: what `batch_submit` gave, or the service's id of work that was submitted to this object's model. The
            others as in `batch_queue`.
        """
        chat = _chat(self)
        handle = chat._exchange(_handle, queued, chat.model)
        results = _queue(chat).collect(handle, timeout=timeout, show_progress=show_progress)
        return _answered(chat, results, handle, return_exceptions=return_exceptions)

    async def abatch_collect(
        self,
        queued: Handle,
        *,
        timeout: float | None = TIMEOUT,
        return_exceptions: bool = False,
        show_progress: bool = False,
    ) -> list[AIMessage | WorkersAIError]:
        """As `batch_collect`."""
        chat = _chat(self)
        handle = chat._exchange(_handle, queued, chat.model)
        results = await _queue(chat).acollect(handle, timeout=timeout, show_progress=show_progress)
        return _answered(chat, results, handle, return_exceptions=return_exceptions)


class EmbeddingQueueMixin:
    """What `WorkersAIEmbeddings` offers of the batch queue."""

    def embed_documents_queue(
        self, texts: list[str], *, timeout: float | None = TIMEOUT, show_progress: bool = False
    ) -> list[list[float]]:
        """As `embed_documents`, by the service's batch queue: later, and not refused for want of capacity.

        Only some models have a queue; another is refused before anything is sent. timeout: seconds to wait, None for
        ever; then APITimeoutError tells how to fetch the vectors later. A text that fails raises its error, which names
        its place and tells how to fetch the others. show_progress: a bar on a terminal (tqdm).
        """
        if not texts:
            return []
        embeddings = cast("WorkersAIEmbeddings", self)
        queue = _queue(embeddings)
        queued = queue.submit_job(_text_job(embeddings, texts))
        return _vectors(queue.collect(queued, timeout=timeout, show_progress=show_progress), queued)

    async def aembed_documents_queue(
        self,
        texts: list[str],
        *,
        timeout: float | None = TIMEOUT,
        show_progress: bool = False,
    ) -> list[list[float]]:
        """As `embed_documents_queue`."""
        if not texts:
            return []
        embeddings = cast("WorkersAIEmbeddings", self)
        queue = _queue(embeddings)
        queued = await queue.asubmit_job(_text_job(embeddings, texts))
        return _vectors(await queue.acollect(queued, timeout=timeout, show_progress=show_progress), queued)


def _queue(owner: ChatWorkersAI | WorkersAIEmbeddings) -> Queue:
    from workers_ai.queue import Queue

    return Queue(owner)


def _handle(given: Handle, model: str) -> QueuedRequest:
    from workers_ai.queue import handle_of

    queued = handle_of(given, model, "chat")
    if queued.kind != "chat":
        raise BadRequestError(
            f"queued: a handle of chats is expected, this is one of kind {queued.kind!r}", maybe_sent=False
        )
    return queued


def _chat(mixin: BatchQueueMixin) -> ChatWorkersAI:
    return cast("ChatWorkersAI", mixin)


def _wire(chat: ChatWorkersAI, given: LanguageModelInput, kwargs: dict[str, Any]) -> tuple[list[WireMessage], str]:
    """The messages of one input, and the model that they go to."""
    model = kwargs.get("model") or chat.model
    return with_tool_names(chat._convert_input(given).to_messages(), model), model


def _job(
    chat: ChatWorkersAI, wires: Sequence[list[WireMessage]], references: Sequence[str] | None, kwargs: dict[str, Any]
) -> Job:
    from workers_ai.tasks import queue as tasks

    request = chat._request(wires[0] if wires else [], None, kwargs)
    requests = [replace(request, messages=wire) for wire in wires]
    return chat._exchange(tasks.of_chats, request.call, requests, references)


def _answered(
    chat: ChatWorkersAI, results: Sequence[Any], queued: QueuedRequest, *, return_exceptions: bool
) -> list[AIMessage | WorkersAIError]:
    from workers_ai.queue import raise_first
    from workers_ai.queued import ItemError

    if not return_exceptions:
        raise_first(results, queued)
    return [
        result.error if isinstance(result, ItemError) else _message(result, headers=chat.include_response_headers)
        for result in results
    ]


def _message(answer: ChatAnswer, *, headers: bool) -> AIMessage:
    message = to_result(answer, headers=headers).generations[0].message
    assert isinstance(message, AIMessage)
    return message


def _text_job(embeddings: WorkersAIEmbeddings, texts: list[str]) -> Job:
    from workers_ai.tasks import queue as tasks

    requests = embeddings._requests(texts, queries=False)
    whole = replace(requests[0], texts=[text for request in requests for text in request.texts])
    return embeddings._exchange(tasks.of_texts, whole)


def _vectors(results: list[Any], queued: QueuedRequest) -> list[list[float]]:
    from workers_ai.queue import raise_first

    raise_first(results, queued)
    return results
