"""Retrieval with LangChain: 2,000 passages in Qdrant, the best of what is found reranked, answers that cite them.

    python examples/retrieval_langchain.py ["a question" ...]

Runs on Cloudflare with CLOUDFLARE_ACCOUNT_ID and CLOUDFLARE_API_TOKEN set, and on the local emulator without. Needs
`pip install "workers-ai[langchain,local,cli]" langchain-classic langchain-qdrant`; Qdrant runs inside this process.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

from citations import Answer, Source
from langchain_classic.retrievers import ContextualCompressionRetriever
from langchain_core.documents import Document
from langchain_core.prompts import ChatPromptTemplate
from langchain_qdrant import QdrantVectorStore
from passages import QUESTIONS, passages

from langchain_workers_ai import ChatWorkersAI, NeuronMeter, WorkersAIEmbeddings, WorkersAIRerank
from workers_ai.cli.service import chosen_service

FOUND, USED = 20, 3  # passages that the index finds, and those of them that the answer is made from

TASK = (
    "Answer from the sources alone, in one or two sentences, and cite each source that you use by its number in"
    " brackets, as [2]. If the sources do not say, say so."
)
PROMPT = ChatPromptTemplate.from_messages([("system", TASK), ("human", "Sources:\n{sources}\n\nQuestion: {question}")])


class Retrieval:
    """An index of the passages, a reranker behind it and a model that answers. connection: none for the environment."""

    def __init__(self, **connection: object) -> None:
        documents = [Document(page_content=each.text, metadata={"source": each.source}) for each in passages()]
        # Qdrant's class embeds one batch after the other: a large one goes out in several requests at once.
        self.store = QdrantVectorStore.from_documents(
            documents,
            WorkersAIEmbeddings(**connection),
            location=":memory:",
            collection_name="passages",
            batch_size=len(documents),
        )
        self.retriever = ContextualCompressionRetriever(
            base_compressor=WorkersAIRerank(top_n=USED, **connection),
            base_retriever=self.store.as_retriever(search_kwargs={"k": FOUND}),
        )
        self.chain = PROMPT | ChatWorkersAI(temperature=0, **connection)

    def ask(self, question: str) -> Answer:
        """The answer, with the passages that it was made from as its sources."""
        found = self.retriever.invoke(question)
        sources = "\n".join(f"[{number}] {document.page_content}" for number, document in enumerate(found, 1))
        told = self.chain.invoke({"sources": sources, "question": question})
        scored = [Source(each.metadata["source"], each.metadata["relevance_score"]) for each in found]
        return Answer(question, told.text, scored)

    def close(self) -> None:
        """Ends Qdrant."""
        self.store.client.close()


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
