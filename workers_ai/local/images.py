"""Images in messages: what can be said of them without a model, read from the first bytes of the file.

Media type and size in pixels come from the headers of PNG, JPEG, GIF and WebP; nothing is decoded further, and nothing
is fetched: an image behind `http(s)` is known by its address only.
"""

import base64
import binascii
import re
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

_DATA_URL = re.compile(r"data:(?P<type>[\w.+-]+/[\w.+-]+)?(?:;[\w=-]+)*?(?P<base64>;base64)?,(?P<data>.*)", re.DOTALL)
# A model reads an image as some hundreds of tokens, whatever its size: a round figure.
TOKENS_PER_IMAGE = 256
_NAMES = {"image/png": "PNG", "image/jpeg": "JPEG", "image/gif": "GIF", "image/webp": "WebP"}


@dataclass(frozen=True, slots=True)
class Image:
    """An image of a message. `size`: width and height in pixels, None where the header does not say."""

    media_type: str
    size: tuple[int, int] | None = None
    host: str = ""

    def describe(self) -> str:
        """A phrase, for example "a PNG image of 640 x 480 pixels"."""
        if self.host:
            return f"an image at {self.host}, which the emulator does not fetch"
        pixels = f" of {self.size[0]} x {self.size[1]} pixels" if self.size else ""
        name = _NAMES.get(self.media_type)
        return f"a {name} image{pixels}" if name else f"an image of the type {self.media_type}{pixels}"


def is_image(part: Any) -> bool:
    """Whether a part of a message's content is an image."""
    return isinstance(part, dict) and part.get("type") == "image_url"


def urls_in(content: Any) -> Iterator[str]:
    """The addresses of the images in a message's content."""
    for part in content if isinstance(content, list) else ():
        if is_image(part):
            url = part.get("image_url")
            yield str(url.get("url", "") if isinstance(url, Mapping) else url)


def of_content(content: Any) -> tuple[Image, ...]:
    """The images in a message's content, in order."""
    return tuple(from_url(url) for url in urls_in(content))


def from_url(url: str) -> Image:
    """An image by its address: looked at if it is a `data:` URL."""
    found = _DATA_URL.match(url)
    if found is None:
        return Image("", host=urlsplit(url).hostname or "an unknown place")
    return from_bytes(_bytes_of(found), found["type"] or "")


def from_bytes(data: bytes, declared: str = "") -> Image:
    """An image by its bytes; `declared` is the media type where the bytes do not tell."""
    for starts, media_type, measure in _FORMATS:
        if starts(data):
            try:
                return Image(media_type, measure(data))
            except (struct.error, IndexError):
                return Image(media_type)
    return Image(declared or "application/octet-stream")


def _bytes_of(found: re.Match[str]) -> bytes:
    if not found["base64"]:
        return found["data"].encode("latin-1", "replace")
    try:
        return base64.b64decode(found["data"], validate=False)
    except (binascii.Error, ValueError):
        return b""


def _png_size(data: bytes) -> tuple[int, int]:
    width, height = struct.unpack(">II", data[16:24])
    return width, height


def _gif_size(data: bytes) -> tuple[int, int]:
    width, height = struct.unpack("<HH", data[6:10])
    return width, height


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    """From the start-of-frame segment: the segments before it are skipped by their lengths."""
    at = 2
    while at < len(data):
        while data[at] == 0xFF and data[at + 1] == 0xFF:
            at += 1
        marker = data[at + 1]
        if 0xC0 <= marker <= 0xCF and marker not in {0xC4, 0xC8, 0xCC}:
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return width, height
        at += 2 + struct.unpack(">H", data[at + 2 : at + 4])[0]
    return None


def _webp_size(data: bytes) -> tuple[int, int] | None:
    kind = data[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if kind == b"VP8L":
        bits = struct.unpack("<I", data[21:25])[0]
        return 1 + (bits & 0x3FFF), 1 + ((bits >> 14) & 0x3FFF)
    if kind == b"VP8 ":
        width, height = struct.unpack("<HH", data[26:30])
        return width & 0x3FFF, height & 0x3FFF
    return None


_Measure = Callable[[bytes], tuple[int, int] | None]
_FORMATS: tuple[tuple[Callable[[bytes], bool], str, _Measure], ...] = (
    (lambda data: data.startswith(b"\x89PNG\r\n\x1a\n"), "image/png", _png_size),
    (lambda data: data.startswith((b"GIF87a", b"GIF89a")), "image/gif", _gif_size),
    (lambda data: data.startswith(b"\xff\xd8\xff"), "image/jpeg", _jpeg_size),
    (lambda data: data[:4] == b"RIFF" and data[8:12] == b"WEBP", "image/webp", _webp_size),
)
