"""The arguments that every class of both adapters takes, and the transport they make."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_serializer,
    field_validator,
    model_validator,
)

from workers_ai.api import Api
from workers_ai.arguments import Moved, settle, unknown
from workers_ai.errors import BadRequestError, ErrorClasses, WorkersAIError, recast
from workers_ai.gateway import Gateway, PickledGateway, gateway_from_environment
from workers_ai.http_client import check_http_client
from workers_ai.moved import MOVED, settle_address, settle_gateway
from workers_ai.redaction import SecretHeaders, hidden_inputs
from workers_ai.settings import (
    Settings,
    Timeouts,
    TokenSource,
    account_from_environment,
    base_url_from_environment,
    check_account_id,
    check_base_url,
    hidden,
    store_from_environment,
    token_from_environment,
)

if TYPE_CHECKING:
    import httpx

    from workers_ai.call import Call
    from workers_ai.limiter import Limiter
    from workers_ai.transport import Transport

    Timeout = float | httpx.Timeout | Mapping[str, float | None] | None
    HttpClient = httpx.Client | Any
    HttpAsyncClient = httpx.AsyncClient | Any
else:  # httpx is imported at the first call, not with this package
    Timeout = HttpClient = HttpAsyncClient = Any

Built = TypeVar("Built")

CALL_OPTIONS = frozenset({"model", "api", "gateway", "session_affinity", "reject_if_busy", "extra_body"})
"""Arguments that may also be given for a single call."""

_TIMEOUT_PARTS = ("connect", "read", "write", "pool")


class _Made:
    """Holds what was made of an object's arguments. No part of its identity: equal to any other, and copied empty."""

    __slots__ = ("transport",)

    def __init__(self) -> None:
        self.transport: tuple[tuple[Any, ...], Transport] | None = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Made)

    __hash__ = None  # type: ignore[assignment]  # as of any value that is equal to all others

    def __deepcopy__(self, _: object) -> _Made:
        return _Made()

    def __reduce__(self) -> tuple[type[_Made], tuple[()]]:
        return _Made, ()


