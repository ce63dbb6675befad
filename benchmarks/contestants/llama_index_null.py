"""LlamaIndex alone: its base class, answering from memory. What no integration can go below."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    ChatResponseAsyncGen,
    ChatResponseGen,
    CompletionResponse,
    CompletionResponseAsyncGen,
    CompletionResponseGen,
    LLMMetadata,
)
from llama_index.core.llms import LLM
from llama_index.core.llms.callbacks import llm_chat_callback
from server import ANSWER, WORDS
from typing_extensions import override

from contestants.llama_index_model import LlamaIndexModel


class NullLLM(LLM):
    """Says the same always. Its streams carry the text so far, as the framework asks."""

    tokens: int

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(is_chat_model=True, model_name="null")

    @llm_chat_callback()
    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        return ChatResponse(message=ChatMessage(role="assistant", content=ANSWER))

    @llm_chat_callback()
    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        return ChatResponse(message=ChatMessage(role="assistant", content=ANSWER))

    @llm_chat_callback()
    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        def answers() -> ChatResponseGen:
            text = ""
            for place in range(self.tokens):
                text += (delta := WORDS[place % len(WORDS)])
                yield ChatResponse(message=ChatMessage(role="assistant", content=text), delta=delta)

        return answers()

    @llm_chat_callback()
    async def astream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseAsyncGen:
        async def answers() -> ChatResponseAsyncGen:
            text = ""
            for place in range(self.tokens):
                text += (delta := WORDS[place % len(WORDS)])
                yield ChatResponse(message=ChatMessage(role="assistant", content=text), delta=delta)

        return answers()

    @override
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        raise NotImplementedError

    @override
    async def acomplete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        raise NotImplementedError

    @override
    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseGen:
        raise NotImplementedError

    @override
    async def astream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseAsyncGen:
        raise NotImplementedError


def make(base_url: str, *, tokens: int) -> LlamaIndexModel:
    """The contestant; it sends nothing."""
    return LlamaIndexModel(NullLLM(tokens=tokens))
