"""What makes vectors comparable, and the check that an index is queried with what it was built with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from workers_ai.errors import BadRequestError

KEY = "embedding_identity"
"""Under which an index keeps its identity."""


@dataclass(frozen=True, slots=True)
class EmbeddingIdentity:
    """The settings that vectors of one index must share.

    model: full id. pooling: "mean" or "cls" as it is in effect, None where the model knows none or it is not known.
    dimensions: numbers in a vector, None where it is not known: then it is not compared.
    """

    model: str
    pooling: str | None = None
    dimensions: int | None = None

    def fits(self, other: EmbeddingIdentity) -> bool:
        """Whether vectors of the two can stand in one index."""
        lengths = {self.dimensions, other.dimensions} - {None}
        return (self.model, self.pooling) == (other.model, other.pooling) and len(lengths) < 2

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, held: Mapping[str, Any]) -> Self:
        """The identity that `to_dict` wrote."""
        return cls(str(held["model"]), held.get("pooling"), held.get("dimensions"))

    def __str__(self) -> str:
        told = [self.model, f"pooling {self.pooling}" if self.pooling else None]
        return ", ".join(filter(None, [*told, f"{self.dimensions} dimensions" if self.dimensions else None]))


def check_identity(store: Any, embeddings: Any = None) -> EmbeddingIdentity:
    """Checks that `store` holds vectors of the kind that `embeddings` makes, and marks those without a mark as such.

    Call it once when the index has been filled, and again whenever it is opened: the mark stands in the index and is
    saved with it.

    store: LangChain's InMemoryVectorStore or QdrantVectorStore; LlamaIndex's VectorStoreIndex, StorageContext,
    SimpleVectorStore or QdrantVectorStore; or a mapping that you keep beside any other index.
    embeddings: an object with `identity`, or an EmbeddingIdentity; unset, what the store itself embeds with.
    Raises BadRequestError when the store holds vectors of another kind, TypeError for what has no place for a mark.
    """
    ours = _identity_of(embeddings if embeddings is not None else _embeddings_of(store))
    mark = _mark_of(store)
    for found in mark.read():
        theirs = EmbeddingIdentity.from_dict(found)
        if not ours.fits(theirs):
            raise BadRequestError(
                f"This index was built with {theirs}; it would be queried with {ours}",
                model=ours.model,
                hint="Query it with what it was built with, or build it anew",
                maybe_sent=False,
            )
    mark.write(ours.to_dict())
    return ours


def _identity_of(embeddings: Any) -> EmbeddingIdentity:
    if isinstance(embeddings, EmbeddingIdentity):
        return embeddings
    inner = getattr(embeddings, "underlying_embeddings", embeddings)  # of LangChain's CacheBackedEmbeddings
    found = getattr(inner, "identity", None)
    if not isinstance(found, EmbeddingIdentity):
        raise TypeError(f"embeddings: an object with `identity`, not {type(embeddings).__name__}")
    return found


def _embeddings_of(store: Any) -> Any:
    """What a store or an index embeds with."""
    for name in ("embeddings", "_embed_model"):
        if (found := getattr(store, name, None)) is not None:
            return found
    raise TypeError(f"embeddings: {type(store).__name__} does not say what it embeds with; hand it in")


def _mark_of(store: Any) -> _Mark:
    if not isinstance(store, Mapping):
        store = getattr(store, "vector_store", store)  # of LlamaIndex's index or StorageContext
    for kind in (_InMapping, _InEntries, _InSimpleStore, _InCollection):
        if (mark := kind.of(store)) is not None:
            return mark
    raise TypeError(
        f"{type(store).__name__} has no known place for a mark: keep a dict beside the index and hand that in"
    )


class _InMapping:
    """In a mapping, under `KEY`."""

    def __init__(self, held: MutableMapping[str, Any]) -> None:
        self._held = held

    @classmethod
    def of(cls, store: Any) -> Self | None:
        return cls(store) if isinstance(store, MutableMapping) else None

    def read(self) -> Iterable[Mapping[str, Any]]:
        return [self._held[KEY]] if KEY in self._held else []

    def write(self, mark: dict[str, Any]) -> None:
        self._held.setdefault(KEY, mark)


class _InSimpleStore(_InMapping):
    """In LlamaIndex's SimpleVectorStore: beside the metadata of its nodes, which are asked for by their ids only."""

    @classmethod
    def of(cls, store: Any) -> Self | None:
        held = getattr(getattr(store, "data", None), "metadata_dict", None)
        return cls(held) if isinstance(held, MutableMapping) else None


class _InEntries:
    """In LangChain's InMemoryVectorStore: in each entry, beside its vector; that is what its `dump` saves."""

    def __init__(self, entries: Mapping[str, MutableMapping[str, Any]]) -> None:
        self._entries = entries

    @classmethod
    def of(cls, store: Any) -> Self | None:
        held = getattr(store, "store", None)
        return cls(held) if isinstance(held, Mapping) else None

    def read(self) -> Iterable[Mapping[str, Any]]:
        found = [entry[KEY] for entry in self._entries.values() if KEY in entry]
        return [mark for place, mark in enumerate(found) if mark not in found[:place]]

    def write(self, mark: dict[str, Any]) -> None:
        for entry in self._entries.values():
            entry.setdefault(KEY, mark)


class _InCollection:
    """In the metadata of a Qdrant collection, which both frameworks' stores name; nothing before there is one.

    qdrant-client and server 1.16 and newer have such metadata.
    """

    def __init__(self, client: Any, name: str) -> None:
        self._client, self._name = client, name

    @classmethod
    def of(cls, store: Any) -> Self | None:
        client, name = getattr(store, "client", None), getattr(store, "collection_name", None)
        return cls(client, name) if hasattr(client, "update_collection") and isinstance(name, str) else None

    def read(self) -> Iterable[Mapping[str, Any]]:
        if not self._client.collection_exists(self._name):
            return []
        held = getattr(self._client.get_collection(self._name).config, "metadata", None) or {}
        return [held[KEY]] if KEY in held else []

    def write(self, mark: dict[str, Any]) -> None:
        if self._client.collection_exists(self._name):
            self._client.update_collection(self._name, metadata={KEY: mark})


_Mark = _InMapping | _InEntries | _InCollection
