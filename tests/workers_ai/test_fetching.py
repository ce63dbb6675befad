"""Pictures named by address become data: URLs: bounded, without credentials, and only pictures."""

from __future__ import annotations

import asyncio
import base64
import socket
from collections.abc import Callable
from typing import Any

import httpx
import pytest

import workers_ai
from workers_ai.errors import BadRequestError
from workers_ai.fetching import MAX_BYTES, afetch, fetch

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)


@pytest.fixture(params=["fetch", "afetch"])
def way(request: pytest.FixtureRequest) -> Callable[[str], str]:
    """Both ways to fetch."""
    return fetch if request.param == "fetch" else lambda url: asyncio.run(afetch(url))


@pytest.fixture
def serving(listen: Any, acts: Any) -> Callable[..., Any]:
    """Makes a server that answers every request with this body."""

    def serve(body: bytes, **told: Any) -> Any:
        return listen(lambda *_: [acts.http(body, **told)])

    return serve


def url_of(server: Any) -> str:
    return f"http://127.0.0.1:{server.port}/a.png"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (PNG, "png"),
        (b"\xff\xd8\xff\xe0" + bytes(9), "jpeg"),
        (b"GIF89a" + bytes(9), "gif"),
        (b"RIFF" + bytes(9), "webp"),
    ],
)
def test_the_kind_is_told_by_the_bytes(serving: Any, way: Callable[[str], str], body: bytes, kind: str):
    """Not by the server's word for it."""
    server = serving(body, headers={"content-type": "application/octet-stream"})
    assert way(url_of(server)) == f"data:image/{kind};base64,{base64.b64encode(body).decode()}"


def test_no_credentials_go_with_the_request(serving: Any, way: Callable[[str], str]):
    server = serving(PNG)
    way(url_of(server))
    (request,) = server.requests
    assert request.startswith(b"GET /a.png ")
    assert b"authorization" not in request.lower()
    assert b"cf-aig" not in request.lower()


@pytest.mark.parametrize("body", [b"", b"<html>", b"<svg>", b"%PDF-1.7"])
def test_what_is_no_picture_is_refused(serving: Any, way: Callable[[str], str], body: bytes):
    server = serving(body)
    with pytest.raises(BadRequestError, match=r"no picture at .*a\.png \(HTTP 200\)") as raised:
        way(url_of(server))
    assert raised.value.maybe_sent is False


@pytest.mark.parametrize("status", [404, 500])
def test_an_error_page_is_refused_with_its_status(serving: Any, way: Callable[[str], str], status: int):
    server = serving(PNG, status=status)
    with pytest.raises(BadRequestError, match=f"HTTP {status}"):
        way(url_of(server))


def test_a_redirect_is_not_followed(listen: Any, acts: Any, way: Callable[[str], str]):
    """It could lead to an address inside the caller's own network."""
    server = listen(lambda *_: [acts.http(b"", status=302, headers={"location": "/other.png"})])
    with pytest.raises(BadRequestError, match="HTTP 302"):
        way(url_of(server))
    assert len(server.requests) == 1


def test_a_picture_that_is_too_large_is_not_read_to_its_end(listen: Any, acts: Any, way: Callable[[str], str]):
    """The limit is 10 MiB, whatever length was promised."""
    piece = PNG + bytes(1024 * 1024)
    server = listen(lambda *_: acts.chunked(*[piece] * (MAX_BYTES // len(piece) + 50)))
    with pytest.raises(BadRequestError, match="larger than 10 MiB"):
        way(url_of(server))


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://example.com/a.png", "//example.com/a.png", "a.png", ""])
def test_only_http_addresses_are_fetched(way: Callable[[str], str], url: str):
    with pytest.raises(BadRequestError, match=r"http\(s\) addresses only"):
        way(url)


def test_a_failed_connection_is_httpxs_own_error(way: Callable[[str], str]):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(httpx.TransportError):
        way(f"http://127.0.0.1:{port}/a.png")
    workers_ai.close_all()
