"""Spans of the bare core, off by default: one a call, by the conventions for generative AI."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from workers_ai import CapacityError, Client, telemetry

pytest.importorskip("opentelemetry.sdk", reason="the spans' tests need OpenTelemetry's SDK (dependency group `otel`)")

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode, get_current_span

MODEL = "@cf/meta/llama-3.3-70b-instruct-fp8-fast"
OTHER = "@cf/openai/gpt-oss-20b"
QUESTION = "Reply exactly with: low tide"


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    """The finished spans, exported in memory."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    telemetry.instrument(provider)
    yield exporter
    telemetry.uninstrument()


@pytest.fixture
def client(emulator) -> Client:
    return Client(account_id=emulator.account_id, api_token=emulator.api_token, base_url=emulator.base_url)


def only(spans: InMemorySpanExporter) -> ReadableSpan:
    (span,) = spans.get_finished_spans()
    return span


async def _all(items: Any) -> list[Any]:
    return [item async for item in items]


WAYS = {
    "chat": lambda client: client.chat(QUESTION, model=MODEL, max_tokens=30, temperature=0.5),
    "achat": lambda client: asyncio.run(client.achat(QUESTION, model=MODEL, max_tokens=30, temperature=0.5)),
    "stream_chat": lambda client: list(client.stream_chat(QUESTION, model=MODEL, max_tokens=30, temperature=0.5))[-1],
    "astream_chat": lambda client: asyncio.run(
        _all(client.astream_chat(QUESTION, model=MODEL, max_tokens=30, temperature=0.5))
    )[-1],
}


@pytest.mark.parametrize("way", WAYS)
def test_a_call_is_one_span_with_models_options_tokens_and_cost(client, spans, way):
    facts = WAYS[way](client).facts
    span = only(spans)
    told = dict(span.attributes)
    assert (span.name, span.kind, span.status.status_code) == (f"chat {MODEL}", SpanKind.CLIENT, StatusCode.UNSET)
    assert told["gen_ai.operation.name"] == "chat"
    assert told["gen_ai.provider.name"] == "cloudflare-workers-ai"
    assert told["gen_ai.request.model"] == told["gen_ai.response.model"] == MODEL
    assert (told["gen_ai.request.max_tokens"], told["gen_ai.request.temperature"]) == (30, 0.5)
    assert told["gen_ai.response.finish_reasons"] == ("stop",)
    assert told["gen_ai.usage.input_tokens"] == facts.usage.input_tokens > 0
    assert told["gen_ai.usage.output_tokens"] == facts.usage.output_tokens > 0
    assert told["gen_ai.usage.cost"] == facts.cost.usd
    assert told["workers_ai.request_id"] == facts.request_id
    assert told["server.address"] == "127.0.0.1"


@pytest.mark.parametrize(
    ("ask", "name"),
    [
        (lambda client: client.complete("Once", model=MODEL), f"text_completion {MODEL}"),
        (lambda client: client.embed(["a"]), "embeddings @cf/baai/bge-m3"),
        (lambda client: client.rerank("a", ["b"]), "rerank @cf/baai/bge-reranker-base"),
        (lambda client: client.rerank("a", ["b"], model="@cf/baai/bge-m3"), "rerank @cf/baai/bge-m3"),
        (lambda client: client.chat("Hi", model=MODEL, api="openai"), f"chat {MODEL}"),
        (lambda client: client.models.list(search="bge-m3"), "GET ai/models/search"),
    ],
)
def test_the_operation_follows_from_what_is_asked(client, spans, ask, name):
    ask(client)
    assert only(spans).name == name


def test_the_gateway_tells_its_log_id_and_whether_the_answer_was_cached(client, spans):
    for _ in range(2):
        client.chat("Is it cached?", model=MODEL, gateway={"id": "default", "cache_ttl": 60})
    first, second = (dict(span.attributes) for span in spans.get_finished_spans())
    assert (first["gen_ai.response.cached"], second["gen_ai.response.cached"]) == (False, True)
    assert first["cf.aig.log_id"] != second["cf.aig.log_id"]
    assert first["cf.aig.gateway_id"] == "default"


