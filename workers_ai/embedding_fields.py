"""The arguments of every class that makes embeddings, and the requests they lead to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from pydantic import Field

from workers_ai.bulk import MAX_CONCURRENCY, requests_for
from workers_ai.catalog import lookup
from workers_ai.connection import ConnectionFields
from workers_ai.embedding_identity import EmbeddingIdentity
from workers_ai.progress import OnUsage
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

    on_usage: OnUsage | None = Field(default=None, exclude=True, repr=False)
    """Called with the `Usage` of each request: tokens, neurons. No part of a pickle: it would count elsewhere."""

    def _identity_with(self, model: str) -> EmbeddingIdentity:
        info = lookup(model)
        pooling, dimensions = self.pooling or info.default_pooling, self.dimensions or info.dimensions
        return EmbeddingIdentity(info.id, pooling, dimensions)

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        return {**state, "__dict__": {**state["__dict__"], "on_usage": None}}

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        """A deep copy that tells its usage to the same callable."""
        memo = {} if memo is None else memo
        memo[id(self.on_usage)] = self.on_usage
        return super().__deepcopy__(memo)

    def _embedding_requests(
        self, model: str, texts: Sequence[str], *, queries: bool = False, batch_size: int | None = None
    ) -> list[EmbeddingRequest]:
        """The requests for `texts`, in order. Raises BadRequestError for an empty text, before anything is sent."""
        request = EmbeddingRequest(
            self._call(model, {}),
            texts,
            queries=queries,
            pooling=self.pooling,
            dimensions=self.dimensions,
            instruction=self.query_instruction if queries else self.text_instruction,
        )
        return self._exchange(requests_for, request, batch_size=batch_size)
