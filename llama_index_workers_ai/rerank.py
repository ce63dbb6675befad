"""Rerank: retrieved nodes in the order of how well they meet the question."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import MetadataMode, NodeWithScore, QueryBundle
from pydantic import ConfigDict, Field

from llama_index_workers_ai.copying import sharing
from llama_index_workers_ai.rerank_events import Asked, dispatcher, rerank_events
from workers_ai.rerank_fields import RerankFields

if TYPE_CHECKING:
    from typing import Self, Unpack

    from llama_index_workers_ai.options import WorkersAIRerankOptions
    from workers_ai.answers import Ranking


class WorkersAIRerank(BaseNodePostprocessor, RerankFields):
    """Rerankers on Cloudflare Workers AI, for `node_postprocessors` of a query engine and by themselves.

    ```python
    from llama_index_workers_ai import WorkersAIRerank

    engine = index.as_query_engine(similarity_top_k=10, node_postprocessors=[WorkersAIRerank(top_n=3)])
    ```

    The best nodes come back with the model's scores in new `NodeWithScore` objects; those that were given stay as they
    are. Raises ValueError without a question, and BadRequestError (also a ValueError), before anything is sent, for an
    empty question, and for an empty node, naming its position.
    """

    if TYPE_CHECKING:

        def __init__(self, **kwargs: Unpack[WorkersAIRerankOptions]) -> None: ...

    model_config = ConfigDict(defer_build=False)

    top_n: int = Field(default=2, ge=1)
    """Nodes to give back."""
    keep_retrieval_score: bool = False
    """Keep the score that a node came with in its metadata, under `retrieval_score`."""

    @classmethod
    def class_name(cls) -> str:
        """The name in traces and dumps."""
        return "WorkersAIRerank"

    def _postprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        asked = self._asked(nodes, query_bundle)
        if not nodes:
            return []
        with rerank_events(self.callback_manager, asked) as end:
            ranking = self._rank(asked.query.query_str, _texts(nodes), self.top_n)
            return end(self._scored(nodes, ranking))

    @dispatcher.span
    async def _apostprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        asked = self._asked(nodes, query_bundle)
        if not nodes:
            return []
        with rerank_events(self.callback_manager, asked) as end:
            ranking = await self._arank(asked.query.query_str, _texts(nodes), self.top_n)
            return end(self._scored(nodes, ranking))

    def _asked(self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None) -> Asked:
        if query_bundle is None:
            raise ValueError("A reranker needs the question: give query_bundle=QueryBundle(...) or query_str=...")
        return Asked(query_bundle, nodes, self.top_n, self.model)

    def _scored(self, nodes: Sequence[NodeWithScore], ranking: Ranking) -> list[NodeWithScore]:
        return [self._with_score(nodes[found.index], found.score) for found in ranking]

    def _with_score(self, found: NodeWithScore, score: float) -> NodeWithScore:
        node = found.node
        if self.keep_retrieval_score:
            node = node.model_copy(update={"metadata": {**node.metadata, "retrieval_score": found.score}})
        return NodeWithScore(node=node, score=score)

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        """A deep copy that shares clients and callbacks."""
        return super().__deepcopy__(sharing(memo, self.callback_manager))


def _texts(nodes: Sequence[NodeWithScore]) -> list[str]:
    """The nodes' texts as an embedding model would see them, which is how the framework's own rerankers do it."""
    return [found.node.get_content(metadata_mode=MetadataMode.EMBED) for found in nodes]
