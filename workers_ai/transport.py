"""The only file that sends. Sync and async share everything but the send."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

from workers_ai.diagnosis import diagnose
from workers_ai.errors import (
    APITimeoutError,
    BadRequestError,
    ErrorClasses,
    InvalidResponseError,
    StreamInterruptedError,
    WorkersAIError,
    recast,
)
from workers_ai.exchange import Exchange, Reply, Request, StreamReader
from workers_ai.failure import failure
from workers_ai.pool import SHARED, Key, network_key
from workers_ai.redaction import SECRET_HEADERS, bearer, cleaned, reveal
from workers_ai.retry import Attempts, RetryPolicy
from workers_ai.settings import Settings
from workers_ai.version import user_agent

if TYPE_CHECKING:
    import httpx
    from pydantic import SecretStr

Answer = TypeVar("Answer")
Delta = TypeVar("Delta")

MAX_ERROR_BODY = 256 * 1024
"""Bytes of an error page that are read: more would say nothing more, and could fill the memory."""

_HEADER_VALUE = re.compile(r"[\t -~\x80-\xff]*")

_log = logging.getLogger("workers_ai.transport")


@dataclass(slots=True)
class Transport:
    """Sends exchanges: four methods, and what they share.

    errors: the classes to raise in place of the family's own.
    http_client, http_async_client: a user's own httpx (or httpx2) clients, used and never closed. Without them the
        process's shared ones serve, made at the first call.
    client_timeouts: leave the time-outs to a user's client.
    """

    settings: Settings
    errors: ErrorClasses = field(default_factory=dict)
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    http_client: httpx.Client | None = None
    http_async_client: httpx.AsyncClient | None = None
    client_timeouts: bool = False
    _key: Key | None = None

    def send(self, exchange: Exchange[Answer, Any]) -> Answer:
        """The answer to `exchange`, after as many attempts as the retry policy grants."""
        return self._send(exchange, self.retry.start())

    def _send(self, exchange: Exchange[Answer, Any], attempts: Attempts) -> Answer:
        while True:
            body: bytes | None = None
            head: Reply | None = None
            try:
                with self._open(exchange.request, stream=False) as (head, response):
                    body = response.read()
                    return exchange.read(Reply(head.status, head.headers, body))
            except Exception as raised:  # noqa: BLE001 - all but the client's own goes on in `_pause`
                pause = self._pause(attempts, raised, exchange, half=head is not None and body is None)
            time.sleep(pause)

    async def asend(self, exchange: Exchange[Answer, Any]) -> Answer:
        """The answer to `exchange`, after as many attempts as the retry policy grants."""
        return await self._asend(exchange, self.retry.start())

    async def _asend(self, exchange: Exchange[Answer, Any], attempts: Attempts) -> Answer:
        while True:
            body: bytes | None = None
            head: Reply | None = None
            try:
                async with self._aopen(exchange.request, stream=False) as (head, response):
                    body = await response.aread()
                    return exchange.read(Reply(head.status, head.headers, body))
            except Exception as raised:  # noqa: BLE001 - all but the client's own goes on in `_pause`
                pause = self._pause(attempts, raised, exchange, half=head is not None and body is None)
            await asyncio.sleep(pause)

    def stream(self, exchange: Exchange[Any, Delta]) -> Generator[Delta, None, None]:
        """The deltas of `exchange` as they come. Tried again only before the first one."""
        attempts = self.retry.start()
        while True:
            reader: StreamReader[Delta] | None = None
            started = False
            try:
                with self._open(exchange.request, stream=True) as (head, response):
                    if head.is_json:
                        reply = Reply(head.status, head.headers, response.read())
                        answer = _read_whole(exchange, reply) or self._send(_unstreamed(exchange), attempts)
                        started = True
                        yield from _whole(exchange, answer)
                        return
                    reader = _reader(exchange, head)
                    for chunk in response.iter_bytes():
                        for delta in reader.feed(chunk):
                            started = True
                            yield delta
                    yield from reader.close()
                    return
            except Exception as raised:  # noqa: BLE001 - all but the client's own goes on in `_pause`
                pause = self._pause(attempts, raised, exchange, started=started, reader=reader)
            time.sleep(pause)

    async def astream(self, exchange: Exchange[Any, Delta]) -> AsyncGenerator[Delta, None]:
        """The deltas of `exchange` as they come. Tried again only before the first one."""
        attempts = self.retry.start()
        while True:
            reader: StreamReader[Delta] | None = None
            started = False
            try:
                async with self._aopen(exchange.request, stream=True) as (head, response):
                    if head.is_json:
                        reply = Reply(head.status, head.headers, await response.aread())
                        answer = _read_whole(exchange, reply) or await self._asend(_unstreamed(exchange), attempts)
                        started = True
                        for delta in _whole(exchange, answer):
                            yield delta
                        return
                    reader = _reader(exchange, head)
                    async for chunk in response.aiter_bytes():
                        for delta in reader.feed(chunk):
                            started = True
                            yield delta
                    for delta in reader.close():
                        yield delta
                    return
            except Exception as raised:  # noqa: BLE001 - all but the client's own goes on in `_pause`
                pause = self._pause(attempts, raised, exchange, started=started, reader=reader)
            await asyncio.sleep(pause)

    @contextmanager
    def _open(self, request: Request, *, stream: bool) -> Iterator[tuple[Reply, httpx.Response]]:
        """The head of a successful reply, and the response to read its body from. Raises what a refusal means."""
        url, secrets = self.settings.address(request)
        secrets["authorization"] = bearer(self.settings.token())
        client = self.http_client or SHARED.client(self._network_key())
        built = self._build(client, request, url, secrets, stream=stream)
        response = client.send(built, stream=True, follow_redirects=False)
        try:
            head = Reply(response.status_code, _shown(response.headers))
            if response.status_code >= 300:
                raise diagnose(Reply(head.status, head.headers, _bounded(response.iter_bytes())), model=request.model)
            yield head, response
        except WorkersAIError as error:
            raise cleaned(error, self._all_secrets(secrets)) from error.__cause__
        finally:
            response.close()

    @asynccontextmanager
    async def _aopen(self, request: Request, *, stream: bool) -> AsyncIterator[tuple[Reply, httpx.Response]]:
        """The head of a successful reply, and the response to read its body from. Raises what a refusal means."""
        url, secrets = self.settings.address(request)
        secrets["authorization"] = bearer(await self.settings.atoken())
        client = self.http_async_client or await SHARED.aclient(self._network_key())
        built = self._build(client, request, url, secrets, stream=stream)
        response = await client.send(built, stream=True, follow_redirects=False)
        try:
            head = Reply(response.status_code, _shown(response.headers))
            if response.status_code >= 300:
                raise diagnose(
                    Reply(head.status, head.headers, await _abounded(response.aiter_bytes())), model=request.model
                )
            yield head, response
        except WorkersAIError as error:
            raise cleaned(error, self._all_secrets(secrets)) from error.__cause__
        finally:
            await response.aclose()

    def _build(
        self,
        client: httpx.Client | httpx.AsyncClient,
        request: Request,
        url: str,
        secrets: Mapping[str, SecretStr],
        *,
        stream: bool,
    ) -> httpx.Request:
        """The HTTP request. `application/json` exactly: the service looks at it (quirk 63).

        Secret headers are put in last and one by one, so that no local variable ever holds their text: tracebacks
        with locals are written to logs.
        """
        usual = {
            "content-type": "application/json",
            "accept": "text/event-stream" if stream else "application/json",
            "user-agent": user_agent(),
        }
        own = client is not self.http_client and client is not self.http_async_client
        built = client.build_request(
            request.method,
            _url(url) if own else url,
            content=request.body,
            headers={**usual, **request.headers},
            params=self.settings.query or None,
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

    def _all_secrets(self, headers: Mapping[str, SecretStr]) -> list[SecretStr]:
        return [*headers.values(), *self.settings.headers.values()]

    def _network_key(self) -> Key:
        if self._key is None:
            self._key = network_key()
        return self._key

    def _pause(
        self,
        attempts: Attempts,
        raised: Exception,
        exchange: Exchange[Any, Any],
        *,
        half: bool = False,
        started: bool = False,
        reader: StreamReader[Any] | None = None,
    ) -> float:
        """Seconds until the next attempt. Raises the failure, as the class asked for, when there is none.

        half: the answer broke off after its head: it was made and billed, so only an idempotent one is asked for again.
        """
        error = raised if isinstance(raised, WorkersAIError) else failure(raised, model=exchange.request.model)
        if error is None:
            raise raised
        if error is not raised:
            error.__cause__ = raised
        if started:
            error = _interrupted(error, reader)
        elif half and not exchange.idempotent:
            error.retryable = False
        pause = None if started else attempts.delay_after(error)
        if pause is None:
            final = recast(error, self.errors)
            raise final from final.__cause__
        _log.info("attempt %d failed (%s), next in %.1f s", attempts.failed, type(error).__name__, pause)
        return pause


def _reader(exchange: Exchange[Any, Delta], head: Reply) -> StreamReader[Delta]:
    assert exchange.reader is not None, "an exchange that is streamed has a reader"
    return exchange.reader(head)


def _whole(exchange: Exchange[Answer, Delta], answer: Answer) -> list[Delta]:
    assert exchange.whole is not None, "an exchange that is streamed can turn a whole answer into deltas"
    return list(exchange.whole(answer))


def _read_whole(exchange: Exchange[Answer, Any], reply: Reply) -> Answer | None:
    """The answer in a JSON reply to a stream (quirk 26); None for an empty one that can be asked for unstreamed."""
    try:
        return exchange.read(reply)
    except InvalidResponseError:
        if exchange.unstreamed is None:
            raise
        return None


def _unstreamed(exchange: Exchange[Answer, Delta]) -> Exchange[Answer, Delta]:
    assert exchange.unstreamed is not None
    return exchange.unstreamed()


def _interrupted(error: WorkersAIError, reader: StreamReader[Any] | None) -> WorkersAIError:
    """A failure after the first delta: never retried, and it carries what had arrived."""
    error.retryable = False
    if error.partial is None and reader is not None:
        error.partial = reader.partial
    if isinstance(error, ConnectionError) and not isinstance(error, APITimeoutError):
        cut = StreamInterruptedError(f"The stream broke off: {error.message}", model=error.model, partial=error.partial)
        cut.__cause__ = error.__cause__
        return cut
    return error


def _shown(headers: httpx.Headers) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name not in SECRET_HEADERS}


def _bounded(chunks: Iterator[bytes]) -> bytes:
    body = b""
    for chunk in chunks:
        body += chunk
        if len(body) >= MAX_ERROR_BODY:
            break
    return body[:MAX_ERROR_BODY]


async def _abounded(chunks: AsyncIterator[bytes]) -> bytes:
    body = b""
    async for chunk in chunks:
        body += chunk
        if len(body) >= MAX_ERROR_BODY:
            break
    return body[:MAX_ERROR_BODY]


@lru_cache(maxsize=512)
def _url(text: str) -> httpx.URL:
    """A parsed address: parsing costs more than all else in building a request, and models are few."""
    import httpx

    return httpx.URL(text)
