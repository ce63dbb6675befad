"""An index of LlamaIndex is queried with what it was built with."""

from __future__ import annotations

import httpx
import pytest
from llama_index.core import Document, StorageContext, VectorStoreIndex, load_index_from_storage
from llama_index.core.vector_stores import SimpleVectorStore

from llama_index_workers_ai import BadRequestError, EmbeddingIdentity, WorkersAIEmbedding, check_identity

BASE = "@cf/baai/bge-base-en-v1.5"
TEXTS = ["The harbour closes at nine.", "Bread needs flour."]


@pytest.fixture
def built(connection) -> WorkersAIEmbedding:
    return WorkersAIEmbedding(model=BASE, **connection)


@pytest.fixture
def other(connection) -> WorkersAIEmbedding:
    return WorkersAIEmbedding(model=BASE, pooling="cls", **connection)


@pytest.fixture
def saved(built, tmp_path) -> str:
    """Where an index that was built with `built` stands."""
    index = VectorStoreIndex.from_documents([Document(text=text) for text in TEXTS], embed_model=built)
    assert check_identity(index) == built.identity
    index.storage_context.persist(str(tmp_path))
    return str(tmp_path)


def test_an_index_that_was_saved_cannot_be_queried_with_another_pooling(saved, built, other):
    storage = StorageContext.from_defaults(persist_dir=saved)
    assert check_identity(load_index_from_storage(storage, embed_model=built)) == built.identity
    with pytest.raises(BadRequestError, match=r"built with .*pooling mean.* queried with .*pooling cls"):
        check_identity(load_index_from_storage(storage, embed_model=other))


def test_a_storage_context_or_a_store_by_itself_can_be_checked(saved, built, other):
    storage = StorageContext.from_defaults(persist_dir=saved)
    for store in (storage, storage.vector_store):
        assert check_identity(store, built) == built.identity
        with pytest.raises(BadRequestError):
            check_identity(store, other)


def test_the_mark_is_no_node(saved, built):
    storage = StorageContext.from_defaults(persist_dir=saved)
    index = load_index_from_storage(storage, embed_model=built)
    found = index.as_retriever(similarity_top_k=5).retrieve("When does the harbour close?")
    assert sorted(each.text for each in found) == sorted(TEXTS)
    index.insert(Document(text="A third.", id_="third"))
    index.delete_ref_doc("third")
    assert check_identity(index) == built.identity
    assert len(index.vector_store.data.embedding_dict) == 2


def test_a_store_that_is_empty_is_marked_before_it_is_filled(built, other):
    store = SimpleVectorStore()
    check_identity(store, built)
    with pytest.raises(BadRequestError):
        check_identity(store, other)


def test_a_dump_holds_the_identity_and_makes_an_equal_object(built, other):
    """LlamaIndex's ingestion cache makes its key of the dump."""
    assert EmbeddingIdentity.from_dict(built.to_dict()["identity"]) == built.identity
    assert built.to_dict() != other.to_dict()
    again = WorkersAIEmbedding.from_dict(other.to_dict(), api_token="x", http_client=httpx.Client())
    assert again.identity == other.identity
