"""`workers-ai doctor` against the emulator: what is wrong is named, with what to do about it."""

from __future__ import annotations

import datetime
import json
import socket
import ssl
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner, Result

from workers_ai import catalog
from workers_ai.cli import model_health, network
from workers_ai.cli.commands import app
from workers_ai.cli.finding import Finding, State
from workers_ai.failure import failure
from workers_ai.local import Account, Gateway, LocalServer

TODAY = datetime.date(2026, 11, 25)
GEMMA, RETIRED = "@cf/google/gemma-4-26b-a4b-it", "@cf/meta/llama-2-7b-chat-fp16"


@pytest.fixture(scope="module")
def server() -> Iterator[LocalServer]:
    """An account that serves what it lists, with a gateway that wants a token."""
    with LocalServer(account=Account(only_listed=True, gateways=["docs", Gateway("locked", token="gt-S3CR3T")])) as one:
        yield one


def run(server: LocalServer, *arguments: str, **changed: str) -> Result:
    return CliRunner().invoke(app, ["doctor", *arguments], env={**server.environment(), **changed})


def lines(shown: Result, word: str) -> list[str]:
    """The lines that begin with "ok", "NO" or "--"."""
    return [line.removeprefix(word).strip() for line in shown.stdout.splitlines() if line.startswith(word)]


def only_wrong(shown: Result) -> str:
    """The one thing to do."""
    (line,) = lines(shown, "NO")
    assert shown.exit_code == 1
    assert "1 to do." in shown.stdout
    return line


def test_a_healthy_account_is_all_ok(server):
    shown = run(server, CLOUDFLARE_AI_GATEWAY="docs")
    assert shown.exit_code == 0, shown.stdout
    subjects = [line.partition(":")[0].split(" ")[0] for line in lines(shown, "ok")]
    assert subjects == [
        *("account", "token", "network", "token", "permissions", "gateway", "model", "model", "chat", "embedding")
    ]
    assert "All is well." in shown.stdout
    assert "log id" in shown.stdout  # the call passed the gateway


def test_a_wrong_token_is_named_and_nothing_that_rests_on_it_is_asked(server):
    line = only_wrong(run(server, CLOUDFLARE_API_TOKEN="wrong-token-Qq47"))
    assert line.startswith("token: Cloudflare does not know it (Invalid API Token, code 1000, HTTP 401")
    assert "To do: make one with Workers AI Read and Workers AI Edit" in line


def test_a_wrong_account_is_told_apart_from_a_wrong_token(server):
    line = only_wrong(run(server, CLOUDFLARE_ACCOUNT_ID="1" * 32))
    assert line.startswith("account: Cloudflare knows no such account for this token")
    assert "To do: set CLOUDFLARE_ACCOUNT_ID to the account in which the token was made" in line


def test_what_is_no_account_id_is_told_before_anything_is_sent(server):
    server.clear()
    line = only_wrong(run(server, CLOUDFLARE_ACCOUNT_ID="my-account"))
    assert line.startswith("account: what CLOUDFLARE_ACCOUNT_ID holds is no account id")
    assert not server.requests


@pytest.mark.parametrize("by", ["environment", "argument"])
def test_an_unknown_gateway_is_named(server, by):
    shown = run(server, CLOUDFLARE_AI_GATEWAY="nowhere") if by == "environment" else run(server, "--gateway", "nowhere")
    line = only_wrong(shown)
    assert line.startswith("gateway nowhere: there is none of this name in the account. To do: make it under AI >")


def test_a_gateways_name_that_cannot_be_one_is_told(server):
    assert only_wrong(run(server, "--gateway", "no such gateway!")).startswith("settings: gateway id")


def test_a_gateway_that_wants_authentication_is_fine_by_header(server):
    shown = run(server, "--gateway", "locked")
    assert shown.exit_code == 0
    assert "gateway locked: it wants authentication: route='header' sends the account's token" in shown.stdout


def test_no_network_is_named_with_the_place_and_the_rest_is_not_asked(server):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    shown = run(server, CLOUDFLARE_BASE_URL=f"http://127.0.0.1:{port}/client/v4")
    line = only_wrong(shown)
    assert line.startswith(f"network: nothing listens at 127.0.0.1:{port}. To do: start the emulator there")
    assert {each.partition(":")[0] for each in lines(shown, "--")} == {"permissions", "chat", "embedding"}


@pytest.mark.parametrize("by", ["environment", "argument"])
def test_a_deprecated_model_is_named_with_its_successor(server, by):
    shown = run(server, MY_CHAT_MODEL=RETIRED) if by == "environment" else run(server, "--model", RETIRED)
    line = only_wrong(shown)
    origin = " (MY_CHAT_MODEL)" if by == "environment" else ""
    told = f"model {RETIRED}{origin}: it ended on 2026-05-30. To do: use @cf/meta/llama-3.1-8b-instruct-fp8"
    assert line == told


def test_a_misspelt_model_is_named_with_what_was_meant(server):
    line = only_wrong(run(server, "--model", "@cf/openai/gpt-oss-20", "--no-calls"))
    assert "To do: did you mean @cf/openai/gpt-oss-20b?" in line


def test_the_call_is_made_with_the_model_that_is_named(server):
    shown = run(server, "--model", "@cf/openai/gpt-oss-20b", MY_EMBEDDING="@cf/baai/bge-small-en-v1.5")
    assert shown.exit_code == 0, shown.stdout
    assert "chat: @cf/openai/gpt-oss-20b answers" in shown.stdout
    assert "embedding: @cf/baai/bge-small-en-v1.5 gives 384 dimensions" in shown.stdout


def test_without_calls_nothing_is_billed(server):
    server.clear()
    shown = run(server, "--no-calls")
    assert shown.exit_code == 0
    assert {request.method for request in server.requests} == {"GET"}


