import math

import pytest

SMALL, M3, QWEN = "@cf/baai/bge-small-en-v1.5", "@cf/baai/bge-m3", "@cf/qwen/qwen3-embedding-0.6b"
GEMMA, PLAMO = "@cf/google/embeddinggemma-300m", "@cf/pfnet/plamo-embedding-1b"


def cosine(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize(
    ("model", "dimensions"),
    [
        (SMALL, 384),
        ("@cf/baai/bge-base-en-v1.5", 768),
        ("@cf/baai/bge-large-en-v1.5", 1024),
        (M3, 1024),
        (QWEN, 1024),
        (GEMMA, 768),
        (PLAMO, 2048),
    ],
)
def test_each_model_has_its_dimensions_and_vectors_of_length_1(emulator, model, dimensions):
    result = emulator.result(model, {"text": ["Oslo lies on a fjord", "?!"]})
    assert result["shape"] == [2, dimensions]
    assert [len(vector) for vector in result["data"]] == [dimensions] * 2
    assert all(math.isclose(cosine(v, v), 1, abs_tol=1e-5) for v in result["data"])


def test_the_same_text_gives_the_same_vector_alone_or_in_a_batch(emulator):
    alone = emulator.result(M3, {"text": "a red boat"})["data"]
    batch = emulator.result(M3, {"text": ["something else", "a red boat"]})["data"]
    assert alone[0] == batch[1]
    # Written down once: another hash, or one that changes from run to run, would make stored indexes worthless.
    assert [place for place, value in enumerate(alone[0]) if abs(value) > 0.5] == [465, 699]


def test_the_nearest_text_is_the_one_with_most_words_in_common(emulator):
    texts = [
        "The lighthouse keeper feeds two goats.",
        "Norwegian fjords are deep and cold.",
        "Invoices are paid within thirty days.",
    ]
    vectors = emulator.result(SMALL, {"text": texts})["data"]
    for question, nearest in [
        ("Who keeps the lighthouse?", 0),
        ("fjords of Norway", 1),
        ("When is an invoice paid?", 2),
    ]:
        asked = emulator.result(SMALL, {"text": question})["data"][0]
        assert max(range(3), key=lambda at: cosine(asked, vectors[at])) == nearest


def test_pooling_and_model_are_spaces_of_their_own(emulator):
    mean = emulator.result(SMALL, {"text": "boat"})
    cls = emulator.result(SMALL, {"text": "boat", "pooling": "cls"})
    assert (mean["pooling"], cls["pooling"]) == ("mean", "cls")
    assert cosine(mean["data"][0], cls["data"][0]) < 0.5
    assert emulator.result(M3, {"text": "boat"})["pooling"] == "cls"
    assert emulator.run(SMALL, {"text": "boat", "pooling": "max"}).status_code == 400


def test_usage_stands_where_the_family_puts_it(emulator):
    assert emulator.result(QWEN, {"text": "one two"})["usage"]["prompt_tokens"] == 2
    m3 = emulator.result(M3, {"text": "one two"})
    assert m3["meta"]["neurons"] > 0
    assert m3["response"] is None
    assert emulator.result(GEMMA, {"text": "one two"}).keys() == {"shape", "data"}
    assert "usage" not in emulator.v1("embeddings", {"model": QWEN, "input": "one two"}).json()


def test_the_openai_form_gives_the_same_vectors(emulator):
    body = emulator.v1("embeddings", {"model": SMALL, "input": ["a", "b"]}).json()
    assert [item["index"] for item in body["data"]] == [0, 1]
    assert [item["embedding"] for item in body["data"]] == emulator.result(SMALL, {"text": ["a", "b"]})["data"]
    assert body["usage"]["total_tokens"] == 2


@pytest.mark.parametrize(("model", "limit"), [(M3, 100), (SMALL, 100), (QWEN, 32)])
def test_more_texts_than_the_limit_are_refused(emulator, model, limit):
    assert emulator.run(model, {"text": ["x"] * limit}).status_code == 200
    response = emulator.run(model, {"text": ["x"] * (limit + 1)})
    assert (response.status_code, response.json()["errors"][0]["code"]) == (400, 5006)


@pytest.mark.parametrize("body", [{"text": ""}, {"text": ["a", ""]}, {"text": []}, {"text": [1]}, {"text": None}, {}])
def test_what_holds_no_text_is_refused(emulator, body):
    assert emulator.run(SMALL, body).json()["errors"][0]["code"] == 5006


def test_one_text_may_have_8192_tokens_and_a_call_60000(emulator):
    long = "word " * 8_192
    assert emulator.run(M3, {"text": [long.strip()] * 7}).status_code == 200
    one = emulator.run(M3, {"text": long + "more words"}).json()["errors"][0]
    assert (one["code"], "Sequence too long" in one["message"]) == (3030, True)
    many = emulator.run(M3, {"text": [long.strip()] * 8}).json()["errors"][0]
    assert many["code"] == 3030
    assert "Max context reached 65536 tokens but model supports only 60000" in many["message"]
    assert emulator.run(M3, {"text": long + "more words", "truncate_inputs": True}).status_code == 200


def test_qwen_tells_queries_from_documents(emulator):
    query = emulator.result(QWEN, {"queries": "red boats"})["data"][0]
    document = emulator.result(QWEN, {"documents": ["red boats"]})["data"][0]
    assert document == emulator.result(QWEN, {"text": "red boats"})["data"][0]
    assert query != document
    assert cosine(query, document) > 0.9
    told = emulator.result(QWEN, {"queries": "red boats", "instruction": "Find ships"})["data"][0]
    assert told != query
    both = emulator.result(QWEN, {"queries": ["red boats"], "documents": ["red boats"]})["data"]
    assert both == [query, document]


def test_m3_given_contexts_alone_puts_vectors_under_response(emulator):
    result = emulator.result(M3, {"contexts": [{"text": "a"}, {"text": "b"}]})
    assert result.keys() == {"response", "shape", "pooling"}
    assert result["response"] == emulator.result(M3, {"text": ["a", "b"]})["data"]


def test_an_embedding_model_refuses_a_chat(emulator, said):
    assert emulator.v1("chat/completions", {"model": M3, "messages": said("Hello")}).status_code == 400
