"""The chat model."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import aclosing, closing
from typing import TYPE_CHECKING, Any, ClassVar

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models.base import LangSmithParams
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from pydantic import Field

from langchain_workers_ai.content_blocks import register
from langchain_workers_ai.errors import ERROR_CLASSES
from langchain_workers_ai.messages import summed_output, to_chunk, to_result, to_wire
from langchain_workers_ai.profiles import profile_of
from langchain_workers_ai.serialization import SECRETS, plain_fields, register_for_load
from langchain_workers_ai.tracing import langsmith_params
from workers_ai.answers import PROVIDER
from workers_ai.tasks import chat
from workers_ai.text_fields import DEFAULT_MODEL, TextFields

if TYPE_CHECKING:
    from typing import Unpack

    from langchain_core.language_models.model_profile import ModelProfile

    from langchain_workers_ai.options import ChatOptions
    from workers_ai.errors import ErrorClasses


class ChatWorkersAI(BaseChatModel, TextFields):
    """Chat models on Cloudflare Workers AI.

    Setup:
        Set `CLOUDFLARE_ACCOUNT_ID` and `CLOUDFLARE_API_TOKEN` (a token with the permissions Workers AI Read and Edit),
        or run `workers-ai serve` to try without an account.

    Instantiate:
        ```python
        from langchain_workers_ai import ChatWorkersAI

        model = ChatWorkersAI(model="@cf/google/gemma-4-26b-a4b-it", temperature=0, max_tokens=512)
        ```

    Invoke:
        ```python
        answer = model.invoke([("system", "Be brief."), ("human", "What is a neuron?")])
        answer.text, answer.usage_metadata, answer.response_metadata["cost_usd"]
        ```

    Stream:
        ```python
        for chunk in model.stream("Count to five."):
            print(chunk.text, end="")
        ```

    Per call: every sampling argument, and `model`, `api`, `gateway`, `session_affinity`, `reject_if_busy`,
    `extra_body`.

    Raises errors that are the package's own and LangChain's too (`ModelRateLimitError`, `ContextOverflowError`, ...).
    """

    if TYPE_CHECKING:

        def __init__(self, **kwargs: Unpack[ChatOptions]) -> None: ...

    aliases: ClassVar[Mapping[str, str]] = {**TextFields.aliases, "model_name": "model"}
    error_classes: ClassVar[ErrorClasses] = ERROR_CLASSES

    model: str = DEFAULT_MODEL
    """Full id, e.g. `@cf/meta/llama-3.3-70b-instruct-fp8-fast`; any is taken, the catalogue only adds knowledge."""
    streaming: bool = False
    """Stream even when asked for a whole answer."""
    stream_usage: bool = True
    """Tell tokens in streams."""
    include_response_headers: bool = False
    """Put the reply's headers into `response_metadata["headers"]`."""
    disabled_params: Mapping[str, Any] | None = Field(default=None)
    """Options not to send: name -> None for always, or a list of values."""

    @property
    def model_name(self) -> str:
        """The model's id, under the name that other classes use."""
        return self.model

    @property
    def _llm_type(self) -> str:
        return "workers-ai-chat"

    @property
    def _identifying_params(self) -> Mapping[str, Any]:
        return {"model": self.model, "model_name": self.model, "api": self.api, **self._text_options()}

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

    def _resolve_model_profile(self) -> ModelProfile | None:
        return profile_of(self.model)

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        return langsmith_params("chat", self.model, self._text_options(), stop, kwargs)

    def _combine_llm_outputs(self, llm_outputs: Sequence[dict[str, Any] | None]) -> dict[str, Any]:
        return summed_output(llm_outputs)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        kwargs.pop("stream", None)  # core's own, about how it is called
        answer = self._transport.send(self._chat(messages, stop, kwargs))
        return to_result(answer, headers=self.include_response_headers)

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        kwargs.pop("stream", None)
        answer = await self._transport.asend(self._chat(messages, stop, kwargs))
        return to_result(answer, headers=self.include_response_headers)

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        usage = self._wants_usage(kwargs)
        exchange = self._chat(messages, stop, kwargs, stream=True, usage=usage)
        with closing(self._transport.stream(exchange)) as deltas:
            for delta in deltas:
                chunk = to_chunk(delta, headers=self.include_response_headers, usage=usage)
                if run_manager:
                    run_manager.on_llm_new_token(delta.text, chunk=chunk)
                yield chunk

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        usage = self._wants_usage(kwargs)
        exchange = self._chat(messages, stop, kwargs, stream=True, usage=usage)
        async with aclosing(self._transport.astream(exchange)) as deltas:
            async for delta in deltas:
                chunk = to_chunk(delta, headers=self.include_response_headers, usage=usage)
                if run_manager:
                    await run_manager.on_llm_new_token(delta.text, chunk=chunk)
                yield chunk

    def _wants_usage(self, kwargs: dict[str, Any]) -> bool:
        """Whether a stream should tell its tokens: as this call says, else as the object does."""
        kwargs.pop("stream", None)
        return bool(kwargs.pop("stream_usage", self.stream_usage))

    def _chat(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None,
        kwargs: dict[str, Any],
        *,
        stream: bool = False,
        usage: bool = True,
    ) -> chat.ChatExchange:
        """The exchange for one call: this object's arguments under the call's own."""
        changes = self._call_options(kwargs)
        if stop is not None:
            changes["stop"] = stop
        call = self._call(self.model, changes)
        options = _without(self._text_options(changes), self.disabled_params)
        request = chat.ChatRequest(call, [to_wire(message) for message in messages], options, stream_usage=usage)
        return self._exchange(chat.exchange, request, stream=stream)


def _without(options: dict[str, Any], disabled: Mapping[str, Any] | None) -> dict[str, Any]:
    """`options` without those that are disabled: always, or for the value they have."""
    if not disabled:
        return options
    return {
        name: value
        for name, value in options.items()
        if name not in disabled or (disabled[name] is not None and value not in disabled[name])
    }


register()
register_for_load(__name__, ChatWorkersAI.__name__)

__all__ = ["PROVIDER", "ChatWorkersAI"]
