"""Rerank: the best nodes with the model's scores, alone and in a query engine, with each event told once."""

from __future__ import annotations

import copy
import threading
from typing import Any

import httpx
import pytest
from llama_index.core import Document, VectorStoreIndex
from llama_index.core.callbacks import CallbackManager, CBEventType, EventPayload
from llama_index.core.callbacks.base_handler import BaseCallbackHandler
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.span_handlers import SimpleSpanHandler
from llama_index.core.schema import ImageNode, NodeWithScore, QueryBundle, TextNode
from pydantic import Field

from llama_index_workers_ai import BadRequestError, RateLimitError, WorkersAIRerank

WAYS = pytest.mark.parametrize("way", ["sync", "async"])
QUESTION = "Who built the lighthouse of Quellmoor?"
FACTS = [
    "Quellmoor bakes a rye bread that keeps for eleven days.",
    "The lighthouse of Quellmoor was built in 1871 by Adele Brandt.",
    "The ferry to Quellmoor leaves at seven in the morning.",
    "A lighthouse needs a keeper.",
]


def nodes(*texts: str) -> list[NodeWithScore]:
    return [
        NodeWithScore(node=TextNode(text=text, id_=f"n{place}", metadata={"place": place}), score=0.5)
        for place, text in enumerate(texts)
    ]


def ranked(*pairs: tuple[int, float]) -> dict[str, Any]:
    return {"success": True, "result": {"response": [{"id": place, "score": score} for place, score in pairs]}}


async def processed(reranker: Any, found: list[NodeWithScore], way: str, **asked: Any) -> list[NodeWithScore]:
    asked = asked or {"query_str": "Which?"}
    if way == "sync":
        return reranker.postprocess_nodes(found, **asked)
    return await reranker.apostprocess_nodes(found, **asked)


@WAYS
async def test_the_best_come_first_with_the_models_scores(fake, way):
    service = fake(ranked((2, 0.25), (0, 0.75)))
    found = await processed(WorkersAIRerank(**service.arguments), nodes("a", "b", "c"), way)
    assert [(each.node_id, each.score) for each in found] == [("n0", 0.75), ("n2", 0.25)]
    (body,) = service.requests
    assert (body["query"], body["top_k"]) == ("Which?", 2)
    assert service.paths[0].endswith("/ai/run/@cf/baai/bge-reranker-base")


@WAYS
@pytest.mark.parametrize("kept", [False, True])
async def test_what_was_given_stays_as_it_was(fake, way, kept):
    service = fake(ranked((1, 0.75), (0, 0.25)))
    given = nodes("a", "b")
    before = copy.deepcopy(given)
    found = await processed(WorkersAIRerank(keep_retrieval_score=kept, **service.arguments), given, way)
    assert given == before
    assert found[0] is not given[1]
    assert found[0].node.metadata.get("retrieval_score") == (0.5 if kept else None)


@WAYS
async def test_a_node_is_ranked_by_its_text_and_the_metadata_that_is_embedded(fake, way):
    service = fake(ranked((0, 0.5)))
    node = TextNode(text="text", metadata={"title": "T", "secret": "S"}, excluded_embed_metadata_keys=["secret"])
    await processed(WorkersAIRerank(**service.arguments), [NodeWithScore(node=node)], way)
    assert service.requests[0]["contexts"] == [{"text": "title: T\n\ntext"}]


@WAYS
async def test_no_nodes_make_no_request_and_no_event(fake, recorder, listener, way):
    service = fake(ranked())
    reranker = WorkersAIRerank(callback_manager=CallbackManager([recorder]), **service.arguments)
    assert await processed(reranker, [], way) == []
    assert (service.requests, recorder.seen, listener.seen) == ([], [], [])


@WAYS
@pytest.mark.parametrize("found", [[], nodes("a")], ids=["no nodes", "a node"])
async def test_no_question_is_an_error_that_says_what_to_give(fake, way, found):
    service = fake(ranked())
    with pytest.raises(ValueError, match="query_bundle"):
        await processed(WorkersAIRerank(**service.arguments), found, way, query_bundle=None)
    assert service.requests == []


@WAYS
async def test_an_empty_node_or_question_is_refused_before_anything_is_sent(fake, way):
    service = fake(ranked())
    reranker = WorkersAIRerank(**service.arguments)
    with pytest.raises(BadRequestError, match=r"texts\[1\] is empty"):
        await processed(reranker, [*nodes("a"), NodeWithScore(node=ImageNode(image_url="https://example.org/x"))], way)
    with pytest.raises(BadRequestError, match="query is empty"):
        await processed(reranker, nodes("a"), way, query_str="")
    assert service.requests == []


async def test_an_async_call_stays_in_its_thread(fake):
    """Core's own default would hand the whole work to another one."""
    service = fake(ranked((0, 0.5)))
    seen: list[threading.Thread] = []

    async def reply(request: httpx.Request) -> httpx.Response:
        seen.append(threading.current_thread())
        return service.reply(request)

    client = httpx.AsyncClient(transport=httpx.MockTransport(reply))
    await processed(WorkersAIRerank(**{**service.arguments, "http_async_client": client}), nodes("a"), "async")
    assert seen == [threading.current_thread()]


