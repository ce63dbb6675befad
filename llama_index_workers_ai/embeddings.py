"""Embeddings."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from llama_index.core.base.embeddings.base import BaseEmbedding
from pydantic import Field, model_validator

from llama_index_workers_ai.copying import sharing
from llama_index_workers_ai.embedding_events import dispatcher, embedding_events
from llama_index_workers_ai.usage_event import WorkersAIUsageEvent
from llama_index_workers_ai.vector_cache import acached, akeep, cached, keep
from workers_ai import bulk
from workers_ai.catalog import lookup
from workers_ai.embedding_fields import DEFAULT_EMBEDDING_MODEL, EmbeddingFields
from workers_ai.progress import watched

if TYPE_CHECKING:
    from typing import Self, Unpack

    from llama_index_workers_ai.options import WorkersAIEmbeddingOptions
    from workers_ai.answers import Vectors
    from workers_ai.embedding_identity import EmbeddingIdentity
    from workers_ai.tasks.embeddings import EmbeddingRequest

Vector = list[float]


class WorkersAIEmbedding(BaseEmbedding, EmbeddingFields):
    """Embedding models on Cloudflare Workers AI.

    ```python
    from llama_index.core import Settings
    from llama_index_workers_ai import WorkersAIEmbedding

    Settings.embed_model = WorkersAIEmbedding(model_name="@cf/baai/bge-m3")
    ```

    Any number of texts: they go out in requests of the model's own limit (100; 32 for qwen3), several in flight, with
    LlamaIndex's events and rate limiter for each of them, a `WorkersAIUsageEvent` besides, and its cache.
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

    @property
    def identity(self) -> EmbeddingIdentity:
        """Model, pooling and dimensions in effect: what `check_identity` compares with an index."""
        return self._identity_with(self.model_name)

    def to_dict(self, **kwargs: Any) -> dict[str, Any]:
        """The arguments, without secrets, and the identity: LlamaIndex's caches make their keys of it."""
        return {**super().to_dict(**kwargs), "identity": self.identity.to_dict()}

    @classmethod
    def from_dict(cls, data: dict[str, Any], **kwargs: Any) -> Self:
        """The object that `to_dict` described; its token is the environment's."""
        return super().from_dict({name: value for name, value in data.items() if name != "identity"}, **kwargs)

    def get_text_embedding_batch(
        self,
        texts: list[str],
        show_progress: bool = False,  # noqa: FBT001, FBT002
        **kwargs: Any,
    ) -> list[Vector]:
        """One vector for each text, in their order; an empty list makes no request.

        show_progress: a bar, on a terminal. kwargs: ignored, as LlamaIndex does: it hands one set of them to all
        transformations of a pipeline.
        """
        requests, store = self._requests(texts), self.embeddings_cache
        found = cached(store, texts) if store is not None else {}
        places = [place for place in range(len(texts)) if place not in found]
        if found:
            requests = self._requests([texts[place] for place in places])
        with watched(len(places), shown=show_progress, on_usage=self.on_usage) as on_answer:
            rows = bulk.embed(
                self._transport,
                requests,
                max_concurrency=self._at_once,
                on_answer=on_answer,
                around=self._around,
                places=places,
            )
        found.update(zip(places, rows, strict=True))
        return [found[place] for place in range(len(texts))]

    async def aget_text_embedding_batch(
        self,
        texts: list[str],
        show_progress: bool = False,  # noqa: FBT001, FBT002
        **kwargs: Any,
    ) -> list[Vector]:
        """As `get_text_embedding_batch`."""
        requests, store = self._requests(texts), self.embeddings_cache
        found = await acached(store, texts) if store is not None else {}
        places = [place for place in range(len(texts)) if place not in found]
        if found:
            requests = self._requests([texts[place] for place in places])
        with watched(len(places), shown=show_progress, on_usage=self.on_usage) as on_answer:
            rows = await bulk.aembed(
                self._transport,
                requests,
                max_concurrency=self._at_once,
                on_answer=on_answer,
                around=self._aaround,
                places=places,
            )
        found.update(zip(places, rows, strict=True))
        return [found[place] for place in range(len(texts))]

    def _get_query_embedding(self, query: str) -> Vector:
        return self._alone([query], queries=True)[0]

    async def _aget_query_embedding(self, query: str) -> Vector:
        return (await self._aalone([query], queries=True))[0]

    def _get_text_embedding(self, text: str) -> Vector:
        return self._alone([text])[0]

    async def _aget_text_embedding(self, text: str) -> Vector:
        return (await self._aalone([text]))[0]

    def _get_text_embeddings(self, texts: list[str]) -> list[Vector]:
        return self._alone(texts)

    async def _aget_text_embeddings(self, texts: list[str]) -> list[Vector]:
        return await self._aalone(texts)

    def _alone(self, texts: list[str], *, queries: bool = False) -> list[Vector]:
        """The vectors of texts around which the framework does the rest: events, rate limit and cache."""
        requests = self._requests(texts, queries=queries)
        with watched(len(texts), on_usage=self.on_usage) as on_answer:
            return bulk.embed(
                self._transport,
                requests,
                max_concurrency=self._at_once,
                on_answer=lambda answer: (on_answer(answer), self._tell_usage(answer)),
            )

    async def _aalone(self, texts: list[str], *, queries: bool = False) -> list[Vector]:
        requests = self._requests(texts, queries=queries)
        with watched(len(texts), on_usage=self.on_usage) as on_answer:
            return await bulk.aembed(
                self._transport,
                requests,
                max_concurrency=self._at_once,
                on_answer=lambda answer: (on_answer(answer), self._tell_usage(answer)),
            )

    def _around(self, request: EmbeddingRequest, send: Callable[[], Vectors]) -> Vectors:
        """What LlamaIndex does around one request: events, the rate limiter, the cache."""
        with embedding_events(self.callback_manager, self.to_payload(), request.texts) as ended:
            if self.rate_limiter is not None:
                self.rate_limiter.acquire()
            answer = send()
            if self.embeddings_cache is not None:
                keep(self.embeddings_cache, request.texts, answer.rows)
            ended(answer.rows)
        self._tell_usage(answer)
        return answer

    async def _aaround(self, request: EmbeddingRequest, send: Callable[[], Awaitable[Vectors]]) -> Vectors:
        with embedding_events(self.callback_manager, self.to_payload(), request.texts) as ended:
            if self.rate_limiter is not None:
                await self.rate_limiter.async_acquire()
            answer = await send()
            if self.embeddings_cache is not None:
                await akeep(self.embeddings_cache, request.texts, answer.rows)
            ended(answer.rows)
        self._tell_usage(answer)
        return answer

    @staticmethod
    def _tell_usage(answer: Vectors) -> None:
        dispatcher.event(WorkersAIUsageEvent.of(answer))

    @property
    def _at_once(self) -> int:
        return self.num_workers or self.max_concurrency

    def _requests(self, texts: list[str], *, queries: bool = False) -> list[EmbeddingRequest]:
        return self._embedding_requests(self.model_name, texts, queries=queries, batch_size=self.embed_batch_size)

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        """A deep copy that shares clients, callbacks, the rate limiter and the cache."""
        return super().__deepcopy__(sharing(memo, self.callback_manager, self.rate_limiter, self.embeddings_cache))
