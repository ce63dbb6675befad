"""Retrieval with LlamaIndex: 2,000 passages in Qdrant, the best of what is found reranked, answers that cite them.

    python examples/retrieval_llama_index.py ["a question" ...]

Runs on Cloudflare with CLOUDFLARE_ACCOUNT_ID and CLOUDFLARE_API_TOKEN set, and on the local emulator without. Needs
`pip install "workers-ai[llama-index,local,cli]" llama-index-vector-stores-qdrant`; Qdrant runs inside this process.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

from citations import Answer, Source
from llama_index.core import StorageContext, VectorStoreIndex
from llama_index.core.query_engine import CitationQueryEngine
from llama_index.core.schema import TextNode
from llama_index.vector_stores.qdrant import QdrantVectorStore
from passages import QUESTIONS, Passage, passages
from qdrant_client import QdrantClient

from llama_index_workers_ai import NeuronMeter, WorkersAI, WorkersAIEmbedding, WorkersAIRerank
from workers_ai.cli.service import chosen_service

FOUND, USED = 20, 3  # passages that the index finds, and those of them that the answer is made from


def node(passage: Passage) -> TextNode:
    """A passage as LlamaIndex has it. Its source is for the reader, not for the models."""
    hidden = ["source"]
    return TextNode(
        text=passage.text,
        metadata={"source": passage.source},
        excluded_embed_metadata_keys=hidden,
        excluded_llm_metadata_keys=hidden,
    )


class Retrieval:
    """An index of the passages, a reranker behind it and a model that answers. connection: none for the environment."""

    def __init__(self, **connection: object) -> None:
        self.client = QdrantClient(":memory:")
        store = QdrantVectorStore("passages", client=self.client, index_doc_id=False)  # a server would index the ids
        index = VectorStoreIndex(
            nodes=[node(passage) for passage in passages()],
            storage_context=StorageContext.from_defaults(vector_store=store),
            embed_model=WorkersAIEmbedding(**connection),
        )
        self.engine = CitationQueryEngine.from_args(
            index,
            llm=WorkersAI(temperature=0, **connection),
            similarity_top_k=FOUND,
            node_postprocessors=[WorkersAIRerank(top_n=USED, **connection)],
        )

    def ask(self, question: str) -> Answer:
        """The answer, with the passages that it was made from as its sources."""
        told = self.engine.query(question)
        scored = [Source(found.node.metadata["source"], found.score or 0.0) for found in told.source_nodes]
        return Answer(question, str(told), scored)

    def close(self) -> None:
        """Ends Qdrant."""
        self.client.close()


def main(questions: Sequence[str] = ()) -> list[Answer]:
    """Index, ask, and tell what it cost."""
    with chosen_service() as service, NeuronMeter() as meter:
        print(service.told)
        begun = time.perf_counter()
        retrieval = Retrieval(**service.connection)
        print(f"Indexed in {time.perf_counter() - begun:.1f} s: {meter.neurons:.1f} neurons, {meter.usd:.6f} USD.\n")
        answers = []
        for question in questions or QUESTIONS:
            answers.append(retrieval.ask(question))
            print(answers[-1])
        retrieval.close()
        print(f"\n{meter.table()}")
        return answers


if __name__ == "__main__":
    main(sys.argv[1:])
