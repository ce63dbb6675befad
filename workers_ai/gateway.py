"""AI Gateway: options -> URL and `cf-aig-*` headers, reply headers -> facts. Nothing else knows either."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

from pydantic import SecretStr

from workers_ai.frozen_mapping import FrozenMapping
from workers_ai.redaction import bearer, reveal

Backoff = Literal["constant", "linear", "exponential"]
Route = Literal["header", "url"]

GATEWAY_HOST = "https://gateway.ai.cloudflare.com/v1"
ID_VARIABLES = ("CLOUDFLARE_AI_GATEWAY", "CLOUDFLARE_GATEWAY_ID")
TOKEN_VARIABLES = ("CLOUDFLARE_GATEWAY_TOKEN", "CF_AIG_TOKEN")

_ONE_MONTH = 2_592_000  # seconds: the documented longest time to live, read as 30 days
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_HEADER_VALUE = re.compile(r"[!-~](?:[ -~]*[!-~])?")  # what a header holds as it is
_NOT_PER_CALL = ("token", "route", "base_url")


Kind = Literal["number", "flag", "only when true", "text", "list", "metadata", "cost", "backoff"]


@dataclass(frozen=True, slots=True)
class _Option:
    """How one field of `Gateway` goes out: its header, of what kind it is, and the least and the greatest number."""

    header: str
    kind: Kind
    least: int = 0
    most: int | None = None


# Names, ranges: developers.cloudflare.com/ai-gateway, request headers, as of 2026-10.
_OPTIONS: dict[str, _Option] = {
    "cache_ttl": _Option("cf-aig-cache-ttl", "number", 60, _ONE_MONTH),
    "cache_key": _Option("cf-aig-cache-key", "text"),
    "skip_cache": _Option("cf-aig-skip-cache", "only when true"),
    "collect_log": _Option("cf-aig-collect-log", "flag"),
    "collect_log_payload": _Option("cf-aig-collect-log-payload", "flag"),
    "metadata": _Option("cf-aig-metadata", "metadata"),
    "event_id": _Option("cf-aig-event-id", "text"),
    "request_timeout_ms": _Option("cf-aig-request-timeout", "number", 1),
    "max_attempts": _Option("cf-aig-max-attempts", "number", 1, 5),
    "retry_delay_ms": _Option("cf-aig-retry-delay", "number", 0, 5000),
    "backoff": _Option("cf-aig-backoff", "backoff"),
    "custom_cost": _Option("cf-aig-custom-cost", "cost"),
    "byok_alias": _Option("cf-aig-byok-alias", "text"),
    "no_wholesale": _Option("cf-aig-no-wholesale", "only when true"),
    "zdr": _Option("cf-aig-zdr", "flag"),
    "session_id": _Option("cf-aig-session-id", "text"),
    "turn_id": _Option("cf-aig-turn-id", "text"),
    "no_session_affinity": _Option("cf-aig-no-session-affinity", "only when true"),
    "allowed_models": _Option("cf-aig-allowed-models", "list"),
    "allowed_providers": _Option("cf-aig-allowed-providers", "list"),
}

_COSTS = frozenset({"per_token_in", "per_token_out", "per_cache_read_token", "per_cache_write_token"})
_RESERVED_METADATA = "cf.user_id"  # Cloudflare Access fills it in
_MOST_METADATA = 5

_FACTS = {
    "cf-aig-log-id": "log_id",
    "cf-aig-cache-status": "cache_status",
    "cf-aig-event-id": "event_id",
    "cf-aig-request-id": "request_id",
    "cf-aig-step": "step",
    "cf-aig-model": "model",
    "cf-aig-provider": "provider",
    "cf-aig-routed-model": "routed_model",
    "cf-aig-routing-reason": "routing_reason",
    "cf-aig-routing-decision-id": "routing_decision_id",
    "cf-aig-run-id": "run_id",
    "cf-aig-dlp": "dlp",
}


UNIVERSAL = "ai/universal"
"""The path of a request that holds several, to be tried in turn: the gateway's own address (`universal`)."""


