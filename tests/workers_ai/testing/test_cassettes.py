"""What `vcr_config` takes out of a recording, and what it leaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import vcr
from pydantic import SecretStr
from vcr.request import Request

from workers_ai import Gateway
from workers_ai.call import Call
from workers_ai.redaction import MASK
from workers_ai.tasks.chat import ChatRequest, exchange
from workers_ai.testing.cassettes import IDS, NO_ACCOUNT, NO_GATEWAY, vcr_config

ACCOUNT, TOKEN = "c0ffee" * 5 + "00", "another-token-altogether"

SECRET_HEADERS = {
    "Authorization": f"Bearer {TOKEN}",
    "cf-aig-authorization": f"Bearer {TOKEN}",
    "Cookie": "session=1",
    "X-Auth-Key": "key",
    "x-of-a-users-own": "unknown",
}


def test_a_request_loses_its_credentials_account_and_gateway():
    """In the address of either host, in headers known and unknown, and in the body."""
    told = {**SECRET_HEADERS, "Content-Type": "application/json", "cf-aig-gateway-id": "mine", "cf-aig-cache-ttl": "60"}
    body = f'{{"note": "{TOKEN}"}}'
    clean = vcr_config([TOKEN])["before_record_request"]
    for uri, shown in [
        (f"https://api.cloudflare.com/client/v4/accounts/{ACCOUNT}/ai/run/@cf/a/b", f"/accounts/{'0' * 32}/ai/run"),
        (f"https://gateway.ai.cloudflare.com/v1/{ACCOUNT}/mine/workers-ai/@cf/a/b", f"/v1/{'0' * 32}/gateway/workers"),
    ]:
        request = clean(Request("POST", uri, body.encode(), told))
        assert shown in request.uri
        assert request.headers == {
            "content-type": "application/json",
            "cf-aig-gateway-id": "gateway",
            "cf-aig-cache-ttl": "60",
        }
        assert TOKEN not in request.body.decode()
        assert ACCOUNT not in request.uri + request.body.decode()


def test_a_request_that_holds_several_loses_the_token_in_each():
    """A gateway's universal endpoint: every step has the Authorization of its own, in the body."""
    gateway = Gateway("mine", route="url")
    call = Call("@cf/google/gemma-4-26b-a4b-it", gateway=gateway, fallback=["@cf/openai/gpt-oss-20b"])
    request = exchange(ChatRequest(call, [{"role": "user", "content": "Hi"}])).request
    assert callable(request.body)
    body = request.body(SecretStr(f"Bearer {TOKEN}"))
    assert body.count(f"Bearer {TOKEN}".encode()) == 2
    sent = Request(
        "POST", f"https://gateway.ai.cloudflare.com/v1/{ACCOUNT}/mine", body, {"Authorization": f"Bearer {TOKEN}"}
    )
    kept = vcr_config()["before_record_request"](sent)
    assert TOKEN not in kept.body.decode()
    assert ACCOUNT not in kept.uri


def test_a_response_loses_its_cookies_and_its_own_ids():
    """And what it repeats of the request: error pages do."""
    answered = {
        "status": {"code": 401, "message": "Unauthorized"},
        "headers": {"Set-Cookie": ["__cf_bm=1"], "CF-Ray": ["8f-FRA"], "Date": ["now"], "Content-Type": ["text/plain"]},
        "body": {"string": f"/accounts/{ACCOUNT}/ai Authorization: Bearer {TOKEN}".encode()},
    }
    clean = vcr_config()["before_record_response"](answered)
    assert clean["headers"] == {"content-type": ["text/plain"], "cf-ray": [IDS["cf-ray"]]}
    assert clean["body"]["string"] == f"/accounts/{'0' * 32}/ai Authorization: Bearer {MASK}".encode()


def response(body: str | bytes, **headers: str) -> dict[str, Any]:
    return {
        "status": {"code": 200, "message": "OK"},
        "headers": {name.replace("_", "-"): [value] for name, value in headers.items()},
        "body": {"string": body if isinstance(body, bytes) else body.encode()},
    }


def sent(config: dict[str, Any], body: str = "{}", path: str = "ai/run/@cf/a/b", **headers: str) -> Request:
    uri = f"https://api.cloudflare.com/client/v4/accounts/{ACCOUNT}/{path}"
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return config["before_record_request"](Request("POST", uri, body.encode(), named))


def test_an_answer_loses_what_its_request_was_sent_with():
    """Token, account and gateway that no variable holds: error pages repeat them."""
    config = vcr_config()
    sent(config, authorization=f"Bearer {TOKEN}", cf_aig_gateway_id="mine")
    told = f'{{"text": "{TOKEN} of {ACCOUNT}: no gateway \'mine\', gateway: mine", "gateway_id":"mine", "of": "mine"}}'
    body = config["before_record_response"](response(told))["body"]["string"].decode()
    assert body == (
        f'{{"text": "{MASK} of {NO_ACCOUNT}: no gateway \'gateway\', gateway: gateway", '
        f'"gateway_id":"{NO_GATEWAY}", "of": "mine"}}'
    )


