"""The gateway's cache: exact matches only, in memory."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

# What is kept when neither the request nor the gateway says how long: five minutes, and so is what came with a time
# of 0, which does not switch the cache off (quirk 92).
DEFAULT_TTL = 300
_MIN_TTL = 60
_MAX_TTL = 30 * 24 * 3600
_MAX_ENTRIES = 1_000


@dataclass(frozen=True, slots=True)
class Kept:
    """A body in the cache; `expires` in seconds of the cache's clock."""

    body: bytes
    content_type: str
    expires: float


class Cache:
    """Bodies by key, until they expire. `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._kept: dict[str, Kept] = {}

    def get(self, key: str) -> Kept | None:
        """What is kept under `key` and still good."""
        kept = self._kept.get(key)
        return kept if kept is not None and kept.expires > self._clock() else None

    def put(self, key: str, body: bytes, content_type: str, *, ttl: int) -> None:
        """Keep a body for `ttl` seconds; the oldest goes when there are too many."""
        self._kept.pop(key, None)
        self._kept[key] = Kept(body, content_type, self._clock() + ttl)
        while len(self._kept) > _MAX_ENTRIES:
            del self._kept[next(iter(self._kept))]


def lifetime(asked: int) -> int:
    """Seconds that an asked time comes to: 0 means the default, all else is held between a minute and a month."""
    return DEFAULT_TTL if asked == 0 else min(max(asked, _MIN_TTL), _MAX_TTL)


def key_of(endpoint: str, model: str, body: Any) -> str:
    """The key of a request: what is asked of what, whatever the order of the body's keys. Metadata is no part of it."""
    text = json.dumps([endpoint, model, body], sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