@pytest.mark.parametrize("wrong", [{"top_n": 0}, {"batch_size": 0}, {"topn": 3}, {"rate_limiter": None}])
def test_a_wrong_argument_is_refused_when_the_object_is_made(wrong):
    with pytest.raises((ValueError, TypeError), match=next(iter(wrong))):
        WorkersAIRerank(**wrong)


# Events


class Recorder(BaseCallbackHandler):
    """Keeps what the old callbacks tell of reranking."""

    def __init__(self) -> None:
        super().__init__([], [])
        self.seen: list[tuple[str, Any]] = []

    def on_event_start(self, event_type, payload=None, event_id="", parent_id="", **kwargs):
        if event_type is CBEventType.RERANKING:
            self.seen.append(("start", payload))
        return event_id

    def on_event_end(self, event_type, payload=None, event_id="", **kwargs):
        if event_type is CBEventType.RERANKING:
            self.seen.append(("end", payload))

    def start_trace(self, trace_id=None):
        pass

    def end_trace(self, trace_id=None, trace_map=None):
        pass


class Listener(BaseEventHandler):
    """Keeps what the instrumentation tells of reranking."""

    seen: list[Any] = Field(default_factory=list)

    def handle(self, event, **kwargs):
        if event.class_name().startswith("ReRank"):
            self.seen.append(event)


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def listener():
    listener = Listener()
    root = get_dispatcher()
    root.add_event_handler(listener)
    yield listener
    root.event_handlers.remove(listener)


@pytest.fixture
def spans():
    handler = SimpleSpanHandler()
    root = get_dispatcher()
    root.add_span_handler(handler)
    yield handler
    root.span_handlers.remove(handler)


@WAYS
async def test_both_kinds_of_events_are_told_once_with_what_they_usually_hold(fake, recorder, listener, spans, way):
    service = fake(ranked((1, 0.75), (0, 0.25)))
    reranker = WorkersAIRerank(callback_manager=CallbackManager([recorder]), **service.arguments)
    given, query = nodes("a", "b"), QueryBundle("Which?")
    found = await processed(reranker, given, way, query_bundle=query)
    assert recorder.seen == [
        (
            "start",
            {
                EventPayload.NODES: given,
                EventPayload.MODEL_NAME: "@cf/baai/bge-reranker-base",
                EventPayload.QUERY_STR: "Which?",
                EventPayload.TOP_K: 2,
            },
        ),
        ("end", {EventPayload.NODES: found}),
    ]
    start, end = listener.seen
    assert (start.query, start.nodes, start.top_n, start.model_name) == (query, given, 2, reranker.model)
    assert end.nodes == found
    names = [span.id_.split("-")[0] for span in spans.completed_spans]
    assert names == [f"WorkersAIRerank.{'_postprocess_nodes' if way == 'sync' else '_apostprocess_nodes'}"]


@WAYS
async def test_a_failure_ends_the_event_with_the_error(fake, recorder, listener, spans, way):
    service = fake({"errors": [{"code": 2003, "message": "Rate limited"}]}, status=429)
    reranker = WorkersAIRerank(callback_manager=CallbackManager([recorder]), **service.arguments)
    with pytest.raises(RateLimitError) as caught:
        await processed(reranker, nodes("a"), way)
    assert [what for what, _ in recorder.seen] == ["start", "end"]
    assert recorder.seen[1][1] == {EventPayload.EXCEPTION: caught.value}
    assert [event.class_name() for event in listener.seen] == ["ReRankStartEvent"]
    assert len(spans.dropped_spans) == 1


# In a query engine, on the emulator


@WAYS
async def test_a_query_engine_answers_from_the_best_nodes(embedding, llm, reranker, server, recorder, listener, way):
    index = VectorStoreIndex.from_documents([Document(text=text) for text in FACTS], embed_model=embedding)
    reranker.top_n = 1
    engine = index.as_query_engine(llm=llm, similarity_top_k=4, node_postprocessors=[reranker])
    reranker.callback_manager = CallbackManager([recorder])  # after the engine, which sets the one of `Settings`
    server.clear()
    answer = engine.query(QUESTION) if way == "sync" else await engine.aquery(QUESTION)
    assert "Adele Brandt" in str(answer)
    assert [found.node.get_content() for found in answer.source_nodes] == [FACTS[1]]
    assert sum("contexts" in request.json for request in server.requests) == 1
    assert [event.class_name() for event in listener.seen] == ["ReRankStartEvent", "ReRankEndEvent"]
    assert len(listener.seen[0].nodes) == 4
    assert [what for what, _ in recorder.seen] == ["start", "end"]


@WAYS
async def test_bge_m3_ranks_too(connection, way):
    reranker = WorkersAIRerank(model="@cf/baai/bge-m3", top_n=1, **connection)
    (found,) = await processed(reranker, nodes(*FACTS), way, query_str=QUESTION)
    assert found.node.get_content() == FACTS[1]