class ConnectionFields(BaseModel):
    """Where to send, with which credentials, and how patiently. The environment is read when an object is made.

    A missing account id or token is an error at the first call, not before; a wrong one is an error at once.
    """

    # After a framework's base this wins over its `extra="ignore"`: a typing error must not pass in silence.
    # Inputs are hidden in validation errors: one of them may be the token.
    # Only the classes that users make need a validator: each says `defer_build=False` for itself.
    model_config = ConfigDict(
        extra="forbid",
        arbitrary_types_allowed=True,
        protected_namespaces=(),
        hide_input_in_errors=True,
        defer_build=True,
    )

    aliases: ClassVar[Mapping[str, str]] = {
        "api_key": "api_token",
        "auth_token": "api_token",
        "api_base": "base_url",
        "request_timeout": "timeout",
        "async_http_client": "http_async_client",
    }
    """Other spelling -> name."""

    moved: ClassVar[Mapping[str, Moved]] = MOVED
    """Another package's spelling -> ours, taken with a deprecation note."""

    error_classes: ClassVar[ErrorClasses] = {}
    """The classes to raise for those of the family: an adapter's are its framework's too."""

    account_id: str | None = Field(default_factory=account_from_environment, validate_default=True)
    """32 hex digits (environment: CLOUDFLARE_ACCOUNT_ID, CF_ACCOUNT_ID)."""
    api_token: TokenSource | None = Field(default_factory=token_from_environment, exclude=True, repr=False)
    """Secret. A string, a SecretStr, or a plain or async function asked at each request. "" counts as not given: the
    environment is asked."""
    allow_insecure: bool = False
    """Send the token over http:// to other hosts than this machine."""
    base_url: str = Field(default_factory=base_url_from_environment, validate_default=True)
    """Up to and including `/client/v4` (environment: CLOUDFLARE_BASE_URL); `.../accounts/{id}/ai/v1` is taken apart."""
    gateway: Gateway | None = Field(default_factory=gateway_from_environment)
    """A Gateway, an id or a mapping; False or None for none.

    Environment: CLOUDFLARE_AI_GATEWAY, CLOUDFLARE_GATEWAY_ID.
    """
    api: Api = "auto"
    """"native" (`/ai/run`), "openai" (`/ai/v1`), or "auto": as the catalogue says of the model."""
    timeout: Timeout = None
    """Seconds, or an httpx.Timeout. Unset: 10 s to connect, 60 s between bytes of a stream, 300 s for an answer."""
    max_retries: int = Field(default=2, ge=0)
    """At most `1 + max_retries` requests are made."""
    rate_limit: int | Literal["catalog", "adaptive"] | None = None
    """Requests a minute of each model, "catalog" for the documented number of its task, or "adaptive": as many at once
    as the service bears. Kept by all objects of a process with the same account, in threads and event loops alike."""
    rate_limit_store: SecretStr | None = Field(default_factory=store_from_environment, exclude=True, repr=False)
    """Secret. `redis://host:6379/0`: keeps `rate_limit` over processes and machines (extra `redis`), "ray": over the
    workers of a Ray cluster (extra `ray`; environment: WORKERS_AI_RATE_LIMIT_STORE); unset, each process counts its
    own."""
    default_headers: Mapping[str, str] | None = Field(default=None, exclude=True, repr=False)
    """Added to every request; their values count as secret."""
    default_query: Mapping[str, str] | None = None
    """Added to the address of every request."""
    extra_body: Mapping[str, Any] | None = None
    """Merged over the body of every request."""
    http_client: HttpClient | None = Field(default=None, exclude=True, repr=False)
    """An httpx (or httpx2) client to send with; never closed. Unset: one shared pool per process."""
    http_async_client: HttpAsyncClient | None = Field(default=None, exclude=True, repr=False)
    """As http_client, for async calls."""
    session_affinity: str | None = None
    """Sent as `x-session-affinity`: requests of one conversation meet the same prompt cache. "auto": a hash of the
    conversation's beginning, up to its first question."""
    reject_if_busy: bool = False
    """Fail at once with CapacityError instead of waiting for the model."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if args:  # not shown: it may be the token
            name, known = type(self).__name__, type(self).model_fields.keys()
            example = "model='@cf/author/name'" if known & {"model", "model_name"} else "account_id='...'"
            raise TypeError(f"{name} takes its arguments by name, e.g. {name}({example}, ...)")
        super().__init__(**kwargs)

    # As pydantic marks its own: validating a mapping need not go through it.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    @model_validator(mode="wrap")
    @classmethod
    def _hide_inputs(cls, values: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """What is wrong, without what was given: one of the inputs may be the token, or hold a gateway's."""
        try:
            return handler(values)
        except ValidationError as error:
            raise hidden_inputs(error) from None

    _made: _Made = PrivateAttr(default_factory=lambda: _Made())

    @model_validator(mode="before")
    @classmethod
    def _settle_names(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        known = cls.model_fields.keys()
        settled = settle(values, known=known, aliases=cls.aliases, moved=cls.moved, owner=cls.__name__)
        return settle_gateway(settle_address(settled))

    @field_validator("account_id", mode="before")
    @classmethod
    def _account_or_environment(cls, value: Any) -> Any:
        found = value or account_from_environment()
        return check_account_id(found) if isinstance(found, str) else found

    @field_validator("api_token", mode="before")
    @classmethod
    def _token_or_environment(cls, value: Any) -> Any:
        if isinstance(value, str):
            value = SecretStr(value)
        if value is not None and not isinstance(value, SecretStr) and not callable(value):
            # A TypeError, since pydantic would put the value into a ValueError's report.
            raise TypeError(f"api_token: a string, a SecretStr or a function, not {type(value).__name__}")
        if value is None or (isinstance(value, SecretStr) and not value.get_secret_value()):
            return token_from_environment()
        return value

    @field_validator("base_url", mode="before")
    @classmethod
    def _address_or_environment(cls, value: Any, info: ValidationInfo) -> Any:
        found = value or base_url_from_environment()
        return check_base_url(str(found), allow_insecure=bool(info.data.get("allow_insecure")))

    @field_validator("gateway", mode="before")
    @classmethod
    def _coerce_gateway(cls, value: Any) -> Gateway | None:
        return Gateway.coerce(value)

    @field_validator("timeout", mode="before")
    @classmethod
    def _check_timeout(cls, value: Any) -> Any:
        if isinstance(value, Mapping):  # how an httpx.Timeout comes back from JSON
            from httpx import Timeout as HttpxTimeout

            value = HttpxTimeout(**{part: value.get(part) for part in _TIMEOUT_PARTS})
        Timeouts.coerce(value)
        return value

    @field_validator("rate_limit", mode="before")
    @classmethod
    def _check_rate_limit(cls, value: Any) -> Any:
        if value in (None, "catalog", "adaptive") or (type(value) is int and value >= 1):
            return value
        raise ValueError(f'rate_limit={value!r}: requests a minute (1 or more), "catalog", or "adaptive"')

    @field_validator("http_client", "http_async_client", mode="after")
    @classmethod
    def _check_client(cls, value: Any, info: ValidationInfo) -> Any:
        check_http_client(value, name=info.field_name or "http_client")
        return value

    @field_validator("default_headers", mode="after")
    @classmethod
    def _hide_headers(cls, value: Mapping[str, str] | None) -> Mapping[str, str] | None:
        return SecretHeaders(value) if value is not None else None

    @field_serializer("gateway")
    def _dump_gateway(self, value: Gateway | None) -> dict[str, Any] | None:
        found = Gateway.coerce(value)  # an assignment, or a copy's update, is not validated
        return found.to_dict() if found is not None else None

    @field_serializer("timeout")
    def _dump_timeout(self, value: Any) -> Any:
        if value is None or isinstance(value, (int, float)):
            return value
        return {part: getattr(value, part) for part in _TIMEOUT_PARTS}

    def _settings(self) -> Settings:
        if self.account_id is not None:
            check_account_id(self.account_id)
        return Settings(
            account_id=self.account_id,
            api_token=hidden(self.api_token),
            base_url=check_base_url(self.base_url, allow_insecure=self.allow_insecure),
            timeouts=Timeouts.coerce(self.timeout),
            headers={name.lower(): SecretStr(value) for name, value in (self.default_headers or {}).items()},
            query=self.default_query or {},
            allow_insecure=self.allow_insecure,
        )

    @property
    def _transport(self) -> Transport:
        """What sends for this object; made anew when an argument it depends on was changed."""
        made_of = (
            self.account_id,
            self.api_token,
            self.base_url,
            self.allow_insecure,
            self.timeout,
            self.max_retries,
            self.default_headers,
            self.default_query,
            self.http_client,
            self.http_async_client,
            self.rate_limit,
            self.rate_limit_store,
        )
        held = self._made.transport
        if held is None or held[0] != made_of:
            from workers_ai.retry import RetryPolicy
            from workers_ai.transport import Transport

            settings = self._settings()
            transport = Transport(
                settings,
                errors=self.error_classes,
                retry=RetryPolicy(max_retries=self.max_retries, over_gateway="max_retries" in self.model_fields_set),
                http_client=self.http_client,
                http_async_client=self.http_async_client,
                client_timeouts=self.timeout is None,
                limiter=self._limiter(settings),
            )
            self._made.transport = held = (made_of, transport)
        return held[1]

    def _limiter(self, settings: Settings) -> Limiter | None:
        if self.rate_limit is None or settings.account_id is None:  # without an account nothing is ever sent
            return None
        from workers_ai.limiter import AdaptiveLimiter, MinuteLimiter

        if self.rate_limit == "adaptive":
            return AdaptiveLimiter(settings.base_url, settings.account_id)
        return MinuteLimiter(settings.base_url, settings.account_id, self.rate_limit, self.rate_limit_store)

    def _exchange(self, build: Callable[..., Built], *args: Any, **kwargs: Any) -> Built:
        """What `build` makes; what it refuses is raised as this object's own class of error."""
        try:
            return build(*args, **kwargs)
        except WorkersAIError as error:
            raise recast(error, self.error_classes) from error.__cause__

    def _call(self, model: str, options: dict[str, Any]) -> Call:
        """What is common to one request: this object's arguments, under those that `options` holds for this call.

        Takes the ones it knows out of `options`. Raises BadRequestError for what cannot be a model id or a gateway.
        """
        from workers_ai.call import Call

        return self._exchange(
            Call,
            model=options.pop("model", None) or model,
            api=options.pop("api", self.api),
            gateway=self._exchange(_gateway_of_call, self.gateway, options.pop("gateway", None)),
            session_affinity=options.pop("session_affinity", self.session_affinity),
            reject_if_busy=options.pop("reject_if_busy", self.reject_if_busy),
            extra_body={**(self.extra_body or {}), **(options.pop("extra_body", None) or {})},
        )

    def _refuse_unknown(self, options: Mapping[str, Any], *, known: frozenset[str]) -> None:
        for name in options:
            if name not in known:
                raise TypeError(unknown(name, known=known | CALL_OPTIONS, owner=f"a call of {type(self).__name__}"))

    def __getstate__(self) -> dict[str, Any]:
        """What a pickle holds: all but live clients, which no other process could use; the shared pool takes over.

        A gateway by itself leaves its token out of a pickle (traces are pickled); the model's own carries it.
        """
        state = super().__getstate__()
        live = {"http_client": None, "http_async_client": None, "gateway": PickledGateway.of(self.gateway)}
        return {**state, "__dict__": {**state["__dict__"], **live}}

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        """A deep copy that shares the clients it was given."""
        memo = {} if memo is None else memo
        for client in (self.http_client, self.http_async_client):
            if client is not None:
                memo[id(client)] = client
        return super().__deepcopy__(memo)


def _gateway_of_call(own: Any, changed: Any) -> Gateway | None:
    """The gateway of one call: the object's own, with what the call changes in it; False leaves it out."""
    try:
        gateway = Gateway.coerce(own)
        if changed is None:
            return gateway
        return gateway.merge(changed) if gateway is not None else Gateway.of_call(changed)
    except ValueError as wrong:
        raise BadRequestError(str(wrong), maybe_sent=False) from None
