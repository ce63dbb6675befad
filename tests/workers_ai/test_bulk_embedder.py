"""The class that an engine maps over batches: the forms of a batch, what is sent, and what a pickle holds."""

from __future__ import annotations

import json
import pickle
from typing import Any

import httpx
import pytest

from workers_ai import BadRequestError, BulkEmbedder, InvalidResponseError, QuotaExceededError
from workers_ai.embedding_identity import EmbeddingIdentity

np = pytest.importorskip("numpy")
pa = pytest.importorskip("pyarrow")
TOKEN = "tok-Zx81-secret-Qq47"


class Service:
    """Answers each text with its length."""

    def __init__(self) -> None:
        self.texts: list[list[str]] = []
        self.rows = self.lengths

    def __call__(self, request: httpx.Request) -> httpx.Response:
        texts = json.loads(request.content)["text"]
        self.texts.append(texts)
        rows = self.rows(texts)
        told = {"success": True, "result": {"data": rows, "shape": [len(rows), len(rows[0])]}}
        return httpx.Response(200, json=told, headers={"cf-ai-neurons": "1.5"})

    @staticmethod
    def lengths(texts: list[str]) -> list[list[float]]:
        return [[float(len(text)), 0.5] for text in texts]

    def embedder(self, **options: Any) -> BulkEmbedder:
        client = httpx.Client(transport=httpx.MockTransport(self))
        return BulkEmbedder(account_id="0" * 32, api_token=TOKEN, http_client=client, **options)

    def key(self, **options: Any) -> str:
        (key,) = self.embedder(key="key", **options)({"text": ["a"]})["key"]
        return key


@pytest.fixture
def service() -> Service:
    return Service()


def test_a_mapping_of_arrays_gets_one_float32_array(service):
    batch = {"id": np.array([1, 2]), "text": np.array(["a", "bbb"], dtype=object)}
    made = service.embedder()(batch)
    assert list(made) == ["id", "text", "embedding"]
    assert made["embedding"].dtype == np.float32
    assert made["embedding"].tolist() == [[1.0, 0.5], [3.0, 0.5]]
    assert list(batch) == ["id", "text"], "the batch that was handed over is as it was"


def test_numpy_strings_and_lists_are_texts_too(service):
    assert service.embedder()({"text": np.array(["a"])})["embedding"].shape == (1, 2)
    assert service.embedder()({"text": ["a"]})["embedding"].shape == (1, 2)


@pytest.mark.parametrize("kind", [pa.table, pa.RecordBatch.from_pydict])
def test_arrow_gets_a_list_column_in_the_place_of_an_old_one(service, kind):
    embed = service.embedder(column="body", output="vector")
    made = embed(embed(kind({"body": ["a", "bbb"], "id": [1, 2]})))
    assert made.schema.names == ["body", "id", "vector"]
    assert made.schema.field("vector").type == pa.list_(pa.float32())
    assert made.column("vector").to_pylist() == [[1.0, 0.5], [3.0, 0.5]]


def test_a_pandas_frame_stays_one(service):
    pd = pytest.importorskip("pandas")
    made = service.embedder(key="key")(pd.DataFrame({"text": ["a", "bbb"]}, index=[7, 9]))
    assert list(made.index) == [7, 9]
    assert [list(vector) for vector in made["embedding"]] == [[1.0, 0.5], [3.0, 0.5]]
    assert made["key"].nunique() == 2


def test_no_rows_make_no_request(service):
    assert len(service.embedder()({"text": []})["embedding"]) == 0
    assert service.embedder()(pa.table({"text": pa.array([], pa.string())})).num_rows == 0
    assert service.texts == []


def test_any_number_of_rows_goes_out_in_requests_of_the_limit_and_each_text_once(service):
    texts = [f"text {number % 250}" for number in range(1000)]
    made = service.embedder()({"text": texts})
    assert sorted(map(len, service.texts)) == [50, 100, 100]
    assert made["embedding"][:, 0].tolist() == [len(text) for text in texts]


