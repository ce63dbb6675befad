"""`client.models`: the listing of an account, from the emulator."""

from __future__ import annotations

import asyncio

import pytest

from workers_ai import AuthenticationError, Client
from workers_ai.tasks import models as tasks


@pytest.fixture
def client(emulator) -> Client:
    return Client(account_id=emulator.account_id, api_token=emulator.api_token, base_url=emulator.base_url)


def test_the_listing_is_read_page_by_page_plain_and_async(client, emulator, monkeypatch):
    """All of it, whatever the size of a page."""
    whole = [model.id for model in client.models.list()]
    monkeypatch.setattr(tasks, "PER_PAGE", 7)
    emulator.clear()
    assert [model.id for model in client.models.list()] == whole
    assert len(emulator.requests) == -(-len(whole) // 7)
    assert [model.id for model in asyncio.run(client.models.alist())] == whole


@pytest.mark.parametrize(
    ("filters", "found"),
    [({"task": "Text Embeddings", "author": "baai"}, "@cf/baai/bge-m3"), ({"search": "gpt-oss-20b"}, "gpt-oss-20b")],
)
def test_filters_reach_the_service(client, filters, found):
    models = client.models.list(**filters)
    assert any(found in model.id for model in models)
    assert len(models) < 10


def test_the_gateway_of_a_client_has_no_part_in_it(emulator):
    """A listing is no call of a model: a gateway that does not exist does not matter."""
    with Client(
        account_id=emulator.account_id, api_token=emulator.api_token, base_url=emulator.base_url, gateway="nowhere"
    ) as client:
        assert client.models.list(search="bge-m3")


def test_a_wrong_token_is_an_error_of_the_family(emulator):
    client = Client(account_id=emulator.account_id, api_token="wrong-token", base_url=emulator.base_url)
    with pytest.raises(AuthenticationError):
        client.models.list()