def busy(request: httpx.Request) -> httpx.Response:
    error = {"code": 3040, "message": "Capacity temporarily exceeded, please try again."}
    return httpx.Response(429, headers={"retry-after": "0"}, json={"errors": [error], "success": False, "result": {}})


def fake(answer: Any, **arguments: Any) -> Client:
    return Client(
        account_id="0" * 32,
        api_token="tok-S3CR3T",
        http_client=httpx.Client(transport=httpx.MockTransport(answer)),
        **arguments,
    )


def test_attempts_that_fail_make_no_spans_of_their_own_and_the_last_error_is_told(spans):
    requests: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return busy(request)

    with pytest.raises(CapacityError):
        fake(answer, max_retries=2).chat("Hi", model=MODEL)
    span = only(spans)
    assert len(requests) == 3
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes["error.type"] == "CapacityError"
    assert (span.attributes["http.response.status_code"], span.attributes["workers_ai.error.code"]) == (429, 3040)
    assert not span.events


@pytest.mark.parametrize("route", [None, "header", "url"])
def test_models_in_turn_are_one_span_that_names_the_one_that_answered(spans, emulator, route):
    gateway = {"gateway": {"id": "default", "route": route, "base_url": emulator.gateway_url}} if route else {}
    address = {"account_id": emulator.account_id, "api_token": emulator.api_token, "base_url": emulator.base_url}
    emulator.faults.next("3040", model=MODEL)
    try:
        Client(**address, **gateway, max_retries=0).chat("Hi", model=MODEL, fallback=OTHER, max_tokens=30)
    finally:
        emulator.faults.clear()
    span = only(spans)
    told = dict(span.attributes)
    assert (span.name, span.status.status_code) == (f"chat {MODEL}", StatusCode.UNSET)
    assert (told["gen_ai.request.model"], told["gen_ai.response.model"]) == (MODEL, OTHER)
    assert told["gen_ai.request.max_tokens"] == 30
    assert emulator.api_token not in span.to_json()


def test_neither_texts_nor_the_token_stand_in_a_span(spans):
    def answer(request: httpx.Request) -> httpx.Response:
        told = f"Bad headers: {request.headers['authorization']}"
        return httpx.Response(400, json={"errors": [{"code": 5006, "message": told}], "success": False})

    client = fake(answer, max_retries=0, gateway={"id": "docs", "route": "url", "token": "gw-S3CR3T"})
    for ask in (lambda: client.chat("private words"), lambda: list(client.stream_chat("private words"))):
        with pytest.raises(ValueError, match="Bad headers"):
            ask()
    told = "".join(span.to_json() for span in spans.get_finished_spans())
    assert "chat @cf/google" in told
    assert "S3CR3T" not in told
    assert "private words" not in told


def test_a_stream_that_is_left_ends_its_span_without_an_error(client, spans):
    stream = client.stream_chat("Count to ten", model=MODEL)
    next(stream)
    assert not spans.get_finished_spans()
    stream.close()
    assert only(spans).status.status_code is StatusCode.UNSET


def test_a_streams_span_is_not_the_current_one_of_its_consumer(client, spans):
    """The consumer's own spans between two deltas are no children of the call."""
    before = get_current_span()
    stream = client.stream_chat("Count to ten", model=MODEL)
    next(stream)
    assert get_current_span() is before
    stream.close()


def test_a_client_that_was_made_before_is_watched_and_no_longer_after_uninstrument(client, spans):
    telemetry.uninstrument()
    client.chat("Hi")
    assert not spans.get_finished_spans()


def test_off_nothing_of_opentelemetry_is_imported():
    script = "import sys, workers_ai; workers_ai.Client(account_id='0'*32, api_token='t')._transport\n"
    script += "print([name for name in sys.modules if 'opentelemetry' in name or 'traced' in name])"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert run.stdout.strip() == "[]"


def test_without_opentelemetry_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "opentelemetry.trace", None)
    with pytest.raises(ImportError, match=r'pip install "workers-ai\[otel\]"'):
        telemetry.instrument()
