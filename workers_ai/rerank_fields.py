"""The arguments of every class that ranks texts, and the request they lead to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from pydantic import Field

from workers_ai import ranking
from workers_ai.answers import Ranking
from workers_ai.connection import ConnectionFields
from workers_ai.tasks.rerank import RerankRequest

DEFAULT_RERANK_MODEL = "@cf/baai/bge-reranker-base"


class RerankFields(ConnectionFields):
    """`ConnectionFields` and what a reranker asks besides. Calls go to `/ai/run`: `/ai/v1` refuses rerankers."""

    aliases: ClassVar[Mapping[str, str]] = {**ConnectionFields.aliases, "model_name": "model"}

    model: str = DEFAULT_RERANK_MODEL
    """Full id of a model that ranks: a reranker, or bge-m3."""
    batch_size: int = Field(default=ranking.MAX_TEXTS, ge=1)
    """Texts in one request; the service documents no limit. More texts go out in several requests."""
    max_concurrency: int = Field(default=ranking.MAX_CONCURRENCY, ge=1)
    """Requests in flight when texts need several; threads in sync calls, tasks in async ones."""

    @property
    def model_name(self) -> str:
        """The model's id, under the name that other classes use."""
        return self.model

    def _rank(self, query: str, texts: Sequence[str], top_n: int | None) -> Ranking:
        """The `top_n` best of `texts`, None for all. Raises BadRequestError as `tasks.rerank.exchange` does."""
        whole = self._rerank_request(query, texts, top_n)
        return ranking.rank(self._transport, whole, self._parts(whole), max_concurrency=self.max_concurrency)

    async def _arank(self, query: str, texts: Sequence[str], top_n: int | None) -> Ranking:
        """As `_rank`."""
        whole = self._rerank_request(query, texts, top_n)
        return await ranking.arank(self._transport, whole, self._parts(whole), max_concurrency=self.max_concurrency)

    def _rerank_request(self, query: str, texts: Sequence[str], top_n: int | None) -> RerankRequest:
        return RerankRequest(self._call(self.model, {}), query, texts, top_n)

    def _parts(self, whole: RerankRequest) -> list[RerankRequest]:
        return self._exchange(ranking.requests_for, whole, batch_size=self.batch_size)