def test_no_line_holds_the_token_and_the_account_is_shortened(server):
    for changed in ({}, {"CLOUDFLARE_API_TOKEN": "tok-Zx81-wrong-Qq47"}, {"CLOUDFLARE_AI_GATEWAY": "locked"}):
        shown = run(server, CLOUDFLARE_GATEWAY_TOKEN="gt-S3CR3T", **changed)
        told = run(server, "--json", CLOUDFLARE_GATEWAY_TOKEN="gt-S3CR3T", **changed)
        for text in (shown.output, told.output):
            assert server.api_token not in text
            assert "Zx81" not in text
            assert "S3CR3T" not in text
    assert server.account_id not in run(server).output


def test_json_is_for_scripts(server):
    shown = run(server, "--json", "--model", RETIRED)
    told = json.loads(shown.stdout)
    assert (shown.exit_code, told["ok"]) == (1, False)
    (wrong,) = [finding for finding in told["findings"] if finding["state"] == "wrong"]
    assert wrong["remedy"] == "use @cf/meta/llama-3.1-8b-instruct-fp8"


def test_nothing_set_says_what_to_set():
    shown = CliRunner().invoke(app, ["doctor"])
    assert shown.exit_code == 1
    account, token = lines(shown, "NO")
    assert "set CLOUDFLARE_ACCOUNT_ID" in account
    assert "as CLOUDFLARE_API_TOKEN" in token


def test_the_global_key_is_no_token():
    shown = CliRunner().invoke(app, ["doctor"], env={"CLOUDFLARE_API_KEY": "k" * 37, "CLOUDFLARE_EMAIL": "a@b.c"})
    assert "none is set (CLOUDFLARE_API_KEY is the global key here)" in shown.stdout


@pytest.mark.parametrize(
    ("account", "told"),
    [
        (Account(owned_by_account=True), None),
        (Account(permissions=["Workers AI Read", "Workers AI Edit"], gateways=["docs"]), None),
        (Account(permissions=["AI Gateway Read"], gateways=["docs"]), "permissions: the token may not use Workers AI"),
        (Account(permissions=["Workers AI Read", "AI Gateway Read"], gateways=["docs"]), "chat: "),
    ],
    ids=["an account's own token", "no leave to read gateways", "no leave for Workers AI", "no leave to run"],
)
def test_permissions_are_seen_by_what_the_token_may_do(account, told):
    with LocalServer(account=account) as server:
        shown = run(server, **({"CLOUDFLARE_AI_GATEWAY": "docs"} if "docs" in account.gateways else {}))
    wrong = lines(shown, "NO")
    assert shown.exit_code == (1 if told else 0), shown.stdout
    assert wrong[0].startswith(told) if told else not wrong, shown.stdout
    assert all("Read and" in line for line in wrong)


# Parts that no emulator can show


def unreached(raised: Exception, base_url: str = "https://api.cloudflare.com/client/v4") -> Finding:
    error = failure(raised)
    assert error is not None
    error.__cause__ = raised
    return network.unreached(base_url, error)


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("raised", "told"),
    [
        (caused(httpx.ConnectError("x"), socket.gaierror(-2, "Name or service not known")), "DNS does not know"),
        (caused(httpx.ConnectError("x"), ssl.SSLCertVerificationError(1, "self-signed")), "TLS to"),
        (caused(httpx.ConnectError("x"), ConnectionRefusedError(111, "refused")), "nothing listens at"),
        (httpx.ProxyError("407 Proxy Authentication Required"), "the proxy refuses"),
        (httpx.ConnectTimeout("x"), "no answer in time"),
        (httpx.ReadError("reset"), "Connection failed: reset"),
    ],
)
def test_the_cause_of_a_lost_connection_is_named_with_its_remedy(raised, told):
    found = unreached(raised)
    assert found.state is State.WRONG
    assert told in found.told
    assert "api.cloudflare.com" in found.told
    assert found.remedy


def test_a_proxy_is_named_without_its_password(monkeypatch):
    monkeypatch.setenv("https_proxy", "http://user:pa55@proxy.example:3128")
    assert network.route("https://api.cloudflare.com/client/v4") == "api.cloudflare.com by the proxy proxy.example:3128"
    assert network.route("http://127.0.0.1:80/client/v4") == "127.0.0.1:80"


@pytest.mark.parametrize(
    ("model", "listing", "state", "told"),
    [
        (GEMMA, None, State.OK, "Text Generation"),
        ("@cf/acme/new", {"@cf/acme/new": catalog.lookup("@cf/acme/new")}, State.OK, "newer than this version"),
        ("@cf/acme/new", {}, State.WRONG, "unknown to the catalogue and the account's listing"),
        (GEMMA, {}, State.OK, "not in the account's listing"),
        ("@cf/moonshotai/kimi-k2.6", None, State.OK, "for Workers Paid or prepaid credits only"),
        ("dynamic/support", None, State.OK, "no model of Workers AI"),
        (RETIRED, None, State.WRONG, "it ended on 2026-05-30"),
    ],
)
def test_a_model_is_judged_by_catalogue_and_listing(model: str, listing: Any, state: State, told: str):
    found = model_health.judge(model, today=TODAY, listing=listing)
    assert (found.state, told in found.told) == (state, True), found


def test_an_announced_end_is_told_before_it_comes():
    found = model_health.judge(RETIRED, today=datetime.date(2026, 5, 1), listing={RETIRED: _announced()})
    assert found.state is State.OK
    assert "ends on 2026-05-30, then use" in found.told


def _announced() -> catalog.ModelInfo:
    return replace(catalog.lookup(RETIRED), status="current")
