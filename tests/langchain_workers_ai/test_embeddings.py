"""Embeddings: any number of texts, in order."""

from __future__ import annotations

import asyncio
import copy
import io
import json
import pickle
import sys
import threading
import time

import httpx
import pytest
from langchain_core.exceptions import ContextOverflowError, ModelAPIError, ModelInvalidRequestError, ModelRateLimitError
from langchain_core.vectorstores import InMemoryVectorStore

from langchain_workers_ai import BadRequestError, CapacityError, InvalidResponseError, WorkersAIEmbeddings

QWEN = "@cf/qwen/qwen3-embedding-0.6b"
BGE_M3 = "@cf/baai/bge-m3"


def numbered(text: str) -> list[float]:
    """A vector that tells which text it is of."""
    return [float(text.split()[-1]), 1.0]


async def embedded(model: WorkersAIEmbeddings, texts: list[str], way: str) -> list[list[float]]:
    return model.embed_documents(texts) if way == "sync" else await model.aembed_documents(texts)


WAYS = pytest.mark.parametrize("way", ["sync", "async"])


@WAYS
@pytest.mark.parametrize(("model", "sizes"), [(BGE_M3, [100, 100, 50]), (QWEN, [32] * 7 + [26])])
async def test_many_texts_go_in_as_few_requests_as_the_model_takes(service, model, sizes, way):
    service.answers(service.embeds(numbered))
    texts = [f"text {place}" for place in range(250)]
    rows = await embedded(service.embeddings(model=model), texts, way)
    assert sorted((len(body.get("text") or body["documents"]) for body in service.bodies), reverse=True) == sizes
    assert [row[0] for row in rows] == list(range(250))


@WAYS
@pytest.mark.parametrize(("batch_size", "requests"), [(10, 3), (100, 1), (1000, 1), (1, 25)])
async def test_a_batch_size_is_kept_up_to_the_models_own_limit(service, batch_size, requests, way):
    service.answers(service.embeds(numbered))
    rows = await embedded(service.embeddings(batch_size=batch_size), [f"text {n}" for n in range(25)], way)
    assert (len(service.requests), len(rows)) == (requests, 25)


class Shuffled:
    """Answers the later the earlier a request came, and counts how many are in flight."""

    def __init__(self) -> None:
        self.flying = self.most = 0
        self.lock = threading.Lock()

    def begin(self, request: httpx.Request) -> tuple[list[str], float]:
        texts = json.loads(request.content)["text"]
        with self.lock:
            self.flying += 1
            self.most = max(self.most, self.flying)
        return texts, 0.06 - int(texts[0].split()[-1]) * 0.0005

    def end(self, texts: list[str]) -> httpx.Response:
        with self.lock:
            self.flying -= 1
        return httpx.Response(200, json={"result": {"data": [numbered(text) for text in texts]}, "success": True})

    def sync(self, request: httpx.Request) -> httpx.Response:
        texts, pause = self.begin(request)
        time.sleep(pause)
        return self.end(texts)

    async def asynchronous(self, request: httpx.Request) -> httpx.Response:
        texts, pause = self.begin(request)
        await asyncio.sleep(pause)
        return self.end(texts)


@WAYS
@pytest.mark.parametrize(("max_concurrency", "at_most"), [(1, 1), (3, 3), (8, 8)])
async def test_vectors_stand_in_the_order_of_the_texts_whichever_answer_comes_first(
    service, way, max_concurrency, at_most
):
    shuffled = Shuffled()
    model = service.embeddings(
        batch_size=10,
        max_concurrency=max_concurrency,
        http_client=httpx.Client(transport=httpx.MockTransport(shuffled.sync)),
        http_async_client=httpx.AsyncClient(transport=httpx.MockTransport(shuffled.asynchronous)),
    )
    rows = await embedded(model, [f"text {n}" for n in range(100)], way)
    assert [row[0] for row in rows] == list(range(100))
    assert shuffled.most == at_most


@WAYS
async def test_no_texts_make_no_request(service, way):
    assert await embedded(service.embeddings(), [], way) == []
    assert service.requests == []


@WAYS
@pytest.mark.parametrize("place", [0, 1, 120])
async def test_an_empty_text_is_named_by_its_position_before_anything_is_sent(service, way, place):
    texts = [f"text {n}" for n in range(150)]
    texts[place] = ""
    with pytest.raises(BadRequestError, match=rf"texts\[{place}\]") as caught:
        await embedded(service.embeddings(), texts, way)
    assert isinstance(caught.value, ModelInvalidRequestError), "LangChain's class too"
    assert caught.value.maybe_sent is False
    assert service.requests == []


