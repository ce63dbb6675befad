"""Account, token, base URL and time-outs: from arguments or the environment, checked."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from workers_ai import errors as e
from workers_ai.exchange import Request
from workers_ai.gateway import Gateway
from workers_ai.settings import (
    Settings,
    Timeouts,
    account_from_environment,
    base_url_from_environment,
    check_account_id,
    check_url,
    missing_credentials,
    token_from_environment,
)

ACCOUNT = "0123456789abcdefABCDEF0123456789"


# The environment


@pytest.mark.parametrize(
    ("environment", "token"),
    [
        ({}, None),
        ({"CLOUDFLARE_API_TOKEN": "a"}, "a"),
        ({"CLOUDFLARE_API_KEY": "b"}, "b"),
        ({"CF_API_TOKEN": "c"}, "c"),
        ({"CF_AI_API_TOKEN": "d"}, "d"),
        ({"CLOUDFLARE_AUTH_TOKEN": "e"}, "e"),
        ({"CLOUDFLARE_AUTH_TOKEN": "e", "CF_AI_API_TOKEN": "d"}, "d"),
        ({"CF_AI_API_TOKEN": "d", "CF_API_TOKEN": "c"}, "c"),
        ({"CF_API_TOKEN": "c", "CLOUDFLARE_API_KEY": "b"}, "b"),
        ({"CLOUDFLARE_API_KEY": "b", "CLOUDFLARE_API_TOKEN": "a"}, "a"),
        ({"CLOUDFLARE_API_TOKEN": "", "CF_API_TOKEN": "c"}, "c"),
        ({"CLOUDFLARE_API_TOKEN": "  ", "CF_API_TOKEN": "c"}, "c"),
        ({"CLOUDFLARE_API_TOKEN": " a\n"}, "a"),
        ({"CLOUDFLARE_API_KEY": "b", "CLOUDFLARE_EMAIL": "x@y.example"}, None),
        ({"CLOUDFLARE_API_KEY": "b", "CLOUDFLARE_EMAIL": ""}, "b"),
        ({"CLOUDFLARE_API_KEY": "b", "CLOUDFLARE_EMAIL": "x@y.example", "CF_API_TOKEN": "c"}, "c"),
        ({"API_TOKEN": "generic", "TOKEN": "generic"}, None),
    ],
)
def test_the_first_token_variable_that_is_set_counts(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], token: str | None
):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    found = token_from_environment()
    assert (found.get_secret_value() if found else None) == token


@pytest.mark.parametrize(
    ("environment", "account"),
    [
        ({}, None),
        ({"CF_ACCOUNT_ID": "b"}, "b"),
        ({"CF_ACCOUNT_ID": "b", "CLOUDFLARE_ACCOUNT_ID": "a"}, "a"),
        ({"CF_ACCOUNT_ID": "b", "CLOUDFLARE_ACCOUNT_ID": " "}, "b"),
    ],
)
def test_the_first_account_variable_that_is_set_counts(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], account: str | None
):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert account_from_environment() == account


def test_the_base_url_is_cloudflare_s_and_generic_variables_are_never_read(monkeypatch: pytest.MonkeyPatch):
    for name in ("BASE_URL", "API_BASE", "OPENAI_BASE_URL", "AI_GATEWAY"):
        monkeypatch.setenv(name, "https://elsewhere.example")
    assert base_url_from_environment() == "https://api.cloudflare.com/client/v4"
    monkeypatch.setenv("CLOUDFLARE_BASE_URL", "https://proxy.example/client/v4")
    assert base_url_from_environment() == "https://proxy.example/client/v4"
    monkeypatch.setenv("CLOUDFLARE_BASE_URL", "")
    assert base_url_from_environment() == "https://api.cloudflare.com/client/v4"


# Checks


def test_an_account_id_is_32_hex_digits():
    assert check_account_id(ACCOUNT) == ACCOUNT


@pytest.mark.parametrize(
    "value", ["", "None", "my-account", "0" * 31, "0" * 33, "g" * 32, f" {'0' * 31}", "0" * 32 + "\n"]
)
def test_anything_else_is_refused_with_where_to_find_it(value: str):
    with pytest.raises(ValueError, match=r"dash\.cloudflare\.com"):
        check_account_id(value)


@pytest.mark.parametrize(
    ("value", "insecure", "checked"),
    [
        ("https://api.cloudflare.com/client/v4", False, "https://api.cloudflare.com/client/v4"),
        ("https://api.cloudflare.com/client/v4/", False, "https://api.cloudflare.com/client/v4"),
        ("http://localhost:8787/client/v4", False, "http://localhost:8787/client/v4"),
        ("http://127.0.0.1:8787", False, "http://127.0.0.1:8787"),
        ("http://127.9.9.9", False, "http://127.9.9.9"),
        ("http://[::1]:8787", False, "http://[::1]:8787"),
        ("http://api.localhost", False, "http://api.localhost"),
        ("http://proxy.example", True, "http://proxy.example"),
        ("http://proxy.example", False, None),
        ("http://localhost.example", False, None),
        ("http://10.0.0.1", False, None),
        ("http://0.0.0.0", False, None),
        ("ftp://api.cloudflare.com", True, None),
        ("api.cloudflare.com/client/v4", True, None),
        ("https://", True, None),
        ("", True, None),
    ],
)
def test_a_token_goes_over_https_or_to_this_machine(value: str, insecure: bool, checked: str | None):
    if checked is None:
        with pytest.raises(ValueError, match="base_url"):
            check_url(value, name="base_url", allow_insecure=insecure)
    else:
        assert check_url(value, name="base_url", allow_insecure=insecure) == checked


@pytest.mark.parametrize(
    ("account", "token", "words", "others"),
    [
        (True, True, ["CLOUDFLARE_ACCOUNT_ID", "CLOUDFLARE_API_TOKEN"], []),
        (True, False, ["CLOUDFLARE_ACCOUNT_ID"], ["needs an API token"]),
        (False, True, ["CLOUDFLARE_API_TOKEN"], ["CLOUDFLARE_ACCOUNT_ID"]),
    ],
)
def test_missing_credentials_are_one_error_that_says_what_to_set(
    account: bool, token: bool, words: list[str], others: list[str]
):
    error = missing_credentials(account=account, token=token)
    text = str(error)
    assert all(word in text for word in [*words, "dash.cloudflare.com", "My Profile > API Tokens", "workers-ai serve"])
    assert not any(word in text for word in others)
    assert (error.retryable, error.maybe_sent) == (False, False)


def test_the_error_says_that_the_global_key_was_passed_over(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CLOUDFLARE_API_KEY", "global-key-0123")
    monkeypatch.setenv("CLOUDFLARE_EMAIL", "x@y.example")
    text = str(missing_credentials(account=False, token=True))
    assert "CLOUDFLARE_API_KEY was passed over" in text
    assert "global-key-0123" not in text


# Time-outs


@pytest.mark.parametrize(
    ("value", "timeouts"),
    [
        (None, Timeouts(10.0, 300.0, 60.0, 60.0, 300.0)),
        (5, Timeouts(5, 5, 5, 5, 5)),
        (30.5, Timeouts(10.0, 30.5, 30.5, 30.5, 30.5)),
        (httpx.Timeout(7), Timeouts(7, 7, 7, 7, 7)),
        (httpx.Timeout(7, connect=1, read=None), Timeouts(1, None, None, 7, 7)),
        (httpx.Timeout(None), Timeouts(None, None, None, None, None)),
    ],
)
def test_time_outs_are_seconds_or_httpx_s(value: Any, timeouts: Timeouts):
    assert Timeouts.coerce(value) == timeouts


@pytest.mark.parametrize("value", [0, -1, 0.0, float("nan"), float("inf"), True, "5", object()])
def test_a_time_out_that_is_no_time_is_refused(value: Any):
    with pytest.raises((ValueError, TypeError), match="timeout"):
        Timeouts.coerce(value)


# The token of one request


def source(kind: str, value: Any = "tok-1") -> Any:
    async def later() -> Any:
        await asyncio.sleep(0)
        return value

    return {
        "SecretStr": SecretStr(value) if isinstance(value, str) else value,
        "function": lambda: value,
        "function of a SecretStr": lambda: SecretStr(value),
        "async function": later,
        "function of an awaitable": lambda: later(),
    }[kind]


KINDS = ["SecretStr", "function", "function of a SecretStr", "async function", "function of an awaitable"]


@pytest.mark.parametrize("kind", KINDS)
def test_any_source_serves_sync_and_async_callers(kind: str):
    settings = Settings(account_id=ACCOUNT, api_token=source(kind))
    assert settings.token() == asyncio.run(settings.atoken()) == SecretStr("tok-1")


@pytest.mark.parametrize("kind", KINDS)
async def test_a_sync_call_inside_a_running_loop_gets_its_token_too(kind: str):
    assert Settings(account_id=ACCOUNT, api_token=source(kind)).token() == SecretStr("tok-1")


def test_a_source_is_asked_each_time():
    count = itertools.count(1)
    settings = Settings(account_id=ACCOUNT, api_token=lambda: f"tok-{next(count)}")
    told = [settings.token(), settings.token(), asyncio.run(settings.atoken())]
    assert [token.get_secret_value() for token in told] == ["tok-1", "tok-2", "tok-3"]


async def _fails() -> str:
    raise LookupError("the vault is closed")


def test_a_source_that_fails_says_so_itself():
    settings = Settings(account_id=ACCOUNT, api_token=_fails)
    with pytest.raises(LookupError, match="the vault is closed"):
        settings.token()
    with pytest.raises(LookupError, match="the vault is closed"):
        asyncio.run(settings.atoken())


async def test_also_to_a_sync_call_inside_a_running_loop():
    with pytest.raises(LookupError, match="the vault is closed"):
        Settings(account_id=ACCOUNT, api_token=_fails).token()


@pytest.mark.parametrize("value", ["tok-1\n", " tok-1", "\ttok-1\r\n"])
def test_white_space_around_a_token_is_dropped(value: str):
    assert Settings(account_id=ACCOUNT, api_token=SecretStr(value)).token() == SecretStr("tok-1")


@pytest.mark.parametrize("value", ["tok\n1", "tok 1", "tok\x001", "tök-1", "tok\u20281", "tok\x1b1"])
def test_a_token_with_anything_else_in_it_is_refused_unseen(value: str):
    settings = Settings(account_id=ACCOUNT, api_token=SecretStr(value))
    with pytest.raises(e.BadRequestError, match="api_token") as caught:
        settings.token()
    assert value not in str(caught.value)
    assert caught.value.maybe_sent is False


@pytest.mark.parametrize("value", ["", "  ", "\n"])
@pytest.mark.parametrize("kind", ["SecretStr", "function", "async function"])
def test_an_empty_token_is_a_missing_one(kind: str, value: str):
    with pytest.raises(e.AuthenticationError, match="CLOUDFLARE_API_TOKEN"):
        Settings(account_id=ACCOUNT, api_token=source(kind, value)).token()


def test_a_source_that_has_no_token_is_a_missing_one():
    settings = Settings(account_id=ACCOUNT, api_token=lambda: None)  # type: ignore[arg-type, return-value]
    with pytest.raises(e.AuthenticationError):
        settings.token()


# The address


def request(gateway: Gateway | None = None) -> Request:
    return Request(path="ai/run/@cf/a/b", body=b"{}", model="@cf/a/b", gateway=gateway)


def test_the_address_is_below_the_account():
    settings = Settings(account_id=ACCOUNT, api_token=SecretStr("t"))
    url = f"https://api.cloudflare.com/client/v4/accounts/{ACCOUNT}/ai/run/@cf/a/b"
    assert settings.address(request()) == (url, {}, {})
    assert settings.address(request(Gateway("docs"))) == (url, {"cf-aig-gateway-id": "docs"}, {})


@pytest.mark.parametrize(("account", "token"), [(None, "t"), (ACCOUNT, None), (None, None)])
def test_nothing_is_sent_without_credentials(account: str | None, token: str | None):
    settings = Settings(account_id=account, api_token=SecretStr(token) if token else None)
    with pytest.raises(e.AuthenticationError):
        settings.address(request())


@pytest.mark.parametrize(
    ("path", "below"),
    [
        ("ai/models/search", f"/accounts/{ACCOUNT}/ai/models/search"),
        ("vectorize/v2/indexes/a", f"/accounts/{ACCOUNT}/vectorize/v2/indexes/a"),
        ("/user/tokens/verify", "/user/tokens/verify"),
    ],
)
def test_a_path_says_where_it_belongs(path: str, below: str):
    settings = Settings(ACCOUNT, SecretStr("t"))
    assert settings.address(Request(path)) == (f"https://api.cloudflare.com/client/v4{below}", {}, {})


def test_what_belongs_to_no_account_needs_none():
    assert Settings(api_token=SecretStr("t")).address(Request("/user/tokens/verify"))[0].endswith("/user/tokens/verify")
    with pytest.raises(e.AuthenticationError, match="needs an API token"):
        Settings().address(Request("/user/tokens/verify"))


@pytest.mark.parametrize("route", ["header", "url"])
@pytest.mark.parametrize("path", ["vectorize/v2/indexes/a", "ai-gateway/gateways", "/user/tokens/verify", "air"])
def test_only_requests_to_workers_ai_pass_a_gateway(path: str, route: Any):
    with pytest.raises(e.BadRequestError, match="cannot pass a gateway"):
        Settings(ACCOUNT, SecretStr("t")).address(Request(path, gateway=Gateway("docs", route=route)))


def test_settings_show_no_secret():
    gateway = Gateway("docs", token="gw-Yy53-secret")
    settings = Settings(ACCOUNT, SecretStr("tok-Zx81-secret"), headers={"x-key": SecretStr("hdr-Pp66")})
    shown = f"{settings!r} {gateway!r}"
    assert not any(secret in shown for secret in ("tok-Zx81", "gw-Yy53", "hdr-Pp66"))


def test_a_client_of_this_machine_sends_nothing_to_cloudflares_gateway_host():
    settings = Settings(ACCOUNT, SecretStr("t"), base_url="http://127.0.0.1:9/client/v4")
    with pytest.raises(e.BadRequestError, match="gateway base_url"):
        settings.address(request(Gateway("docs", route="url")))
    own = Gateway("docs", route="url", base_url="http://127.0.0.1:9/v1")
    assert settings.address(request(own))[0].startswith("http://127.0.0.1:9/v1/")
    assert settings.address(request(Gateway("docs")))[0].startswith("http://127.0.0.1:9/client/v4/")
