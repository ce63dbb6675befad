"""A transport that makes an OpenTelemetry span of each call, by the conventions for generative AI."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import AbstractContextManager, aclosing, closing
from dataclasses import fields
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, use_span

from workers_ai.catalog import lookup
from workers_ai.errors import WorkersAIError
from workers_ai.garbage import collecting, later
from workers_ai.provider import PROVIDER
from workers_ai.transport import Transport

if TYPE_CHECKING:
    from typing import Self

    from workers_ai.answers import Facts
    from workers_ai.exchange import Exchange, Request

Answer = TypeVar("Answer")
Delta = TypeVar("Delta")

# Our names of options, and those of the conventions.
_OPTIONS = {
    "max_tokens": "gen_ai.request.max_tokens",
    "max_completion_tokens": "gen_ai.request.max_tokens",
    "temperature": "gen_ai.request.temperature",
    "top_p": "gen_ai.request.top_p",
    "top_k": "gen_ai.request.top_k",
    "seed": "gen_ai.request.seed",
    "stop": "gen_ai.request.stop_sequences",
    "n": "gen_ai.request.choice.count",
    "frequency_penalty": "gen_ai.request.frequency_penalty",
    "presence_penalty": "gen_ai.request.presence_penalty",
    "dimensions": "gen_ai.embeddings.dimension.count",
}


class TracedTransport(Transport):
    """As `Transport`; each of its four ways to ask makes one span, however many attempts it takes."""

    __slots__ = ("tracer",)

    tracer: Tracer

    @classmethod
    def of(cls, transport: Transport, tracer: Tracer) -> TracedTransport:
        """The same transport, watched."""
        made = cls.__new__(cls)
        for each in fields(transport):
            setattr(made, each.name, getattr(transport, each.name))
        made.tracer = tracer
        return made

    def send(self, exchange: Exchange[Answer, Any]) -> Answer:
        with _Watched(self, exchange) as watched, _current(watched.span):
            return watched.answered(super().send(exchange))

    async def asend(self, exchange: Exchange[Answer, Any]) -> Answer:
        with _Watched(self, exchange) as watched, _current(watched.span):
            return watched.answered(await super().asend(exchange))

    # A stream's span is not made the current one: its consumer runs between two deltas, in the same context.

    def stream(self, exchange: Exchange[Any, Delta]) -> Generator[Delta, None, None]:
        with _Watched(self, exchange) as watched, closing(super().stream(exchange)) as deltas:
            for delta in deltas:
                yield watched.answered(delta)

    async def astream(self, exchange: Exchange[Any, Delta]) -> AsyncGenerator[Delta, None]:
        with _Watched(self, exchange) as watched:
            async with aclosing(super().astream(exchange)) as deltas:
                async for delta in deltas:
                    yield watched.answered(delta)


def _current(span: Span) -> AbstractContextManager[Span]:
    """Other instrumentations' spans (httpx's) stand below this one; errors are told by `_Watched`."""
    return use_span(span, record_exception=False, set_status_on_exception=False)


class _Watched:
    """One call and its span, which ends with the block."""

    def __init__(self, transport: TracedTransport, exchange: Exchange[Any, Any]) -> None:
        request = exchange.request
        body = _body(request)
        operation = _operation(request, body)
        name = f"{operation} {request.model}" if request.model else operation
        self.span: Span = transport.tracer.start_span(name, kind=SpanKind.CLIENT)
        if self.span.is_recording():
            told = {"gen_ai.operation.name": operation, "gen_ai.provider.name": PROVIDER}
            self._set({**told, **_of_request(request, body, transport.settings.base_url)})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # A stream that is not read to its end (GeneratorExit) and a cancelled task are no failures.
        if isinstance(error, Exception) and self.span.is_recording():
            self._failed(error)
        if collecting():  # an exporter takes locks, too
            later(self.span.end)
        else:
            self.span.end()

    def answered(self, answer: Answer) -> Answer:
        """Takes in the facts of an answer, or of the last delta of a stream; hands it on."""
        facts: Facts | None = getattr(answer, "facts", None)
        if facts is not None and self.span.is_recording():
            self._set(_of_facts(facts))
        return answer

    def _failed(self, error: Exception) -> None:
        # The error's text has been cleaned of secrets; a recorded exception would hold those of its causes as well.
        self.span.set_status(Status(StatusCode.ERROR, str(error)))
        told: dict[str, Any] = {"error.type": type(error).__name__}
        if isinstance(error, WorkersAIError):
            told |= {
                "http.response.status_code": error.status,
                "workers_ai.error.code": error.code,
                "workers_ai.request_id": error.request_id,
            }
        self._set(told)

    def _set(self, told: Mapping[str, Any]) -> None:
        self.span.set_attributes({name: value for name, value in told.items() if value is not None})


def _body(request: Request) -> Mapping[str, Any]:
    """What is sent, as far as it is JSON and holds no secret; of several requests in one, the first."""
    body = request.steps[0].body if request.steps else request.body
    try:
        found = json.loads(body) if isinstance(body, bytes) else {}
    except ValueError:
        return {}
    return found if isinstance(found, Mapping) else {}


def _operation(request: Request, body: Mapping[str, Any]) -> str:
    """The conventions' name for what is done; where they have none, the service's name of the task."""
    if request.model is None:
        return f"{request.method} {request.path}"
    task = lookup(request.model).task
    if "contexts" in body and "query" in body:
        return "rerank"
    if task == "Text Embeddings" or request.path.endswith("/embeddings"):
        return "embeddings"
    if "messages" in body:
        return "chat"
    if task in ("Text Generation", "Unknown"):
        return "text_completion"
    return task.casefold().replace("-", "_").replace(" ", "_")


def _of_request(request: Request, body: Mapping[str, Any], base_url: str) -> dict[str, Any]:
    where = urlsplit(request.gateway.base_url if request.gateway and request.gateway.route == "url" else base_url)
    told: dict[str, Any] = {
        "gen_ai.request.model": request.model,
        "server.address": where.hostname,
        "server.port": where.port or (443 if where.scheme == "https" else 80),
        "gen_ai.request.stream": True if body.get("stream") is True else None,
        "cf.aig.gateway_id": request.gateway.id if request.gateway else None,
    }
    for ours, theirs in _OPTIONS.items():
        value = body.get(ours)
        if isinstance(value, (int, float, str)) and ours != "stop":
            told[theirs] = value
        elif ours == "stop" and value:
            told[theirs] = [value] if isinstance(value, str) else [str(each) for each in value]
    return told


def _of_facts(facts: Facts) -> dict[str, Any]:
    usage, cost, gateway = facts.usage, facts.cost, facts.gateway
    told: dict[str, Any] = {
        "gen_ai.response.model": facts.answering_model,
        "gen_ai.response.id": facts.id,
        "gen_ai.response.finish_reasons": [facts.finish_reason] if facts.finish_reason else None,
        "workers_ai.request_id": facts.request_id,
        "cf.aig.log_id": gateway.get("log_id"),
        "gen_ai.response.cached": gateway["cache_status"].upper() == "HIT" if "cache_status" in gateway else None,
    }
    if usage is not None and usage.total_tokens:  # some embedding models tell neurons alone (quirk 66)
        told |= {
            "gen_ai.usage.input_tokens": usage.input_tokens,
            "gen_ai.usage.output_tokens": usage.output_tokens,
            "gen_ai.usage.cache_read.input_tokens": usage.cached_tokens,
            "gen_ai.usage.reasoning.output_tokens": usage.reasoning_tokens,
        }
    if cost is not None:
        told |= {
            "gen_ai.usage.cost": cost.usd,
            "workers_ai.neurons": cost.neurons,
            "workers_ai.cost_source": cost.source,
        }
    return told
