"""The LLM class."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from contextlib import aclosing, closing
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from llama_index.core.llms.function_calling import FunctionCallingLLM
from pydantic import Field, field_serializer, model_validator

from llama_index_workers_ai.copying import sharing
from llama_index_workers_ai.events import astreaming, chat_events, completion_events, streaming
from llama_index_workers_ai.messages import to_wire
from llama_index_workers_ai.metadata import metadata_of
from llama_index_workers_ai.responses import StreamedAnswer, to_chat_response, to_completion_response
from workers_ai.tasks import chat as chats
from workers_ai.tasks import completion as completions
from workers_ai.text_fields import DEFAULT_MODEL, TextFields
from workers_ai.wire.message import WireMessage

if TYPE_CHECKING:
    from typing import Self, Unpack

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
    from llama_index.core.tools.types import BaseTool

    from llama_index_workers_ai.options import LLMOptions
    from workers_ai.answers import ChatDelta
    from workers_ai.call import Call

Item = TypeVar("Item")


class WorkersAI(FunctionCallingLLM, TextFields):
    """Chat models on Cloudflare Workers AI.

    Set `CLOUDFLARE_ACCOUNT_ID` and `CLOUDFLARE_API_TOKEN` (a token with the permissions Workers AI Read and Edit), or
    run `workers-ai serve` to try without an account.

    ```python
    from llama_index.core import Settings
    from llama_index_workers_ai import WorkersAI

    Settings.llm = WorkersAI(model="@cf/google/gemma-4-26b-a4b-it", temperature=0, max_tokens=512)
    print(Settings.llm.complete("What is a neuron?"))
    ```

    Per call: every sampling argument, `model`, `api`, `gateway`, `session_affinity`, `reject_if_busy`, `extra_body`.
    A response tells tokens, finish reason, ids, neurons and USD in `additional_kwargs`, a stream on its last item.

    Raises the errors of `workers_ai.errors`, in streams when the first item is asked for.
    """

    if TYPE_CHECKING:

        def __init__(self, **kwargs: Unpack[LLMOptions]) -> None: ...

    aliases: ClassVar[Mapping[str, str]] = {**TextFields.aliases, "max_new_tokens": "max_tokens"}

    model: str = DEFAULT_MODEL
    """Full id, e.g. `@cf/meta/llama-3.3-70b-instruct-fp8-fast`; any is taken, the catalogue only adds knowledge."""
    additional_kwargs: Mapping[str, Any] | None = None
    """Arguments of every call, by the names that a call takes; a call's own go before them."""
    context_window: int | None = Field(default=None, ge=1)
    """Tokens of prompt and answer together; unset, the catalogue tells, or `metadata.UNKNOWN_WINDOW` is assumed."""
    is_chat_model: bool = True
    """False sends completions as plain prompts and makes query engines use those."""
    is_function_calling_model: bool = False
    """Whether agents may hand tools over. Not yet: ReActAgent works without."""
    tokenizer: Any = None
    """What counts tokens beforehand. Taken for those who come from OpenAILike; nothing here counts yet."""
    reuse_client: bool = True
    """Taken for those who come from OpenAI's class. Connections are always shared, across threads and event loops."""

    @model_validator(mode="after")
    def _check_additional_kwargs(self) -> Self:
        self._call_options(self.additional_kwargs or {})
        return self

    @field_serializer("tokenizer")
    def _dump_tokenizer(self, value: Any) -> str | None:
        return value if isinstance(value, str) else None

    @classmethod
    def class_name(cls) -> str:
        """The name in traces and dumps."""
        return "WorkersAI"

    @property
    def metadata(self) -> LLMMetadata:
        """Window, output, kind and name of the model; for any id, known or not."""
        return metadata_of(
            self.model,
            context_window=self.context_window,
            max_tokens=self.max_tokens,
            is_chat_model=self.is_chat_model,
            is_function_calling_model=self.is_function_calling_model,
        )

    @chat_events
    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """The answer to messages."""
        return to_chat_response(self._transport.send(self._chat(messages, kwargs)))

    @chat_events
    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """As `chat`."""
        return to_chat_response(await self._transport.asend(self._chat(messages, kwargs)))

    @streaming(chat_events)
    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        """As `chat`, as it grows: each item holds the message so far and the new piece in `delta`."""
        return self._items(self._chat(messages, kwargs, stream=True), StreamedAnswer().chat_item)

    @astreaming(chat_events)
    async def astream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseAsyncGen:
        """As `stream_chat`."""
        return self._aitems(self._chat(messages, kwargs, stream=True), StreamedAnswer().chat_item)

    @completion_events
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:  # noqa: FBT001, FBT002
        """The answer to a prompt: as one user's message, or as it is with `raw=True` or `is_chat_model=False`.

        formatted: `completion_to_prompt` has been applied to it already.
        """
        return to_completion_response(self._transport.send(self._prompt(prompt, kwargs, formatted=formatted)))

    @completion_events
    async def acomplete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:  # noqa: FBT001, FBT002
        """As `complete`."""
        return to_completion_response(await self._transport.asend(self._prompt(prompt, kwargs, formatted=formatted)))

    @streaming(completion_events)
    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseGen:  # noqa: FBT001, FBT002
        """As `complete`, as it grows: each item holds the text so far and the new piece in `delta`."""
        exchange = self._prompt(prompt, kwargs, formatted=formatted, stream=True)
        return self._items(exchange, StreamedAnswer().completion_item)

    @astreaming(completion_events)
    async def astream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponseAsyncGen:  # noqa: FBT001, FBT002
        """As `stream_complete`."""
        exchange = self._prompt(prompt, kwargs, formatted=formatted, stream=True)
        return self._aitems(exchange, StreamedAnswer().completion_item)

    def _prepare_chat_with_tools(
        self,
        tools: Sequence[BaseTool],
        user_msg: str | ChatMessage | None = None,
        chat_history: list[ChatMessage] | None = None,
        verbose: bool = False,  # noqa: FBT001, FBT002
        allow_parallel_tool_calls: bool = False,  # noqa: FBT001, FBT002
        tool_required: bool = False,  # noqa: FBT001, FBT002
        **kwargs: Any,
    ) -> dict[str, Any]:
        raise NotImplementedError("WorkersAI does not call tools yet; ReActAgent works without the model's own calls")

    def _items(self, exchange: chats.ChatExchange, item: Callable[[ChatDelta], Item]) -> Generator[Item, None, None]:
        with closing(self._transport.stream(exchange)) as deltas:
            for delta in deltas:
                yield item(delta)

    async def _aitems(
        self, exchange: chats.ChatExchange, item: Callable[[ChatDelta], Item]
    ) -> AsyncGenerator[Item, None]:
        async with aclosing(self._transport.astream(exchange)) as deltas:
            async for delta in deltas:
                yield item(delta)

    def _chat(
        self, messages: Sequence[ChatMessage], kwargs: Mapping[str, Any], *, stream: bool = False
    ) -> chats.ChatExchange:
        """The exchange of a chat: this object's arguments under the call's own."""
        call, options = self._asked(kwargs)
        wire = [to_wire(message, model=call.model) for message in messages]
        return self._exchange(chats.exchange, chats.ChatRequest(call, wire, options), stream=stream)

    def _prompt(
        self, prompt: str, kwargs: Mapping[str, Any], *, formatted: bool, stream: bool = False
    ) -> chats.ChatExchange:
        """The exchange of a completion."""
        if not formatted and self.completion_to_prompt is not None:
            prompt = self.completion_to_prompt(prompt)
        call, options = self._asked(kwargs)
        if self.is_chat_model and not options.get("raw"):
            message = WireMessage(role="user", content=prompt)
            return self._exchange(chats.exchange, chats.ChatRequest(call, [message], options), stream=stream)
        request = completions.CompletionRequest(call, prompt, options)
        return self._exchange(completions.exchange, request, stream=stream)

    def _asked(self, kwargs: Mapping[str, Any]) -> tuple[Call, dict[str, Any]]:
        """What one call asks. Raises TypeError for an argument that nobody knows."""
        changes = {**self._call_options(self.additional_kwargs or {}), **self._call_options(_own(kwargs))}
        call = self._call(self.model, changes)
        return call, self._text_options(changes)

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        """A deep copy that shares clients, callbacks and the rate limiter."""
        return super().__deepcopy__(sharing(memo, self.callback_manager, self.rate_limiter))


def _own(kwargs: Mapping[str, Any]) -> Mapping[str, Any]:
    """A call's arguments without the one that LlamaIndex adds for another service.

    Its DocumentContextExtractor sends every model a header of Anthropic's, and takes a refusal for a failed call.
    """
    headers = kwargs.get("extra_headers")
    if not isinstance(headers, Mapping) or not all(name.lower().startswith("anthropic-") for name in headers):
        return kwargs
    return {name: value for name, value in kwargs.items() if name != "extra_headers"}
