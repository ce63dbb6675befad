"""The emulator's batch queue, as plain HTTP sees it."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from workers_ai.local import Queue

BGE_M3 = "@cf/baai/bge-m3"
LLAMA = "@cf/meta/llama-3.3-70b-instruct-fp8-fast"


@pytest.fixture
def queued(emulator: Any) -> Any:
    """Asks the queue of a fresh emulator, with these manners."""

    def ask(body: Any, *, model: str = BGE_M3, status: int = 200, **manners: Any) -> Any:
        if manners:
            emulator.account.queue = Queue(**manners)
        response: httpx.Response = emulator.run(f"{model}?queueRequest=true", body)
        assert response.status_code == status, response.text
        return response.json()["result"] if status == 200 else response.json()["errors"][0]

    return ask


def test_work_is_queued_then_running_then_there(queued: Any):
    taken = queued({"requests": [{"text": "a"}]}, polls=3)
    assert taken == {"status": "queued", "request_id": taken["request_id"], "model": BGE_M3}
    asked = {"request_id": taken["request_id"]}
    assert [queued(asked).get("status") for _ in range(5)] == ["queued", "running", "running", None, None]
    assert queued(asked).keys() == {"responses", "usage"}


def test_each_request_has_its_own_answer_id_and_reference(queued: Any):
    requests = [
        {"text": ["a"], "external_reference": "first"},
        {"query": "a", "contexts": [{"text": "b", "external_reference": "lost"}, {"text": "a"}]},
        {"text": [""], "external_reference": "empty"},
    ]
    told = queued({"requests": requests}, polls=0)
    done = queued({"request_id": told["request_id"]})
    assert [one["id"] for one in done["responses"]] == [0, 1, 2]
    assert [one["external_reference"] for one in done["responses"]] == ["first", None, "empty"]
    assert [one["success"] for one in done["responses"]] == [True, True, False]
    assert done["responses"][0]["result"]["shape"] == [1, 1024]
    assert done["responses"][1]["result"]["response"][0]["id"] == 1
    assert done["responses"][2]["errors"][0]["code"] == 5006
    assert done["usage"]["total_tokens"] > 0


def test_answers_may_come_in_another_order(queued: Any):
    told = queued({"requests": [{"prompt": "a"}, {"prompt": "b"}]}, model=LLAMA, polls=0, shuffled=True)
    done = queued({"request_id": told["request_id"]}, model=LLAMA)
    assert [one["id"] for one in done["responses"]] == [1, 0]


def test_work_takes_its_time(queued: Any):
    told = queued({"requests": [{"text": "a"}]}, polls=0, seconds=3600)
    assert queued({"request_id": told["request_id"]})["status"] == "queued"


@pytest.mark.parametrize(
    ("model", "body", "code"),
    [
        ("@cf/openai/gpt-oss-20b", {"requests": [{"prompt": "a"}]}, 8007),
        (BGE_M3, {"text": "a"}, 5006),
        (BGE_M3, {"requests": []}, 5006),
        (BGE_M3, {"requests": "a"}, 5006),
        (BGE_M3, {"requests": ["a"]}, 5006),
        (BGE_M3, {"request_id": "nobody's"}, 5006),
        (BGE_M3, {"request_id": 5}, 5006),
    ],
)
def test_what_is_no_work_is_refused(queued: Any, model: str, body: Any, code: int):
    assert queued(body, model=model, status=400)["code"] == code


def test_more_than_ten_megabytes_are_refused(queued: Any):
    assert queued({"requests": [{"text": "x" * 10_000_000}]}, status=413)["code"] == 3006


def test_another_model_does_not_know_the_work(queued: Any):
    told = queued({"requests": [{"text": "a"}]})
    refused = queued({"request_id": told["request_id"]}, model="@cf/baai/bge-small-en-v1.5", status=400)
    assert "request_id" in refused["message"]


def test_without_the_query_a_poll_is_taken_for_an_input(emulator: Any):
    assert emulator.run(BGE_M3, {"request_id": "x"}).status_code == 400


def test_work_is_charged_once_however_often_it_is_asked_for(queued: Any, emulator: Any):
    told = queued({"requests": [{"text": "a b c"}] * 3}, polls=0)
    before = emulator.account.usage.neurons
    queued({"request_id": told["request_id"]})
    charged = emulator.account.usage.neurons
    queued({"request_id": told["request_id"]})
    assert before < charged == emulator.account.usage.neurons


def test_the_gateway_s_host_passes_the_query_on(emulator: Any):
    path = f"/v1/{emulator.account.account_id}/default/workers-ai/run/{BGE_M3}?queueRequest=true"
    told = emulator.post(path, {"requests": [{"text": "a"}]})
    assert told.json()["result"]["status"] == "queued"


def test_the_listing_tells_which_models_have_a_queue(emulator: Any):
    listed = emulator.request("GET", f"{emulator.ai}/models/search?search=llama-3").json()["result"]
    queues = {one["name"] for one in listed for told in one["properties"] if told["property_id"] == "async_queue"}
    assert queues == {LLAMA}
