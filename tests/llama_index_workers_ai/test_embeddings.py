"""The embedding class."""

from __future__ import annotations

import asyncio
import io
import json
import sys
import threading
import time

import httpx
import pytest
from llama_index.core.schema import TextNode
from llama_index.core.storage.kvstore import SimpleKVStore

from llama_index_workers_ai import BadRequestError, InvalidResponseError, QuotaExceededError, WorkersAIEmbedding

QWEN = "@cf/qwen/qwen3-embedding-0.6b"
ACCOUNT = {"account_id": "0123456789abcdef0123456789abcdef", "api_token": "token"}
TEXTS = [f"text number {number}" for number in range(250)]


class Service:
    """Embeds each text as [its number, 1]; counts what is in flight."""

    def __init__(self, *, delay: float = 0.0) -> None:
        self.bodies: list[dict] = []
        self.most = 0
        self._now = 0
        self._delay = delay
        self._lock = threading.Lock()

    @property
    def arguments(self):
        return {
            **ACCOUNT,
            "http_client": httpx.Client(transport=httpx.MockTransport(self.reply)),
            "http_async_client": httpx.AsyncClient(transport=httpx.MockTransport(self.areply)),
        }

    def reply(self, request):
        answer = self._begin(request)
        time.sleep(self._delay)
        return self._end(answer)

    async def areply(self, request):
        answer = self._begin(request)
        await asyncio.sleep(self._delay)
        return self._end(answer)

    def _begin(self, request):
        body = json.loads(request.content)
        with self._lock:
            self.bodies.append(body)
            self._now += 1
            self.most = max(self.most, self._now)
        texts = body.get("text") or body.get("documents") or body.get("queries") or body["input"]
        return [[float(text.split()[-1]), 1.0] for text in texts]

    def _end(self, rows):
        with self._lock:
            self._now -= 1
        return httpx.Response(200, json={"success": True, "result": {"shape": [len(rows), 2], "data": rows}})


@pytest.fixture
def service() -> Service:
    return Service()


def expected(count: int) -> list[list[float]]:
    return [[float(number), 1.0] for number in range(count)]


async def embed(embedding, texts, way):
    """The vectors of many texts, plain or async."""
    found = getattr(embedding, f"{way}_text_embedding_batch")(texts)
    return await found if way == "aget" else found


async def test_250_texts_are_three_requests_and_stay_in_order(service):
    embedding = WorkersAIEmbedding(**service.arguments)
    assert embedding.get_text_embedding_batch(TEXTS) == expected(250)
    assert await embedding.aget_text_embedding_batch(TEXTS) == expected(250)
    assert sorted(len(body["text"]) for body in service.bodies) == [50, 50, 100, 100, 100, 100]


async def test_the_vectors_are_the_models(embedding):
    rows = [
        embedding.get_text_embedding("a text"),
        await embedding.aget_text_embedding("a text"),
        *embedding.get_text_embedding_batch(["a text"]),
        *await embedding.aget_text_embedding_batch(["a text"]),
    ]
    assert len(rows[0]) == 1024
    assert all(row == rows[0] for row in rows)
    assert embedding.get_query_embedding("a text") == await embedding.aget_query_embedding("a text")


@pytest.mark.parametrize("model", ["@cf/baai/bge-m3", QWEN])
@pytest.mark.parametrize("size", [None, 7, 500])
def test_the_batch_size_is_the_models_limit_at_most(service, model, size):
    limit = 32 if model == QWEN else 100
    arguments = {} if size is None else {"embed_batch_size": size}
    embedding = WorkersAIEmbedding(model=model, **arguments, **service.arguments)
    assert embedding.embed_batch_size == (size or limit)
    assert embedding.get_text_embedding_batch(TEXTS) == expected(250)
    sizes = [len(body.get("text") or body["documents"]) for body in service.bodies]
    assert max(sizes) == min(size or limit, limit)


