"""The window is checked before anything is sent, by estimate or by the model's own tokenizer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from llama_index.core.llms import ChatMessage

from llama_index_workers_ai import ContextLengthError, WorkersAI
from llama_index_workers_ai.token_counts import counter_of
from workers_ai.local import LocalServer
from workers_ai.token_estimate import CORRECTION

WORD = " the"
LLAMA = "@cf/meta/llama-3.3-70b-instruct-fp8-fast"  # a window of 24,000 tokens


@pytest.fixture(autouse=True)
def forgetful() -> Iterator[None]:
    CORRECTION.clear()
    yield
    CORRECTION.clear()


async def ask(llm: WorkersAI, way: str, text: str) -> None:
    said = [ChatMessage(content=text)]
    match way:
        case "chat":
            llm.chat(said)
        case "achat":
            await llm.achat(said)
        case "stream_chat":
            list(llm.stream_chat(said))
        case "astream_chat":
            assert [item async for item in await llm.astream_chat(said)]
        case "complete":
            llm.complete(text)
        case "plain":
            llm.complete(text, raw=True)


@pytest.mark.parametrize("way", ["chat", "achat", "stream_chat", "astream_chat", "complete", "plain"])
async def test_what_cannot_fit_is_refused_before_it_is_sent(server: LocalServer, connection: dict[str, Any], way: str):
    with pytest.raises(ContextLengthError) as caught:
        await ask(WorkersAI(model=LLAMA, **connection), way, WORD * 48_000)
    assert caught.value.limit == 24_000
    assert caught.value.maybe_sent is False
    assert not server.requests


def test_an_object_and_a_call_may_choose(fake: Any):
    made = fake({"result": {"response": "Yes."}, "success": True})
    llm = WorkersAI(model=LLAMA, check_context="trim", **made.arguments)
    said = [
        ChatMessage(content=WORD * 23_000),
        ChatMessage(role="assistant", content="Yes."),
        ChatMessage(content="Now?"),
    ]
    llm.chat(said)
    llm.chat(said, check_context=None)
    assert [len(body["messages"]) for body in made.requests] == [1, 3]
    assert "check_context" not in made.requests[0]


def test_the_tokenizer_counts_for_the_check(server: LocalServer, connection: dict[str, Any]):
    llm = WorkersAI(model=LLAMA, tokenizer=lambda text: [0] * (2 * len(text.split())), **connection)
    with pytest.raises(ContextLengthError) as caught:
        llm.complete(WORD * 12_100)
    assert caught.value.tokens is not None
    assert 24_200 <= caught.value.tokens < 24_500


class Encoding:
    """As tiktoken's and the `tokenizers` package's objects have it."""

    def encode(self, text: str) -> list[int]:
        return [0] * len(text)


@pytest.mark.parametrize(("tokenizer", "tokens"), [(Encoding(), 3), (str.split, 1), (None, None), ("a name", None)])
def test_a_tokenizer_is_a_function_or_what_encodes(tokenizer: Any, tokens: int | None):
    """A name is none: nothing is fetched."""
    count = counter_of(tokenizer)
    assert (count("abc") if count is not None else None) == tokens
