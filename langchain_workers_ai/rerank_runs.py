"""The run of a reranker in LangChain's traces: one start, and one end or error, for callbacks that were handed in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

from langchain_core.callbacks import AsyncCallbackManager, CallbackManager

from workers_ai.provider import PROVIDER

if TYPE_CHECKING:
    from langchain_core.callbacks import Callbacks
    from langchain_core.documents import Document

    from workers_ai.answers import Facts
    from workers_ai.rerank_fields import RerankFields


class RerankRun:
    """What the run ends with."""

    def __init__(self) -> None:
        self.outputs: dict[str, Any] = {}

    def end(self, documents: list[Document], facts: Facts) -> list[Document]:
        """Keeps what was found and what is known of the answer; gives back the documents."""
        told = facts.metadata()
        if facts.usage is not None:
            told["input_tokens"] = facts.usage.input_tokens
        self.outputs = {"documents": documents, "response_metadata": told}
        return documents


@contextmanager
def run_of(
    reranker: RerankFields, documents: Sequence[Document], query: str, callbacks: Callbacks | None
) -> Iterator[RerankRun]:
    """One chain run around a block: handlers know no kind of run for rerankers."""
    run = RerankRun()
    if callbacks is None:
        yield run
        return
    manager = CallbackManager.configure(callbacks, inheritable_metadata=_metadata(reranker))
    told = manager.on_chain_start(None, _inputs(documents, query), name=type(reranker).__name__)
    try:
        yield run
    except BaseException as error:
        told.on_chain_error(error)
        raise
    told.on_chain_end(run.outputs)


@asynccontextmanager
async def arun_of(
    reranker: RerankFields, documents: Sequence[Document], query: str, callbacks: Callbacks | None
) -> AsyncIterator[RerankRun]:
    """As `run_of`."""
    run = RerankRun()
    if callbacks is None:
        yield run
        return
    manager = AsyncCallbackManager.configure(callbacks, inheritable_metadata=_metadata(reranker))
    told = await manager.on_chain_start(None, _inputs(documents, query), name=type(reranker).__name__)
    try:
        yield run
    except BaseException as error:
        await told.on_chain_error(error)
        raise
    await told.on_chain_end(run.outputs)


def _metadata(reranker: RerankFields) -> dict[str, Any]:
    return {"ls_provider": PROVIDER, "ls_model_name": reranker.model}


def _inputs(documents: Sequence[Document], query: str) -> dict[str, Any]:
    return {"query": query, "documents": list(documents)}