def test_what_the_environment_holds_is_taken_out(monkeypatch: pytest.MonkeyPatch):
    """Gateway tokens and the other spellings among them; in an address too."""
    for name, value in {
        "CF_AIG_TOKEN": "gateway-token-of-twenty",
        "CF_API_TOKEN": TOKEN,
        "CF_ACCOUNT_ID": ACCOUNT,
        "CLOUDFLARE_AI_GATEWAY": "mine",
    }.items():
        monkeypatch.setenv(name, value)
    config = vcr_config()
    seen = sent(config, f'"gateway-token-of-twenty {ACCOUNT}"', f"ai-gateway/gateways/mine/logs?token={TOKEN}")
    assert seen.uri.endswith(f"/accounts/{NO_ACCOUNT}/ai-gateway/gateways/{NO_GATEWAY}/logs?token={MASK}")
    assert seen.body.decode() == f'"{MASK} {NO_ACCOUNT}"'


@pytest.mark.parametrize("token", ["token", "test-token"])
def test_a_tests_own_token_does_not_change_what_matches(token: str, monkeypatch: pytest.MonkeyPatch):
    """A request recorded with a real one holds the word "token" as it was; so must a replayed one."""
    monkeypatch.setenv("CLOUDFLARE_API_TOKEN", token)
    body = '{"prompt": "What is a test-token?"}'
    assert sent(vcr_config(), body, authorization=f"Bearer {token}").body.decode() == body


def test_the_text_of_a_request_does_not_depend_on_the_gateway():
    """Else it would match only through a gateway of the same name."""
    body = '{"prompt": "Which gateway: docs or mine?"}'
    assert sent(vcr_config(), body, cf_aig_gateway_id="docs").body.decode() == body


@pytest.mark.parametrize(
    "body",
    [
        b'data: {"response":"a\xe2\x80\xa8b"}\r\n\r\n: ping\n\ndata: [DONE]\n\n',
        b"\xff\xd8\xff\xe0 no text",
        b"",
    ],
)
def test_a_body_without_secrets_stays_byte_for_byte(body: bytes):
    config = vcr_config()
    once = config["before_record_response"](response(body, content_type="text/event-stream"))
    assert once["body"]["string"] == body
    assert config["before_record_response"](once) == once


def test_cleaning_twice_changes_nothing_more():
    """vcrpy cleans what it reads again, before it compares."""
    config = vcr_config([TOKEN])
    once = sent(config, f'"{TOKEN}"', authorization=f"Bearer {TOKEN}", cf_aig_gateway_id="mine")
    uri, headers, body = once.uri, dict(once.headers), once.body
    again = config["before_record_request"](once)
    assert (again.uri, again.headers, again.body) == (uri, headers, body)


STREAM = 'data: {"response":"Ä \u2028 "}\r\n\r\n: ping\n\ndata: {"response":7}\n\ndata: [DONE]\n\n'.encode()


class Pieces(httpx.SyncByteStream, httpx.AsyncByteStream):
    """The stream cut inside a character."""

    def __iter__(self) -> Iterator[bytes]:
        yield from (STREAM[:21], STREAM[21:])

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self:
            yield piece


def read(url: str, transport: httpx.MockTransport | None, *, by_async: bool) -> bytes:
    """The bytes of a stream, from a transport or from the network."""

    async def read_async() -> bytes:
        async with httpx.AsyncClient(transport=transport) as client, client.stream("POST", url, json={}) as response:
            return b"".join([piece async for piece in response.aiter_bytes()])

    if by_async:
        return asyncio.run(read_async())
    with httpx.Client(transport=transport) as client, client.stream("POST", url, json={}) as response:
        return b"".join(response.iter_bytes())


@pytest.mark.block_network
@pytest.mark.parametrize("recorded_by_async", [False, True])
@pytest.mark.parametrize("played_by_async", [False, True])
def test_a_stream_plays_byte_for_byte(recorded_by_async: bool, played_by_async: bool, tmp_path: Path):
    """Through the file that vcrpy itself writes, whichever way it was recorded, for another account."""

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=Pieces())

    address = "https://api.cloudflare.com/client/v4/accounts/{}/ai/run/@cf/a/b"
    recorder = vcr.VCR(record_mode="once", **vcr_config())
    with recorder.use_cassette(str(tmp_path / "one.yaml")):
        mounted = httpx.MockTransport(answer)
        assert read(address.format(ACCOUNT), mounted, by_async=recorded_by_async) == STREAM
    assert ACCOUNT not in (tmp_path / "one.yaml").read_text(encoding="utf-8")
    with recorder.use_cassette(str(tmp_path / "one.yaml")) as played:
        assert read(address.format("f" * 32), None, by_async=played_by_async) == STREAM
    assert played.all_played
