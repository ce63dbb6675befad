"""The arguments that every class takes, and the transport they make."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from pydantic import SecretStr, ValidationError

from workers_ai import errors as e
from workers_ai.connection import ConnectionFields
from workers_ai.gateway import Gateway

ACCOUNT = "0123456789abcdef" * 2
OTHER = "f" * 32
TOKEN = "tok-Zx81-secret"
GATEWAY_TOKEN = "gw-Yy53-secret"
HEADER = "hdr-Pp66-secret"
STORE_PASSWORD = "rds-Ww28-secret"

EVERY: dict[str, Any] = {
    "account_id": ACCOUNT,
    "api_token": TOKEN,
    "base_url": "http://127.0.0.1:8787/client/v4",
    "allow_insecure": True,
    "gateway": Gateway("docs", token=GATEWAY_TOKEN, cache_ttl=60, metadata={"user": "u-1"}, allowed_models=("a", "b")),
    "api": "openai",
    "timeout": httpx.Timeout(30, connect=5, read=None),
    "max_retries": 4,
    "rate_limit": "catalog",
    "rate_limit_store": f"redis://:{STORE_PASSWORD}@127.0.0.1:6379/0",
    "default_headers": {"X-Key": HEADER},
    "default_query": {"tag": "x"},
    "extra_body": {"deep": {"a": 1}},
    "session_affinity": "s-1",
    "reject_if_busy": True,
}


def fields(**told: Any) -> ConnectionFields:
    return ConnectionFields(**{"account_id": ACCOUNT, "api_token": TOKEN, **told})


# Names


@pytest.mark.parametrize(
    ("given", "name", "value", "held"),
    [
        ("api_key", "api_token", TOKEN, SecretStr(TOKEN)),
        ("auth_token", "api_token", TOKEN, SecretStr(TOKEN)),
        ("api_base", "base_url", "https://x.example", "https://x.example"),
    ],
)
def test_other_spellings_are_understood(given: str, name: str, value: Any, held: Any):
    assert getattr(ConnectionFields(**{given: value}), name) == held


@pytest.mark.parametrize(
    ("given", "name", "value"),
    [
        ("cf_account_id", "account_id", ACCOUNT),
        ("cf_api_token", "api_token", TOKEN),
        ("cf_ai_api_token", "api_token", TOKEN),
        ("ai_gateway", "gateway", "docs"),
        ("session_id", "session_affinity", "s"),
    ],
)
def test_another_package_s_names_are_taken_with_a_note(given: str, name: str, value: Any):
    with pytest.warns(DeprecationWarning, match=f"{given}= is now {name}="):
        made = ConnectionFields(**{given: value})
    assert getattr(made, name) is not None


def test_an_unknown_argument_is_an_error_with_its_neighbour():
    with pytest.raises(TypeError, match="did you mean max_retries"):
        fields(max_retrys=1)


def test_every_argument_is_here():
    named = set(ConnectionFields.model_fields)
    assert named == {*EVERY, "http_client", "http_async_client"}


# The environment


def test_the_environment_is_read_when_an_object_is_made(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CLOUDFLARE_ACCOUNT_ID", ACCOUNT)
    monkeypatch.setenv("CLOUDFLARE_API_TOKEN", TOKEN)
    monkeypatch.setenv("CLOUDFLARE_BASE_URL", "http://localhost:1/client/v4/")
    monkeypatch.setenv("CLOUDFLARE_AI_GATEWAY", "docs")
    made = ConnectionFields()
    monkeypatch.setenv("CLOUDFLARE_ACCOUNT_ID", OTHER)
    assert (made.account_id, made.api_token, made.base_url, made.gateway) == (
        ACCOUNT,
        SecretStr(TOKEN),
        "http://localhost:1/client/v4",
        Gateway("docs"),
    )


@pytest.mark.parametrize("nothing", [None, ""])
def test_an_argument_that_says_nothing_leaves_it_to_the_environment(monkeypatch: pytest.MonkeyPatch, nothing: Any):
    monkeypatch.setenv("CLOUDFLARE_ACCOUNT_ID", ACCOUNT)
    monkeypatch.setenv("CLOUDFLARE_API_TOKEN", TOKEN)
    made = ConnectionFields(account_id=nothing, api_token=nothing, base_url=nothing)
    assert (made.account_id, made.api_token) == (ACCOUNT, SecretStr(TOKEN))
    assert made.base_url == "https://api.cloudflare.com/client/v4"


def test_an_argument_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CLOUDFLARE_ACCOUNT_ID", ACCOUNT)
    monkeypatch.setenv("CLOUDFLARE_API_TOKEN", "env-token")
    made = ConnectionFields(account_id=OTHER, api_token=TOKEN)
    assert (made.account_id, made.api_token) == (OTHER, SecretStr(TOKEN))


def test_an_object_without_credentials_can_be_made():
    made = ConnectionFields()
    assert (made.account_id, made.api_token) == (None, None)


# Checks


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"account_id": "mine"}, "32 hex digits"),
        ({"base_url": "http://elsewhere.example"}, "unencrypted"),
        ({"base_url": "elsewhere.example"}, "full address"),
        ({"gateway": {"id": "docs", "cache_ttl": 1}}, "cache_ttl"),
        ({"gateway": 7}, "gateway"),
        ({"timeout": 0}, "timeout"),
        ({"max_retries": -1}, "max_retries"),
        ({"api": "soap"}, "api"),
    ],
)
def test_what_is_wrong_is_refused_at_once_without_the_token(told: dict[str, Any], words: str):
    with pytest.raises(ValidationError, match=words) as caught:
        fields(**told)
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize("value", [7, b"tok-Zx81-secret", ["tok-Zx81-secret"]])
def test_a_token_of_another_type_is_refused_unseen(value: Any):
    with pytest.raises(TypeError, match="api_token") as caught:
        fields(api_token=value)
    assert "Zx81" not in str(caught.value)


def test_a_wrong_environment_is_refused_too(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CLOUDFLARE_ACCOUNT_ID", "mine")
    with pytest.raises(ValidationError, match="32 hex digits"):
        ConnectionFields()


def test_plain_http_needs_permission():
    assert fields(base_url="http://elsewhere.example", allow_insecure=True).base_url == "http://elsewhere.example"


# Copies and dumps


@pytest.mark.parametrize("used", [False, True])
@pytest.mark.parametrize("copied", [lambda it: pickle.loads(pickle.dumps(it)), copy.copy, copy.deepcopy])
def test_an_object_with_every_argument_survives_pickle_and_copy(used: bool, copied: Callable[[Any], Any]):
    made = ConnectionFields(**EVERY)
    if used:
        assert made._transport
    other = copied(made)
    for name in EVERY:
        assert getattr(other, name) == getattr(made, name), name
    assert other._transport.settings == made._transport.settings


def test_a_dump_makes_the_object_again_without_its_secrets():
    made = ConnectionFields(**EVERY)
    for told in (json.loads(made.model_dump_json()), json.loads(json.dumps(made.model_dump()))):
        other = ConnectionFields(**told)
        for name in set(EVERY) - {"api_token", "default_headers", "gateway", "rate_limit_store"}:
            assert getattr(other, name) == getattr(made, name), name
        assert other.gateway == made.gateway.replace(token=None) if made.gateway else False
        assert (other.api_token, other.default_headers) == (None, None)


def test_clients_stay_out_of_pickles_and_are_shared_by_deep_copies():
    with httpx.Client() as client:
        made = fields(http_client=client, http_async_client=httpx.AsyncClient())
        assert pickle.loads(pickle.dumps(made)).http_client is None
        assert made.http_client is client
        other = copy.deepcopy(made)
        assert other.http_client is client
        assert other.http_async_client is made.http_async_client


def test_no_secret_is_shown():
    made = ConnectionFields(**EVERY)
    assert made._transport
    shown = [repr(made), str(made), repr(made.model_dump()), made.model_dump_json(), repr(made._transport)]
    shown += [repr(made.model_dump(mode="json")), repr(made.__repr_args__())]
    for secret in (TOKEN, GATEWAY_TOKEN, HEADER, STORE_PASSWORD):
        assert secret not in "\n".join(shown)
    assert TOKEN not in repr(dict(made)) + repr(vars(made))
    assert GATEWAY_TOKEN not in repr(dict(made)) + repr(vars(made))


# The transport


def test_the_transport_is_made_once_and_anew_when_an_argument_changes():
    made = fields()
    first = made._transport
    assert made._transport is first
    made.max_retries = 5
    assert made._transport is not first
    assert made._transport.retry.max_retries == 5


def test_the_transport_has_the_arguments():
    settings = ConnectionFields(**EVERY)._transport.settings
    assert (settings.account_id, settings.base_url) == (ACCOUNT, EVERY["base_url"])
    assert settings.headers == {"x-key": SecretStr(HEADER)}
    assert settings.query == {"tag": "x"}
    assert (settings.timeouts.connect, settings.timeouts.event, settings.timeouts.send) == (5, None, 30)


@pytest.mark.parametrize("value", ["http://elsewhere.example", "mine"])
def test_an_argument_that_was_changed_to_something_wrong_is_refused_at_the_next_call(value: str):
    made = fields()
    setattr(made, "base_url" if "://" in value else "account_id", value)
    with pytest.raises(ValueError, match=r"unencrypted|32 hex"):
        _ = made._transport


# One call


def test_a_call_s_arguments_go_over_the_object_s():
    made = ConnectionFields(**EVERY)
    options = {
        "model": "@cf/x/y",
        "api": "native",
        "gateway": {"skip_cache": True},
        "session_affinity": "s-2",
        "reject_if_busy": False,
        "extra_body": {"b": 2},
        "temperature": 1,
    }
    call = made._call("@cf/a/b", options)
    assert (call.model, call.api, call.session_affinity, call.reject_if_busy) == ("@cf/x/y", "native", "s-2", False)
    assert call.extra_body == {"deep": {"a": 1}, "b": 2}
    assert call.gateway == made.gateway.replace(skip_cache=True) if made.gateway else False
    assert options == {"temperature": 1}


def test_without_any_the_object_s_hold():
    made = ConnectionFields(**EVERY)
    call = made._call("@cf/a/b", {"model": None, "gateway": None, "extra_body": None})
    assert (call.model, call.gateway, call.extra_body) == ("@cf/a/b", made.gateway, {"deep": {"a": 1}})


def test_the_object_itself_is_never_changed_by_a_call():
    made = ConnectionFields(**EVERY)
    made._call("@cf/a/b", {"gateway": {"skip_cache": True}, "extra_body": {"b": 2}})
    assert made.gateway == EVERY["gateway"]
    assert made.extra_body == {"deep": {"a": 1}}


@pytest.mark.parametrize("api", ["soap", "", 7])
def test_a_call_s_wrong_api_is_refused_by_name(api: Any):
    from workers_ai import Client

    client = Client(
        account_id=ACCOUNT, api_token=TOKEN, http_client=httpx.Client(transport=httpx.MockTransport(_never))
    )
    with pytest.raises((TypeError, ValueError), match="api"):
        client.chat("x", model="@cf/meta/llama-3.2-3b-instruct", api=api)


def _never(_: httpx.Request) -> httpx.Response:
    raise AssertionError("nothing should have been sent")


def test_missing_credentials_are_an_error_of_the_first_call():
    from workers_ai import Client

    client = Client(http_client=httpx.Client(transport=httpx.MockTransport(_never)))
    with pytest.raises(e.AuthenticationError, match="CLOUDFLARE_ACCOUNT_ID"):
        client.chat("x", model="@cf/meta/llama-3.2-3b-instruct")
