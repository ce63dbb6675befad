"""Rerank: the best documents as copies with their scores, alone and behind a retriever."""

from __future__ import annotations

import copy
import json
from typing import Any

import httpx
import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.documents import Document
from langchain_core.exceptions import ModelInvalidRequestError, ModelRateLimitError
from langchain_core.retrievers import BaseRetriever
from langchain_core.vectorstores import InMemoryVectorStore

from langchain_workers_ai import BadRequestError, InvalidResponseError, RateLimitError, WorkersAIEmbeddings
from langchain_workers_ai import WorkersAIRerank as Rerank

WAYS = pytest.mark.parametrize("way", ["sync", "async"])
QUESTION = "Who built the lighthouse of Quellmoor?"
FACTS = [
    "Quellmoor bakes a rye bread that keeps for eleven days.",
    "The lighthouse of Quellmoor was built in 1871 by Adele Brandt.",
    "The ferry to Quellmoor leaves at seven in the morning.",
    "A lighthouse needs a keeper.",
]


def documents(*texts: str) -> list[Document]:
    return [
        Document(page_content=text, id=f"d{place}", metadata={"place": place, "tags": [text]})
        for place, text in enumerate(texts)
    ]


async def compressed(reranker: Rerank, found: Any, query: str, way: str, **options: Any) -> list[Document]:
    if way == "sync":
        return reranker.compress_documents(found, query, **options)
    return await reranker.acompress_documents(found, query, **options)


@WAYS
async def test_the_best_come_first_with_their_scores(service, way):
    service.answers(service.ranks())
    found = await compressed(service.reranker(top_n=2), documents("a", "ccc", "bb"), "Which?", way)
    assert [(each.page_content, each.id, each.metadata["relevance_score"]) for each in found] == [
        ("ccc", "d1", 3.0),
        ("bb", "d2", 2.0),
    ]
    contexts = [{"text": "a"}, {"text": "ccc"}, {"text": "bb"}]
    assert service.body == {"query": "Which?", "contexts": contexts, "top_k": 2}


@WAYS
async def test_what_was_given_stays_as_it_was(service, way):
    service.answers(service.ranks())
    given = documents("a", "bb")
    before = copy.deepcopy(given)
    (best, _) = await compressed(service.reranker(), given, "Which?", way)
    best.metadata["tags"].append("changed")
    best.metadata["more"] = 1
    assert given == before


@WAYS
async def test_a_score_of_an_earlier_reranker_is_replaced(service, way):
    service.answers(service.ranks())
    given = [Document(page_content="a", metadata={"relevance_score": 99})]
    (found,) = await compressed(service.reranker(), given, "Which?", way)
    assert found.metadata == {"relevance_score": 1.0}
    assert given[0].metadata == {"relevance_score": 99}


@WAYS
async def test_a_subclass_of_documents_stays_one(service, way):
    class Page(Document):
        number: int = 0

    service.answers(service.ranks())
    (found,) = await compressed(service.reranker(), [Page(page_content="a", number=7)], "Which?", way)
    assert (type(found), found.number) == (Page, 7)


@WAYS
async def test_no_documents_make_no_request(service, way):
    assert await compressed(service.reranker(), [], "Which?", way) == []
    assert service.requests == []


@WAYS
async def test_none_worth_telling_is_an_answer(service, way):
    service.answers(lambda request: httpx.Response(200, json={"success": True, "result": {"response": []}}))
    assert await compressed(service.reranker(), documents("a"), "Which?", way) == []


@WAYS
@pytest.mark.parametrize("top_n", [None, 1, 200])
async def test_many_documents_go_in_several_requests_and_the_best_of_all_come_back(service, way, top_n):
    service.answers(service.ranks(lambda text: int(text.split()[-1])))
    given = documents(*(f"document {place * 37 % 250}" for place in range(250)))
    found = await compressed(service.reranker(top_n=top_n), given, "Which?", way)
    assert sorted(len(body["contexts"]) for body in service.bodies) == [50, 100, 100]
    assert [each.metadata["relevance_score"] for each in found] == [float(n) for n in range(249, -1, -1)][:top_n]
    assert all(given[each.metadata["place"]].page_content == each.page_content for each in found)


@WAYS
async def test_an_empty_document_or_question_is_refused_before_anything_is_sent(service, way):
    for texts, query, words in ((["a", ""], "Which?", r"texts\[1\] is empty"), (["a"], "", "query is empty")):
        with pytest.raises(BadRequestError, match=words) as caught:
            await compressed(service.reranker(), documents(*texts), query, way)
        assert isinstance(caught.value, ModelInvalidRequestError), "LangChain's class too"
    assert service.requests == []


@WAYS
async def test_errors_are_langchains_and_ours(service, way):
    service.answers(service.refuses(429, {"errors": [{"code": 2003, "message": "Rate limited"}]}))
    with pytest.raises(RateLimitError) as caught:
        await compressed(service.reranker(), documents("a"), "Which?", way)
    assert isinstance(caught.value, ModelRateLimitError)


@WAYS
async def test_an_id_of_no_document_is_an_error_and_not_another_document(service, way):
    told = {"success": True, "result": {"response": [{"id": 2, "score": 0.5}]}}
    service.answers(lambda request: httpx.Response(200, json=told))
    with pytest.raises(InvalidResponseError, match="id 2"):
        await compressed(service.reranker(), documents("a", "b"), "Which?", way)


