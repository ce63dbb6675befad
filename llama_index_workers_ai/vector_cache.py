"""LlamaIndex's cache of vectors by text, read and written as its own embedding base does."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llama_index.core.storage.kvstore.types import BaseKVStore

    Vector = list[float]

_COLLECTION = "embeddings"


def cached(store: BaseKVStore, texts: Iterable[str]) -> dict[int, Vector]:
    """The vectors that the store holds, by the place of their text."""
    found = {place: store.get(key=text, collection=_COLLECTION) for place, text in enumerate(texts)}
    return {place: _vector(value) for place, value in found.items() if value is not None}


async def acached(store: BaseKVStore, texts: Iterable[str]) -> dict[int, Vector]:
    """As `cached`."""
    found = {place: await store.aget(key=text, collection=_COLLECTION) for place, text in enumerate(texts)}
    return {place: _vector(value) for place, value in found.items() if value is not None}


def keep(store: BaseKVStore, texts: Iterable[str], rows: Iterable[Vector]) -> None:
    """Puts the vectors of texts into the store."""
    for text, row in zip(texts, rows, strict=True):
        store.put(key=text, val={str(uuid.uuid4()): row}, collection=_COLLECTION)


async def akeep(store: BaseKVStore, texts: Iterable[str], rows: Iterable[Vector]) -> None:
    """As `keep`."""
    for text, row in zip(texts, rows, strict=True):
        await store.aput(key=text, val={str(uuid.uuid4()): row}, collection=_COLLECTION)


def _vector(value: Mapping[str, Any]) -> Vector:
    vector: Vector = next(iter(value.values()))
    return vector
