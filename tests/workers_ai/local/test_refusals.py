"""Refusals by code, as the client reads them."""

from __future__ import annotations

import pytest

from workers_ai import Client, WorkersAIError
from workers_ai.local import LocalServer, refusals


@pytest.mark.parametrize("code", refusals.KNOWN)
def test_each_known_code_arrives_as_itself(code: int):
    """With its status, and an error that is more than the family's root: the client knows what it means."""
    with LocalServer() as server:
        client = Client(
            account_id=server.account_id, api_token=server.api_token, base_url=server.base_url, max_retries=0
        )
        server.script.fail(code)
        with pytest.raises(WorkersAIError) as caught:
            client.chat("Hello?")
    error = caught.value
    assert (error.code, error.status) == (code, refusals.of(code).status)
    assert type(error) is not WorkersAIError
