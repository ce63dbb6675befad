"""The LlamaIndex half of the demo: a vector index and its query engine, streamed and watched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llama_index.core import VectorStoreIndex
from llama_index.core.base.response.schema import StreamingResponse
from llama_index.core.callbacks import CallbackManager, CBEventType, EventPayload
from llama_index.core.callbacks.base_handler import BaseCallbackHandler
from llama_index.core.query_engine import BaseQueryEngine
from llama_index.core.schema import TextNode

from llama_index_workers_ai import WorkersAI, WorkersAIEmbedding
from workers_ai.cli.answering import RETRIEVED, Answered, Models, Telling
from workers_ai.cli.corpus_files import Passage


def build(passages: Sequence[Passage], models: Models) -> QueryEngine:
    """Embed the passages into an index in memory, and put a query engine before it."""
    # Nodes, not documents: the passages are cut already, and a splitter would first look for its tables.
    index = VectorStoreIndex(
        nodes=[TextNode(text=passage.text, metadata={"source": passage.source}) for passage in passages],
        embed_model=WorkersAIEmbedding(model_name=models.embedding, **models.connection),
    )
    model = WorkersAI(model=models.chat, **models.connection)
    engine = index.as_query_engine(llm=model, streaming=True, similarity_top_k=RETRIEVED)
    watch = _Watch()
    model.callback_manager = CallbackManager([watch])  # after the engine, which sets the one of `Settings`
    return QueryEngine(engine, watch)


class QueryEngine:
    """LlamaIndex's query engine, and the handler that sees what its model answers."""

    def __init__(self, engine: BaseQueryEngine, watch: _Watch) -> None:
        self._engine = engine
        self._watch = watch

    def ask(self, question: str) -> Telling:
        """The answer in pieces; what the engine does not pass on, the handler has seen."""
        response = self._engine.query(question)
        assert isinstance(response, StreamingResponse)
        pieces = 0
        for piece in response.response_gen:
            if piece:
                pieces += 1
                yield piece
        sources = [str(found.node.metadata["source"]) for found in response.source_nodes]
        return self._watch.answered(sources, pieces)


class _Watch(BaseCallbackHandler):
    """Keeps the facts of the last answer: a query engine passes on its text alone."""

    def __init__(self) -> None:
        super().__init__(event_starts_to_ignore=[], event_ends_to_ignore=[])
        self._facts: Mapping[str, Any] = {}

    def on_event_start(
        self,
        event_type: CBEventType,
        payload: dict[str, Any] | None = None,
        event_id: str = "",
        parent_id: str = "",
        **kwargs: Any,
    ) -> str:
        return event_id

    def on_event_end(
        self, event_type: CBEventType, payload: dict[str, Any] | None = None, event_id: str = "", **kwargs: Any
    ) -> None:
        if event_type is CBEventType.LLM and payload and EventPayload.RESPONSE in payload:
            self._facts = payload[EventPayload.RESPONSE].additional_kwargs

    def start_trace(self, trace_id: str | None = None) -> None:
        pass

    def end_trace(self, trace_id: str | None = None, trace_map: dict[str, list[str]] | None = None) -> None:
        pass

    def answered(self, sources: Sequence[str], pieces: int) -> Answered:
        return Answered.read(
            self._facts,
            sources=sources,
            pieces=pieces,
            input_tokens=self._facts.get("prompt_tokens", 0),
            output_tokens=self._facts.get("completion_tokens", 0),
        )