@pytest.mark.parametrize(
    ("arguments", "most"),
    [({}, 8), ({"max_concurrency": 3}, 3), ({"num_workers": 4}, 4), ({"num_workers": 1}, 1)],
    ids=["default", "max_concurrency", "num_workers", "one worker"],
)
async def test_requests_in_flight_are_bounded(arguments, most):
    sync, asynchronous = Service(delay=0.01), Service(delay=0.01)
    texts = TEXTS[:120]
    WorkersAIEmbedding(embed_batch_size=5, **arguments, **sync.arguments).get_text_embedding_batch(texts)
    embedding = WorkersAIEmbedding(embed_batch_size=5, **arguments, **asynchronous.arguments)
    await embedding.aget_text_embedding_batch(texts)
    assert (sync.most, asynchronous.most) == (most, most)


def test_no_texts_are_no_request(service):
    embedding = WorkersAIEmbedding(**service.arguments)
    assert embedding.get_text_embedding_batch([]) == []
    assert asyncio.run(embedding.aget_text_embedding_batch([])) == []
    assert service.bodies == []


async def test_an_empty_text_is_refused_by_its_place_before_anything_is_sent(service):
    embedding = WorkersAIEmbedding(text_instruction="passage:", **service.arguments)
    texts = [*TEXTS[:130], "", *TEXTS[130:]]
    with pytest.raises(BadRequestError, match=r"texts\[130\]"):
        embedding.get_text_embedding_batch(texts)
    with pytest.raises(BadRequestError, match=r"texts\[130\]"):
        await embedding.aget_text_embedding_batch(texts)
    assert service.bodies == []


async def test_a_failure_ends_the_work(fake):
    refusal = {"success": False, "errors": [{"code": 3036, "message": "used up"}]}
    service = fake(refusal, status=429)
    embedding = WorkersAIEmbedding(embed_batch_size=1, max_concurrency=2, **service.arguments)
    with pytest.raises(QuotaExceededError) as caught:
        embedding.get_text_embedding_batch(TEXTS)
    assert (caught.value.status, caught.value.code) == (429, 3036)
    with pytest.raises(QuotaExceededError):
        await embedding.aget_text_embedding_batch(TEXTS)
    assert len(service.requests) <= 4


def test_fewer_vectors_than_texts_are_an_error(fake):
    service = fake({"success": True, "result": {"data": [[1.0, 2.0]]}})
    with pytest.raises(InvalidResponseError, match="2 vectors"):
        WorkersAIEmbedding(**service.arguments).get_text_embedding_batch(["a", "b"])


def test_newlines_are_kept(service):
    WorkersAIEmbedding(**service.arguments).get_text_embedding("a\n1")
    assert service.bodies[0]["text"] == ["a\n1"]


async def test_instructions_stand_before_the_text_of_a_model_without_an_input_for_them(service):
    embedding = WorkersAIEmbedding(
        model="@cf/baai/bge-base-en-v1.5", query_instruction="query:", text_instruction="passage:", **service.arguments
    )
    embedding.get_query_embedding("is it 1")
    await embedding.aget_query_embedding("is it 1")
    embedding.get_text_embedding("it is 1")
    await embedding.aget_text_embedding_batch(["it is 1"])
    sent = [body["text"] for body in service.bodies]
    assert sent == [["query: is it 1"]] * 2 + [["passage: it is 1"]] * 2


async def test_a_model_that_tells_questions_from_texts_gets_them_apart(service):
    embedding = WorkersAIEmbedding(model=QWEN, query_instruction="Find it", **service.arguments)
    embedding.get_query_embedding("is it 1")
    embedding.get_text_embedding("it is 1")
    assert service.bodies == [{"queries": ["is it 1"], "instruction": "Find it"}, {"documents": ["it is 1"]}]


def test_pooling_goes_out_where_the_model_takes_it(service):
    WorkersAIEmbedding(model="@cf/baai/bge-small-en-v1.5", pooling="cls", **service.arguments).get_text_embedding("1")
    assert service.bodies[0] == {"text": ["1"], "pooling": "cls"}


def test_model_and_model_name_are_one_argument():
    by_model, by_name = WorkersAIEmbedding(model=QWEN), WorkersAIEmbedding(model_name=QWEN)
    assert by_model.model == by_name.model == by_model.model_name == by_name.model_name == QWEN
    assert by_model.to_payload()["model_name"] == QWEN
    assert WorkersAIEmbedding().model_name == "@cf/baai/bge-m3"
    with pytest.raises(TypeError, match="twice"):
        WorkersAIEmbedding(model=QWEN, model_name=QWEN)


