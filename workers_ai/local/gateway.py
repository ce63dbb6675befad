"""AI Gateway in front of the models: ids, cache, metadata, log."""

import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from . import errors, ids, vendors
from .cache import DEFAULT_TTL, Cache, Kept, key_of, lifetime
from .errors import ServiceError
from .guards import Check, DataLossPrevention, Guardrails
from .limits import Limits, RateLimit, SpendLimit
from .log import Log
from .reply import EVENTS, Reply, encode
from .routes import Choice, Routes

_MAX_METADATA = 5


@dataclass(frozen=True, slots=True)
class Options:
    """What the `cf-aig-*` headers of one request ask for; see `read`."""

    cache_ttl: int | None = None
    cache_key: str | None = None
    skip_cache: bool = False
    collect_log: bool | None = None
    collect_payload: bool = True
    event_id: str | None = None
    key_alias: str | None = None
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
            key_alias=headers.get("cf-aig-byok-alias"),
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
    routed: Mapping[str, str] = field(default_factory=dict)

    @property
    def on_rest_host(self) -> bool:
        """Whether it came to the REST host, not to the gateway's own."""
        return self.path.startswith("/client/")

    @property
    def run_api(self) -> bool:
        """Whether it came to `/ai/run` on the REST host, which words the guardrails' refusals its own way."""
        return self.on_rest_host and self.endpoint == "run"


