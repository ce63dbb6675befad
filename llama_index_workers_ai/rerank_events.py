"""What LlamaIndex's callbacks and its instrumentation are told of a rerank: one start and one end each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from llama_index.core.callbacks import CallbackManager, CBEventType, EventPayload
from llama_index.core.instrumentation import get_dispatcher  # type: ignore[attr-defined]  # where it is documented
from llama_index.core.instrumentation.events.rerank import ReRankEndEvent, ReRankStartEvent
from llama_index.core.schema import NodeWithScore, QueryBundle

dispatcher = get_dispatcher(__name__)

Nodes = list[NodeWithScore]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a reranker was asked."""

    query: QueryBundle
    nodes: Nodes
    top_n: int
    model: str


@contextmanager
def rerank_events(manager: CallbackManager, asked: Asked) -> Iterator[Callable[[Nodes], Nodes]]:
    """The events around a block, which calls what it is given with the ranked nodes and gets them back.

    A failure ends the callbacks' event with the error; the instrumentation's span tells it there.
    """
    dispatcher.event(ReRankStartEvent(query=asked.query, nodes=asked.nodes, top_n=asked.top_n, model_name=asked.model))
    payload: dict[str, Any] = {
        EventPayload.NODES: asked.nodes,
        EventPayload.MODEL_NAME: asked.model,
        EventPayload.QUERY_STR: asked.query.query_str,
        EventPayload.TOP_K: asked.top_n,
    }
    with manager.event(CBEventType.RERANKING, payload=payload) as event:

        def end(nodes: Nodes) -> Nodes:
            event.on_end(payload={EventPayload.NODES: nodes})
            dispatcher.event(ReRankEndEvent(nodes=nodes))
            return nodes

        yield end