@pytest.mark.parametrize(("value", "told"), [("", "is empty"), (None, "is NoneType"), (5, "is int")])
def test_a_row_without_a_text_is_named_before_anything_is_sent(service, value, told):
    with pytest.raises(BadRequestError, match=f"row 1 of the batch: .*{told}"):
        service.embedder()({"text": ["a", value]})
    assert service.texts == []


def test_a_batch_without_the_column_or_of_another_kind_is_refused(service):
    with pytest.raises(BadRequestError, match=r"no column 'text'; it has \['body'\]"):
        service.embedder()({"body": ["a"]})
    with pytest.raises(BadRequestError, match="not list"):
        service.embedder()(["a"])


def test_a_key_says_which_text_and_settings_a_vector_is_of(service):
    """The same in every process, and unset pooling is the model's own."""
    small = "@cf/baai/bge-small-en-v1.5"
    first, second, third = service.embedder(key="key", model=small)({"text": ["a", "b", "a"]})["key"]
    assert (first, third) == ("f1fd459d79e1657ff361871103995898", first)
    assert second != first
    assert service.key(model=small) == service.key(model=small, pooling="mean") == first
    others = [{}, {"model": small, "pooling": "cls"}, {"model": small, "text_instruction": "passage:"}]
    assert len({service.key(**other) for other in others} | {first}) == 4


def test_the_instruction_stands_before_what_is_sent_and_not_in_the_batch(service):
    made = service.embedder(text_instruction="passage:")({"text": ["a"]})
    assert service.texts == [["passage: a"]]
    assert made["text"] == ["a"]


def test_each_request_tells_its_usage(service):
    told = []
    service.embedder(on_usage=told.append, batch_size=10)({"text": [str(number) for number in range(30)]})
    assert [usage.neurons for usage in told] == [1.5] * 3


def test_vectors_of_two_lengths_are_refused(service):
    service.rows = lambda texts: [[1.0] * len(texts[0])] * len(texts)
    with pytest.raises(InvalidResponseError, match=r"of \[1, 2\] numbers"):
        service.embedder(batch_size=1)({"text": ["a", "bb"]})


def test_its_identity_is_that_of_the_model_classes(service):
    assert service.embedder().identity == EmbeddingIdentity("@cf/baai/bge-m3", "cls", 1024)


def test_a_pickle_works_in_another_process_and_only_there_the_token_shows():
    """As of the model classes: workers need it. A live client stays behind."""
    with httpx.Client() as client:
        made = BulkEmbedder(account_id="0" * 32, api_token=TOKEN, output="v", http_client=client)
        again = pickle.loads(pickle.dumps(made)).embedder
    assert (again.output, again.api_token, again.http_client) == ("v", made.embedder.api_token, None)
    assert TOKEN not in repr(made)


def test_an_engine_may_keep_attributes_in_a_subclass(service):
    """Ray does, to run calls in a thread of its own."""

    class Wrapped(BulkEmbedder):
        def __init__(self, **options):
            self.calls = 0
            super().__init__(**options)

    assert Wrapped(column="body").embedder.column == "body"


def test_an_unknown_argument_is_refused_with_the_nearest_name():
    with pytest.raises(TypeError, match=r"BulkEmbedder knows no argument .* did you mean column"):
        BulkEmbedder(colunm="text")


def test_a_failure_tells_which_rows_are_done():
    """Equal texts are sent once, and are done together."""

    def answer(request: httpx.Request) -> httpx.Response:
        texts = json.loads(request.content)["text"]
        if "d" in texts:
            return httpx.Response(429, json={"errors": [{"code": 3036, "message": "spent"}]})
        return httpx.Response(200, json={"success": True, "result": {"data": [[1.0]] * len(texts)}})

    client = httpx.Client(transport=httpx.MockTransport(answer))
    embedder = BulkEmbedder(
        account_id="0" * 32, api_token=TOKEN, http_client=client, batch_size=2, max_concurrency=1, max_retries=0
    )
    with pytest.raises(QuotaExceededError, match=r"Done: texts\[0:3\], texts\[4:5\]; not done: texts\[3:4\]"):
        embedder({"text": ["a", "b", "a", "d", "b"]})
