"""What LlamaIndex's callbacks and instrumentation see of a call: one start and one end, the tokens, no secret."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.callbacks import CallbackManager, CBEventType, EventPayload, TokenCountingHandler
from llama_index.core.callbacks.base_handler import BaseCallbackHandler
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.rate_limiter import BaseRateLimiter
from pydantic import Field

from llama_index_workers_ai import (
    BadRequestError,
    StreamInterruptedError,
    WorkersAI,
    WorkersAIEmbedding,
    WorkersAIUsageEvent,
)

MESSAGES = [ChatMessage(role="user", content="Hello")]
ENDPOINTS = ["chat", "complete", "stream_chat", "stream_complete"]
ENDPOINTS += [f"a{name}" for name in ENDPOINTS]


async def call(llm, endpoint, **kwargs):
    response = getattr(llm, endpoint)(MESSAGES if endpoint.endswith("chat") else "Hello", **kwargs)
    if endpoint.startswith("a"):
        response = await response
    if endpoint.startswith("stream"):
        return list(response)
    if endpoint.startswith("astream"):
        return [item async for item in response]
    return [response]


class Recorder(BaseCallbackHandler):
    """Keeps what the old callbacks tell."""

    def __init__(self) -> None:
        super().__init__([], [])
        self.seen: list[tuple[str, CBEventType, Any]] = []

    def on_event_start(self, event_type, payload=None, event_id="", parent_id="", **kwargs):
        self.seen.append(("start", event_type, payload))
        return event_id

    def on_event_end(self, event_type, payload=None, event_id="", **kwargs):
        self.seen.append(("end", event_type, payload))

    def start_trace(self, trace_id=None):
        pass

    def end_trace(self, trace_id=None, trace_map=None):
        pass

    def counts(self, kind: CBEventType) -> dict[str, int]:
        return dict(Counter(when for when, event_type, _ in self.seen if event_type == kind))


class Listener(BaseEventHandler):
    """Keeps what the instrumentation tells."""

    seen: list[Any] = Field(default_factory=list)

    def handle(self, event, **kwargs):
        self.seen.append(event)

    def counts(self) -> dict[str, int]:
        return dict(Counter(event.class_name() for event in self.seen))


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


class Limiter(BaseRateLimiter):
    """Counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    def acquire(self, num_tokens=0):
        self.asked += 1

    async def async_acquire(self, num_tokens=0):
        self.asked += 1


@pytest.mark.parametrize("endpoint", ENDPOINTS)
async def test_every_endpoint_tells_one_start_and_one_end(connection, recorder, listener, endpoint):
    llm = WorkersAI(callback_manager=CallbackManager([recorder]), **connection)
    items = await call(llm, endpoint)
    assert recorder.counts(CBEventType.LLM) == {"start": 1, "end": 1}
    kind = "Chat" if endpoint.endswith("chat") else "Completion"
    counts = listener.counts()
    assert (counts[f"LLM{kind}StartEvent"], counts[f"LLM{kind}EndEvent"]) == (1, 1)
    assert counts.get(f"LLM{kind}InProgressEvent", 0) == (len(items) if "stream" in endpoint else 0)
    assert sum(name.startswith("LLM") for name in counts) == 2 + ("stream" in endpoint)


@pytest.mark.parametrize("endpoint", ENDPOINTS)
async def test_the_token_counter_sees_the_services_numbers(connection, endpoint):
    counter = TokenCountingHandler(tokenizer=str.split)
    llm = WorkersAI(callback_manager=CallbackManager([counter]), **connection)
    told = (await call(llm, endpoint))[-1].additional_kwargs
    assert counter.prompt_llm_token_count == told["prompt_tokens"]
    assert counter.completion_llm_token_count == told["completion_tokens"]


@pytest.mark.parametrize("endpoint", ENDPOINTS)
async def test_every_endpoint_asks_the_rate_limiter_once(connection, endpoint):
    limiter = Limiter()
    await call(WorkersAI(rate_limiter=limiter, **connection), endpoint)
    assert limiter.asked == 1


@pytest.mark.parametrize("endpoint", [name for name in ENDPOINTS if "stream" not in name])
async def test_a_call_that_is_refused_here_ends_its_event_with_the_error(recorder, endpoint):
    llm = WorkersAI(callback_manager=CallbackManager([recorder]))
    with pytest.raises(BadRequestError):
        await call(llm, endpoint, model="no model?")
    assert recorder.counts(CBEventType.LLM) == {"start": 1, "end": 1}
    assert isinstance(recorder.seen[-1][2][EventPayload.EXCEPTION], BadRequestError)


async def test_a_stream_that_fails_midway_ends_its_event_with_the_error(fake, recorder, listener):
    service = fake([{"choices": [{"delta": {"content": "Par"}}]}])
    service.replies[0]._content = service.replies[0].content.replace(b"data: [DONE]\n\n", b"")
    llm = WorkersAI(callback_manager=CallbackManager([recorder]), **service.arguments)
    for endpoint in ("stream_chat", "astream_chat"):
        with pytest.raises(StreamInterruptedError):
            await call(llm, endpoint)
    assert recorder.counts(CBEventType.LLM) == {"start": 2, "end": 2}
    assert listener.counts()["ExceptionEvent"] == 2


