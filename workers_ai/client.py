"""The core by itself: every operation of the service, plain and async, two lines each."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from workers_ai import bulk, ranking, telemetry
from workers_ai.answers import ChatAnswer, ChatDelta, Ranking
from workers_ai.connection import CALL_OPTIONS, ConnectionFields
from workers_ai.context import checked
from workers_ai.embedding_fields import DEFAULT_EMBEDDING_MODEL
from workers_ai.progress import OnUsage, watched
from workers_ai.rerank_fields import DEFAULT_RERANK_MODEL
from workers_ai.tasks import chat as chats
from workers_ai.tasks import completion, embeddings
from workers_ai.tasks.rerank import RerankRequest
from workers_ai.text_fields import DEFAULT_MODEL, TextFields, with_fallback
from workers_ai.wire.message import WireMessage
from workers_ai.wire.options import OPTIONS

if TYPE_CHECKING:
    from typing import Self, Unpack

    from workers_ai.account_models import AccountModels
    from workers_ai.call import Call
    from workers_ai.client_queue import ClientQueue
    from workers_ai.options import ConnectionOptions
    from workers_ai.transport import Transport


Messages = str | Sequence[WireMessage]

_OF_EMBEDDINGS = frozenset(
    {
        "pooling",
        "dimensions",
        "queries",
        "instruction",
        "batch_size",
        "max_concurrency",
        "show_progress_bar",
        "on_usage",
    }
)
_OF_TOOLS = frozenset({"tools", "tool_choice", "parallel_tool_calls"})


class Client(ConnectionFields):
    """Workers AI without a framework. Takes the connection arguments; the rest is given per call.

    Clients with the same network settings share one pool of connections per process; `workers_ai.close_all()` ends it.
    """

    if TYPE_CHECKING:

        def __init__(self, **kwargs: Unpack[ConnectionOptions]) -> None: ...

    def chat(self, messages: Messages, *, model: str = DEFAULT_MODEL, **options: Any) -> ChatAnswer:
        """The answer to messages (`{"role", "content"}`), or to one user's text.

        options: temperature, max_tokens, ... as the chat classes take them, model_kwargs (further inputs of the model),
        and model, fallback (models to ask next where it fails), api, gateway, extra_body, ...
        tools: OpenAI's dicts; tool_choice: "auto", "none", "any", "required", True, a tool's name, or OpenAI's dict;
        parallel_tool_calls: whether one answer may hold several calls.
        """
        return self._transport.send(self._exchange(chats.exchange, self._chat(messages, model, options)))

    async def achat(self, messages: Messages, *, model: str = DEFAULT_MODEL, **options: Any) -> ChatAnswer:
        """As `chat`."""
        return await self._transport.asend(self._exchange(chats.exchange, self._chat(messages, model, options)))

    def stream_chat(self, messages: Messages, *, model: str = DEFAULT_MODEL, **options: Any) -> Iterator[ChatDelta]:
        """As `chat`, in deltas; the last one has the facts: finish reason, usage, cost."""
        return self._transport.stream(self._exchange(chats.exchange, self._chat(messages, model, options), stream=True))

    def astream_chat(
        self, messages: Messages, *, model: str = DEFAULT_MODEL, **options: Any
    ) -> AsyncIterator[ChatDelta]:
        """As `stream_chat`."""
        return self._transport.astream(
            self._exchange(chats.exchange, self._chat(messages, model, options), stream=True)
        )

    def complete(self, prompt: str, *, model: str = DEFAULT_MODEL, **options: Any) -> ChatAnswer:
        """The continuation of `prompt`; `raw=True` leaves out the chat template."""
        return self._transport.send(self._exchange(completion.exchange, self._prompt(prompt, model, options)))

    async def acomplete(self, prompt: str, *, model: str = DEFAULT_MODEL, **options: Any) -> ChatAnswer:
        """As `complete`."""
        return await self._transport.asend(self._exchange(completion.exchange, self._prompt(prompt, model, options)))

    def stream_complete(self, prompt: str, *, model: str = DEFAULT_MODEL, **options: Any) -> Iterator[ChatDelta]:
        """As `complete`, in deltas."""
        return self._transport.stream(
            self._exchange(completion.exchange, self._prompt(prompt, model, options), stream=True)
        )

    def astream_complete(self, prompt: str, *, model: str = DEFAULT_MODEL, **options: Any) -> AsyncIterator[ChatDelta]:
        """As `stream_complete`."""
        return self._transport.astream(
            self._exchange(completion.exchange, self._prompt(prompt, model, options), stream=True)
        )

    def embed(
        self,
        texts: Sequence[str],
        *,
        model: str = DEFAULT_EMBEDDING_MODEL,
        pooling: embeddings.Pooling | None = None,
        dimensions: int | None = None,
        queries: bool = False,
        instruction: str | None = None,
        batch_size: int | None = None,
        max_concurrency: int = bulk.MAX_CONCURRENCY,
        show_progress_bar: bool = False,
        on_usage: OnUsage | None = None,
        **options: Any,
    ) -> list[list[float]]:
        """One vector for each text, in their order; any number of texts, several requests in flight.

        pooling: "mean" or "cls", where the model takes it. dimensions: of a vector, where the model lets one choose.
        queries: the texts are questions, which some models embed apart. instruction: the model's own for questions,
        where it takes one, else put before each text. batch_size: texts in one request; unset, and at most, the
        model's limit. show_progress_bar: on a terminal; needs tqdm. on_usage: called with the usage of each request.
        options: api, gateway, extra_body, ...
        """
        requests = self._texts(
            texts,
            model,
            options,
            batch_size,
            queries=queries,
            instruction=instruction,
            pooling=pooling,
            dimensions=dimensions,
        )
        with watched(len(texts), shown=show_progress_bar, on_usage=on_usage) as on_answer:
            return bulk.embed(self._transport, requests, max_concurrency=max_concurrency, on_answer=on_answer)

    async def aembed(
        self,
        texts: Sequence[str],
        *,
        model: str = DEFAULT_EMBEDDING_MODEL,
        pooling: embeddings.Pooling | None = None,
        dimensions: int | None = None,
        queries: bool = False,
        instruction: str | None = None,
        batch_size: int | None = None,
        max_concurrency: int = bulk.MAX_CONCURRENCY,
        show_progress_bar: bool = False,
        on_usage: OnUsage | None = None,
        **options: Any,
    ) -> list[list[float]]:
        """As `embed`."""
        requests = self._texts(
            texts,
            model,
            options,
            batch_size,
            queries=queries,
            instruction=instruction,
            pooling=pooling,
            dimensions=dimensions,
        )
        with watched(len(texts), shown=show_progress_bar, on_usage=on_usage) as on_answer:
            return await bulk.aembed(self._transport, requests, max_concurrency=max_concurrency, on_answer=on_answer)

    def rerank(
        self,
        query: str,
        texts: Sequence[str],
        *,
        model: str = DEFAULT_RERANK_MODEL,
        top_n: int | None = None,
        batch_size: int = ranking.MAX_TEXTS,
        max_concurrency: int = ranking.MAX_CONCURRENCY,
        **options: Any,
    ) -> Ranking:
        """The texts that meet `query` best, at most `top_n` of them; each item has `index`, `score` and `text`.

        Any number of texts, in requests of `batch_size`, several in flight. No texts make no request.
        """
        whole, parts = self._to_rank(query, texts, model, top_n, batch_size, options)
        return ranking.rank(self._transport, whole, parts, max_concurrency=max_concurrency)

    async def arerank(
        self,
        query: str,
        texts: Sequence[str],
        *,
        model: str = DEFAULT_RERANK_MODEL,
        top_n: int | None = None,
        batch_size: int = ranking.MAX_TEXTS,
        max_concurrency: int = ranking.MAX_CONCURRENCY,
        **options: Any,
    ) -> Ranking:
        """As `rerank`."""
        whole, parts = self._to_rank(query, texts, model, top_n, batch_size, options)
        return await ranking.arank(self._transport, whole, parts, max_concurrency=max_concurrency)

    @property
    def models(self) -> AccountModels:
        """The account's own listing: `models.list()`, `models.alist()`."""
        from workers_ai.account_models import AccountModels

        return AccountModels(self._transport)

    @property
    def _transport(self) -> Transport:
        """What sends; it makes spans where `telemetry.instrument()` has been called."""
        transport = super()._transport
        if telemetry.tracer is None:
            return transport
        from workers_ai.traced_transport import TracedTransport

        return TracedTransport.of(transport, telemetry.tracer)

    @property
    def queue(self) -> ClientQueue:
        """The service's batch queue: `submit`, `poll`, `collect`, for work that nobody waits for."""
        from workers_ai.client_queue import ClientQueue

        return ClientQueue(self)

    def close(self) -> None:
        """Nothing to close: connections are shared and stay for the next call (`workers_ai.close_all()` ends them)."""

    async def aclose(self) -> None:
        """As `close`."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def _chat(self, messages: Messages, model: str, options: dict[str, Any]) -> chats.ChatRequest:
        call = self._text_call(model, options)
        tools = {name: options.pop(name) for name in _OF_TOOLS if options.get(name) is not None}
        check = self._exchange(checked, options.pop("check_context", "error"))
        told = self._known(options, beside=_OF_TOOLS)
        return chats.ChatRequest(call, self._messages(messages), told, check_context=check, **tools)

    def _text_call(self, model: str, options: dict[str, Any]) -> Call:
        return with_fallback(self._call(model, options), self, options.pop("fallback", None))

    def _messages(self, messages: Messages) -> Sequence[WireMessage]:
        return [{"role": "user", "content": messages}] if isinstance(messages, str) else messages

    def _prompt(self, prompt: str, model: str, options: dict[str, Any]) -> completion.CompletionRequest:
        call, check = self._text_call(model, options), self._exchange(checked, options.pop("check_context", "error"))
        return completion.CompletionRequest(call, prompt, self._known(options), check_context=check)

    def _texts(
        self, texts: Sequence[str], model: str, options: dict[str, Any], batch_size: int | None, **told: Any
    ) -> list[embeddings.EmbeddingRequest]:
        call = self._call(model, options)
        self._refuse_unknown(options, known=_OF_EMBEDDINGS)
        request = embeddings.EmbeddingRequest(call, texts, **told)
        return self._exchange(bulk.requests_for, request, batch_size=batch_size)

    def _to_rank(
        self, query: str, texts: Sequence[str], model: str, top_n: int | None, batch_size: int, options: dict[str, Any]
    ) -> tuple[RerankRequest, list[RerankRequest]]:
        """What is asked, and the requests that it is cut into."""
        call = self._call(model, options)
        self._refuse_unknown(options, known=frozenset({"top_n", "batch_size", "max_concurrency"}))
        whole = RerankRequest(call, query, texts, top_n)
        return whole, ranking.requests_for(whole, batch_size=batch_size)

    def _known(self, options: Mapping[str, Any], *, beside: frozenset[str] = frozenset()) -> Mapping[str, Any]:
        """The options of a text. Raises TypeError for one that is unknown; beside: what else the call may be given."""
        told = {TextFields.aliases.get(name, name): value for name, value in options.items()}
        self._refuse_unknown(told, known=OPTIONS | CALL_OPTIONS | TextFields.call_options | beside)
        inputs = told.pop("model_kwargs", None) or {}
        return {name: value for name, value in {**inputs, **told}.items() if name not in beside}
