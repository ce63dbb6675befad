"""The plain text model: a prompt in, its continuation out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import aclosing, closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models.base import LangSmithParams
from langchain_core.language_models.llms import BaseLLM
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, Generation, GenerationChunk, LLMResult
from pydantic import ConfigDict

from langchain_workers_ai.errors import ERROR_CLASSES
from langchain_workers_ai.messages import summed_output, to_text_chunk, token_usage
from langchain_workers_ai.serialization import SECRETS, plain_fields, register_for_load
from langchain_workers_ai.token_counts import counter_of, tokens_of_messages, tokens_of_text
from langchain_workers_ai.tracing import identifying_params, langsmith_params
from workers_ai import tasks
from workers_ai.in_flight import ain_order, in_order
from workers_ai.text_fields import DEFAULT_MODEL, TextFields

if TYPE_CHECKING:
    from typing import Unpack

    from langchain_core.messages import BaseMessage

    from langchain_workers_ai.options import LLMOptions
    from langchain_workers_ai.tools import Tool
    from workers_ai.answers import ChatAnswer
    from workers_ai.errors import ErrorClasses
    from workers_ai.tasks.text_exchange import TextExchange

_AT_ONCE = 8
"""Prompts under way at a time."""


class WorkersAI(BaseLLM, TextFields):
    """Text models on Cloudflare Workers AI, for prompts in one piece.

    ```python
    from langchain_workers_ai import WorkersAI

    llm = WorkersAI(model="@cf/meta/llama-3.3-70b-instruct-fp8-fast", max_tokens=64)
    llm.invoke("Once upon a time")
    for text in llm.stream("Once upon a time"):
        print(text, end="")
    ```

    Several prompts go out together, at most eight at a time. `raw=True` leaves out the model's chat template. Errors
    as in `ChatWorkersAI`. With LangChain's cache, options of a single call are no part of the key: its base class
    has it so.
    """

    if TYPE_CHECKING:

        def __init__(self, **kwargs: Unpack[LLMOptions]) -> None: ...

    model_config = ConfigDict(defer_build=False)

    aliases: ClassVar[Mapping[str, str]] = {**TextFields.aliases, "model_name": "model"}
    error_classes: ClassVar[ErrorClasses] = ERROR_CLASSES

    model: str = DEFAULT_MODEL
    """Full id; any is taken, the catalogue only adds knowledge."""
    streaming: bool | None = None
    """Stream even when asked for a whole answer, so that callbacks see each token."""
    stream_usage: bool = True
    """Tell tokens in streams."""

    @property
    def model_name(self) -> str:
        """The model's id, under the name that other classes use."""
        return self.model

    @property
    def _llm_type(self) -> str:
        return "workers-ai"

    @property
    def _identifying_params(self) -> Mapping[str, Any]:
        return identifying_params(self)

    @classmethod
    def is_lc_serializable(cls) -> bool:
        """True: `dumps` writes it, with the token as a reference to `CLOUDFLARE_API_TOKEN`."""
        return True

    @property
    def lc_secrets(self) -> dict[str, str]:
        """Secret fields, and the variables that fill them on `load`."""
        return SECRETS

    @property
    def lc_attributes(self) -> dict[str, Any]:
        """Fields whose values JSON cannot hold as they are."""
        return plain_fields(self)

    def get_num_tokens(self, text: str) -> int:
        """Tokens of a text: estimated rather too high, or counted where `custom_get_token_ids` is given."""
        return tokens_of_text(self, self.model, text)

    def get_num_tokens_from_messages(self, messages: list[BaseMessage], tools: Sequence[Tool] | None = None) -> int:
        """Tokens of messages and tools; as `get_num_tokens`."""
        return tokens_of_messages(self, self.model, messages, tools)

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        call = {self.aliases.get(name, name): value for name, value in kwargs.items()}
        return langsmith_params("llm", self.model, self._text_options(), stop, call)

    def _generate(
        self,
        prompts: list[str],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> LLMResult:
        if self.streaming:
            return _joined([list(self._stream(prompt, stop, run_manager, **kwargs)) for prompt in prompts])
        exchanges = [self._prompt(prompt, stop, kwargs) for prompt in prompts]
        return _result(in_order(self._transport.send, exchanges, at_once=_AT_ONCE))

    async def _agenerate(
        self,
        prompts: list[str],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> LLMResult:
        if self.streaming:
            return _joined(
                [[chunk async for chunk in self._astream(prompt, stop, run_manager, **kwargs)] for prompt in prompts]
            )
        exchanges = [self._prompt(prompt, stop, kwargs) for prompt in prompts]
        return _result(await ain_order(self._transport.asend, exchanges, at_once=_AT_ONCE))

    def _stream(
        self,
        prompt: str,
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[GenerationChunk]:
        with closing(self._transport.stream(self._prompt(prompt, stop, kwargs, stream=True))) as deltas:
            for delta in deltas:
                chunk = to_text_chunk(delta)
                if run_manager:
                    run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                yield chunk

    async def _astream(
        self,
        prompt: str,
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[GenerationChunk]:
        async with aclosing(self._transport.astream(self._prompt(prompt, stop, kwargs, stream=True))) as deltas:
            async for delta in deltas:
                chunk = to_text_chunk(delta)
                if run_manager:
                    await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                yield chunk

    def _prompt(
        self, prompt: str, stop: list[str] | None, kwargs: Mapping[str, Any], *, stream: bool = False
    ) -> TextExchange:
        """The exchange for one prompt: this object's arguments under the call's own."""
        changes = self._call_options({name: value for name, value in kwargs.items() if name != "stream_usage"})
        if stop is not None:
            changes["stop"] = stop
        call = self._call(self.model, changes)
        usage = kwargs.get("stream_usage", self.stream_usage)
        request = tasks.completion.CompletionRequest(
            call,
            prompt,
            self._text_options(changes),
            stream_usage=usage,
            check_context=self._check_of(changes),
            count=counter_of(self),
        )
        return self._exchange(tasks.completion.exchange, request, stream=stream)


def _result(answers: list[ChatAnswer]) -> LLMResult:
    generations: list[list[Generation | ChatGeneration | GenerationChunk | ChatGenerationChunk]] = []
    for answer in answers:
        rest = replace(answer.facts, usage=None, cost=None)  # the cost is that of all choices together
        generations.append(
            [
                Generation(
                    text=choice.text,
                    generation_info={
                        **(answer.facts if place == 0 else rest).metadata(),
                        "finish_reason": choice.finish_reason,
                    },
                )
                for place, choice in enumerate(answer.choices)
            ]
        )
    outputs = [
        {
            "model_name": answer.facts.answering_model,
            "token_usage": token_usage(answer.usage) if answer.usage is not None else None,
        }
        for answer in answers
    ]
    return LLMResult(generations=generations, llm_output=summed_output(outputs))


def _joined(streams: list[list[GenerationChunk]]) -> LLMResult:
    """The result of streamed prompts: the last chunk of each tells its facts."""
    generations: list[list[Generation | ChatGeneration | GenerationChunk | ChatGenerationChunk]] = []
    outputs = []
    for chunks in streams:
        info = chunks[-1].generation_info or {}
        text = "".join(chunk.text for chunk in chunks)
        generations.append([GenerationChunk(text=text, generation_info=info)])
        outputs.append({"model_name": info.get("model_name"), "token_usage": info.get("token_usage")})
    return LLMResult(generations=generations, llm_output=summed_output(outputs))


register_for_load(__name__, WorkersAI.__name__)
