"""LlamaIndex's events around one embedding request: its instrumentation's and its older callbacks', once each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from llama_index.core.callbacks import CallbackManager, CBEventType, EventPayload
from llama_index.core.instrumentation import get_dispatcher  # type: ignore[attr-defined]  # they list no names
from llama_index.core.instrumentation.events.embedding import EmbeddingEndEvent, EmbeddingStartEvent

dispatcher = get_dispatcher("llama_index.core.base.embeddings.base")
"""LlamaIndex's own for embeddings: who listens there hears ours too."""


@contextmanager
def embedding_events(
    callbacks: CallbackManager, model: dict[str, Any], texts: Sequence[str]
) -> Iterator[Callable[[list[list[float]]], None]]:
    """A start event now, and an end event when what it yields is called with the vectors; an error ends it too.

    model: the model's `to_payload()`.
    """
    chunks = list(texts)

    def ended(rows: list[list[float]]) -> None:
        event.on_end(payload={EventPayload.CHUNKS: chunks, EventPayload.EMBEDDINGS: rows})
        dispatcher.event(EmbeddingEndEvent(chunks=chunks, embeddings=rows))

    dispatcher.event(EmbeddingStartEvent(model_dict=model))
    with callbacks.event(CBEventType.EMBEDDING, payload={EventPayload.SERIALIZED: model}) as event:
        yield ended