@dataclass(frozen=True, slots=True)
class Gateway:
    """Which AI Gateway a request passes, and what it asks of it. None means "not sent".

    id: the gateway's name; `default` is made by Cloudflare on first use, any other must exist.
    token: for a gateway that wants authentication; secret, used with `route="url"` only
        (environment: CLOUDFLARE_GATEWAY_TOKEN, CF_AIG_TOKEN).
    route: "header" keeps the REST host and sends `cf-aig-gateway-id` (what Cloudflare recommends);
        "url" goes to `{base_url}/{account}/{id}/workers-ai/...`, and for routes and other vendors' models to
        `.../compat/chat/completions`.
    cache_ttl: seconds, 60 to 2,592,000 (30 days). cache_key: replaces the key, so that the same key gets the
        same answer whatever was asked. skip_cache: true for a fresh answer.
    collect_log, collect_log_payload: false keeps the entry, or only its bodies, out of the log.
    metadata: at most five entries of string, number or boolean; the gateway drops all of them when one is not.
    event_id: yours, given back in the answer's facts.
    request_timeout_ms: milliseconds to the first byte. max_attempts: 1 to 5. retry_delay_ms: 0 to 5,000.
    custom_cost: USD for one token: per_token_in, per_token_out, per_cache_read_token, per_cache_write_token.
    byok_alias: which stored key to use; only `route="url"` takes another than the default one.
    no_wholesale: never pay by unified billing. zdr: zero data retention, with unified billing only.
    session_id, turn_id, no_session_affinity, allowed_models, allowed_providers: the Auto Router's.

    Raises ValueError, naming the argument, for what the gateway would refuse or silently drop.
    """

    id: str
    token: SecretStr | str | None = field(default=None, kw_only=True)
    route: Route = field(default="header", kw_only=True)
    base_url: str = field(default=GATEWAY_HOST, kw_only=True)
    cache_ttl: int | None = field(default=None, kw_only=True)
    cache_key: str | None = field(default=None, kw_only=True)
    skip_cache: bool | None = field(default=None, kw_only=True)
    collect_log: bool | None = field(default=None, kw_only=True)
    collect_log_payload: bool | None = field(default=None, kw_only=True)
    metadata: Mapping[str, str | int | float | bool] | None = field(default=None, kw_only=True)
    event_id: str | None = field(default=None, kw_only=True)
    request_timeout_ms: int | None = field(default=None, kw_only=True)
    max_attempts: int | None = field(default=None, kw_only=True)
    retry_delay_ms: int | None = field(default=None, kw_only=True)
    backoff: Backoff | None = field(default=None, kw_only=True)
    custom_cost: Mapping[str, float] | None = field(default=None, kw_only=True)
    byok_alias: str | None = field(default=None, kw_only=True)
    no_wholesale: bool | None = field(default=None, kw_only=True)
    zdr: bool | None = field(default=None, kw_only=True)
    session_id: str | None = field(default=None, kw_only=True)
    turn_id: str | None = field(default=None, kw_only=True)
    no_session_affinity: bool | None = field(default=None, kw_only=True)
    allowed_models: str | tuple[str, ...] | None = field(default=None, kw_only=True)
    allowed_providers: str | tuple[str, ...] | None = field(default=None, kw_only=True)

    def __new__(cls, *_: Any, **options: Any) -> Gateway:
        """Looks at the options' names: Python's own words for a wrong one do not say which was meant."""
        if (wrong := _unknown_name(options)) is not None:
            raise TypeError(wrong)
        return object.__new__(cls)

    def __post_init__(self) -> None:
        if not _ID.fullmatch(str(self.id)):
            raise ValueError(f"gateway id {self.id!r}: letters, digits, '-' and '_', at most 64")
        if self.route not in ("header", "url"):
            raise ValueError(f"gateway route {self.route!r}: 'header' or 'url'")
        if isinstance(self.token, str):
            object.__setattr__(self, "token", SecretStr(self.token))
        object.__setattr__(self, "base_url", self.base_url.rstrip("/"))
        for name in ("allowed_models", "allowed_providers"):
            value = getattr(self, name)
            if isinstance(value, list):
                object.__setattr__(self, name, tuple(value))  # a list comes back from JSON
        for name in ("metadata", "custom_cost"):
            if isinstance(value := getattr(self, name), Mapping):
                object.__setattr__(self, name, FrozenMapping(value))  # a later change of what was given stays outside
        for name in _OPTIONS:
            if (value := getattr(self, name)) is not None:
                _check(name, value)

    @classmethod
    def coerce(cls, value: Gateway | str | Mapping[str, Any] | Literal[False] | None) -> Gateway | None:
        """A gateway from what users write: one of these, an id, or a mapping of the arguments.

        "", None and False are none.

        Raises ValueError for anything else, and for a mapping with unknown names.
        """
        if isinstance(value, Gateway):
            return value
        if not value:
            return None
        if isinstance(value, str):
            return cls(value)
        if isinstance(value, Mapping):
            _known_names(value)
            if "id" not in value:
                raise ValueError("gateway: name its 'id' (the gateway 'default' exists in every account)")
            return cls(**value)
        raise ValueError(f"gateway: a Gateway, an id or a mapping, not {type(value).__name__}")

    def __copy__(self) -> Gateway:
        return self

    def __deepcopy__(self, _: object) -> Gateway:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        # A gateway given to one call stands in traces, and traces are pickled: the token stays out.
        return Gateway._of_dict, (self.to_dict(),)

    @classmethod
    def _of_dict(cls, told: dict[str, Any], token: str | None = None) -> Gateway:
        return cls(**told, token=token)

    @property
    def is_cloudflares(self) -> bool:
        """Whether requests leave for Cloudflare's own gateway host, whatever base_url a client has."""
        return self.route == "url" and self.base_url == GATEWAY_HOST

    def replace(self, **changes: Any) -> Gateway:
        """Another gateway value, with these options changed."""
        return replace(self, **changes)

    def merge(self, value: Gateway | str | Mapping[str, Any] | Literal[False]) -> Gateway | None:
        """This gateway with the options of one call over it.

        A mapping changes single options; an id or a Gateway takes this one's place; False leaves the gateway out.
        `token`, `route` and `base_url` are refused in a mapping: arguments of a call stand in traces.
        """
        if value is False:
            return None
        if not isinstance(value, Mapping):
            return Gateway.coerce(value) or self
        _known_names(value)
        _allowed_per_call(value)
        return self.replace(**value)

    @classmethod
    def of_call(cls, value: Gateway | str | Mapping[str, Any] | Literal[False]) -> Gateway | None:
        """The gateway of one call on a model that has none of its own; a mapping names its `id`."""
        if isinstance(value, Mapping):
            _known_names(value)
            _allowed_per_call(value)
        return cls.coerce(value)

    def secret_token(self) -> SecretStr | None:
        """The gateway's token, from the argument or the environment."""
        if self.token:
            return SecretStr(reveal(self.token))
        found = next((value for name in TOKEN_VARIABLES if (value := os.environ.get(name, "").strip())), None)
        return SecretStr(found) if found else None

    def headers(self) -> dict[str, str]:
        """The option headers: one for each option that is set. Without id and token: `target` adds those."""
        sent = {}
        for name, option in _OPTIONS.items():
            value = getattr(self, name)
            if value is None or (option.kind == "only when true" and not value):
                continue
            sent[option.header] = _text(value)
        return sent

    def target(self, base_url: str, account_id: str, path: str) -> tuple[str, dict[str, str], dict[str, SecretStr]]:
        """Where a request for `path` (`ai/run/...`, `ai/v1/...`) goes, and its headers: plain ones and secret ones.

        base_url: the REST base, up to `/client/v4`. The gateway's own token goes only to the gateway's host,
        the REST host takes the account's alone (quirk 90). Raises ValueError for a path that no gateway passes on.
        """
        if not path.startswith("ai/"):
            raise ValueError(f"{path!r} cannot pass a gateway: only requests to Workers AI can")
        headers = self.headers()
        secrets: dict[str, SecretStr] = {}
        if self.route == "header":
            headers["cf-aig-gateway-id"] = self.id
            return f"{base_url}/accounts/{account_id}/{path}", headers, secrets
        if (token := self.secret_token()) is not None:
            secrets["cf-aig-authorization"] = bearer(token)
        if path == UNIVERSAL:
            return f"{self.base_url}/{account_id}/{self.id}", headers, secrets
        below = path.removeprefix("ai/")
        provider = "" if below.startswith("compat/") else "workers-ai/"
        return f"{self.base_url}/{account_id}/{self.id}/{provider}{below}", headers, secrets

    def to_dict(self) -> dict[str, Any]:
        """The arguments that make this value, as JSON holds them, without the token."""
        told = {}
        for each in fields(self):
            value = getattr(self, each.name)
            if each.name != "token" and value != each.default:
                told[each.name] = _plain(value)
        return told


