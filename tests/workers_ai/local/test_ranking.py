import pytest

RERANKER, M3 = "@cf/baai/bge-reranker-base", "@cf/baai/bge-m3"
CONTEXTS = [{"text": "Bananas are yellow"}, {"text": "Oslo is the capital of Norway"}, {"text": "The Norwegian coast"}]
BODY = {"query": "What is the capital of Norway?", "contexts": CONTEXTS}


@pytest.mark.parametrize("model", [RERANKER, M3])
def test_contexts_come_best_first_by_their_place(emulator, model):
    ranked = emulator.result(model, BODY)["response"]
    assert [item["id"] for item in ranked] == [1, 2, 0]
    scores = [item["score"] for item in ranked]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)


def test_top_k_leaves_the_rest_out(emulator):
    assert [item["id"] for item in emulator.result(RERANKER, BODY | {"top_k": 1})["response"]] == [1]
    assert len(emulator.result(RERANKER, BODY | {"top_k": 9})["response"]) == 3


def test_an_embedding_model_knows_no_top_k(emulator):
    """Its schema has none, and unknown inputs are ignored."""
    assert len(emulator.result(M3, BODY | {"top_k": 1})["response"]) == 3


def test_only_the_reranker_tells_its_usage(emulator):
    assert emulator.result(RERANKER, BODY)["usage"]["completion_tokens"] == 0
    assert "usage" not in emulator.result(M3, BODY)


@pytest.mark.parametrize(
    "wrong",
    [
        {"query": ""},
        {"query": None},
        {"contexts": None},
        {"contexts": ["text"]},
        {"contexts": [{"text": ""}]},
        {"top_k": 0},
        {"top_k": "2"},
    ],
)
def test_what_does_not_fit_the_schema_is_refused(emulator, wrong):
    assert emulator.run(RERANKER, BODY | wrong).json()["errors"][0]["code"] == 5006


def test_no_contexts_rank_to_nothing(emulator):
    assert emulator.result(RERANKER, BODY | {"contexts": []})["response"] == []


def test_v1_refuses_a_reranker(emulator, said):
    response = emulator.v1("chat/completions", {"model": RERANKER, "messages": said("Hello")})
    assert response.status_code == 400
    assert "required properties at '/' are 'query,contexts'" in response.json()["errors"][0]["message"]
