"""Account, token, base URL and time-outs: from arguments or the environment, checked, in one frozen value."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import re
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from workers_ai.errors import AuthenticationError, BadRequestError

if TYPE_CHECKING:
    from workers_ai.exchange import Request

BASE_URL = "https://api.cloudflare.com/client/v4"
ACCOUNT_VARIABLES = ("CLOUDFLARE_ACCOUNT_ID", "CF_ACCOUNT_ID")
TOKEN_VARIABLES = (
    "CLOUDFLARE_API_TOKEN",
    "CLOUDFLARE_API_KEY",
    "CF_API_TOKEN",
    "CF_AI_API_TOKEN",
    "CLOUDFLARE_AUTH_TOKEN",
)
GLOBAL_KEY_VARIABLE, EMAIL_VARIABLE = "CLOUDFLARE_API_KEY", "CLOUDFLARE_EMAIL"
BASE_URL_VARIABLE = "CLOUDFLARE_BASE_URL"
STORE_VARIABLE = "WORKERS_AI_RATE_LIMIT_STORE"

_ACCOUNT_ID = re.compile(r"[0-9a-fA-F]{32}")
_TOKEN = re.compile(r"[!-~]+")  # printable ASCII without spaces: what can stand in a header

Token = str | SecretStr
TokenSource = SecretStr | Callable[[], Token | Awaitable[Token]]
"""A token, or a plain or async function that is asked for one at each request (rotation)."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds to wait; None waits for ever.

    connect: for a connection. answer: between two bytes of an answer in one piece, the first included: models
    may queue. event: between two bytes of a stream. send: for the request to be taken. pool: for a free connection.
    """

    connect: float | None = 10.0
    answer: float | None = 300.0
    event: float | None = 60.0
    send: float | None = 60.0
    pool: float | None = 300.0

    @classmethod
    def coerce(cls, value: Any) -> Timeouts:
        """Time-outs from seconds, an `httpx.Timeout` (or anything with its four attributes), or None for the defaults.

        Raises ValueError for anything else, and for a number that is not above zero.
        """
        if value is None:
            return cls()
        if isinstance(value, bool) or not (isinstance(value, (int, float)) or hasattr(value, "connect")):
            raise ValueError(f"timeout={value!r}: seconds, or an httpx.Timeout")
        if isinstance(value, (int, float)):
            if not 0 < value < float("inf"):
                raise ValueError(f"timeout={value}: seconds, above zero")
            return cls(min(10.0, value), value, value, value, value)
        return cls(value.connect, value.read, value.read, value.write, value.pool)

    def extension(self, *, stream: bool) -> dict[str, float | None]:
        """These as httpx's request extension."""
        read = self.event if stream else self.answer
        return {"connect": self.connect, "read": read, "write": self.send, "pool": self.pool}


@dataclass(frozen=True, slots=True)
class Settings:
    """Where requests go and with which credentials. Made when a model object is; needs nothing until the first call.

    headers, query: added to every request; header values count as secret and are not shown.
    """

    account_id: str | None = None
    api_token: TokenSource | None = None
    base_url: str = BASE_URL
    timeouts: Timeouts = field(default_factory=Timeouts)
    headers: Mapping[str, SecretStr] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    allow_insecure: bool = False

    def address(self, request: Request) -> tuple[str, dict[str, str], dict[str, SecretStr]]:
        """The URL of a request and the headers that take it there, plain ones and secret ones.

        Raises AuthenticationError when account or token are missing, and BadRequestError for a gateway's address that
        cannot be used and for a path that no gateway passes on, before anything is sent.
        """
        below_account = not request.path.startswith("/")
        no_account = below_account and self.account_id is None
        if no_account or self.api_token is None:
            raise missing_credentials(account=no_account, token=self.api_token is None)
        if request.gateway is None:
            root = f"{self.base_url}/accounts/{self.account_id}/" if below_account else self.base_url
            return f"{root}{request.path}", {}, {}
        assert self.account_id is not None
        if request.gateway.is_cloudflares and is_loopback(urlsplit(self.base_url).hostname or ""):
            raise BadRequestError(
                f"gateway base_url: the requests of a client with base_url {self.base_url!r} stay on this machine;"
                " name the gateway's own, as Gateway(..., base_url='http://127.0.0.1:PORT/v1')",
                model=request.model,
                maybe_sent=False,
            )
        try:
            check_url(request.gateway.base_url, name="gateway base_url", allow_insecure=self.allow_insecure)
            return request.gateway.target(self.base_url, self.account_id, request.path)
        except ValueError as wrong:
            raise BadRequestError(str(wrong), model=request.model, maybe_sent=False) from None

    def token(self) -> SecretStr:
        """The API token for one request. An async source is run to its end in a thread of its own if need be."""
        asked = hidden(self.api_token() if callable(self.api_token) else self.api_token)
        return _usable(asked if isinstance(asked, SecretStr | None) else hidden(_run(asked)))

    async def atoken(self) -> SecretStr:
        """The API token for one request, for async callers."""
        asked = hidden(self.api_token() if callable(self.api_token) else self.api_token)
        return _usable(asked if isinstance(asked, SecretStr | None) else hidden(await asked))