class Gateway:
    """A gateway of the account.

    token: what `cf-aig-authorization` must carry on the gateway's own host; None asks for nothing.
    cache_ttl: seconds that every answer is kept without a word from the request; None keeps none.
    collect_logs: whether entries go to `logs` when the request does not say.
    log_lag: seconds until an entry can be read by the logs API (quirk 97).
    rate_limit, spend_limit, guardrails, data_loss_prevention: what it refuses by itself.
    stored_keys: aliases of keys for other vendors' models, "default" for the usual one.
    routes: dynamic routes: name -> the models to try, in their order.
    """

    def __init__(
        self,
        id: str,
        *,
        token: str | None = None,
        cache_ttl: int | None = None,
        collect_logs: bool = True,
        log_lag: float = 0.0,
        rate_limit: RateLimit | None = None,
        spend_limit: SpendLimit | None = None,
        guardrails: Guardrails | None = None,
        data_loss_prevention: DataLossPrevention | None = None,
        stored_keys: Iterable[str] = (),
        routes: Mapping[str, Sequence[str]] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.id = id
        self.token = token
        self.cache_ttl = cache_ttl
        self.collect_logs = collect_logs
        self.log = Log(lag=log_lag, clock=clock)
        self.guardrails = guardrails
        self.data_loss_prevention = data_loss_prevention
        self.stored_keys = frozenset(stored_keys)
        self._routes = Routes(routes or {})
        self._limits = Limits(rate_limit, spend_limit, clock)
        self._clock = clock
        self._cache = Cache(clock)

    @property
    def logs(self) -> Sequence[dict[str, Any]]:
        """Entries of the log in the form of the logs API, oldest first."""
        return self.log.entries

    @property
    def buffers(self) -> bool:
        """Whether answers on the gateway's own host are held until they are read: a stream comes in one piece there."""
        return self.guardrails is not None or self.data_loss_prevention is not None

    def choose(self, model: str, headers: Mapping[str, str]) -> Choice | None:
        """The models that a dynamic route or the Auto Router comes to; None for an id that names a model."""
        return self._routes.choose(model, headers)

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
        routed: Mapping[str, str] | None = None,
    ) -> Passage:
        """A request arrives. `endpoint`: "run", "chat/completions" or "embeddings"; `headers` in lower case;
        `request_id`: what the models behind it sign their refusals with; `routed`: headers that tell of a route."""
        return Passage(
            Options.read(headers),
            request_id,
            path,
            endpoint,
            model,
            body,
            cacheable,
            ids.uuid7(),
            self._clock(),
            routed or {},
        )

    async def through(self, passage: Passage, run: Callable[[], Awaitable[Reply]]) -> Reply:
        """The reply to a request: from the cache, or from `run`; with the gateway's headers, and entered into the log.

        A refusal (`ServiceError`) of `run` passes through with the headers put on it.
        """
        key = self._key(passage)
        found: list[Check] = []
        try:
            self._check_request(passage, found)
            if key and (kept := self._cache.get(key)):
                return self._repeat(passage, kept)
            self._limits.check_spent()
            reply = await run()
            self._check_answer(passage, reply, found)
        except ServiceError as error:
            reply = Reply(error.status, encode(error.body_for(passage.request_id)))
            if error.code == 2021:  # as it was seen: without an entry in the log
                passage = replace(passage, options=replace(passage.options, collect_log=False))
        reply.headers |= self._headers(passage, hit=False) | reply.headers
        if found and self.data_loss_prevention is not None:
            reply.headers["cf-aig-dlp"] = self.data_loss_prevention.header(found)
        if reply.events is None:
            self._finish(passage, reply, reply.body, key)
        else:
            reply.events = self._watched(passage, reply, reply.events, key)
        return reply

    def _check_request(self, passage: Passage, found: list[Check]) -> None:
        """Raise `ServiceError` for a request that goes no further; what is only noted stands in `found`."""
        self._limits.count()
        alias, text = passage.options.key_alias, encode(passage.body).decode("utf-8", "replace")
        # The REST host looks up the default key alone, whatever alias is named.
        if alias is not None and not passage.on_rest_host and alias not in self.stored_keys:
            told = ", ".join(f"'{key}'" for key in sorted(self.stored_keys))
            provider = vendors.vendor_of(passage.model)
            raise errors.gateway(
                400, 2040, f"Provider '{provider}' has no BYOK credential named '{alias}'. Configured aliases: {told}"
            )
        if self.guardrails is not None:
            self.guardrails.check_prompt(text, run_api=passage.run_api)
        self._prevent(text, "REQUEST", found)

    def _check_answer(self, passage: Passage, reply: Reply, found: list[Check]) -> None:
        """The same for an answer. Of a stream nothing is held back: on the REST host it is only logged."""
        if reply.events is not None or reply.status != 200:
            return
        text = reply.body.decode("utf-8", "replace")
        if self.guardrails is not None and passage.cacheable:  # of vectors there is nothing to read
            self.guardrails.check_answer(text, run_api=passage.run_api)
        self._prevent(text, "RESPONSE", found)

    def _prevent(self, text: str, check: Check, found: list[Check]) -> None:
        prevention = self.data_loss_prevention
        if prevention is None or not prevention.finds(text):
            return
        found.append(check)
        if prevention.action == "BLOCK":
            raise prevention.refusal(check)

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
            **passage.routed,
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
        if reply.usage is not None:
            self._limits.charge(reply.usage().usd)
        self._log(passage, reply, body, hit=False)

    def _log(self, passage: Passage, reply: Reply, body: bytes, *, hit: bool) -> None:
        if not self._logs(passage):
            return
        usage = None if hit or reply.usage is None else reply.usage()
        keep = passage.options.collect_payload
        model = reply.headers.get("cf-aig-model", passage.model)
        self.log.add(
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
                "model": model,
                "model_type": "",
                "path": passage.path,
                "provider": vendors.vendor_of(model),
                "request_type": passage.endpoint,
                "request_content_type": "application/json",
                "response_content_type": reply.content_type,
                "status_code": reply.status,
                "step": int(reply.headers.get("cf-aig-step", 0)),
                "success": reply.status < 400,
                "tokens_in": usage.prompt_tokens if usage else 0,
                "tokens_out": usage.completion_tokens if usage else 0,
                "request_body": encode(passage.body).decode() if keep else None,
                "response_body": body.decode("utf-8", "replace") if keep else None,
            }
        )


async def _at_once(body: bytes) -> AsyncIterator[bytes]:
    yield body
