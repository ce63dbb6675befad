"""The name of a conversation: the same while it grows, another for another, and nothing of what is said in it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from workers_ai import Client
from workers_ai.conversation import name_of

SYSTEM = {"role": "system", "content": "You know tides."}
FIRST = {"role": "user", "content": "How high is the tide?"}
REST = [{"role": "assistant", "content": "Two metres."}, {"role": "user", "content": "And tomorrow?"}]


def test_it_stays_while_the_conversation_grows():
    assert name_of([SYSTEM, FIRST]) == name_of([SYSTEM, FIRST, *REST])


@pytest.mark.parametrize(
    "other", [[FIRST], [SYSTEM, {"role": "user", "content": "How low?"}], [{**SYSTEM, "content": "x"}, FIRST]]
)
def test_another_beginning_is_another_conversation(other: list[dict[str, Any]]):
    assert name_of(other) != name_of([SYSTEM, FIRST])


def test_it_is_the_same_in_every_process():
    assert name_of([SYSTEM, FIRST]) == "conversation-e23b44a6d3e2f52bd9f984aece5b18c7"


def test_pictures_and_odd_content_have_a_name_too():
    part = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    assert name_of([{"role": "user", "content": [part]}]).startswith("conversation-")
    assert name_of([{"role": "assistant", "content": "x"}]).startswith("conversation-")


@pytest.fixture
def asked(service: Callable[..., Any], account: str, token: str) -> Callable[..., str | None]:
    """Asks, and gives the header that went out."""

    def ask(method: str, content: Any, **arguments: Any) -> str | None:
        fake = service("answer-native-usage")
        client = Client(account_id=account, api_token=token, http_client=fake.client(), **arguments)
        getattr(client, method)(content, model="@cf/meta/llama-3.2-3b-instruct")
        header: str | None = fake.requests[0].headers.get("x-session-affinity")
        return header

    return ask


def test_auto_sends_the_name_of_the_chat(asked: Callable[..., str | None]):
    assert asked("chat", [SYSTEM, FIRST, *REST], session_affinity="auto") == name_of([SYSTEM, FIRST])
    assert asked("chat", [FIRST], session_affinity="mine") == "mine"
    assert asked("chat", [FIRST]) is None


def test_a_prompt_is_a_conversation_of_one(asked: Callable[..., str | None]):
    assert asked("complete", "Once upon", session_affinity="auto") == name_of(
        [{"role": "user", "content": "Once upon"}]
    )


def test_it_is_the_one_of_the_whole_history_when_that_is_trimmed(service: Callable[..., Any], account: str, token: str):
    fake = service("answer-native-usage")
    client = Client(account_id=account, api_token=token, http_client=fake.client(), session_affinity="auto")
    long = [{"role": "user", "content": " the" * 23_000}, {"role": "assistant", "content": "Yes."}]
    client.chat([SYSTEM, *long, FIRST], model="@cf/meta/llama-3.3-70b-instruct-fp8-fast", check_context="trim")
    assert fake.requests[0].headers["x-session-affinity"] == name_of([SYSTEM, *long])
    assert len(json.loads(fake.requests[0].content)["messages"]) == 2


def test_vectors_have_no_conversation(service: Callable[..., Any], account: str, token: str):
    fake = service(lambda _: __import__("httpx").Response(200, json={"result": {"data": [[1.0]]}, "success": True}))
    client = Client(account_id=account, api_token=token, http_client=fake.client(), session_affinity="auto")
    client.embed(["text"])
    assert "x-session-affinity" not in fake.requests[0].headers
