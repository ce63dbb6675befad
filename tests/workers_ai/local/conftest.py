"""The emulator as an ASGI app, called without a socket."""

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any

import httpx
import pytest

from workers_ai.local import Account, create_app
from workers_ai.local.backend import Backend
from workers_ai.local.front_door import RecordedRequest

Frame = dict[str, Any]


class Emulator:
    """An app with its account; the calls are synchronous and carry the account's token unless told otherwise."""

    def __init__(self, account: Account | None = None, backend: Backend | None = None) -> None:
        self.account = account or Account()
        self.requests: list[RecordedRequest] = []
        self.app = create_app(self.account, backend, record=self.requests)
        self.ai = f"/client/v4/accounts/{self.account.account_id}/ai"

    def request(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, **kwargs: Any
    ) -> httpx.Response:
        async def call() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://emulator") as client:
                token = {"authorization": f"Bearer {self.account.api_token}"} if headers is None else {}
                return await client.request(method, path, headers={**token, **(headers or {})}, **kwargs)

        return asyncio.run(call())

    def post(self, path: str, body: Any, **headers: str) -> httpx.Response:
        """POST with the token and these headers, `_` standing for `-`."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        token = {"authorization": f"Bearer {self.account.api_token}"}
        return self.request("POST", path, headers={**token, **named}, json=body)

    def run(self, model: str, body: Any, **headers: str) -> httpx.Response:
        return self.post(f"{self.ai}/run/{model}", body, **headers)

    def v1(self, endpoint: str, body: Any, **headers: str) -> httpx.Response:
        return self.post(f"{self.ai}/v1/{endpoint}", body, **headers)

    def result(self, model: str, body: Any) -> Any:
        response = self.run(model, body)
        assert response.status_code == 200, response.text
        return response.json()["result"]


@pytest.fixture
def emulator() -> Emulator:
    return Emulator()


@pytest.fixture
def make_emulator() -> type[Emulator]:
    return Emulator


@pytest.fixture
def frames_of() -> Callable[[httpx.Response], list[Frame]]:
    """The frames of a streamed response that ended with `[DONE]`."""

    def frames_of(response: httpx.Response) -> list[Frame]:
        assert response.headers["content-type"] == "text/event-stream", response.text
        events = [line for line in response.text.split("\n") if line]
        assert events[-1] == "data: [DONE]"
        return [json.loads(event.removeprefix("data: ")) for event in events[:-1]]

    return frames_of


@pytest.fixture
def said() -> Callable[[str], list[dict[str, str]]]:
    """A chat of one user message."""
    return lambda text: [{"role": "user", "content": text}]
