"""The only file that sends. Sync and async share everything but the send."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncGenerator, Generator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from workers_ai import fallback, journal
from workers_ai.attempt import ACCEPT_ENCODING, Attempt, abounded, bounded
from workers_ai.errors import (
    APITimeoutError,
    BadRequestError,
    EmptyAnswerError,
    ErrorClasses,
    InvalidResponseError,
    RateLimitError,
    StreamInterruptedError,
    WorkersAIError,
    recast,
)
from workers_ai.exchange import Exchange, Request
from workers_ai.failure import failure
from workers_ai.garbage import collecting, later
from workers_ai.gateway import gateway_facts
from workers_ai.pool import SHARED, Key, direct, network_key
from workers_ai.redaction import bearer, cleaned, reveal
from workers_ai.retry import Attempts, RetryPolicy, may_have_been_taken
from workers_ai.settings import Settings, is_loopback
from workers_ai.version import user_agent

if TYPE_CHECKING:
    import httpx
    from pydantic import SecretStr

    from workers_ai.exchange import Reply
    from workers_ai.limiter import Limiter

Answer = TypeVar("Answer")
Delta = TypeVar("Delta")

_HEADER_VALUE = re.compile(r"[\t -~\x80-\xff]*")
_UNREADABLE = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)


@dataclass(slots=True)
class Transport:
    """Sends exchanges: four methods, and what they share.

    errors: the classes to raise in place of the family's own.
    http_client, http_async_client: a user's own httpx (or httpx2) clients, used and never closed. Without them the
        process's shared ones serve, made at the first call.
    client_timeouts: leave the time-outs to a user's client.
    limiter: asked before each attempt; None waits for nothing.
    """

    settings: Settings
    errors: ErrorClasses = field(default_factory=dict)
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    http_client: httpx.Client | None = None
    http_async_client: httpx.AsyncClient | None = None
    client_timeouts: bool = False
    limiter: Limiter | None = None
    _key: Key | None = None

    def send(self, exchange: Exchange[Answer, Any]) -> Answer:
        """The answer to `exchange`, after as many attempts as the retry policy grants."""
        if exchange.others:
            return fallback.send(self._send, fallback.Turn(exchange, self.errors))
        return self._send(exchange)

    def _send(self, exchange: Exchange[Answer, Any], attempts: Attempts | None = None) -> Answer:
        attempts = attempts or self._attempts(exchange)
        while True:
            attempt = Attempt(exchange, attempts.failed + 1)
            try:
                self._open(attempt, stream=False)
                return attempt.read(bounded(attempt.response.iter_bytes(), attempt.most))
            except Exception as raised:  # noqa: BLE001 - all but the client's own goes on in `_pause`
                pause = self._pause(attempts, raised, attempt)
            finally:
                self._close(attempt)
            time.sleep(pause)

    async def asend(self, exchange: Exchange[Answer, Any]) -> Answer:
        """The answer to `exchange`, after as many attempts as the retry policy grants."""
        if exchange.others:
            return await fallback.asend(self._asend, fallback.Turn(exchange, self.errors))
        return await self._asend(exchange)

    async def _asend(self, exchange: Exchange[Answer, Any], attempts: Attempts | None = None) -> Answer:
        attempts = attempts or self._attempts(exchange)
        while True:
            attempt = Attempt(exchange, attempts.failed + 1)
            try:
                await self._aopen(attempt, stream=False)
                return attempt.read(await abounded(attempt.response.aiter_bytes(), attempt.most))
            except Exception as raised:  # noqa: BLE001 - all but the client's own goes on in `_pause`
                pause = self._pause(attempts, raised, attempt)
            finally:
                await self._aclose(attempt)
            await asyncio.sleep(pause)

    def stream(self, exchange: Exchange[Any, Delta]) -> Generator[Delta, None, None]:
        """The deltas of `exchange` as they come. Tried again only before the first event of the answer."""
        if exchange.others:
            return fallback.stream(self._stream, fallback.Turn(exchange, self.errors))
        return self._stream(exchange)

    def _stream(self, exchange: Exchange[Any, Delta]) -> Generator[Delta, None, None]:
        attempts = self._attempts(exchange)
        while True:
            attempt = Attempt(exchange, attempts.failed + 1)
            try:
                head = self._open(attempt, stream=True)
                if head.is_document:
                    body = bounded(attempt.response.iter_bytes(), attempt.most)
                    found = _read_whole(attempt, body, attempts)
                    answer = found or self._send(_unstreamed(attempt), attempts)
                    attempt.finished = True
                    yield from _whole(exchange, answer)
                    return
                chunks, reader = attempt.hold(attempt.response.iter_bytes()), attempt.stream_reader()
                for chunk in chunks:
                    yield from reader.feed(attempt.part(chunk))
                    if reader.done:
                        break
                yield from attempt.rest()
                attempt.finished = True
                for chunk in chunks:  # to the end of the body, or the connection could not be used again
                    if attempt.is_endless(chunk):
                        break
                return
            except Exception as raised:  # noqa: BLE001 - all but the client's own goes on in `_pause`
                if attempt.finished:
                    return
                pause = self._pause(attempts, raised, attempt)
            finally:
                self._close(attempt)
            time.sleep(pause)

    def astream(self, exchange: Exchange[Any, Delta]) -> AsyncGenerator[Delta, None]:
        """The deltas of `exchange` as they come. Tried again only before the first event of the answer."""
        if exchange.others:
            return fallback.astream(self._astream, fallback.Turn(exchange, self.errors))
        return self._astream(exchange)

    async def _astream(self, exchange: Exchange[Any, Delta]) -> AsyncGenerator[Delta, None]:
        attempts = self._attempts(exchange)
        while True:
            attempt = Attempt(exchange, attempts.failed + 1)
            try:
                head = await self._aopen(attempt, stream=True)
                if head.is_document:
                    body = await abounded(attempt.response.aiter_bytes(), attempt.most)
                    found = _read_whole(attempt, body, attempts)
                    answer = found or await self._asend(_unstreamed(attempt), attempts)
                    attempt.finished = True
                    for delta in _whole(exchange, answer):
                        yield delta
                    return
                chunks, reader = attempt.ahold(attempt.response.aiter_bytes()), attempt.stream_reader()
                async for chunk in chunks:
                    for delta in reader.feed(attempt.part(chunk)):
                        yield delta
                    if reader.done:
                        break
                for delta in attempt.rest():
                    yield delta
                attempt.finished = True
                async for chunk in chunks:  # to the end of the body, or the connection could not be used again
                    if attempt.is_endless(chunk):
                        break
                return
            except Exception as raised:  # noqa: BLE001 - all but the client's own goes on in `_pause`
                if attempt.finished:
                    return
                pause = self._pause(attempts, raised, attempt)
            finally:
                await self._aclose(attempt)
            await asyncio.sleep(pause)

    def _attempts(self, exchange: Exchange[Any, Any]) -> Attempts:
        request = exchange.request
        return self.retry.start(request.gateway, steps=len(request.steps) or 1)

    def _open(self, attempt: Attempt[Any, Any], *, stream: bool) -> Reply:
        """Sends, and gives the head of a successful reply; its body stands in `attempt.response`.

        Raises what a refusal means.
        """
        attempt.admit()
        request = attempt.exchange.request
        url, headers, secrets = self.settings.address(request)
        if self.limiter is not None and request.model is not None:
            attempt.permit = self.limiter.acquire(request.model)
        secrets["authorization"] = bearer(self.settings.token())
        attempt.secrets = [*secrets.values(), *self.settings.headers.values()]
        client = self.http_client or SHARED.client(self._network_key(url))
        built = self._build(client, request, url, headers, secrets, stream=stream)
        head = attempt.answered(client.send(built, stream=True, follow_redirects=False))
        if head.status >= 300:
            attempt.check(bounded(attempt.response.iter_bytes(), attempt.most))
        return head

    async def _aopen(self, attempt: Attempt[Any, Any], *, stream: bool) -> Reply:
        """Sends, and gives the head of a successful reply; its body stands in `attempt.response`.

        Raises what a refusal means.
        """
        attempt.admit()
        request = attempt.exchange.request
        url, headers, secrets = self.settings.address(request)
        if self.limiter is not None and request.model is not None:
            attempt.permit = await self.limiter.aacquire(request.model)
        secrets["authorization"] = bearer(await self.settings.atoken())
        attempt.secrets = [*secrets.values(), *self.settings.headers.values()]
        client = self.http_async_client or await SHARED.aclient(self._network_key(url))
        built = self._build(client, request, url, headers, secrets, stream=stream)
        head = attempt.answered(await client.send(built, stream=True, follow_redirects=False))
        if head.status >= 300:
            attempt.check(await abounded(attempt.response.aiter_bytes(), attempt.most))
        return head

    def _close(self, attempt: Attempt[Any, Any]) -> None:
        """Ends an attempt and lets go of its connection; later, where it is the garbage collector that asks."""
        if collecting():
            later(partial(_close_now, attempt))
        else:
            _close_now(attempt)

    async def _aclose(self, attempt: Attempt[Any, Any]) -> None:
        # The collector never gets here: an event loop closes async generators from a task.
        _end(attempt)
        await attempt.ahang_up()

    def _build(
        self,
        client: httpx.Client | httpx.AsyncClient,
        request: Request,
        url: str,
        headers: Mapping[str, str],
        secrets: Mapping[str, SecretStr],
        *,
        stream: bool,
    ) -> httpx.Request:
        """The HTTP request. `application/json` exactly: the service looks at it (quirk 63).

        Secret headers are put in last and one by one, so that no local variable ever holds their text: tracebacks
        with locals are written to logs.
        """
        usual = {"accept": "text/event-stream" if stream else "application/json", "user-agent": user_agent()}
        usual["accept-encoding"] = ACCEPT_ENCODING
        if request.body is not None:
            usual["content-type"] = "application/json"
        own = client is not self.http_client and client is not self.http_async_client
        built = client.build_request(
            request.method,
            _url(url) if own else url,
            # A body that holds a secret is made here, as the argument that it is, and by no name of ours.
            content=request.body(secrets["authorization"]) if callable(request.body) else request.body,
            headers={**usual, **request.headers, **headers},
            params={**self.settings.query, **request.query} or None,
            # A user's client keeps its own time-outs, unless others were asked for.
            extensions={}
            if self.client_timeouts and not own
            else {"timeout": self.settings.timeouts.extension(stream=stream)},
        )
        for name, secret in (*self.settings.headers.items(), *secrets.items()):
            if not _HEADER_VALUE.fullmatch(reveal(secret)):
                raise BadRequestError(
                    f"the value of the header {name!r} has a character that no header can hold", maybe_sent=False
                )
            built.headers[name] = reveal(secret)
        return built

    def _network_key(self, url: str) -> Key:
        if self._key is None:
            self._key = network_key()
        return direct(self._key) if _is_here(url) else self._key

    def _pause(self, attempts: Attempts, raised: Exception, attempt: Attempt[Any, Any]) -> float:
        """Seconds until the next attempt. Raises the failure, as the class asked for, when there is none."""
        error = _failure(raised, attempt)
        if error is None:
            raise raised
        error = cleaned(error, attempt.secrets)
        if attempt.permit is not None and isinstance(error, RateLimitError):
            attempt.permit.refused()
        if attempt.head is not None:
            error.gateway = gateway_facts(attempt.head.headers)
        if attempt.begun:
            error = _interrupted(error, attempt)
        attempt.error = error
        if attempt.exchange.once and may_have_been_taken(error):
            error.retryable = False
        pause = attempts.delay_after(error)
        if pause is None:
            final = recast(error, self.errors)
            raise final from final.__cause__
        journal.pausing(attempt, error, pause)
        return pause


def _end(attempt: Attempt[Any, Any]) -> None:
    attempt.release()
    attempt.end()
    journal.attempted(attempt)


def _close_now(attempt: Attempt[Any, Any]) -> None:
    try:
        _end(attempt)
    finally:
        attempt.hang_up()


def _failure(raised: Exception, attempt: Attempt[Any, Any]) -> WorkersAIError | None:
    """What was raised, as an error of the family; None for what is none of the client's and none of the answer's."""
    if isinstance(raised, WorkersAIError):
        return raised
    model = attempt.asked.model
    error = failure(raised, model=model)
    if error is None and attempt.head is not None and isinstance(raised, _UNREADABLE):
        # An answer of a shape that nobody foresaw is the service's fault, and no TypeError of the caller's.
        error = InvalidResponseError(f"The answer cannot be read ({type(raised).__name__})", model=model)
    if error is not None:
        error.__cause__ = raised
        error.request_id = attempt.head.request_id if attempt.head is not None else None
    return error


def _interrupted(error: WorkersAIError, attempt: Attempt[Any, Any]) -> WorkersAIError:
    """A failure in the midst of an answer, which was made and is paid for.

    Only an idempotent exchange is asked for again. A stream's carries what had arrived.
    """
    if not attempt.exchange.idempotent:
        error.retryable = False
    if attempt.reader is None:
        return error
    if error.partial is None:
        error.partial = attempt.reader.partial
    if isinstance(error, ConnectionError) and not isinstance(error, APITimeoutError):
        told = {"message": f"The stream broke off: {error.message}", "hint": "`partial` holds what had arrived"}
        cut = StreamInterruptedError.rebuild({**error.fields(), **told})
        cut.__cause__ = error.__cause__
        return cut
    return error


def _read_whole(attempt: Attempt[Answer, Any], body: bytes, attempts: Attempts) -> Answer | None:
    """The answer in a document that came for a stream (quirk 26).

    None for an empty one that may be asked for once more, without the stream: that is an attempt like any other.
    """
    try:
        return attempt.read(body)
    except EmptyAnswerError:
        if attempt.exchange.unstreamed is None or not attempts.another():
            raise
        return None


def _unstreamed(attempt: Attempt[Answer, Delta]) -> Exchange[Answer, Delta]:
    """The same question without the stream. `attempt` is over: it must not keep the place that the next one needs."""
    assert attempt.exchange.unstreamed is not None
    attempt.release()
    return replace(attempt.exchange.unstreamed(), counting=attempt.exchange.counting)


def _whole(exchange: Exchange[Answer, Delta], answer: Answer) -> list[Delta]:
    assert exchange.whole is not None, "an exchange that is streamed can turn a whole answer into deltas"
    return list(exchange.whole(answer))


@lru_cache(maxsize=512)
def _url(text: str) -> httpx.URL:
    """A parsed address: parsing costs more than all else in building a request, and models are few."""
    import httpx

    return httpx.URL(text)


@lru_cache(maxsize=512)
def _is_here(url: str) -> bool:
    """Whether an address is on this machine: then it is reached directly, whatever proxy is set."""
    return is_loopback(urlsplit(url).hostname or "")