def account_from_environment() -> str | None:
    """The first account id variable that is set; an empty one counts as unset."""
    return _first_set(ACCOUNT_VARIABLES)


def token_from_environment() -> SecretStr | None:
    """The first token variable that is set. CLOUDFLARE_API_KEY is passed over next to CLOUDFLARE_EMAIL.

    With an e-mail address beside it, that variable holds the old global key, which is no bearer token.
    """
    names = [name for name in TOKEN_VARIABLES if name != GLOBAL_KEY_VARIABLE or not _global_key_is_set()]
    found = _first_set(names)
    return SecretStr(found) if found else None


def store_from_environment() -> SecretStr | None:
    """WORKERS_AI_RATE_LIMIT_STORE: where several processes count together; it may hold a password."""
    found = _first_set((STORE_VARIABLE,))
    return SecretStr(found) if found else None


def base_url_from_environment() -> str:
    """CLOUDFLARE_BASE_URL, or Cloudflare's own. Generic variables such as BASE_URL are never read."""
    return _first_set((BASE_URL_VARIABLE,)) or BASE_URL


def check_account_id(value: str) -> str:
    """`value`, if it is 32 hex digits. Raises ValueError: anything else ends in a bad route (quirk 64)."""
    if not _ACCOUNT_ID.fullmatch(value):
        raise ValueError(
            f"account_id {value!r} is not an account id: 32 hex digits, shown in the dashboard's address"
            " (dash.cloudflare.com/<account id>) and under Workers & Pages"
        )
    return value


def check_url(value: str, *, name: str, allow_insecure: bool) -> str:
    """`value` without a trailing slash, if a token may be sent there. Raises ValueError otherwise."""
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{name} {value!r}: a full address, https://host/...")
    if parts.scheme == "http" and not allow_insecure and not is_loopback(parts.hostname):
        raise ValueError(f"{name} {value!r} would send the token unencrypted: use https://, or allow_insecure=True")
    return value.rstrip("/")


def check_base_url(value: str, *, allow_insecure: bool) -> str:
    """As `check_url`, for the REST base. Raises ValueError for an address of Cloudflare's that stops too early."""
    url = check_url(value, name="base_url", allow_insecure=allow_insecure)
    parts = urlsplit(url)
    if parts.hostname == "api.cloudflare.com" and not parts.path.endswith("/client/v4"):
        raise ValueError(f"base_url {value!r}: up to and including /client/v4, as {BASE_URL}")
    return url


def missing_credentials(*, account: bool, token: bool) -> AuthenticationError:
    """The one error for missing credentials: what to set, and where in the dashboard to find it."""
    wanted = []
    if account:
        wanted.append(f"an account id (argument account_id, or {' or '.join(ACCOUNT_VARIABLES)})")
    if token:
        wanted.append(f"an API token (argument api_token, or {TOKEN_VARIABLES[0]})")
    hint = (
        "The account id stands in the dashboard's address, dash.cloudflare.com/<account id>; make a token with the"
        " permissions Workers AI Read and Edit under My Profile > API Tokens. To try without an account:"
        " workers-ai serve"
    )
    if token and _global_key_is_set():
        hint += f". {GLOBAL_KEY_VARIABLE} was passed over: with {EMAIL_VARIABLE} set it is the global key, no API token"
    return AuthenticationError(f"Workers AI needs {' and '.join(wanted)}", hint=hint, retryable=False, maybe_sent=False)


def hidden(found: Any) -> Any:
    """`found` without white space around it, as a secret at once: attributes and local variables are shown."""
    if isinstance(found, SecretStr):
        return SecretStr(found.get_secret_value().strip())
    return SecretStr(found.strip()) if isinstance(found, str) else found


def _usable(token: SecretStr | None) -> SecretStr:
    if not token:
        raise missing_credentials(account=False, token=True)
    if not _TOKEN.fullmatch(token.get_secret_value()):
        raise BadRequestError(
            "api_token holds a space, a line break or a character that no token has",
            hint="Copy it again; the value itself is not shown here",
            maybe_sent=False,
        )
    return token


def _run(awaitable: Awaitable[Token]) -> Token:
    async def whole() -> Token:
        return await awaitable

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(whole())
    # A sync call inside a running loop: that loop cannot be waited for from here.
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, whole()).result()


def _first_set(names: tuple[str, ...] | list[str]) -> str | None:
    return next((value for name in names if (value := os.environ.get(name, "").strip())), None)


def _global_key_is_set() -> bool:
    return bool(_first_set((GLOBAL_KEY_VARIABLE,)) and _first_set((EMAIL_VARIABLE,)))


def is_loopback(host: str) -> bool:
    """Whether a host is this machine: what is sent there needs no encryption and no proxy."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