def test_a_batch_of_embeddings_tells_one_start_and_one_end_for_each_request(connection, server, recorder, listener):
    limiter = Limiter()
    embedding = WorkersAIEmbedding(callback_manager=CallbackManager([recorder]), rate_limiter=limiter, **connection)
    embedding.get_text_embedding_batch([f"text {number}" for number in range(250)])
    assert recorder.counts(CBEventType.EMBEDDING) == {"start": 3, "end": 3}
    assert listener.counts() == {"EmbeddingStartEvent": 3, "EmbeddingEndEvent": 3, "WorkersAIUsageEvent": 3}
    assert limiter.asked == len(server.requests) == 3


async def test_and_so_does_an_async_batch(connection, recorder, listener):
    limiter = Limiter()
    embedding = WorkersAIEmbedding(callback_manager=CallbackManager([recorder]), rate_limiter=limiter, **connection)
    await embedding.aget_text_embedding_batch([f"text {number}" for number in range(250)])
    assert recorder.counts(CBEventType.EMBEDDING) == {"start": 3, "end": 3}
    assert listener.counts()["EmbeddingEndEvent"] == 3
    assert limiter.asked == 3


async def test_each_end_event_holds_the_texts_and_vectors_of_its_request(connection, listener):
    texts = [f"text {number}" for number in range(120)]
    embedding = WorkersAIEmbedding(embed_batch_size=50, **connection)
    rows = await embedding.aget_text_embedding_batch(texts)
    ends = [event for event in listener.seen if event.class_name() == "EmbeddingEndEvent"]
    told = {text: row for event in ends for text, row in zip(event.chunks, event.embeddings, strict=True)}
    assert told == dict(zip(texts, rows, strict=True))


WAYS = pytest.mark.parametrize("way", ["get", "aget"])


async def embed(embedding, texts, way):
    """The vectors of many texts, plain or async."""
    found = getattr(embedding, f"{way}_text_embedding_batch")(texts)
    return await found if way == "aget" else found


@WAYS
async def test_a_request_that_is_refused_and_halved_has_its_events_too(fake, recorder, listener, way):
    """The limit on all texts together: the refused request is one that was made."""
    refusal = {"errors": [{"code": 3030, "message": "AiError: Max context reached 70000 tokens"}], "success": False}
    vectors = {"success": True, "result": {"data": [[1.0, 0.0], [0.0, 1.0]]}}
    service = fake(refusal, vectors, vectors)
    embedding = WorkersAIEmbedding(callback_manager=CallbackManager([recorder]), **service.arguments)
    assert len(await embed(embedding, ["a", "b", "c", "d"], way)) == 4
    assert recorder.counts(CBEventType.EMBEDDING) == {"start": 3, "end": 3}
    ends = [payload for when, _, payload in recorder.seen if when == "end"]
    assert [EventPayload.EXCEPTION in payload for payload in ends] == [True, False, False]
    assert listener.counts() == {"EmbeddingStartEvent": 3, "EmbeddingEndEvent": 2, "WorkersAIUsageEvent": 2}


@WAYS
@pytest.mark.parametrize(
    ("model", "tokens", "neurons"),
    [
        ("@cf/qwen/qwen3-embedding-0.6b", 6, True),
        ("@cf/baai/bge-m3", None, True),
    ],
)
async def test_the_usage_of_each_request_is_an_event_of_its_own(connection, listener, way, model, tokens, neurons):
    told = []
    embedding = WorkersAIEmbedding(model=model, embed_batch_size=2, on_usage=told.append, **connection)
    await embed(embedding, ["one two three"] * 4, way)
    events = [event for event in listener.seen if isinstance(event, WorkersAIUsageEvent)]
    assert [(event.model_name, event.texts, event.input_tokens) for event in events] == [(model, 2, tokens)] * 2
    assert all((event.neurons > 0, event.cost_usd > 0, bool(event.request_id)) == (neurons,) * 3 for event in events)
    assert [usage.input_tokens or None for usage in told] == [tokens] * 2


@pytest.mark.parametrize("method", ["get_query_embedding", "get_text_embedding"])
async def test_a_single_text_tells_its_usage_too(connection, listener, method):
    told = []
    embedding = WorkersAIEmbedding(on_usage=told.append, **connection)
    getattr(embedding, method)("one")
    await getattr(embedding, f"a{method}")("one")
    assert listener.counts() == {"EmbeddingStartEvent": 2, "EmbeddingEndEvent": 2, "WorkersAIUsageEvent": 2}
    assert len(told) == 2


@WAYS
async def test_events_hold_the_texts_as_they_were_given(connection, listener, way):
    """Without the instruction: they are looked up by their text."""
    await embed(WorkersAIEmbedding(text_instruction="passage:", **connection), ["one"], way)
    (end,) = (event for event in listener.seen if event.class_name() == "EmbeddingEndEvent")
    assert end.chunks == ["one"]


async def test_no_event_shows_a_secret(connection, recorder, listener):
    """Payloads, spans' instances and errors: everything that a tracer gets, as it would write it down."""
    secret = connection["api_token"]
    headers = {"x-secret": "header-that-must-not-show"}
    manager = CallbackManager([recorder])
    arguments = {**connection, "default_headers": headers, "callback_manager": manager}
    llm = WorkersAI(gateway={"id": "default", "token": "gateway-token-not-to-show"}, **arguments)
    for endpoint in ENDPOINTS:
        await call(llm, endpoint, gateway={"metadata": {"team": "x"}})
    WorkersAIEmbedding(**arguments).get_text_embedding("text")
    told = repr(recorder.seen) + repr(listener.seen) + "".join(event.model_dump_json() for event in listener.seen)
    assert "Hello" in told
    for word in (secret, "header-that-must-not-show", "gateway-token-not-to-show"):
        assert word not in told