@WAYS
async def test_an_empty_question_is_refused(service, way):
    model = service.embeddings()
    with pytest.raises(ModelInvalidRequestError, match="empty"):
        _ = model.embed_query("") if way == "sync" else await model.aembed_query("")
    assert service.requests == []


@WAYS
@pytest.mark.parametrize("text", [" ", "\n", "\u200b"], ids=repr)
async def test_a_text_of_blanks_is_the_services_to_judge(service, way, text):
    service.answers(service.embeds(lambda _: [1.0]))
    assert await embedded(service.embeddings(), [text], way) == [[1.0]]


@WAYS
async def test_fewer_vectors_than_texts_are_an_error(service, way):
    service.answers(service.embeds(numbered, lose=1))
    with pytest.raises(InvalidResponseError, match=r"3 vectors .* 2 came") as caught:
        await embedded(service.embeddings(), ["text 1", "text 2", "text 3"], way)
    assert isinstance(caught.value, ModelAPIError)


@WAYS
async def test_one_failing_request_is_the_error_of_all(service, way):
    service.answers(service.refuses(429, {"errors": [{"code": 3040, "message": "busy"}]}))
    with pytest.raises(CapacityError):
        await embedded(service.embeddings(batch_size=1), ["text 1", "text 2", "text 3"], way)


@WAYS
async def test_numbers_are_floats_whatever_the_wire_says(service, way):
    service.answers(service.embeds(lambda _: [1, 0, -1]))
    (row,) = await embedded(service.embeddings(), ["text 1"], way)
    assert [type(number) for number in row] == [float, float, float]


def test_a_question_is_embedded_as_one_where_the_model_tells_them_apart(service):
    service.answers(service.embeds(lambda _: [1.0]))
    model = service.embeddings(model=QWEN)
    model.embed_query("Which?")
    assert service.body == {"queries": ["Which?"]}
    model.embed_documents(["This."])
    assert service.body == {"documents": ["This."]}


def test_an_instruction_stands_before_the_text_where_the_model_takes_none(service):
    service.answers(service.embeds(lambda _: [1.0]))
    model = service.embeddings(query_instruction="Question:", text_instruction="Passage:")
    model.embed_query("Which?")
    assert service.body == {"text": ["Question: Which?"]}
    model.embed_documents(["This."])
    assert service.body == {"text": ["Passage: This."]}


@pytest.mark.parametrize("name", ["model", "model_name"])
def test_the_model_has_two_names(service, name):
    model = service.embeddings(**{name: QWEN})
    assert (model.model, model.model_name) == (QWEN, QWEN)


def test_pooling_is_sent_only_when_it_is_set(service):
    service.answers(service.embeds(lambda _: [1.0]))
    service.embeddings().embed_query("a")
    assert "pooling" not in service.body
    service.embeddings(model="@cf/baai/bge-base-en-v1.5", pooling="cls").embed_query("a")
    assert service.body["pooling"] == "cls"


def test_pooling_that_the_model_does_not_take_is_refused_as_both_classes(service):
    with pytest.raises(BadRequestError, match="pooling") as caught:
        service.embeddings(model=QWEN, pooling="cls").embed_query("a")
    assert isinstance(caught.value, ModelInvalidRequestError)