class PickledGateway:
    """A gateway on its way into the pickle of a model, which carries the token; it comes out as a Gateway."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    @classmethod
    def of(cls, value: Any) -> Any:
        """`value`, wrapped where it is a gateway with a token."""
        return cls(value) if isinstance(value, Gateway) and value.token is not None else value

    def __reduce__(self) -> tuple[Any, ...]:
        token = self._gateway.token
        return Gateway._of_dict, (self._gateway.to_dict(), reveal(token) if token is not None else None)


def gateway_from_environment() -> Gateway | None:
    """The gateway named by CLOUDFLARE_AI_GATEWAY or CLOUDFLARE_GATEWAY_ID; an empty variable counts as unset."""
    found = next((value for name in ID_VARIABLES if (value := os.environ.get(name, "").strip())), None)
    return Gateway.coerce(found)


def gateway_facts(headers: Mapping[str, str]) -> dict[str, Any]:
    """What the gateway told of one reply: log_id, cache_status, event_id, step, ... ; only what is there."""
    facts: dict[str, Any] = {name: headers[header] for header, name in _FACTS.items() if header in headers}
    if (step := str(facts.get("step", ""))).isdecimal() and len(step) < 16:  # int() refuses thousands of digits
        facts["step"] = int(step)
    if "dlp" in facts:
        facts["dlp"] = _parsed(facts["dlp"])
    return facts


def step_of(headers: Mapping[str, str], steps: int) -> int:
    """Which of `steps` requests, tried in turn, a reply belongs to, from 0; the first where it does not say."""
    step = gateway_facts(headers).get("step")
    return step if isinstance(step, int) and step < steps else 0


def _known_names(value: Mapping[str, Any]) -> None:
    if (wrong := _unknown_name(value)) is not None:
        raise ValueError(wrong)


def _unknown_name(value: Mapping[str, Any]) -> str | None:
    """What to say of the first option that no gateway has; None where all are known."""
    known = {each.name for each in fields(Gateway)}
    unknown = next((name for name in value if name not in known), None)
    if unknown is None:
        return None
    from difflib import get_close_matches

    near = get_close_matches(str(unknown), known, n=1, cutoff=0.6)
    told = f"; did you mean {near[0]}?" if near else f"; known: {', '.join(sorted(known))}"
    return f"gateway: unknown option {unknown!r}{told}"


def _allowed_per_call(value: Mapping[str, Any]) -> None:
    if refused := [name for name in _NOT_PER_CALL if name in value]:
        raise ValueError(f"gateway: {', '.join(refused)} cannot be given per call; set it on the model")


def _check(name: str, value: Any) -> None:
    """Raises ValueError, naming the option, for what the gateway would refuse or silently drop."""
    option, problem = _OPTIONS[name], None
    match option.kind:
        case "number":
            problem = _number_problem(value, option)
        case "flag" | "only when true":
            problem = None if isinstance(value, bool) else f"={value!r}: True or False"
        case "backoff":
            problem = (
                None
                if value in ("constant", "linear", "exponential")
                else (f"={value!r}: 'constant', 'linear' or 'exponential'")
            )
        case "metadata":
            problem = _metadata_problem(value)
        case "cost":
            problem = _cost_problem(value)
        case "text":
            problem = _text_problem(value)
        case "list":
            problem = _list_problem(value)
    if problem is not None:
        raise ValueError(f"gateway {name}{problem}")


def _number_problem(value: object, option: _Option) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int):
        return f": a whole number, not {value!r}"
    if value < option.least or (option.most is not None and value > option.most):
        return f"={value}: {option.least} {'or more' if option.most is None else f'to {option.most:,}'}"
    return None


def _text_problem(value: object) -> str | None:
    if not isinstance(value, str):
        return f": text, not {type(value).__name__}"
    if not value:
        return ": it is empty"
    return None if _HEADER_VALUE.fullmatch(value) else ": only printable ASCII, without spaces around it, is a header"


def _list_problem(value: object) -> str | None:
    if isinstance(value, str):
        return _text_problem(value)
    if not isinstance(value, tuple) or not value:
        return ": at least one entry; leave it out for all"
    if any(isinstance(entry, str) and "," in entry for entry in value):
        return ": a comma separates two entries"
    return next((problem for entry in value if (problem := _text_problem(entry))), None)


def _metadata_problem(value: object) -> str | None:
    if not isinstance(value, Mapping):
        return f": a mapping, not {type(value).__name__}"
    if len(value) > _MOST_METADATA:  # the others would be dropped
        return f": at most five entries, not {len(value)}"
    if _RESERVED_METADATA in value:
        return f"[{_RESERVED_METADATA!r}]: this key is Cloudflare's own"
    for key, entry in value.items():
        if not isinstance(key, str):
            return f"[{key!r}]: its keys are texts"
        # One null or object makes the gateway drop all entries, silently (quirk 94).
        if not isinstance(entry, (str, int, float, bool)) or (isinstance(entry, float) and not math.isfinite(entry)):
            told = entry if isinstance(entry, float) else type(entry).__name__
            return f"[{key!r}]: string, number or boolean, not {told}"
    return None


def _cost_problem(value: object) -> str | None:
    if not isinstance(value, Mapping) or not value:
        return f": USD for one token, under {', '.join(sorted(_COSTS))}"
    if unknown := sorted(map(str, set(value) - _COSTS)):
        return f": unknown {unknown}; known: {', '.join(sorted(_COSTS))}"
    for name, usd in value.items():
        if isinstance(usd, bool) or not isinstance(usd, (int, float)) or not 0 <= usd < math.inf:
            return f"[{name!r}]={usd!r}: USD for one token, from 0"
    return None


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        # Header values are ASCII: anything else goes as JSON's \u escapes.
        return json.dumps(dict(value), separators=(",", ":"))
    return ",".join(value) if isinstance(value, tuple) else str(value)


def _plain(value: Any) -> Any:
    """As JSON holds it."""
    if isinstance(value, tuple):
        return list(value)
    return dict(value) if isinstance(value, Mapping) else value


def _parsed(text: str) -> Any:
    """The JSON in a header; its text where it is none."""
    try:
        return json.loads(text)
    except ValueError:
        return text
