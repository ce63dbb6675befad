"""Embeddings."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, ClassVar

from llama_index.core.base.embeddings.base import BaseEmbedding
from pydantic import Field, model_validator

from llama_index_workers_ai.batches import ain_order, in_order, progress
from llama_index_workers_ai.copying import sharing
from workers_ai import bulk
from workers_ai.catalog import lookup
from workers_ai.embedding_fields import DEFAULT_EMBEDDING_MODEL, EmbeddingFields

if TYPE_CHECKING:
    from typing import Self, Unpack

    from llama_index_workers_ai.options import WorkersAIEmbeddingOptions

Vector = list[float]


class WorkersAIEmbedding(BaseEmbedding, EmbeddingFields):
    """Embedding models on Cloudflare Workers AI.

    ```python
    from llama_index.core import Settings
    from llama_index_workers_ai import WorkersAIEmbedding

    Settings.embed_model = WorkersAIEmbedding(model_name="@cf/baai/bge-m3")
    ```

    Any number of texts: they go out in requests of the model's own limit (100; 32 for qwen3), several in flight, with
    LlamaIndex's events, rate limiter and cache for each of them.
    Raises BadRequestError, before anything is sent, for an empty text, naming its position.

    An `embeddings_cache` is keyed by text alone: questions and texts share it, and so do models. With instructions
    that differ, or a model that embeds questions apart (qwen3), give it none.
    """

    if TYPE_CHECKING:

        def __init__(self, **kwargs: Unpack[WorkersAIEmbeddingOptions]) -> None: ...

    aliases: ClassVar[Mapping[str, str]] = {**EmbeddingFields.aliases, "model": "model_name"}

    model_name: str = DEFAULT_EMBEDDING_MODEL
    """Full id, also as `model`. The default never changes within a major version: it is part of stored indexes."""
    num_workers: int | None = Field(default=None, ge=1)
    """LlamaIndex's name for `max_concurrency`; where given it goes first, and 1 means one."""
    embeddings_cache: Any = Field(default=None, exclude=True)
    """A LlamaIndex key-value store that keeps vectors by text."""

    @model_validator(mode="after")
    def _fill_batch_size(self) -> Self:
        # The limit of the model holds in any case; LlamaIndex's own default of 10 would cost ten times the requests.
        if "embed_batch_size" not in self.model_fields_set:
            self.embed_batch_size = lookup(self.model_name).max_texts
        return self

    @classmethod
    def class_name(cls) -> str:
        """The name in traces and dumps."""
        return "WorkersAIEmbedding"

    @property
    def model(self) -> str:
        """The model's id, under the name that the other classes use."""
        return self.model_name

    def get_text_embedding_batch(
        self,
        texts: list[str],
        show_progress: bool = False,  # noqa: FBT001, FBT002
        **kwargs: Any,
    ) -> list[Vector]:
        """One vector for each text, in their order; an empty list makes no request.

        kwargs: ignored, as LlamaIndex does: it hands one set of them to all transformations of a pipeline.
        """
        one = super().get_text_embedding_batch  # of one batch: its events, rate limit and cache are the framework's
        batches = self._batches(texts)
        with progress(len(texts), shown=show_progress) as on_done:
            rows = in_order(one, batches, at_once=self._at_once, on_done=on_done)
        return list(chain.from_iterable(rows))

    async def aget_text_embedding_batch(
        self,
        texts: list[str],
        show_progress: bool = False,  # noqa: FBT001, FBT002
        **kwargs: Any,
    ) -> list[Vector]:
        """As `get_text_embedding_batch`."""
        one = super().aget_text_embedding_batch
        batches = self._batches(texts)
        with progress(len(texts), shown=show_progress) as on_done:
            rows = await ain_order(one, batches, at_once=self._at_once, on_done=on_done)
        return list(chain.from_iterable(rows))

    def _get_query_embedding(self, query: str) -> Vector:
        requests = self._embedding_requests(self.model_name, [query], queries=True)
        return bulk.embed(self._transport, requests)[0]

    async def _aget_query_embedding(self, query: str) -> Vector:
        requests = self._embedding_requests(self.model_name, [query], queries=True)
        return (await bulk.aembed(self._transport, requests))[0]

    def _get_text_embedding(self, text: str) -> Vector:
        return self._get_text_embeddings([text])[0]

    async def _aget_text_embedding(self, text: str) -> Vector:
        return (await self._aget_text_embeddings([text]))[0]

    def _get_text_embeddings(self, texts: list[str]) -> list[Vector]:
        requests = self._embedding_requests(self.model_name, texts, batch_size=self.embed_batch_size)
        return bulk.embed(self._transport, requests, max_concurrency=self._at_once)

    async def _aget_text_embeddings(self, texts: list[str]) -> list[Vector]:
        requests = self._embedding_requests(self.model_name, texts, batch_size=self.embed_batch_size)
        return await bulk.aembed(self._transport, requests, max_concurrency=self._at_once)

    @property
    def _at_once(self) -> int:
        return self.num_workers or self.max_concurrency

    def _batches(self, texts: list[str]) -> list[list[str]]:
        """`texts`, cut as the requests for them are. Raises BadRequestError for an empty one."""
        requests = self._embedding_requests(self.model_name, texts, batch_size=self.embed_batch_size)
        rest = iter(texts)
        return [list(islice(rest, len(request.texts))) for request in requests]

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        """A deep copy that shares clients, callbacks, the rate limiter and the cache."""
        return super().__deepcopy__(sharing(memo, self.callback_manager, self.rate_limiter, self.embeddings_cache))
