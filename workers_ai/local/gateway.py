"""AI Gateway in front of the models: ids, cache, metadata, log."""

import json
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from . import ids
from .cache import DEFAULT_TTL, Cache, Kept, key_of, lifetime
from .errors import ServiceError
from .reply import EVENTS, Reply, encode

_MAX_METADATA = 5
_MAX_LOGS = 10_000


@dataclass(frozen=True, slots=True)
class Options:
    """What the `cf-aig-*` headers of one request ask for; see `read`."""

    cache_ttl: int | None = None
    cache_key: str | None = None
    skip_cache: bool = False
    collect_log: bool | None = None
    collect_payload: bool = True
    event_id: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, headers: Mapping[str, str]) -> "Options":
        """From request headers (lower case). What makes no sense counts as not sent, as the gateway has it."""
        ttl = headers.get("cf-aig-cache-ttl", headers.get("cf-cache-ttl", ""))
        collect = headers.get("cf-aig-collect-log")
        return cls(
            cache_ttl=int(ttl) if ttl.isdecimal() else None,
            cache_key=headers.get("cf-aig-cache-key"),
            skip_cache=headers.get("cf-aig-skip-cache", headers.get("cf-skip-cache")) == "true",
            collect_log=None if collect is None else collect == "true",
            collect_payload=headers.get("cf-aig-collect-log-payload") != "false",
            event_id=headers.get("cf-aig-event-id"),
            metadata=_metadata(headers.get("cf-aig-metadata", "")),
        )


def _metadata(header: str) -> dict[str, Any]:
    """Five entries at most; one null, object or list drops all of them, silently (quirk 94)."""
    try:
        entries = json.loads(header) if header else {}
    except ValueError:
        return {}
    if not isinstance(entries, dict) or not all(isinstance(v, str | int | float) for v in entries.values()):
        return {}
    return dict(list(entries.items())[:_MAX_METADATA])


@dataclass(frozen=True, slots=True)
class Passage:
    """One request on its way through: what it asks for, and when it came (seconds)."""

    options: Options
    request_id: str
    path: str
    endpoint: str
    model: str
    body: Any
    cacheable: bool
    id: str
    started: float


