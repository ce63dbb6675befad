"""Rerank: found documents in the order of how well they meet the question."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import TYPE_CHECKING, Any, ClassVar

from langchain_core.documents import BaseDocumentCompressor, Document
from langchain_core.load.serializable import Serializable
from pydantic import ConfigDict, Field

from langchain_workers_ai.errors import ERROR_CLASSES
from langchain_workers_ai.rerank_runs import arun_of, run_of
from langchain_workers_ai.serialization import SECRETS, plain_fields, register_for_load
from workers_ai.rerank_fields import RerankFields

if TYPE_CHECKING:
    from typing import Unpack

    from langchain_core.callbacks import Callbacks

    from langchain_workers_ai.options import WorkersAIRerankOptions
    from workers_ai.answers import Ranking
    from workers_ai.errors import ErrorClasses

OWN = -1
"""`top_n` of a call that leaves it to the object, as other rerankers write it."""


class WorkersAIRerank(BaseDocumentCompressor, Serializable, RerankFields):
    """Rerankers on Cloudflare Workers AI, for `ContextualCompressionRetriever` and by themselves.

    ```python
    from langchain_workers_ai import WorkersAIRerank

    reranker = WorkersAIRerank(top_n=3)
    reranker.compress_documents(documents, "When does the ferry leave?")
    ```

    The best documents come back as copies, with the score in `metadata["relevance_score"]`; those that were given stay
    as they are. Raises BadRequestError, before anything is sent, for an empty question, and for an empty document,
    naming its position. Errors as in `ChatWorkersAI`.
    """

    if TYPE_CHECKING:

        def __init__(self, **kwargs: Unpack[WorkersAIRerankOptions]) -> None: ...

    model_config = ConfigDict(defer_build=False)

    error_classes: ClassVar[ErrorClasses] = ERROR_CLASSES

    top_n: int | None = Field(default=3, ge=1)
    """Documents to give back; None for all that the model ranks."""

    def compress_documents(
        self, documents: Sequence[Document], query: str, callbacks: Callbacks | None = None
    ) -> list[Document]:
        """The `top_n` best of `documents` as copies, best first; no documents make no request.

        callbacks: told of one chain run, with the documents as its input and output.
        """
        with run_of(self, documents, query, callbacks) as run:
            ranking = self._rank(query, _texts(documents), self.top_n)
            return run.end(_scored(documents, ranking), ranking.facts)

    async def acompress_documents(
        self, documents: Sequence[Document], query: str, callbacks: Callbacks | None = None
    ) -> list[Document]:
        """As `compress_documents`."""
        async with arun_of(self, documents, query, callbacks) as run:
            ranking = await self._arank(query, _texts(documents), self.top_n)
            return run.end(_scored(documents, ranking), ranking.facts)

    def rerank(
        self, documents: Sequence[str | Document], query: str, *, top_n: int | None = OWN
    ) -> list[dict[str, Any]]:
        """Places and scores of the best documents, best first: `{"index": 4, "relevance_score": 0.93}`.

        top_n: unset (-1), the object's own; None for all.
        """
        return _told(self._rank(query, _texts(documents), self.top_n if top_n == OWN else top_n))

    async def arerank(
        self, documents: Sequence[str | Document], query: str, *, top_n: int | None = OWN
    ) -> list[dict[str, Any]]:
        """As `rerank`."""
        return _told(await self._arank(query, _texts(documents), self.top_n if top_n == OWN else top_n))

    @classmethod
    def is_lc_serializable(cls) -> bool:
        """True: `dumps` writes it, with the token as a reference to `CLOUDFLARE_API_TOKEN`."""
        return True

    @property
    def lc_secrets(self) -> dict[str, str]:
        """Secret fields, and the variables that fill them on `load`."""
        return SECRETS

    @property
    def lc_attributes(self) -> dict[str, Any]:
        """Fields whose values JSON cannot hold as they are."""
        return plain_fields(self)


def _texts(documents: Sequence[str | Document]) -> list[str]:
    return [found.page_content if isinstance(found, Document) else found for found in documents]


def _scored(documents: Sequence[Document], ranking: Ranking) -> list[Document]:
    """Copies of the ranked documents with their scores, under the name that LangChain's other rerankers use."""
    return [
        documents[found.index].model_copy(
            update={"metadata": {**deepcopy(documents[found.index].metadata), "relevance_score": found.score}}
        )
        for found in ranking
    ]


def _told(ranking: Ranking) -> list[dict[str, Any]]:
    return [{"index": found.index, "relevance_score": found.score} for found in ranking]


register_for_load(__name__, WorkersAIRerank.__name__)
