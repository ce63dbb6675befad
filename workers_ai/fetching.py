"""Pictures named by address, brought here as `data:` URLs: for models that take no addresses, and only when asked to.

The request carries no credentials, follows no redirect, and is bounded in size and time.
"""

from __future__ import annotations

import asyncio
import base64
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from workers_ai.errors import APITimeoutError, BadRequestError, WorkersAIError
from workers_ai.failure import failure

if TYPE_CHECKING:
    import httpx

MAX_BYTES = 10 * 1024 * 1024
SECONDS = 20.0
AT_ONCE = 4
"""Pictures fetched at the same time for one request."""

_MAGIC = (
    (re.compile(rb"\x89PNG"), "image/png"),
    (re.compile(rb"\xff\xd8\xff"), "image/jpeg"),
    (re.compile(rb"GIF8"), "image/gif"),
    (re.compile(rb"RIFF.{4}WEBP", re.DOTALL), "image/webp"),  # sounds and films are RIFF too
)


def fetch(url: str, *, seconds: float = SECONDS) -> str:
    """The picture at `url` as a data: URL.

    seconds: for the whole of the body, and for each wait before it.
    Raises BadRequestError for an address that is not http(s), and for an answer that is no picture or over 10 MiB;
    APITimeoutError for one that is not here in time, APIConnectionError for a failed connection. None of them
    `maybe_sent`: nothing has gone to the service yet.
    """
    from workers_ai.pool import SHARED, network_key

    client, body = SHARED.client(network_key()), _Body(url, seconds)
    asked = client.stream("GET", _checked(url), timeout=seconds, follow_redirects=False)
    with _errors_of_the_family(url), asked as response:
        for chunk in response.iter_bytes():
            body.add(chunk)
    return body.as_data_url(response)


async def afetch(url: str, *, seconds: float = SECONDS) -> str:
    """As `fetch`. seconds: for all of it."""
    from workers_ai.pool import SHARED, network_key

    client, body = await SHARED.aclient(network_key()), _Body(url, seconds)
    with _errors_of_the_family(url):
        async with asyncio.timeout(seconds):  # here the clock can end a read that is under way
            async with client.stream("GET", _checked(url), timeout=seconds, follow_redirects=False) as response:
                async for chunk in response.aiter_bytes():
                    body.add(chunk)
    return body.as_data_url(response)


class _Body:
    """What has arrived of a picture. The end in time is that of the whole: each read alone may be quick."""

    def __init__(self, url: str, seconds: float) -> None:
        self._url = url
        self._held = bytearray()
        self._until = time.monotonic() + seconds

    def add(self, chunk: bytes) -> None:
        """Takes in a piece. Raises BadRequestError where it is too large, TimeoutError where it took too long."""
        if len(self._held) + len(chunk) > MAX_BYTES:
            raise BadRequestError(
                f"the picture at {self._url} is larger than {MAX_BYTES // 2**20} MiB", maybe_sent=False
            )
        if time.monotonic() > self._until:
            raise TimeoutError
        self._held += chunk

    def as_data_url(self, response: httpx.Response) -> str:
        """The whole picture. Raises BadRequestError where it is none."""
        # By its bytes: servers call pictures anything.
        kind = next((kind for magic, kind in _MAGIC if magic.match(self._held)), None)
        if response.status_code != 200 or kind is None:
            raise BadRequestError(f"no picture at {self._url} (HTTP {response.status_code})", maybe_sent=False)
        return f"data:{kind};base64,{base64.b64encode(self._held).decode()}"


@contextmanager
def _errors_of_the_family(url: str) -> Iterator[None]:
    """What the HTTP client or the clock raises, as an error of the family that names the picture."""
    try:
        yield
    except WorkersAIError:
        raise
    except TimeoutError as late:
        raise APITimeoutError(f"the picture at {url} was not here in time", maybe_sent=False) from late
    except Exception as raised:
        found = failure(raised)
        if found is None:
            raise
        message = f"the picture at {url} could not be fetched: {found.message}"
        raise type(found)(message, maybe_sent=False) from raised


def _checked(url: str) -> str:
    if not re.match(r"https?://", url):
        raise BadRequestError(f"a picture at {url!r} cannot be fetched: http(s) addresses only", maybe_sent=False)
    return url