@pytest.mark.parametrize("arguments", [{"batch_size": 0}, {"max_concurrency": 0}, {"pooling": "max"}])
def test_a_wrong_argument_is_refused_when_the_object_is_made(arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        WorkersAIEmbeddings(**arguments)


def test_an_unknown_argument_is_an_error_that_names_the_nearest():
    with pytest.raises(TypeError, match="'chunk_size'"):
        WorkersAIEmbeddings(chunk_size=5)
    with pytest.raises(TypeError, match=r"'batchsize'.*batch_size"):
        WorkersAIEmbeddings(batchsize=5)


@WAYS
async def test_the_usage_of_each_request_is_told(service, way):
    def answer(request: httpx.Request) -> httpx.Response:
        count = len(json.loads(request.content)["documents"])
        usage = {"prompt_tokens": count, "total_tokens": count}
        return httpx.Response(200, json={"success": True, "result": {"data": [[1.0]] * count, "usage": usage}})

    told: list[int] = []
    model = service.answers(answer).embeddings(model=QWEN, on_usage=lambda usage: told.append(usage.input_tokens))
    await embedded(model, ["text"] * 70, way)
    assert sorted(told) == [6, 32, 32]


def test_copies_tell_their_usage_too_and_a_pickle_does_not(service):
    told: list[object] = []
    model = service.embeddings(on_usage=told.append, http_client=None, http_async_client=None)
    assert copy.copy(model).on_usage == copy.deepcopy(model).on_usage == model.model_copy().on_usage == told.append
    assert pickle.loads(pickle.dumps(model)).on_usage is None
    assert "on_usage" not in repr(model)


@WAYS
async def test_a_bar_is_shown_for_documents(service, way):
    service.answers(service.embeds(numbered))
    stderr = io.StringIO()
    stderr.isatty = lambda: True
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stderr", stderr)
        model = service.embeddings(show_progress_bar=True)
        model.embed_query("question 1")
        assert stderr.getvalue() == ""
        await embedded(model, [f"text {n}" for n in range(150)], way)
    assert "150/150" in stderr.getvalue()


@WAYS
async def test_the_error_of_many_requests_says_which_texts_are_done(service, way):
    service.answers(service.embeds(numbered), service.refuses(429, {"errors": [{"code": 3036, "message": "spent"}]}))
    model = service.embeddings(batch_size=2, max_concurrency=1)
    with pytest.raises(ModelRateLimitError, match=r"Done: texts\[0:2\]; not done: texts\[2:5\]"):
        await embedded(model, [f"text {n}" for n in range(5)], way)


def test_dimensions_that_the_model_does_not_offer_are_refused_before_anything_is_sent(service):
    with pytest.raises(BadRequestError, match="dimensions=256"):
        service.embeddings(dimensions=256).embed_query("a")
    assert service.requests == []


# On the emulator: real lexical vectors


@pytest.fixture
def on_the_emulator(emulator) -> WorkersAIEmbeddings:
    return WorkersAIEmbeddings(account_id=emulator.account_id, api_token=emulator.api_token, base_url=emulator.base_url)


async def test_sync_and_async_give_the_same_vectors(on_the_emulator):
    texts = [f"sentence number {n} of the corpus" for n in range(30)]
    assert on_the_emulator.embed_documents(texts) == await on_the_emulator.aembed_documents(texts)
    assert on_the_emulator.embed_query(texts[0]) == await on_the_emulator.aembed_query(texts[0])


async def test_a_store_finds_the_text_that_answers(on_the_emulator):
    store = InMemoryVectorStore(on_the_emulator)
    store.add_texts(["The lighthouse stands in Quellmoor.", "Bread needs flour and water.", "Cats sleep a lot."])
    assert store.similarity_search("Where is the lighthouse?", k=1)[0].page_content.startswith("The lighthouse")
    (found,) = await store.asimilarity_search("Where is the lighthouse?", k=1)
    assert found.page_content.startswith("The lighthouse")


def test_one_model_serves_three_loops_in_a_row(on_the_emulator):
    texts = [f"text {n}" for n in range(120)]
    rows = [asyncio.run(on_the_emulator.aembed_documents(texts)) for _ in range(3)]
    assert rows[0] == rows[1] == rows[2]


def test_one_model_serves_eight_threads(on_the_emulator):
    found: dict[int, list[float]] = {}
    threads = [
        threading.Thread(target=lambda n=n: found.update({n: on_the_emulator.embed_query("same")})) for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(found) == 8
    assert all(row == found[0] for row in found.values())


async def test_a_sync_call_works_inside_a_running_loop(on_the_emulator):
    assert len(on_the_emulator.embed_documents([f"text {n}" for n in range(120)])) == 120


@WAYS
async def test_texts_that_are_too_many_together_go_out_in_parts(on_the_emulator, way):
    """Each has more tokens for the emulator than the estimate says: it refuses, and the halves pass."""
    texts = [f"{n} " + "1a" * 1400 for n in range(30)]  # the emulator counts 2,800 tokens in each
    assert len({tuple(row) for row in await embedded(on_the_emulator, texts, way)}) == 30


@WAYS
async def test_a_text_that_is_too_long_is_named_by_its_position_among_all(on_the_emulator, way):
    texts = ["short"] * 230 + ["1a" * 5000] + ["short"] * 20
    with pytest.raises(ContextOverflowError, match=r"texts\[230\] is too long"):
        await embedded(on_the_emulator, texts, way)
