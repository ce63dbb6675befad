"""The LangChain half of the demo: retriever, prompt, chat model and parser in one chain, streamed and watched."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy  # noqa: F401 - the vector store asks for it at the first search only; better to hear of it here
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.documents import Document
from langchain_core.messages import AIMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.outputs import ChatGeneration, LLMResult
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import Runnable, RunnablePassthrough
from langchain_core.vectorstores import InMemoryVectorStore

from langchain_workers_ai import ChatWorkersAI, WorkersAIEmbeddings
from workers_ai.cli.answering import RETRIEVED, Answered, Models, Telling
from workers_ai.cli.corpus_files import Passage

_PROMPT = ChatPromptTemplate.from_messages(
    [
        ("system", "Answer from the context alone, in one or two sentences. If it does not say, say so."),
        ("human", "Context:\n{context}\n\nQuestion: {question}"),
    ]
)


def build(passages: Sequence[Passage], models: Models) -> Chain:
    """Embed the passages into a vector store in memory, and put the chain before it."""
    store = InMemoryVectorStore.from_texts(
        [passage.text for passage in passages],
        WorkersAIEmbeddings(model=models.embedding, **models.connection),
        metadatas=[{"source": passage.source} for passage in passages],
    )
    retriever = store.as_retriever(search_kwargs={"k": RETRIEVED})
    model = ChatWorkersAI(model=models.chat, **models.connection)
    return Chain(
        {"context": retriever | _join, "question": RunnablePassthrough()} | _PROMPT | model | StrOutputParser()
    )


class Chain:
    """A chain from question to text."""

    def __init__(self, chain: Runnable[str, str]) -> None:
        self._chain = chain

    def ask(self, question: str) -> Telling:
        """The answer in pieces; what else is known of it, a callback handler has seen."""
        watch = _Watch()
        for piece in self._chain.stream(question, {"callbacks": [watch]}):
            if piece:
                yield piece
        return watch.answered()


class _Watch(BaseCallbackHandler):
    """Sees what the chain does: the passages found, each token, the message at the end."""

    raise_error = True

    def __init__(self) -> None:
        self._sources: list[str] = []
        self._pieces = 0
        self._message = AIMessage("")

    def on_retriever_end(self, documents: Sequence[Document], **kwargs: Any) -> None:
        self._sources = [document.metadata["source"] for document in documents]

    def on_llm_new_token(self, token: str | list[str | dict[str, Any]], **kwargs: Any) -> None:
        self._pieces += bool(token)

    def on_llm_end(self, response: LLMResult, **kwargs: Any) -> None:
        generation = response.generations[0][0]
        if isinstance(generation, ChatGeneration) and isinstance(generation.message, AIMessage):
            self._message = generation.message

    def answered(self) -> Answered:
        usage = self._message.usage_metadata
        return Answered.read(
            self._message.response_metadata,
            sources=self._sources,
            pieces=self._pieces,
            input_tokens=usage["input_tokens"] if usage else 0,
            output_tokens=usage["output_tokens"] if usage else 0,
        )


def _join(documents: Sequence[Document]) -> str:
    return "\n\n".join(document.page_content for document in documents)
