"""Pictures named by address become data: URLs: bounded, without credentials, and only pictures."""

from __future__ import annotations

import asyncio
import base64
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import httpx
import pytest

import workers_ai
from workers_ai import catalog
from workers_ai.errors import APIConnectionError, APITimeoutError, BadRequestError
from workers_ai.fetching import MAX_BYTES, afetch, fetch
from workers_ai.text_fields import ChatFields

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)
BYTES_ONLY = next(iter(catalog.models(where=lambda model: model.data_urls_only))).id


class AdapterError(APIConnectionError):
    """An adapter's own class."""


class Adapter(ChatFields):
    error_classes: ClassVar[Any] = {APIConnectionError: AdapterError}


@pytest.fixture(params=["fetch", "afetch"])
def way(request: pytest.FixtureRequest) -> Callable[[str], str]:
    """Both ways to fetch."""
    return fetch if request.param == "fetch" else lambda url: asyncio.run(afetch(url))


@pytest.fixture(params=["fetch", "afetch"])
def limited(request: pytest.FixtureRequest) -> Callable[[str], str]:
    """Both ways, with less time."""
    if request.param == "fetch":
        return lambda url: fetch(url, seconds=0.3)
    return lambda url: asyncio.run(afetch(url, seconds=0.3))


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    yield port
    workers_ai.close_all()


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
        (b"RIFF\n\x00\x00\xffWEBPVP8 " + bytes(9), "webp"),
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


@pytest.mark.parametrize("body", [b"", b"<html>", b"<svg>", b"%PDF-1.7", b"RIFF\x00\x00\x00\x00WAVEfmt ", b"RIFF"])
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


def test_a_failed_connection_is_an_error_of_the_family(way: Callable[[str], str], closed_port: int):
    with pytest.raises(APIConnectionError, match=r"the picture at .*a\.png could not be fetched") as caught:
        way(f"http://127.0.0.1:{closed_port}/a.png")
    assert isinstance(caught.value.__cause__, httpx.TransportError)
    assert caught.value.maybe_sent is False


def test_an_address_that_no_client_can_read_is_an_error_of_the_family(way: Callable[[str], str]):
    with pytest.raises(BadRequestError, match="could not be fetched"):
        way("http://host:port/a.png")


def test_a_picture_that_comes_in_drops_is_given_up(listen: Any, acts: Any, limited: Callable[[str], str]):
    """Each read is quick enough; all of them together are not."""
    head, *drops = acts.chunked(PNG, *[bytes(1)] * 100)
    server = listen(lambda *_: [head, *(act for drop in drops for act in (drop, 0.05))])
    started = time.monotonic()
    with pytest.raises(APITimeoutError, match=r"a\.png was not here in time") as caught:
        limited(url_of(server))
    assert time.monotonic() - started < 2
    assert caught.value.maybe_sent is False


def asking(port: int, count: int) -> list[Any]:
    """A message with so many pictures."""
    urls = [f"http://127.0.0.1:{port}/{place}.png" for place in range(count)]
    return [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}} for url in urls]}]


@pytest.fixture(params=["plain", "async"])
def with_pictures(request: pytest.FixtureRequest) -> Callable[[list[Any]], list[Any]]:
    """What a chat class of an adapter makes of messages, both ways."""
    fields = Adapter(fetch_images=True)
    if request.param == "plain":
        return lambda messages: fields._with_pictures(messages, BYTES_ONLY)
    return lambda messages: asyncio.run(fields._awith_pictures(messages, BYTES_ONLY))


def test_several_pictures_are_fetched_at_once_and_keep_their_places(
    listen: Any, acts: Any, with_pictures: Callable[[list[Any]], list[Any]]
):
    def answer(_: int, request: bytes) -> list[Any]:
        return [0.2, acts.http(PNG + request.split()[1])]

    started = time.monotonic()
    (message,) = with_pictures(asking(listen(answer).port, 4))
    assert time.monotonic() - started < 0.6
    sent = [base64.b64decode(part["image_url"]["url"].partition(",")[2]) for part in message["content"]]
    assert sent == [PNG + f"/{place}.png".encode() for place in range(4)]


@pytest.mark.parametrize("count", [1, 3])
def test_what_fails_is_raised_as_the_adapter_s_own_class(
    closed_port: int, count: int, with_pictures: Callable[[list[Any]], list[Any]]
):
    with pytest.raises(AdapterError) as caught:
        with_pictures(asking(closed_port, count))
    assert isinstance(caught.value.__cause__, httpx.ConnectError)
