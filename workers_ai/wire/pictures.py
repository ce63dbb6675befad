"""Pictures in messages: which stand there by address, and the messages with their bytes in place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from workers_ai.wire.message import WireMessage


def addresses(messages: Sequence[WireMessage]) -> list[str]:
    """The addresses of pictures in `messages`, each once, in their order; `data:` URLs are none."""
    found = (url for message in messages for part in _parts(message) if (url := address(part)) is not None)
    return list(dict.fromkeys(found))


def inlined(messages: Sequence[WireMessage], data_urls: Mapping[str, str]) -> list[WireMessage]:
    """`messages` with each address in `data_urls` replaced by its data: URL. The given ones are not changed."""
    return [_inlined(message, data_urls) for message in messages]


def address(part: Mapping[str, Any]) -> str | None:
    """The http(s) address of a picture part, None for bytes and for anything else."""
    held = part.get("image_url")
    url = held.get("url") if isinstance(held, Mapping) else held
    return url if isinstance(url, str) and not url.startswith("data:") else None


def _parts(message: WireMessage) -> Iterator[Mapping[str, Any]]:
    content = message["content"]
    yield from [] if isinstance(content, str) else content


def _inlined(message: WireMessage, data_urls: Mapping[str, str]) -> WireMessage:
    content = message["content"]
    if isinstance(content, str):
        return message
    return {**message, "content": [_part(part, data_urls) for part in content]}


def _part(part: dict[str, Any], data_urls: Mapping[str, str]) -> dict[str, Any]:
    found, held = data_urls.get(address(part) or ""), part.get("image_url")
    beside = held if isinstance(held, Mapping) else {}
    return {**part, "image_url": {**beside, "url": found}} if found else part
