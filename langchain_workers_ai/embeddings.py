"""Embeddings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from langchain_core.embeddings import Embeddings
from pydantic import ConfigDict, Field

from langchain_workers_ai.batch_queue import EmbeddingQueueMixin
from langchain_workers_ai.errors import ERROR_CLASSES
from workers_ai import bulk
from workers_ai.embedding_fields import DEFAULT_EMBEDDING_MODEL, EmbeddingFields
from workers_ai.progress import watched

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from typing import Unpack

    from langchain_workers_ai.options import WorkersAIEmbeddingsOptions
    from workers_ai.embedding_identity import EmbeddingIdentity
    from workers_ai.errors import ErrorClasses
    from workers_ai.tasks.embeddings import EmbeddingRequest


class WorkersAIEmbeddings(EmbeddingQueueMixin, Embeddings, EmbeddingFields):
    """Embedding models on Cloudflare Workers AI.

    ```python
    from langchain_workers_ai import WorkersAIEmbeddings

    embeddings = WorkersAIEmbeddings(model="@cf/baai/bge-m3")
    embeddings.embed_query("What is a neuron?")  # one list of floats
    embeddings.embed_documents(["one text", "another"])  # one list for each, in order
    ```

    Any number of texts: they go out in requests of the model's own limit (100; 32 for qwen3), several in flight.
    Raises BadRequestError, before anything is sent, for an empty text, naming its position. Errors as in
    `ChatWorkersAI`.
    """

    if TYPE_CHECKING:

        def __init__(self, **kwargs: Unpack[WorkersAIEmbeddingsOptions]) -> None: ...

    model_config = ConfigDict(defer_build=False)

    aliases: ClassVar[Mapping[str, str]] = {**EmbeddingFields.aliases, "model_name": "model"}
    error_classes: ClassVar[ErrorClasses] = ERROR_CLASSES

    model: str = DEFAULT_EMBEDDING_MODEL
    """Full id. The default never changes within a major version: it is part of stored indexes."""
    batch_size: int | None = Field(default=None, ge=1)
    """Texts in one request; unset, and at most, the model's own limit."""
    show_progress_bar: bool = False
    """A bar over the texts of `embed_documents`, on a terminal: texts a second, neurons, USD. Needs tqdm."""

    @property
    def model_name(self) -> str:
        """The model's id, under the name that other classes use."""
        return self.model

    @property
    def identity(self) -> EmbeddingIdentity:
        """Model, pooling and dimensions in effect: what `check_identity` compares with an index."""
        return self._identity_with(self.model)

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """One vector for each text, in their order; an empty list makes no request."""
        return self._embed(texts, queries=False)

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        """As `embed_documents`."""
        return await self._aembed(texts, queries=False)

    def embed_query(self, text: str) -> list[float]:
        """The vector of a question."""
        return self._embed([text], queries=True)[0]

    async def aembed_query(self, text: str) -> list[float]:
        """As `embed_query`."""
        return (await self._aembed([text], queries=True))[0]

    def _embed(self, texts: list[str], *, queries: bool) -> list[list[float]]:
        requests = self._requests(texts, queries=queries)
        with self._watched(texts, queries=queries) as on_answer:
            return bulk.embed(self._transport, requests, max_concurrency=self.max_concurrency, on_answer=on_answer)

    async def _aembed(self, texts: list[str], *, queries: bool) -> list[list[float]]:
        requests = self._requests(texts, queries=queries)
        with self._watched(texts, queries=queries) as on_answer:
            return await bulk.aembed(
                self._transport, requests, max_concurrency=self.max_concurrency, on_answer=on_answer
            )

    def _requests(self, texts: list[str], *, queries: bool) -> list[EmbeddingRequest]:
        return self._exchange(self._embedding_requests, self.model, texts, queries=queries, batch_size=self.batch_size)

    def _watched(self, texts: list[str], *, queries: bool) -> AbstractContextManager[bulk.OnAnswer]:
        shown = self.show_progress_bar and not queries
        return watched(len(texts), shown=shown, on_usage=self.on_usage)