def test_arguments_of_cloudflare_embedding_are_taken():
    embedding = WorkersAIEmbedding(account_id=ACCOUNT["account_id"], auth_token="t", model="@cf/baai/bge-base-en-v1.5")
    assert embedding.api_token.get_secret_value() == "t"


def test_an_unknown_argument_is_an_error_with_the_nearest_name():
    with pytest.raises(TypeError, match="embed_batch_size"):
        WorkersAIEmbedding(embed_batchsize=3)


async def test_a_cache_saves_requests(service):
    embedding = WorkersAIEmbedding(embeddings_cache=SimpleKVStore(), **service.arguments)
    for _ in range(2):
        assert embedding.get_text_embedding_batch(TEXTS) == expected(250)
        assert await embedding.aget_text_embedding_batch(TEXTS) == expected(250)
    assert len(service.bodies) == 3


async def test_it_embeds_nodes_as_a_transformation(service):
    """A pipeline hands its arguments to all transformations."""
    nodes = [TextNode(text=text) for text in TEXTS[:3]]
    embedding = WorkersAIEmbedding(**service.arguments)
    assert [node.embedding for node in embedding(nodes, in_place=True)] == expected(3)
    assert [node.embedding for node in await embedding.acall(nodes)] == expected(3)


async def test_a_cache_that_holds_some_saves_their_place(service):
    """What is left goes out in full requests, and errors speak of places among all texts."""
    embedding = WorkersAIEmbedding(embeddings_cache=SimpleKVStore(), **service.arguments)
    embedding.get_text_embedding_batch(TEXTS[0:250:2])
    assert embedding.get_text_embedding_batch(TEXTS) == expected(250)
    assert await embedding.aget_text_embedding_batch(TEXTS) == expected(250)
    assert sorted(len(body["text"]) for body in service.bodies) == [25, 25, 100, 100]
    with pytest.raises(BadRequestError, match=r"texts\[2\] is empty"):
        embedding.get_text_embedding_batch([TEXTS[0], TEXTS[1], "", "text number 1000"])


@pytest.mark.parametrize("way", ["get", "aget"])
async def test_a_cache_keeps_what_was_paid_for_before_a_failure(fake, way):
    good = {"success": True, "result": {"data": [[1.0, 2.0]]}}
    refusal = {"success": False, "errors": [{"code": 3036, "message": "used up"}]}
    service, store = fake(good, refusal), SimpleKVStore()
    arguments = {"embed_batch_size": 1, "num_workers": 1, "embeddings_cache": store, **service.arguments}
    embedding = WorkersAIEmbedding(**arguments)
    with pytest.raises(QuotaExceededError) as caught:
        await embed(embedding, ["a", "b", "c"], way)
    assert store.get("a", collection="embeddings") is not None
    assert (list(caught.value.done), list(caught.value.not_done)) == ([range(1)], [range(1, 3)])


def test_the_cache_of_the_framework_s_own_single_calls_is_the_same(service):
    embedding = WorkersAIEmbedding(embeddings_cache=SimpleKVStore(), **service.arguments)
    embedding.get_text_embedding("text number 7")
    assert embedding.get_text_embedding_batch(["text number 7"]) == [[7.0, 1.0]]
    embedding.get_text_embedding_batch(["text number 8"])
    assert embedding.get_text_embedding("text number 8") == [8.0, 1.0]
    assert len(service.bodies) == 2


def test_the_progress_bar_counts_texts(service):
    stderr = io.StringIO()
    stderr.isatty = lambda: True
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stderr", stderr)
        WorkersAIEmbedding(**service.arguments).get_text_embedding_batch(TEXTS, show_progress=True)
    assert "250/250" in stderr.getvalue()
    assert "texts/s" in stderr.getvalue()


def test_the_progress_bar_is_silent_where_there_is_no_terminal(service, capfd):
    WorkersAIEmbedding(**service.arguments).get_text_embedding_batch(TEXTS, show_progress=True)
    assert capfd.readouterr() == ("", "")


def test_one_object_serves_three_event_loops_in_a_row(embedding):
    rows = [asyncio.run(embedding.aget_text_embedding_batch(["a", "b"])) for _ in range(3)]
    assert rows[0] == rows[1] == rows[2]
