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

MONTH = 2_592_000
COSTS = ("per_token_in", "per_token_out", "per_cache_read_token", "per_cache_write_token")
NO_TEXT = [7, True, "", " k", "k ", "ключ", "a\nb", "a\r\nx: y", "a\tb", "a\x7f"]
NO_FLAG = ["true", 1, 0]
NO_LIST = [7, "", [], (), ("ok", "a\nb"), ["é"], ["a,b"], [7]]

# option, its header, values that are good as they go out, values that are refused
HEADERS: list[tuple[str, str, list[tuple[Any, str]], list[Any]]] = [
    (
        "cache_ttl",
        "cf-aig-cache-ttl",
        [(60, "60"), (3600, "3600"), (MONTH, str(MONTH))],
        [59, 0, -1, MONTH + 1, True, 60.5, "60"],
    ),
    ("cache_key", "cf-aig-cache-key", [("k-1", "k-1"), ("a key", "a key")], NO_TEXT),
    ("skip_cache", "cf-aig-skip-cache", [(True, "true")], NO_FLAG),
    ("collect_log", "cf-aig-collect-log", [(True, "true"), (False, "false")], NO_FLAG),
    ("collect_log_payload", "cf-aig-collect-log-payload", [(True, "true"), (False, "false")], NO_FLAG),
    (
        "metadata",
        "cf-aig-metadata",
        [
            ({"user": "Jörg", "n": 3}, '{"user":"J\\u00f6rg","n":3}'),
            ({"x": 1.5, "ok": True}, '{"x":1.5,"ok":true}'),
            ({str(n): n for n in range(5)}, '{"0":0,"1":1,"2":2,"3":3,"4":4}'),
        ],
        [
            {"a": None},
            {"a": {"b": 1}},
            {"a": [1]},
            {"a": float("nan")},
            {1: "a"},
            {str(n): n for n in range(6)},
            {"cf.user_id": "u"},
            "user=1",
            7,
        ],
    ),
    ("event_id", "cf-aig-event-id", [("ev-1", "ev-1")], NO_TEXT),
    ("request_timeout_ms", "cf-aig-request-timeout", [(1, "1"), (600_000, "600000")], [0, -1, 1.5, "5000", True]),
    ("max_attempts", "cf-aig-max-attempts", [(1, "1"), (5, "5")], [0, 6, 2.0, "3", True]),
    ("retry_delay_ms", "cf-aig-retry-delay", [(0, "0"), (5000, "5000")], [-1, 5001, 0.5, "250", False]),
    ("backoff", "cf-aig-backoff", [(name, name) for name in ("constant", "linear", "exponential")], ["random", "", 2]),
    (
        "custom_cost",
        "cf-aig-custom-cost",
        [({"per_token_in": 0.5}, '{"per_token_in":0.5}'), (dict.fromkeys(COSTS, 0), None)],
        [{}, {"per_word": 1}, {"per_token_in": -1}, {"per_token_in": "1"}, {"per_token_in": float("inf")}, 0.5],
    ),
    ("byok_alias", "cf-aig-byok-alias", [("blue", "blue")], NO_TEXT),
    ("no_wholesale", "cf-aig-no-wholesale", [(True, "true")], NO_FLAG),
    ("zdr", "cf-aig-zdr", [(True, "true"), (False, "false")], NO_FLAG),
    ("session_id", "cf-aig-session-id", [("s-1", "s-1")], NO_TEXT),
    ("turn_id", "cf-aig-turn-id", [("t-1", "t-1")], NO_TEXT),
    ("no_session_affinity", "cf-aig-no-session-affinity", [(True, "true")], NO_FLAG),
    (
        "allowed_models",
        "cf-aig-allowed-models",
        [(["a/*", "b/c"], "a/*,b/c"), ("a/*,b/c", "a/*,b/c"), (("@cf/*",), "@cf/*")],
        NO_LIST,
    ),
    (
        "allowed_providers",
        "cf-aig-allowed-providers",
        [("workers-ai", "workers-ai"), (["openai", "workers-ai"], "openai,workers-ai")],
        NO_LIST,
    ),
]

