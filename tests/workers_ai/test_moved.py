"""What other packages' users have written: addresses with the account in them, options of a gateway."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from workers_ai.connection import ConnectionFields
from workers_ai.gateway import Gateway
from workers_ai.moved import MOVED, settle_address, settle_gateway

ACCOUNT = "0123456789abcdef" * 2
REST = "https://api.cloudflare.com/client/v4"
HOST = "https://gateway.ai.cloudflare.com/v1"


@pytest.mark.parametrize(
    ("address", "told"),
    [
        (f"{REST}/accounts/{ACCOUNT}/ai/v1", {"base_url": REST, "account_id": ACCOUNT, "api": "openai"}),
        (f"{REST}/accounts/{ACCOUNT}/ai/v1/", {"base_url": REST, "account_id": ACCOUNT, "api": "openai"}),
        (f"{REST}/accounts/{ACCOUNT}/ai/run", {"base_url": REST, "account_id": ACCOUNT, "api": "native"}),
        (f"{REST}/accounts/{ACCOUNT}/ai", {"base_url": REST, "account_id": ACCOUNT}),
        (f"{REST}/accounts", {"base_url": REST, "account_id": None}),
        (REST, {"base_url": REST}),
        ("https://proxy.example/accounts-of-mine", {"base_url": "https://proxy.example/accounts-of-mine"}),
        (None, {"base_url": None}),
    ],
)
def test_an_address_is_taken_apart(address: str | None, told: dict[str, Any]):
    assert settle_address({"base_url": address}) == told


@pytest.mark.parametrize(("tail", "api"), [("", {}), ("/v1", {"api": "openai"})])
def test_a_gateway_s_address_names_the_gateway_too(tail: str, api: dict[str, Any]):
    gateway = {"id": "docs", "route": "url", "base_url": HOST}
    told = settle_address({"base_url": f"{HOST}/{ACCOUNT}/docs/workers-ai{tail}"})
    assert told == {"account_id": ACCOUNT, "gateway": gateway, **api}


def test_an_argument_goes_before_what_the_address_says_of_the_api():
    assert settle_address({"base_url": f"{REST}/accounts/{ACCOUNT}/ai/v1", "api": "native"})["api"] == "native"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"base_url": f"{REST}/accounts/{ACCOUNT}/ai/v1", "account_id": "f" * 32}, "two accounts"),
        ({"base_url": f"{HOST}/{ACCOUNT}/docs/workers-ai", "gateway": "other"}, "leave one of the two out"),
        ({"base_url": f"{REST}/accounts/my-account/ai/v1"}, "'my-account' is not an account id"),
    ],
)
def test_what_contradicts_itself_is_refused(values: dict[str, Any], words: str):
    with pytest.raises(ValidationError, match=words):
        ConnectionFields(**values)


def test_options_of_a_gateway_are_merged_into_the_one_that_is_named():
    gateway = Gateway("docs", token="t", cache_ttl=60)
    merged = settle_gateway({"gateway.max_attempts": 3, "gateway": gateway, "api": "native"})
    assert merged == {"gateway": gateway.replace(max_attempts=3), "api": "native"}


def test_the_environment_may_name_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CLOUDFLARE_AI_GATEWAY", "docs")
    assert settle_gateway({"gateway.backoff": "linear"}) == {"gateway": Gateway("docs", backoff="linear")}


def test_without_one_the_error_asks_for_its_id():
    note, error = (
        pytest.warns(DeprecationWarning, match="aig_max"),
        pytest.raises(ValidationError, match="name its 'id'"),
    )
    with note, error:
        ConnectionFields(aig_max_attempts=3)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_defaults_that_were_written_out_ask_for_no_gateway():
    made = ConnectionFields(aig_max_attempts=None, aig_no_session_affinity=False, ai_gateway=None)
    assert made.gateway is None


def test_the_table_names_what_there_is():
    fields, options = ConnectionFields.model_fields, Gateway.__dataclass_fields__
    for name, _ in MOVED.values():
        argument, _, option = name.partition(".")
        assert argument in fields
        assert not option or option in options
