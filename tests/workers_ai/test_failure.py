"""What an HTTP client raised, as an error of the family: by name, for httpx and httpx2 alike."""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any

import httpx
import pytest

from workers_ai import errors as e
from workers_ai.failure import failure


def clients() -> list[Any]:
    found = [pytest.param(httpx, id="httpx")]
    try:
        found.append(pytest.param(importlib.import_module("httpx2"), id="httpx2"))
    except ImportError:
        found.append(pytest.param(None, id="httpx2", marks=pytest.mark.skip(reason="httpx2 is not installed")))
    return found


@pytest.mark.parametrize("client", clients())
@pytest.mark.parametrize(
    ("name", "kind", "maybe_sent", "retryable"),
    [
        ("ConnectError", e.APIConnectionError, False, True),
        ("ReadError", e.APIConnectionError, True, True),
        ("WriteError", e.APIConnectionError, True, True),
        ("CloseError", e.APIConnectionError, True, True),
        ("RemoteProtocolError", e.APIConnectionError, True, True),
        ("ProxyError", e.APIConnectionError, False, True),
        ("ConnectTimeout", e.APITimeoutError, False, True),
        ("ReadTimeout", e.APITimeoutError, True, True),
        ("WriteTimeout", e.APITimeoutError, True, True),
        ("PoolTimeout", e.APITimeoutError, False, True),
        ("LocalProtocolError", e.BadRequestError, False, False),
        ("UnsupportedProtocol", e.BadRequestError, False, False),
        ("InvalidURL", e.BadRequestError, False, False),
        ("DecodingError", e.InvalidResponseError, True, False),
        ("TooManyRedirects", e.InvalidResponseError, True, False),
    ],
)
def test_a_client_s_error_becomes_one_of_ours(
    client: ModuleType, name: str, kind: type[e.WorkersAIError], maybe_sent: bool, retryable: bool
):
    error = failure(getattr(client, name)("it broke"), model="@cf/a/b")
    assert error is not None
    assert type(error) is kind
    assert (error.maybe_sent, error.retryable, error.model) == (maybe_sent, retryable, "@cf/a/b")
    assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("name", "word"),
    [("ConnectTimeout", "connect"), ("ReadTimeout", "read"), ("WriteTimeout", "write"), ("PoolTimeout", "pool")],
)
def test_a_time_out_says_what_was_waited_for(name: str, word: str):
    assert f"waiting to {word}" in str(failure(getattr(httpx, name)("")))


def test_a_failure_without_words_still_says_what_it_was():
    assert "ReadError" in str(failure(httpx.ReadError("")))


def test_a_subclass_is_read_as_its_base():
    class Mine(httpx.ConnectTimeout):
        pass

    error = failure(Mine("slow"))
    assert type(error) is e.APITimeoutError
    assert error.maybe_sent is False


@pytest.mark.parametrize("raised", [ValueError("x"), KeyError("x"), OSError("x"), RuntimeError("x")])
def test_what_is_not_the_client_s_is_left_alone(raised: Exception):
    assert failure(raised) is None
