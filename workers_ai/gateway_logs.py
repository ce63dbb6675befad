"""The log of a gateway: read it, and put feedback on what it holds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from pydantic import ConfigDict

from workers_ai.connection import ConnectionFields
from workers_ai.errors import (
    AuthenticationError,
    BadRequestError,
    GatewayError,
    PermissionDeniedError,
    WorkersAIError,
)
from workers_ai.tasks import gateway_logs as logs
from workers_ai.tasks.gateway_logs import MOST_PER_PAGE, GatewayLog

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Unpack

    from workers_ai.exchange import Exchange
    from workers_ai.gateway import Gateway
    from workers_ai.options import DirectOptions
    from workers_ai.tasks.gateway_logs import Feedback, LogFilters, Metadata

Answer = TypeVar("Answer")

_LAG = (0.1, 0.2, 0.4, 0.8)
"""Seconds to wait for an entry: it appears up to about half a second after its answer (quirk 97)."""

_PERMISSIONS = "A gateway's log wants a token with the permissions AI Gateway Read and Edit"


class GatewayLogs(ConnectionFields):
    """The log of one AI Gateway.

    ```python
    from workers_ai import GatewayLogs

    logs = GatewayLogs("my-gateway")
    for log in logs.list(success=False, order_by="created_at", limit=20):
        print(log.created_at, log.model, log.status_code)
    logs.feedback(answer.facts.gateway["log_id"], 1, score=0.9)
    ```

    gateway: a Gateway, an id or a mapping (environment: CLOUDFLARE_AI_GATEWAY, CLOUDFLARE_GATEWAY_ID).
    The other arguments are those of `Client`. The token needs the permissions AI Gateway Read and Edit.
    Accounts made since 2026-09-24 keep their logs elsewhere too; whether this API serves those is not documented.

    Raises GatewayError (404) for an entry that is not there, or not within a second and a half after its answer.
    """

    model_config = ConfigDict(defer_build=False)

    def __init__(
        self,
        gateway: Gateway | str | Mapping[str, Any] | Literal[False] | None = None,
        **connection: Unpack[DirectOptions],
    ) -> None:
        told: dict[str, Any] = {**connection}
        super().__init__(**told if gateway is None else {**told, "gateway": gateway})

    def list(
        self, *, limit: int | None = None, per_page: int = MOST_PER_PAGE, **filters: Unpack[LogFilters]
    ) -> Iterator[GatewayLog]:
        """The entries, the newest first unless ordered otherwise; page after page as they are asked for.

        limit: at most so many. per_page: entries in one request, 1 to 50. filters: see `LogFilters`.
        """
        listing = self._listing(limit, per_page, filters)
        while listing.wants_more:
            yield from listing.add(self._send(listing.exchange()))

    async def alist(
        self, *, limit: int | None = None, per_page: int = MOST_PER_PAGE, **filters: Unpack[LogFilters]
    ) -> AsyncIterator[GatewayLog]:
        """As `list`."""
        listing = self._listing(limit, per_page, filters)
        while listing.wants_more:
            for log in listing.add(await self._asend(listing.exchange())):
                yield log

    def get(self, log_id: str) -> GatewayLog:
        """One entry, with its cost; of a fresh answer it is waited for shortly."""
        return self._send_late(self._exchange(logs.entry, self._id, log_id))

    async def aget(self, log_id: str) -> GatewayLog:
        """As `get`."""
        return await self._asend_late(self._exchange(logs.entry, self._id, log_id))

    def feedback(
        self, log_id: str, value: Feedback | None, *, score: float | None = None, metadata: Metadata | None = None
    ) -> None:
        """Put feedback on an entry: 1 for praise, -1 for blame, 0 for neither; None leaves it as it is.

        score: any number, e.g. an evaluation's. metadata: strings, numbers or booleans, kept beside the entry's own.
        """
        self._send_late(self._exchange(logs.feedback, self._id, log_id, value, score=score, metadata=metadata))

    async def afeedback(
        self, log_id: str, value: Feedback | None, *, score: float | None = None, metadata: Metadata | None = None
    ) -> None:
        """As `feedback`."""
        await self._asend_late(self._exchange(logs.feedback, self._id, log_id, value, score=score, metadata=metadata))

    @property
    def _id(self) -> str:
        if self.gateway is None:
            raise BadRequestError(
                "gateway: name the one whose log is meant", hint="GatewayLogs('default')", maybe_sent=False
            )
        return self.gateway.id

    def _listing(self, limit: int | None, per_page: int, filters: LogFilters) -> _Listing:
        return _Listing(self._exchange(lambda: self._id), limit, per_page, filters)

    def _send(self, exchange: Exchange[Answer, Any]) -> Answer:
        with _explained():
            return self._transport.send(exchange)

    async def _asend(self, exchange: Exchange[Answer, Any]) -> Answer:
        with _explained():
            return await self._transport.asend(exchange)

    def _send_late(self, exchange: Exchange[Answer, Any]) -> Answer:
        for pause in _LAG:
            try:
                return self._send(exchange)
            except GatewayError as error:
                _raise_unless_missing(error)
            time.sleep(pause)
        return self._send(exchange)

    async def _asend_late(self, exchange: Exchange[Answer, Any]) -> Answer:
        for pause in _LAG:
            try:
                return await self._asend(exchange)
            except GatewayError as error:
                _raise_unless_missing(error)
            await asyncio.sleep(pause)
        return await self._asend(exchange)


class _Listing:
    """How far a list has come. Entries that new ones have pushed from one page to the next are told once."""

    def __init__(self, gateway: str, limit: int | None, per_page: int, filters: LogFilters) -> None:
        if per_page not in range(1, MOST_PER_PAGE + 1):
            raise BadRequestError(f"per_page={per_page!r}: 1 to {MOST_PER_PAGE}", maybe_sent=False)
        if limit is not None and limit < 0:
            raise BadRequestError(f"limit={limit!r}: 0 or more", maybe_sent=False)
        logs.query_of(filters)  # what is wrong is told at once, not at the second page
        self._gateway, self._filters, self._per_page = gateway, filters, per_page
        self._left = limit
        self._number = 0
        self._seen: set[str] = set()
        self.wants_more = limit != 0

    def exchange(self) -> Exchange[logs.Page, Any]:
        """The exchange of the next page."""
        self._number += 1
        return logs.page(self._gateway, self._filters, number=self._number, per_page=self._per_page)

    def add(self, page: logs.Page) -> Iterator[GatewayLog]:
        """The entries of a page that were not told yet."""
        fresh = [log for log in page.entries if log.id not in self._seen]
        self._seen = {log.id for log in page.entries}
        if self._left is not None:
            fresh = fresh[: self._left]
            self._left -= len(fresh)
        self.wants_more = page.more and self._left != 0
        return iter(fresh)


def _raise_unless_missing(error: WorkersAIError) -> None:
    if error.status != 404:
        raise error


@contextmanager
def _explained() -> Iterator[None]:
    """A refused token is told which permissions the log wants."""
    try:
        yield
    except (AuthenticationError, PermissionDeniedError) as error:
        if error.status is not None:
            error.hint = _PERMISSIONS
        raise
