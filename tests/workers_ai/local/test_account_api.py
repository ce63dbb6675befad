"""What the API tells of a token and of a gateway, and an account that serves its listing only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from workers_ai.local import Account, Gateway, LocalServer

Ask = Callable[..., httpx.Response]


@pytest.fixture
def ask() -> Iterator[Callable[[Account], Ask]]:
    """Asks the server of an account; `token` in place of its own."""
    servers: list[LocalServer] = []

    def serve(account: Account) -> Ask:
        server = LocalServer(account=account).start()
        servers.append(server)

        def send(path: str, *, token: str | None = None, body: Any = None) -> httpx.Response:
            headers = {"authorization": f"Bearer {token or account.api_token}"}
            url = f"{server.base_url}{path.format(account=account.account_id)}"
            method = "GET" if body is None else "POST"
            return httpx.request(method, url, headers=headers, json=body, trust_env=False, timeout=20)

        return send

    yield serve
    for server in servers:
        server.stop()


USER, OWN = "/user/tokens/verify", "/accounts/{account}/tokens/verify"


@pytest.mark.parametrize(("owned", "good", "other"), [(False, USER, OWN), (True, OWN, USER)])
def test_each_form_of_verify_knows_its_own_tokens_only(ask, owned, good, other):
    send = ask(Account(owned_by_account=owned))
    found = send(good).json()
    assert found["result"]["status"] == "active"
    assert found["messages"][0]["message"] == "This API Token is valid and active"
    refused = send(other)
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (401, 1000)
    assert send(good, token="another").status_code == 401


def test_a_gateways_settings_say_whether_it_wants_authentication(ask):
    send = ask(Account(gateways=["open", Gateway("locked", token="t")]))
    path = "/accounts/{account}/ai-gateway/gateways/"
    told = {name: send(path + name).json()["result"]["authentication"] for name in ("open", "locked", "default")}
    assert told == {"open": False, "locked": True, "default": False}
    assert send(path + "nowhere").status_code == 404
    assert '"t"' not in send(path + "locked").text


@pytest.mark.parametrize(
    ("permission", "path", "body"),
    [
        ("Workers AI Read", "/accounts/{account}/ai/models/search", None),
        ("Workers AI Edit", "/accounts/{account}/ai/run/@cf/baai/bge-m3", {"text": "a"}),
        ("AI Gateway Read", "/accounts/{account}/ai-gateway/gateways/default", None),
    ],
)
def test_a_permission_that_the_token_lacks_is_refused(ask, permission, path, body):
    every = {"Workers AI Read", "Workers AI Edit", "AI Gateway Read"}
    refused = ask(Account(permissions=every - {permission}))(path, body=body)
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (403, 10000)
    assert ask(Account(permissions=[permission]))(path, body=body).status_code == 200


@pytest.mark.parametrize(
    ("model", "status", "code"),
    [
        ("@cf/no/such-model", 400, 5007),
        ("@cf/meta/llama-2-7b-chat-fp16", 410, 5028),
        ("@cf/meta/llama-3.3-70b-instruct-fp8-fast", 200, None),
        ("@cf/swiss-ai/apertus-v1.5-8b", 200, None),
    ],
)
def test_an_account_that_serves_its_listing_refuses_the_rest(ask, model, status, code):
    body = {"messages": [{"role": "user", "content": "Hi"}]}
    answer = ask(Account(only_listed=True))("/accounts/{account}/ai/run/" + model, body=body)
    assert answer.status_code == status
    if code:
        assert answer.json()["errors"][0]["code"] == code


def test_unless_it_is_told_to_an_account_serves_any_id(ask):
    body = {"messages": [{"role": "user", "content": "Hi"}]}
    assert ask(Account())("/accounts/{account}/ai/run/@cf/invented/model", body=body).status_code == 200
