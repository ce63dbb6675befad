"""A vector store of LangChain is queried with what it was built with."""

from __future__ import annotations

import pytest
from langchain_core.documents import Document
from langchain_core.vectorstores import InMemoryVectorStore

from langchain_workers_ai import BadRequestError, EmbeddingIdentity, check_identity

BASE = "@cf/baai/bge-base-en-v1.5"


def pointing(text: str) -> list[float]:
    return [1.0, float(len(text))]


@pytest.mark.parametrize(
    ("arguments", "identity"),
    [
        ({}, ("@cf/baai/bge-m3", "cls", 1024)),
        ({"model": BASE}, (BASE, "mean", 768)),
        ({"model": BASE, "pooling": "cls"}, (BASE, "cls", 768)),
        ({"model": "@cf/nobody/embeds", "dimensions": 5}, ("@cf/nobody/embeds", None, 5)),
    ],
)
def test_the_identity_is_what_is_in_effect(service, arguments, identity):
    assert service.embeddings(**arguments).identity == EmbeddingIdentity(*identity)


def test_a_store_that_was_saved_cannot_be_queried_with_another_pooling(service, tmp_path):
    service.answers(service.embeds(pointing))
    built, other = service.embeddings(model=BASE), service.embeddings(model=BASE, pooling="cls")
    path = str(tmp_path / "store.json")
    store = InMemoryVectorStore(built)
    store.add_texts(["one", "two"])
    check_identity(store)
    store.dump(path)

    assert check_identity(InMemoryVectorStore.load(path, built)) == built.identity
    with pytest.raises(BadRequestError, match=r"built with .*pooling mean.* queried with .*pooling cls"):
        check_identity(InMemoryVectorStore.load(path, other))


def test_texts_that_are_added_later_are_marked_too(service):
    service.answers(service.embeds(pointing))
    store = InMemoryVectorStore(service.embeddings(model=BASE))
    store.add_texts(["one"])
    check_identity(store)
    store.embedding = service.embeddings(model=BASE, pooling="cls")
    store.add_texts(["two"])
    with pytest.raises(BadRequestError):
        check_identity(store)


def test_documents_and_searches_are_as_without_a_mark(service):
    service.answers(service.embeds(pointing))
    store = InMemoryVectorStore(service.embeddings(model=BASE))
    store.add_documents([Document("one", metadata={"page": 1}, id="a"), Document("three", id="b")])
    check_identity(store)
    assert {found.metadata.get("page") for found in store.similarity_search("one", k=2)} == {1, None}
    assert store.get_by_ids(["a"]) == [Document("one", metadata={"page": 1}, id="a")]


def test_an_empty_store_has_nothing_to_check(service):
    store = InMemoryVectorStore(service.embeddings())
    assert check_identity(store) == store.embeddings.identity
    assert store.store == {}