class Gateway:
    """A gateway of the account.

    token: what `cf-aig-authorization` must carry on the gateway's own host; None asks for nothing.
    cache_ttl: seconds that every answer is kept without a word from the request; None keeps none.
    collect_logs: whether entries go to `logs` when the request does not say.
    """

    def __init__(
        self,
        id: str,
        *,
        token: str | None = None,
        cache_ttl: int | None = None,
        collect_logs: bool = True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.id = id
        self.token = token
        self.cache_ttl = cache_ttl
        self.collect_logs = collect_logs
        # Entries of the log in the form of the logs API, oldest first.
        self.logs: deque[dict[str, Any]] = deque(maxlen=_MAX_LOGS)
        self._clock = clock
        self._cache = Cache(clock)

    def enter(
        self,
        headers: Mapping[str, str],
        *,
        request_id: str,
        path: str,
        endpoint: str,
        model: str,
        body: Any,
        cacheable: bool,
    ) -> Passage:
        """A request arrives. `endpoint`: "run", "chat/completions" or "embeddings"; `headers` in lower case;
        `request_id`: what the models behind it sign their refusals with."""
        return Passage(
            Options.read(headers), request_id, path, endpoint, model, body, cacheable, ids.uuid7(), self._clock()
        )

    async def through(self, passage: Passage, run: Callable[[], Awaitable[Reply]]) -> Reply:
        """The reply to a request: from the cache, or from `run`; with the gateway's headers, and entered into the log.

        A refusal (`ServiceError`) of `run` passes through with the headers put on it.
        """
        key = self._key(passage)
        if key and (kept := self._cache.get(key)):
            return self._repeat(passage, kept)
        try:
            reply = await run()
        except ServiceError as error:
            reply = Reply(error.status, encode(error.body_for(passage.request_id)))
        reply.headers |= self._headers(passage, hit=False)
        if reply.events is None:
            self._finish(passage, reply, reply.body, key)
        else:
            reply.events = self._watched(passage, reply, reply.events, key)
        return reply

    def _key(self, passage: Passage) -> str | None:
        """Under what the answer is kept, None if it is not. A key of the request's own replaces all else."""
        options = passage.options
        if options.skip_cache or not passage.cacheable:
            return None
        if options.cache_key is not None:
            return f"own:{options.cache_key}"
        if options.cache_ttl is None and self.cache_ttl is None:
            return None
        return key_of(passage.endpoint, passage.model, passage.body)

    def _repeat(self, passage: Passage, kept: Kept) -> Reply:
        reply = Reply(200, kept.body, headers=self._headers(passage, hit=True))
        self._log(passage, reply, kept.body, hit=True)
        if kept.content_type == EVENTS:
            reply.events = _at_once(kept.body)
        return reply

    def _headers(self, passage: Passage, *, hit: bool) -> dict[str, str]:
        event_id = passage.options.event_id
        headers = {
            "cf-aig-event-id": passage.id if event_id is None else event_id,
            "cf-aig-request-id": passage.id,
            "cf-aig-step": "0",
            "cf-aig-cache-status": "HIT" if hit else "MISS",
        }
        return headers | ({"cf-aig-log-id": passage.id} if self._logs(passage) else {})

    def _logs(self, passage: Passage) -> bool:
        asked = passage.options.collect_log
        return self.collect_logs if asked is None else asked

    async def _watched(
        self, passage: Passage, reply: Reply, events: AsyncIterator[bytes], key: str | None
    ) -> AsyncIterator[bytes]:
        """The events as they come; cached only if they came to their end."""
        seen: list[bytes] = []
        whole = False
        try:
            async for event in events:
                seen.append(event)
                yield event
            whole = True
        finally:
            self._finish(passage, reply, b"".join(seen), key if whole else None)

    def _finish(self, passage: Passage, reply: Reply, body: bytes, key: str | None) -> None:
        if key and reply.status == 200:
            asked = passage.options.cache_ttl
            ttl = self.cache_ttl if asked is None else lifetime(asked)
            self._cache.put(key, body, reply.content_type, ttl=ttl or DEFAULT_TTL)
        self._log(passage, reply, body, hit=False)

    def _log(self, passage: Passage, reply: Reply, body: bytes, *, hit: bool) -> None:
        if not self._logs(passage):
            return
        usage = None if hit or reply.usage is None else reply.usage()
        keep = passage.options.collect_payload
        self.logs.append(
            {
                "id": passage.id,
                "event_id": passage.id if passage.options.event_id is None else passage.options.event_id,
                "created_at": datetime.fromtimestamp(passage.started, UTC).isoformat().replace("+00:00", "Z"),
                "cached": hit,
                "cost": usage.usd if usage else 0,
                "custom_cost": False,
                "duration": round((self._clock() - passage.started) * 1000),
                # A JSON text, not an object (http-api 12, trap 21).
                "metadata": json.dumps(dict(passage.options.metadata)),
                "model": passage.model,
                "model_type": "",
                "path": passage.path,
                "provider": "workers-ai",
                "request_type": passage.endpoint,
                "request_content_type": "application/json",
                "response_content_type": reply.content_type,
                "status_code": reply.status,
                "step": 0,
                "success": reply.status < 400,
                "tokens_in": usage.prompt_tokens if usage else 0,
                "tokens_out": usage.completion_tokens if usage else 0,
                "request_body": encode(passage.body).decode() if keep else None,
                "response_body": body.decode("utf-8", "replace") if keep else None,
            }
        )


async def _at_once(body: bytes) -> AsyncIterator[bytes]:
    yield body
