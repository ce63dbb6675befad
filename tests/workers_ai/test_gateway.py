"""AI Gateway: options to URL and headers, reply headers to facts."""

from __future__ import annotations

import copy
import json
import pickle
from dataclasses import FrozenInstanceError, fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from workers_ai.gateway import Gateway, gateway_facts, gateway_from_environment

BASE = "https://api.cloudflare.com/client/v4"
ACCOUNT = "0" * 32
SECRET = "gw-Yy53-secret"

EVERY_OPTION: dict[str, Any] = {
    "cache_ttl": 3600,
    "cache_key": "k-1",
    "skip_cache": True,
    "collect_log": False,
    "collect_log_payload": False,
    "metadata": {"user": "u-1", "n": 3, "x": 1.5, "ok": True},
    "event_id": "ev-1",
    "request_timeout_ms": 5000,
    "max_attempts": 3,
    "retry_delay_ms": 250,
    "backoff": "exponential",
    "custom_cost": {"per_token_in": 0.000001, "per_token_out": 0.000002},
    "byok_alias": "blue",
    "no_wholesale": True,
    "zdr": True,
    "session_id": "s-1",
    "turn_id": "t-1",
    "no_session_affinity": True,
    "allowed_models": ("@cf/*", "openai/*"),
    "allowed_providers": "workers-ai",
}


@pytest.mark.parametrize(
    ("options", "headers"),
    [
        ({}, {}),
        ({"cache_ttl": 3600}, {"cf-aig-cache-ttl": "3600"}),
        ({"cache_key": "k"}, {"cf-aig-cache-key": "k"}),
        ({"skip_cache": True}, {"cf-aig-skip-cache": "true"}),
        ({"skip_cache": False}, {}),
        ({"collect_log": False}, {"cf-aig-collect-log": "false"}),
        ({"collect_log": True}, {"cf-aig-collect-log": "true"}),
        ({"metadata": {"user": "Jörg", "n": 3}}, {"cf-aig-metadata": '{"user":"J\\u00f6rg","n":3}'}),
        ({"request_timeout_ms": 5000}, {"cf-aig-request-timeout": "5000"}),
        ({"max_attempts": 3, "backoff": "linear"}, {"cf-aig-max-attempts": "3", "cf-aig-backoff": "linear"}),
        ({"custom_cost": {"per_token_in": 0.5}}, {"cf-aig-custom-cost": '{"per_token_in":0.5}'}),
        ({"allowed_models": ["a/*", "b/c"]}, {"cf-aig-allowed-models": "a/*,b/c"}),
        ({"allowed_providers": "workers-ai"}, {"cf-aig-allowed-providers": "workers-ai"}),
        ({"zdr": False}, {"cf-aig-zdr": "false"}),
    ],
)
def test_an_option_is_a_header(options: dict[str, Any], headers: dict[str, str]):
    assert Gateway("docs", **options).headers() == headers


def test_there_is_one_header_for_every_option():
    gateway = Gateway("docs", **EVERY_OPTION)
    assert set(EVERY_OPTION) == {each.name for each in fields(Gateway)} - {"id", "token", "route", "base_url"}
    assert len(gateway.headers()) == len(EVERY_OPTION)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"cache_ttl": 59}, "cache_ttl"),
        ({"cache_ttl": 2_592_001}, "cache_ttl"),
        ({"cache_ttl": True}, "cache_ttl"),
        ({"cache_ttl": 60.5}, "cache_ttl"),
        ({"cache_ttl": "60"}, "cache_ttl"),
        ({"max_attempts": 0}, "max_attempts"),
        ({"max_attempts": 6}, "max_attempts"),
        ({"retry_delay_ms": 5001}, "retry_delay_ms"),
        ({"request_timeout_ms": 0}, "request_timeout_ms"),
        ({"backoff": "random"}, "backoff"),
        ({"metadata": {"a": None}}, "metadata"),
        ({"metadata": {"a": {"b": 1}}}, "metadata"),
        ({"metadata": {str(n): n for n in range(6)}}, "metadata"),
        ({"custom_cost": {"per_word": 1}}, "custom_cost"),
        ({"cache_key": "ключ"}, "cache_key"),
        ({"cache_key": "a\nb"}, "cache_key"),
        ({"event_id": "a\r\nx: y"}, "event_id"),
        ({"session_id": "é"}, "session_id"),
        ({"allowed_models": ("ok", "a\nb")}, "allowed_models"),
        ({"allowed_providers": ["é"]}, "allowed_providers"),
        ({"route": "direct"}, "route"),
    ],
)
def test_what_the_gateway_would_refuse_or_drop_is_refused_by_name(options: dict[str, Any], named: str):
    with pytest.raises(ValueError, match=named):
        Gateway("docs", **options)