async def test_rerank_tells_places_and_scores_as_other_classes_do(service):
    service.answers(service.ranks())
    reranker = service.reranker(top_n=1)
    given = ["a", Document(page_content="ccc"), "bb"]
    assert reranker.rerank(given, "Which?") == [{"index": 1, "relevance_score": 3.0}]
    assert [row["index"] for row in await reranker.arerank(given, "Which?", top_n=2)] == [1, 2]
    assert [row["index"] for row in reranker.rerank(given, "Which?", top_n=None)] == [1, 2, 0]
    with pytest.raises(BadRequestError, match=r"texts\[1\]: a text, not dict"):
        reranker.rerank(["a", {"text": "b"}], "Which?")


def test_arguments_of_the_object_go_into_each_request(service):
    service.answers(service.ranks())
    reranker = service.reranker(model_name="@cf/nobody/ranks", gateway="docs", extra_body={"truncate": True})
    reranker.compress_documents(documents("a"), "Which?")
    assert service.requests[0].url.path.endswith("/ai/run/@cf/nobody/ranks")
    assert service.requests[0].headers["cf-aig-gateway-id"] == "docs"
    assert service.body["truncate"] is True
    assert reranker.model_name == "@cf/nobody/ranks"


@pytest.mark.parametrize("wrong", [{"top_n": 0}, {"batch_size": 0}, {"max_concurrency": 0}, {"topn": 3}])
def test_a_wrong_argument_is_refused_when_the_object_is_made(wrong):
    with pytest.raises((ValueError, TypeError), match=next(iter(wrong))):
        Rerank(**wrong)


def test_a_model_that_ranks_nothing_is_refused(service):
    with pytest.raises(BadRequestError, match="no rankings of texts"):
        service.reranker(model="@cf/meta/llama-3.2-3b-instruct").compress_documents(documents("a"), "Which?")
    assert service.requests == []


# Callbacks


class Runs(BaseCallbackHandler):
    """Keeps the runs of chains and retrievers."""

    raise_error = True

    def __init__(self) -> None:
        self.told: list[tuple[str, Any, Any]] = []

    def on_chain_start(self, serialized: Any, inputs: Any, **facts: Any) -> None:
        self.told.append(("start", inputs, facts))

    def on_chain_end(self, outputs: Any, **facts: Any) -> None:
        self.told.append(("end", outputs, facts))

    def on_chain_error(self, error: BaseException, **facts: Any) -> None:
        self.told.append(("error", error, facts))

    def on_retriever_end(self, documents: Any, **facts: Any) -> None:
        self.told.append(("retrieved", documents, facts))


@WAYS
async def test_callbacks_that_are_handed_in_see_one_run(service, way):
    service.answers(service.ranks())
    runs, given = Runs(), documents("a", "bb")
    found = await compressed(service.reranker(), given, "Which?", way, callbacks=[runs])
    (_, inputs, start), (_, outputs, end) = runs.told
    assert (inputs, start["name"]) == ({"query": "Which?", "documents": given}, "WorkersAIRerank")
    assert start["metadata"]["ls_provider"] == "cloudflare-workers-ai"
    assert outputs["documents"] == found
    assert outputs["response_metadata"]["neurons"] == 0.0096
    assert outputs["response_metadata"]["input_tokens"] == 34
    assert start["run_id"] == end["run_id"]
    assert json.dumps(outputs["response_metadata"])


@WAYS
async def test_a_failure_ends_the_run_with_the_error(service, way):
    service.answers(service.refuses(400, {"errors": [{"code": 5006, "message": "Bad input"}]}))
    runs = Runs()
    with pytest.raises(BadRequestError) as caught:
        await compressed(service.reranker(), documents("a"), "Which?", way, callbacks=[runs])
    assert [what for what, _, _ in runs.told] == ["start", "error"]
    assert runs.told[1][1] is caught.value


# Behind a retriever, on the emulator


@pytest.fixture
def connection(emulator) -> dict[str, Any]:
    return {"account_id": emulator.account_id, "api_token": emulator.api_token, "base_url": emulator.base_url}


@pytest.fixture
def retriever(connection) -> BaseRetriever:
    store = InMemoryVectorStore.from_texts(FACTS, WorkersAIEmbeddings(**connection))
    return store.as_retriever(search_kwargs={"k": 4})


@WAYS
async def test_the_emulator_ranks_sync_and_async_alike(connection, way):
    found = await compressed(Rerank(top_n=None, **connection), documents(*FACTS), QUESTION, way)
    scores = [each.metadata["relevance_score"] for each in found]
    assert found[0].page_content == FACTS[1]
    assert len(found) == 4
    assert scores == sorted(scores, reverse=True)


@WAYS
@pytest.mark.parametrize("model", ["@cf/baai/bge-reranker-base", "@cf/baai/bge-m3"])
async def test_a_contextual_compression_retriever_takes_it(connection, retriever, emulator, way, model):
    reason = "langchain-classic asks for a newer langchain-core than the oldest that we take"
    classic = pytest.importorskip("langchain_classic.retrievers", reason=reason)
    whole = classic.ContextualCompressionRetriever(
        base_compressor=Rerank(model=model, top_n=2, **connection), base_retriever=retriever
    )
    emulator.clear()
    runs = Runs()
    config = {"callbacks": [runs]}
    found = whole.invoke(QUESTION, config) if way == "sync" else await whole.ainvoke(QUESTION, config)
    assert found[0].page_content == FACTS[1]
    assert len(found) == 2
    assert all("relevance_score" in each.metadata for each in found)
    assert sum("contexts" in request.json for request in emulator.requests) == 1
    (inner, _, retrieved), *_ = [told for told in runs.told if told[0] == "retrieved"]
    starts = [facts for what, _, facts in runs.told if what == "start"]
    assert inner
    assert [start["parent_run_id"] for start in starts] == [retrieved["parent_run_id"]], "beside the inner retriever"
    assert sum(what == "end" for what, _, _ in runs.told) == 1