EVERY_OPTION: dict[str, Any] = {option: good[0][0] for option, _, good, _ in HEADERS}


@pytest.mark.parametrize(
    ("option", "header", "value", "sent"),
    [(option, header, value, sent) for option, header, good, _ in HEADERS for value, sent in good],
)
def test_an_option_is_one_header_and_nothing_else_is_sent(option: str, header: str, value: Any, sent: str | None):
    headers = Gateway("docs", **{option: value}).headers()
    assert list(headers) == [header]
    assert headers[header] == (json.dumps(value, separators=(",", ":")) if sent is None else sent)


@pytest.mark.parametrize(
    ("option", "value"), [(option, value) for option, _, _, refused in HEADERS for value in refused]
)
def test_what_the_gateway_would_refuse_or_drop_is_refused_by_name(option: str, value: Any):
    with pytest.raises(ValueError, match=f"^gateway {option}"):
        Gateway("docs", **{option: value})


def test_there_is_a_row_for_every_option():
    assert set(EVERY_OPTION) == {each.name for each in fields(Gateway)} - {"id", "token", "route", "base_url"}
    assert len(Gateway("docs", **EVERY_OPTION).headers()) == len(EVERY_OPTION)


def test_nothing_is_sent_that_was_not_asked_for():
    assert Gateway("docs").headers() == {}
    unasked = {"skip_cache": False, "no_wholesale": False, "no_session_affinity": False}
    assert Gateway("docs", **unasked).headers() == {}


def test_a_route_is_one_of_two():
    with pytest.raises(ValueError, match="route"):
        Gateway("docs", route="direct")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["", " ", "a b", "a/b", "-a", "ä", "a" * 65, "a\n"])
def test_an_id_is_a_short_word(name: str):
    with pytest.raises(ValueError, match="gateway id"):
        Gateway(name)


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


@pytest.mark.parametrize("options", [{}, *({name: value} for name, value in EVERY_OPTION.items()), EVERY_OPTION])
def test_a_gateway_has_a_hash_and_what_it_holds_cannot_be_changed(options: dict[str, Any]):
    gateway = Gateway("docs", **options)
    assert {gateway: 1}[Gateway("docs", **options)] == 1
    assert hash(gateway.replace(id="other")) != hash(gateway)
    for held in (gateway.metadata, gateway.custom_cost):
        with pytest.raises(TypeError):
            held["a"] = 1  # type: ignore[index]


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
        (False, None),
        ("docs", Gateway("docs")),
        ({"id": "docs", "cache_ttl": 60}, Gateway("docs", cache_ttl=60)),
        (Gateway("docs"), Gateway("docs")),
    ],
)
def test_what_users_write_is_understood(value: Any, gateway: Gateway | None):
    assert Gateway.coerce(value) == gateway


@pytest.mark.parametrize("value", [7, True, ["docs"], b"docs", {"cache_ttl": 60}, {"id": "docs", "ttl": 60}])
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
        "allowed_models": st.lists(st.sampled_from(["@cf/*", "a/b"]), min_size=1, max_size=3),
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
        (False, None),
        ("other", Gateway("other")),
        (Gateway("other", zdr=True), Gateway("other", zdr=True)),
    ],
)
def test_a_mapping_changes_options_and_a_gateway_takes_the_place_and_false_leaves_it_out(
    change: Any, merged: Gateway | None
):
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
        ({"cf-aig-dlp": '{"action":"FLAG"}'}, {"dlp": {"action": "FLAG"}}),
        ({"cf-aig-dlp": "yes"}, {"dlp": "yes"}),
        ({"cf-aig-model": "m", "cf-aig-provider": "p"}, {"model": "m", "provider": "p"}),
    ],
)
def test_facts_are_what_the_reply_tells(headers: dict[str, str], facts: dict[str, Any]):
    assert gateway_facts(headers) == facts
