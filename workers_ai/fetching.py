"""Pictures named by address, brought here as `data:` URLs: for models that take no addresses, and only when asked to.

The request carries no credentials, follows no redirect, and is bounded in size and time.
"""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING

from workers_ai.errors import BadRequestError

if TYPE_CHECKING:
    import httpx

MAX_BYTES = 10 * 1024 * 1024
SECONDS = 20.0

_MAGIC = (
    (b"\x89PNG", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"RIFF", "image/webp"),
)


def fetch(url: str) -> str:
    """The picture at `url` as a data: URL.

    Raises BadRequestError for an address that is not http(s), an answer that is no picture or over 10 MiB, and
    httpx's own errors for a failed connection.
    """
    from workers_ai.pool import SHARED, network_key

    client = SHARED.client(network_key())
    with client.stream("GET", _checked(url), timeout=SECONDS, follow_redirects=False) as response:
        body = b""
        for chunk in response.iter_bytes():
            body = _grown(body, chunk, url)
    return _data_url(url, response, body)


async def afetch(url: str) -> str:
    """As `fetch`."""
    from workers_ai.pool import SHARED, network_key

    client = await SHARED.aclient(network_key())
    async with client.stream("GET", _checked(url), timeout=SECONDS, follow_redirects=False) as response:
        body = b""
        async for chunk in response.aiter_bytes():
            body = _grown(body, chunk, url)
    return _data_url(url, response, body)


def _checked(url: str) -> str:
    if not re.match(r"https?://", url):
        raise BadRequestError(f"a picture at {url!r} cannot be fetched: http(s) addresses only", maybe_sent=False)
    return url


def _grown(body: bytes, chunk: bytes, url: str) -> bytes:
    if len(body) + len(chunk) > MAX_BYTES:
        raise BadRequestError(f"the picture at {url} is larger than {MAX_BYTES // 2**20} MiB", maybe_sent=False)
    return body + chunk


def _data_url(url: str, response: httpx.Response, body: bytes) -> str:
    kind = next((kind for magic, kind in _MAGIC if body.startswith(magic)), None)
    if response.status_code != 200 or kind is None:
        raise BadRequestError(f"no picture at {url} (HTTP {response.status_code})", maybe_sent=False)
    return f"data:{kind};base64,{base64.b64encode(body).decode()}"
