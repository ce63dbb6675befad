"""The service's batch queue under LangChain's classes, on the emulator."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import langchain_core.exceptions as lc
import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage

from langchain_workers_ai import ChatWorkersAI, WorkersAIEmbeddings
from workers_ai import QueuedRequest
from workers_ai import errors as e
from workers_ai.local import Account, LocalServer, Queue

GEMMA, LLAMA = "@cf/google/gemma-4-26b-a4b-it", "@cf/meta/llama-3.3-70b-instruct-fp8-fast"
BGE = "@cf/baai/bge-small-en-v1.5"


@pytest.fixture(scope="module")
def server() -> Iterator[LocalServer]:
    """An emulator whose queue is quick, and answers in another order."""
    with LocalServer(account=Account(queue=Queue(polls=0, shuffled=True))) as server:
        yield server


@pytest.fixture
def connection(server: LocalServer) -> dict[str, Any]:
    server.clear()
    return {"account_id": server.account_id, "api_token": server.api_token, "base_url": server.base_url}


@pytest.fixture(params=["plain", "async"])
def ask(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Calls a method of an object, or its async twin."""

    def call(owner: Any, name: str, *args: Any, **kwargs: Any) -> Any:
        if request.param == "plain":
            return getattr(owner, name)(*args, **kwargs)
        return asyncio.run(getattr(owner, f"a{name}")(*args, **kwargs))

    return call


def test_one_message_comes_back_for_each_input_in_order(ask: Any, connection: dict[str, Any], server: LocalServer):
    model = ChatWorkersAI(model=GEMMA, temperature=0, **connection)
    inputs = [
        "Say only: one",
        [SystemMessage("Be brief."), HumanMessage("Say only: two")],
        [("human", "Say only: three")],
    ]
    messages = ask(model, "batch_queue", inputs, max_tokens=40)
    assert [message.text for message in messages] == ["one", "two", "three"]
    assert all(isinstance(message, AIMessage) and message.usage_metadata for message in messages)
    assert messages[0].response_metadata["model_requested"] == GEMMA
    requests = server.requests[0].json["requests"]
    assert [one["max_tokens"] for one in requests] == [40] * 3
    assert [len(one["messages"]) for one in requests] == [1, 2, 1]
    assert all(one["temperature"] == 0 for one in requests)


def test_tools_are_options_of_the_call(ask: Any, connection: dict[str, Any]):
    def weather(city: str) -> str:
        """Weather in a city."""
        return city

    model = ChatWorkersAI(model=LLAMA, **connection)
    (message,) = ask(model, "batch_queue", ["What is the weather in Oslo?"], tools=[weather], tool_choice="any")
    assert [(call["name"], call["args"]) for call in message.tool_calls] == [("weather", {"city": "Oslo"})]


def test_no_inputs_make_no_request(ask: Any, connection: dict[str, Any], server: LocalServer):
    assert ask(ChatWorkersAI(model=GEMMA, **connection), "batch_queue", []) == []
    assert ask(WorkersAIEmbeddings(model=BGE, **connection), "embed_documents_queue", []) == []
    assert server.requests == []


def test_work_may_be_collected_by_another_object_with_its_handle(ask: Any, connection: dict[str, Any]):
    queued = ask(ChatWorkersAI(model=LLAMA, stop=[" two"], **connection), "batch_submit", ["Say only: one two"])
    kept = QueuedRequest.from_json(queued.to_json())
    for found in (kept, queued.request_id):
        (message,) = ask(ChatWorkersAI(model=LLAMA, **connection), "batch_collect", found)
        assert message.text == ("one" if found is kept else "one two")


def test_a_model_without_a_queue_is_refused_in_langchain_s_class(ask: Any, connection: dict[str, Any]):
    with pytest.raises(lc.ModelInvalidRequestError, match="has no batch queue") as caught:
        ask(ChatWorkersAI(model="@cf/meta/llama-3.2-3b-instruct", **connection), "batch_queue", ["x"])
    assert isinstance(caught.value, e.BadRequestError)


def test_a_handle_of_other_work_is_refused(ask: Any, connection: dict[str, Any]):
    other = QueuedRequest(("id-1",), BGE, "embedding")
    with pytest.raises(lc.ModelInvalidRequestError, match="a handle of chats"):
        ask(ChatWorkersAI(model=GEMMA, **connection), "batch_collect", other)


@pytest.fixture
def half_failed() -> dict[str, Any]:
    """A service that answers the first of two chats, and refuses the second."""
    answered = {"id": 0, "result": {"response": "one"}, "success": True}
    failed = {"id": 1, "success": False, "errors": [{"message": "Sequence too long", "code": 3030}]}

    def answer(request: httpx.Request) -> httpx.Response:
        submitted = "requests" in json.loads(request.content)
        result = {"status": "queued", "request_id": "id-1"} if submitted else {"responses": [failed, answered]}
        return httpx.Response(200, json={"result": result, "success": True, "errors": [], "messages": []})

    transport = httpx.MockTransport(answer)
    clients = {
        "http_client": httpx.Client(transport=transport),
        "http_async_client": httpx.AsyncClient(transport=transport),
    }
    return {"account_id": "0" * 32, "api_token": "token", **clients}


def test_an_input_that_failed_is_an_exception_in_its_place(ask: Any, half_failed: dict[str, Any]):
    model = ChatWorkersAI(model=LLAMA, **half_failed)
    first, second = ask(model, "batch_queue", ["a", "b"], return_exceptions=True)
    assert first.text == "one"
    assert isinstance(second, lc.ContextOverflowError)


def test_otherwise_it_is_raised_with_the_way_to_the_others(ask: Any, half_failed: dict[str, Any]):
    model = ChatWorkersAI(model=LLAMA, **half_failed)
    with pytest.raises(lc.ContextOverflowError, match="Input 1 failed") as caught:
        ask(model, "batch_queue", ["a", "b"])
    assert isinstance(caught.value, e.WorkersAIError)
    kept = QueuedRequest.from_json(caught.value.partial or "")
    assert ask(model, "batch_collect", kept, return_exceptions=True)[0].text == "one"


def test_texts_are_embedded_as_ever_only_later(ask: Any, connection: dict[str, Any], server: LocalServer):
    embeddings = WorkersAIEmbeddings(model=BGE, pooling="cls", text_instruction="passage:", **connection)
    texts = [f"text {place}" for place in range(120)]
    assert ask(embeddings, "embed_documents_queue", texts) == embeddings.embed_documents(texts)
    assert server.requests[0].json["requests"][0] == {
        "text": ["passage: text 0"],
        "pooling": "cls",
        "external_reference": "0",
    }


def test_an_empty_text_is_refused_by_its_place(ask: Any, connection: dict[str, Any], server: LocalServer):
    with pytest.raises(lc.ModelInvalidRequestError, match=r"texts\[1\] is empty"):
        ask(WorkersAIEmbeddings(model=BGE, **connection), "embed_documents_queue", ["a", ""])
    assert server.requests == []