@pytest.mark.parametrize("name", ["", " ", "a b", "a/b", "-a", "ä", "a" * 65, "a\n"])
def test_an_id_is_a_short_word(name: str):
    with pytest.raises(ValueError, match="gateway id"):
        Gateway(name)


@pytest.mark.parametrize("ttl", [60, 2_592_000])
def test_bounds_are_part_of_the_range(ttl: int):
    assert Gateway("docs", cache_ttl=ttl).cache_ttl == ttl


# Where a request goes


def target(gateway: Gateway, path: str) -> tuple[str, dict[str, str]]:
    """The address, and the headers with their secrets told."""
    url, headers, secrets = gateway.target(BASE, ACCOUNT, path)
    return url, {**headers, **{name: value.get_secret_value() for name, value in secrets.items()}}


def test_the_header_route_keeps_the_host_and_sends_no_gateway_token():
    url, headers = target(Gateway("docs", token=SECRET, cache_ttl=60), "ai/run/@cf/a/b")
    assert url == f"{BASE}/accounts/{ACCOUNT}/ai/run/@cf/a/b"
    assert headers == {"cf-aig-cache-ttl": "60", "cf-aig-gateway-id": "docs"}


def test_the_url_route_goes_to_the_gateway_with_its_token():
    url, headers = target(Gateway("docs", route="url", token=SECRET), "ai/v1/chat/completions")
    assert url == f"https://gateway.ai.cloudflare.com/v1/{ACCOUNT}/docs/workers-ai/v1/chat/completions"
    assert headers == {"cf-aig-authorization": f"Bearer {SECRET}"}


@pytest.mark.parametrize(
    ("environment", "token"),
    [
        ({}, None),
        ({"CLOUDFLARE_GATEWAY_TOKEN": "one"}, "one"),
        ({"CF_AIG_TOKEN": "two"}, "two"),
        ({"CLOUDFLARE_GATEWAY_TOKEN": "one", "CF_AIG_TOKEN": "two"}, "one"),
        ({"CLOUDFLARE_GATEWAY_TOKEN": " ", "CF_AIG_TOKEN": "two"}, "two"),
    ],
)
def test_the_token_comes_from_the_argument_or_the_environment(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], token: str | None
):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    _, headers = target(Gateway("docs", route="url"), "ai/x")
    assert headers.get("cf-aig-authorization") == (f"Bearer {token}" if token else None)
    _, headers = target(Gateway("docs", route="url", token=SECRET), "ai/x")
    assert headers["cf-aig-authorization"] == f"Bearer {SECRET}"


# A value


def test_a_gateway_cannot_be_changed_and_replace_makes_another():
    gateway = Gateway("docs", cache_ttl=60)
    with pytest.raises(FrozenInstanceError):
        gateway.cache_ttl = 90  # type: ignore[misc]
    other = gateway.replace(skip_cache=True)
    assert (gateway.skip_cache, other.skip_cache, other.cache_ttl) == (None, True, 60)
    with pytest.raises(ValueError, match="max_attempts"):
        gateway.replace(max_attempts=9)


def test_a_change_of_what_was_handed_in_does_not_reach_the_gateway():
    told = {"user": "u-1"}
    gateway = Gateway("docs", metadata=told)
    told["user"] = "u-2"
    assert gateway.headers() == {"cf-aig-metadata": '{"user":"u-1"}'}


@pytest.mark.parametrize(
    ("value", "gateway"),
    [
        (None, None),
        ("", None),
        ({}, None),
        ("docs", Gateway("docs")),
        ({"id": "docs", "cache_ttl": 60}, Gateway("docs", cache_ttl=60)),
        (Gateway("docs"), Gateway("docs")),
    ],
)
def test_what_users_write_is_understood(value: Any, gateway: Gateway | None):
    assert Gateway.coerce(value) == gateway


@pytest.mark.parametrize("value", [7, ["docs"], b"docs", {"cache_ttl": 60}, {"id": "docs", "ttl": 60}])
def test_anything_else_is_refused(value: Any):
    with pytest.raises(ValueError, match="gateway"):
        Gateway.coerce(value)


@pytest.mark.parametrize("options", [{}, *({name: value} for name, value in EVERY_OPTION.items()), EVERY_OPTION])
def test_a_gateway_survives_json_pickle_and_deepcopy(options: dict[str, Any]):
    gateway = Gateway("docs", route="url", base_url="http://127.0.0.1:8/v1", **options)
    assert Gateway.coerce(json.loads(json.dumps(gateway.to_dict()))) == gateway
    assert pickle.loads(pickle.dumps(gateway)) == gateway
    assert copy.deepcopy(gateway) == gateway


OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "route": st.sampled_from(["header", "url"]),
        "cache_ttl": st.integers(60, 2_592_000),
        "cache_key": st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=8),
        "skip_cache": st.booleans(),
        "collect_log": st.booleans(),
        "metadata": st.dictionaries(
            st.text(max_size=4), st.text(max_size=4) | st.integers() | st.booleans(), max_size=5
        ),
        "max_attempts": st.integers(1, 5),
        "backoff": st.sampled_from(["constant", "linear", "exponential"]),
        "allowed_models": st.lists(st.sampled_from(["@cf/*", "a/b"]), max_size=3),
    },
)


@given(options=OPTIONS)
def test_any_gateway_is_what_its_dict_says_and_its_headers_are_plain_ascii(options: dict[str, Any]):
    gateway = Gateway("docs", **options)
    assert Gateway.coerce(json.loads(json.dumps(gateway.to_dict()))) == gateway
    for name, value in gateway.headers().items():
        assert (name + value).isascii()
        assert value.isprintable()


# One call's options over those of the object


@pytest.mark.parametrize(
    ("change", "merged"),
    [
        ({"skip_cache": True}, Gateway("docs", cache_ttl=60, skip_cache=True)),
        ({"cache_ttl": None}, Gateway("docs")),
        ({"id": "other"}, Gateway("other", cache_ttl=60)),
        ({}, Gateway("docs", cache_ttl=60)),
        ("", Gateway("docs", cache_ttl=60)),
        ("other", Gateway("other")),
        (Gateway("other", zdr=True), Gateway("other", zdr=True)),
    ],
)
def test_a_mapping_changes_options_and_a_gateway_takes_the_place(change: Any, merged: Gateway):
    assert Gateway("docs", cache_ttl=60).merge(change) == merged


@pytest.mark.parametrize("change", [{"token": SECRET}, {"route": "url"}, {"base_url": "https://x.example"}])
def test_what_would_stand_in_traces_is_refused_per_call(change: dict[str, Any]):
    with pytest.raises(ValueError, match="cannot be given per call") as caught:
        Gateway("docs").merge(change)
    assert SECRET not in str(caught.value)


def test_an_unknown_option_is_refused_by_name():
    with pytest.raises(ValueError, match="skip_cash"):
        Gateway("docs").merge({"skip_cash": True})


# Secrets and facts


@pytest.mark.parametrize("token", [SECRET, SecretStr(SECRET)])
def test_the_token_is_shown_nowhere(token: Any):
    gateway = Gateway("docs", route="url", token=token)
    assert SECRET not in f"{gateway!r} {gateway} {gateway.to_dict()} {gateway.headers()}"
    assert "token" not in gateway.to_dict()


def test_a_gateway_from_the_environment(monkeypatch: pytest.MonkeyPatch):
    assert gateway_from_environment() is None
    monkeypatch.setenv("CLOUDFLARE_GATEWAY_ID", "second")
    assert gateway_from_environment() == Gateway("second")
    monkeypatch.setenv("CLOUDFLARE_AI_GATEWAY", "")
    assert gateway_from_environment() == Gateway("second")
    monkeypatch.setenv("CLOUDFLARE_AI_GATEWAY", "first")
    assert gateway_from_environment() == Gateway("first")
    monkeypatch.delenv("CLOUDFLARE_AI_GATEWAY")
    monkeypatch.delenv("CLOUDFLARE_GATEWAY_ID")
    monkeypatch.setenv("AI_GATEWAY", "generic")
    assert gateway_from_environment() is None


@pytest.mark.parametrize(
    ("headers", "facts"),
    [
        ({}, {}),
        ({"content-type": "x", "cf-ray": "r"}, {}),
        (
            {"cf-aig-log-id": "l", "cf-aig-cache-status": "HIT", "cf-aig-step": "0", "cf-aig-event-id": "e"},
            {"log_id": "l", "cache_status": "HIT", "step": 0, "event_id": "e"},
        ),
        ({"cf-aig-step": "first"}, {"step": "first"}),
        ({"cf-aig-model": "m", "cf-aig-provider": "p"}, {"model": "m", "provider": "p"}),
    ],
)
def test_facts_are_what_the_reply_tells(headers: dict[str, str], facts: dict[str, Any]):
    assert gateway_facts(headers) == facts
