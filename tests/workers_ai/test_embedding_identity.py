"""An index is queried with what it was built with, or not silently."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from workers_ai import EmbeddingIdentity, check_identity
from workers_ai import errors as e
from workers_ai.embedding_identity import KEY

M3 = EmbeddingIdentity("@cf/baai/bge-m3", "cls", 1024)
BASE = EmbeddingIdentity("@cf/baai/bge-base-en-v1.5", "mean", 768)
BASE_CLS = EmbeddingIdentity("@cf/baai/bge-base-en-v1.5", "cls", 768)
QWEN = EmbeddingIdentity("@cf/qwen/qwen3-embedding-0.6b", None, 1024)


@pytest.mark.parametrize("one", [M3, BASE, BASE_CLS, QWEN])
@pytest.mark.parametrize("other", [M3, BASE, BASE_CLS, QWEN])
def test_two_fit_when_all_is_the_same(one: EmbeddingIdentity, other: EmbeddingIdentity):
    assert one.fits(other) is (one == other)


def test_a_length_that_is_not_known_is_not_compared():
    known, unknown = EmbeddingIdentity("@cf/a/b", None, 5), EmbeddingIdentity("@cf/a/b")
    assert known.fits(unknown)
    assert unknown.fits(known)
    assert not known.fits(EmbeddingIdentity("@cf/a/b", None, 6))


@pytest.mark.parametrize("identity", [M3, QWEN, EmbeddingIdentity("@cf/a/b")])
def test_it_comes_back_from_json(identity: EmbeddingIdentity):
    assert EmbeddingIdentity.from_dict(json.loads(json.dumps(identity.to_dict()))) == identity


def test_a_mapping_beside_any_index_keeps_the_mark():
    kept: dict[str, Any] = {"owner": "docs"}
    assert check_identity(kept, SimpleNamespace(identity=BASE)) == BASE
    kept = json.loads(json.dumps(kept))
    assert check_identity(kept, BASE) == BASE
    with pytest.raises(e.BadRequestError, match=r"built with .*bge-base.*pooling mean.*queried with .*pooling cls"):
        check_identity(kept, BASE_CLS)
    assert kept == {"owner": "docs", KEY: BASE.to_dict()}


def test_a_cache_before_the_embeddings_is_seen_through():
    held = SimpleNamespace(underlying_embeddings=SimpleNamespace(identity=M3))
    assert check_identity({}, held) == M3


@pytest.mark.parametrize("embeddings", ["text", SimpleNamespace(identity="x"), object()])
def test_what_has_no_identity_is_refused(embeddings: object):
    with pytest.raises(TypeError, match="identity"):
        check_identity({}, embeddings)


def test_a_store_that_does_not_say_what_it_embeds_with_needs_it_handed_in():
    with pytest.raises(TypeError, match="hand it in"):
        check_identity({})


def test_a_store_without_a_known_place_for_a_mark_is_refused():
    with pytest.raises(TypeError, match="keep a dict"):
        check_identity(SimpleNamespace(embeddings=SimpleNamespace(identity=M3)))


@pytest.mark.parametrize("where", [":memory:", "disk"])
def test_a_qdrant_collection_keeps_the_mark(tmp_path: Path, where: str):
    qdrant = pytest.importorskip("qdrant_client")

    def opened(identity: EmbeddingIdentity) -> Any:
        return SimpleNamespace(client=client, collection_name="docs", embeddings=SimpleNamespace(identity=identity))

    address = {"location": ":memory:"} if where == ":memory:" else {"path": str(tmp_path)}
    client = qdrant.QdrantClient(**address)
    assert check_identity(opened(BASE)) == BASE, "there is no collection yet"
    params = qdrant.models.VectorParams(size=768, distance=qdrant.models.Distance.COSINE)
    client.create_collection("docs", vectors_config=params)
    assert check_identity(opened(BASE)) == BASE
    if where == "disk":
        client.close()
        client = qdrant.QdrantClient(**address)
    assert check_identity(opened(BASE)) == BASE
    with pytest.raises(e.BadRequestError, match="pooling cls"):
        check_identity(opened(BASE_CLS))
    client.close()
