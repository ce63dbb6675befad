"""The arguments of every class that makes embeddings, and the requests they lead to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import Field

from workers_ai.bulk import MAX_CONCURRENCY, requests_for
from workers_ai.connection import ConnectionFields
from workers_ai.tasks.embeddings import EmbeddingRequest, Pooling

DEFAULT_EMBEDDING_MODEL = "@cf/baai/bge-m3"
"""Part of stored indexes: it does not change within a major version."""


class EmbeddingFields(ConnectionFields):
    """`ConnectionFields` and what embeddings ask besides."""

    pooling: Pooling | None = None
    """"mean" or "cls"; unset, the model decides. Vectors of the two do not mix in one index (quirk 67)."""
    dimensions: int | None = Field(default=None, ge=1)
    """Numbers in a vector, where the model lets one choose."""
    max_concurrency: int = Field(default=MAX_CONCURRENCY, ge=1)
    """Requests in flight when texts need several; threads in sync calls, tasks in async ones."""
    query_instruction: str | None = None
    """What a question is embedded with: the model's own instruction where it takes one, else put before the text."""
    text_instruction: str | None = None
    """Put before every text that is no question."""

    def _embedding_requests(
        self, model: str, texts: Sequence[str], *, queries: bool = False, batch_size: int | None = None
    ) -> list[EmbeddingRequest]:
        """The requests for `texts`, in order. Raises BadRequestError for an empty text, before anything is sent."""
        options: dict[str, Any] = {}
        call = self._call(model, options)
        instruction = self.query_instruction if queries else self.text_instruction
        takes_it = queries and call.info.takes("instruction") is True
        if instruction and not takes_it and all(texts):
            texts = [f"{instruction} {text}" for text in texts]
        request = EmbeddingRequest(
            call,
            texts,
            queries=queries,
            pooling=self.pooling,
            dimensions=self.dimensions,
            instruction=instruction if takes_it else None,
        )
        return self._exchange(requests_for, request, batch_size=batch_size)
