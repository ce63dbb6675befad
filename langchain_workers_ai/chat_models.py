"""The chat model."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import aclosing, closing
from typing import TYPE_CHECKING, Any, ClassVar

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import LanguageModelInput
from langchain_core.language_models.base import LangSmithParams
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from pydantic import ConfigDict, Field

from langchain_workers_ai.batch_queue import BatchQueueMixin
from langchain_workers_ai.content_blocks import register
from langchain_workers_ai.errors import ERROR_CLASSES
from langchain_workers_ai.messages import Chunks, summed_output, to_result, with_tool_names
from langchain_workers_ai.profiles import profile_of
from langchain_workers_ai.serialization import SECRETS, plain_fields, register_for_load
from langchain_workers_ai.token_counts import counter_of, tokens_of_messages, tokens_of_text
from langchain_workers_ai.tools import Tool, response_format_of, to_wire_tools
from langchain_workers_ai.tracing import identifying_params, langsmith_params
from workers_ai import tasks
from workers_ai.text_fields import DEFAULT_MODEL, ChatFields
from workers_ai.wire.tools import tool_choice as wire_choice

if TYPE_CHECKING:
    from typing import Unpack

    from langchain_core.language_models.model_profile import ModelProfile

    from langchain_workers_ai.options import ChatOptions
    from langchain_workers_ai.structured import Method, Schema
    from workers_ai.errors import ErrorClasses
    from workers_ai.tasks.chat import ChatExchange, ChatRequest
    from workers_ai.wire.message import WireMessage


HOW_CALLED = frozenset({"stream", "stream_usage"})
"""Options of a call that say how it is made; none of them is the service's."""


class ChatWorkersAI(BatchQueueMixin, BaseChatModel, ChatFields):
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

    Tools:
        ```python
        def weather(city: str) -> str:
            '''Weather in a city.'''
            return "sunny"


        model.bind_tools([weather]).invoke("What is the weather in Oslo?").tool_calls
        ```

    Structured output:
        ```python
        class Joke(BaseModel):
            setup: str
            punchline: str


        model.with_structured_output(Joke).invoke("Tell me a joke about clouds.")
        ```

    Per call: every sampling argument, and `model`, `fallback`, `api`, `gateway`, `session_affinity`, `reject_if_busy`,
    `extra_body`.

    Raises errors that are the package's own and LangChain's too (`ModelRateLimitError`, `ContextOverflowError`, ...).
    """

    if TYPE_CHECKING:

        def __init__(self, **kwargs: Unpack[ChatOptions]) -> None: ...

    model_config = ConfigDict(defer_build=False)

    aliases: ClassVar[Mapping[str, str]] = {**ChatFields.aliases, "model_name": "model"}
    error_classes: ClassVar[ErrorClasses] = ERROR_CLASSES

    model: str = DEFAULT_MODEL
    """Full id, e.g. `@cf/meta/llama-3.3-70b-instruct-fp8-fast`; any is taken, the catalogue only adds knowledge."""
    streaming: bool | None = None
    """True: stream even when asked for a whole answer. False: never stream. Unset: as the call asks.

    Not False: LangChain takes a False that was given for "never", and `configurable_fields` gives every field anew.
    """
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

    def _resolve_model_profile(self) -> ModelProfile | None:
        return profile_of(self.model)

    def get_num_tokens(self, text: str) -> int:
        """Tokens of a text: estimated rather too high, or counted where `custom_get_token_ids` is given."""
        return tokens_of_text(self, self.model, text)

    def get_num_tokens_from_messages(self, messages: list[BaseMessage], tools: Sequence[Tool] | None = None) -> int:
        """Tokens of messages and tools, with what the chat template adds; as `get_num_tokens`."""
        return tokens_of_messages(self, self.model, messages, tools)

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        call = {self.aliases.get(name, name): value for name, value in kwargs.items()}
        return langsmith_params("chat", self.model, self._text_options(), stop, call)

    def _combine_llm_outputs(self, llm_outputs: Sequence[dict[str, Any] | None]) -> dict[str, Any]:
        return summed_output(llm_outputs)

    def bind_tools(
        self,
        tools: Sequence[Tool],
        *,
        tool_choice: dict[str, Any] | str | bool | None = None,
        strict: bool | None = None,
        parallel_tool_calls: bool | None = None,
        response_format: dict[str, Any] | type | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """This model with tools it may call.

        tools: functions, pydantic classes, TypedDicts, JSON schemas, tools, or OpenAI's or Anthropic's dicts; they are
            converted once, here.
        tool_choice: "auto", "none", "any" or "required" or True (one must be called), a tool's name, or OpenAI's dict.
            One tool that must be called goes out by its name, which the service enforces.
        strict: ask the model to keep to the schemas to the letter. parallel_tool_calls: several calls in one answer.
        response_format: the form of the answer once no tool is called: a schema, or OpenAI's `response_format`.
        kwargs: other options of each call.

        Raises BadRequestError for a choice that is none of the tools.
        """
        wire = to_wire_tools(tools, strict=self.strict if strict is None else strict)
        if wire:
            kwargs["tools"] = wire
        choice = self._exchange(wire_choice, tool_choice, wire)
        told = {
            "tool_choice": choice,
            "parallel_tool_calls": parallel_tool_calls if wire else None,
            "response_format": response_format_of(response_format),
        }
        return super().bind(**{name: value for name, value in told.items() if value is not None}, **kwargs)

    def with_structured_output(
        self,
        schema: Schema | None = None,
        *,
        method: Method = "function_calling",
        include_raw: bool = False,
        strict: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, Any]:
        """This model, answering in a schema: with an instance of it, or a dict where it is no class of pydantic's.

        schema: a pydantic class (v2 or v1), a TypedDict, a JSON schema, or OpenAI's form of a function.
        method: "function_calling" makes it a tool that must be called; "json_schema" the format of the answer;
            "json_mode" asks for any JSON, with the schema put into the prompt. Classic models refuse the last two in
            a stream: the answer then arrives whole.
        include_raw: answer {"raw", "parsed", "parsing_error"} and raise nothing for what cannot be parsed.

        Raises OutputParserException for an answer outside the schema, LangChain's ModelRefusalError (where it has
        that) for a refusal.
        """
        from langchain_workers_ai.structured import structured_output

        return structured_output(self, schema, method=method, include_raw=include_raw, strict=strict, **kwargs)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        model = kwargs.get("model") or self.model
        wire = self._with_pictures(with_tool_names(messages, model), *self._models(model, kwargs))
        answer = self._transport.send(self._chat(wire, stop, kwargs))
        return to_result(answer, headers=self.include_response_headers)

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        model = kwargs.get("model") or self.model
        wire = await self._awith_pictures(with_tool_names(messages, model), *self._models(model, kwargs))
        answer = await self._transport.asend(self._chat(wire, stop, kwargs))
        return to_result(answer, headers=self.include_response_headers)

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        usage = kwargs.get("stream_usage", self.stream_usage)
        model = kwargs.get("model") or self.model
        wire = self._with_pictures(with_tool_names(messages, model), *self._models(model, kwargs))
        exchange = self._chat(wire, stop, kwargs, stream=True, usage=usage)
        chunks = Chunks(headers=self.include_response_headers, usage=usage)
        with closing(self._transport.stream(exchange)) as deltas:
            for delta in deltas:
                chunk = chunks.of(delta)
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
        usage = kwargs.get("stream_usage", self.stream_usage)
        model = kwargs.get("model") or self.model
        wire = await self._awith_pictures(with_tool_names(messages, model), *self._models(model, kwargs))
        exchange = self._chat(wire, stop, kwargs, stream=True, usage=usage)
        chunks = Chunks(headers=self.include_response_headers, usage=usage)
        async with aclosing(self._transport.astream(exchange)) as deltas:
            async for delta in deltas:
                chunk = chunks.of(delta)
                if run_manager:
                    await run_manager.on_llm_new_token(delta.text, chunk=chunk)
                yield chunk

    def _chat(
        self,
        messages: list[WireMessage],
        stop: list[str] | None,
        kwargs: dict[str, Any],
        *,
        stream: bool = False,
        usage: bool = True,
    ) -> ChatExchange:
        """The exchange for one call: this object's arguments under the call's own."""
        request = self._request(messages, stop, kwargs, usage=usage)
        return self._exchange(tasks.chat.exchange, request, stream=stream)

    def _request(
        self, messages: list[WireMessage], stop: list[str] | None, kwargs: dict[str, Any], *, usage: bool = True
    ) -> ChatRequest:
        """What one call asks: this object's arguments under the call's own."""
        changes = self._call_options({name: value for name, value in kwargs.items() if name not in HOW_CALLED})
        if stop is not None:
            changes["stop"] = stop
        call = self._call(self.model, changes)
        tools = to_wire_tools(changes.pop("tools", None) or [], strict=changes.pop("strict", self.strict))
        told = {
            "tool_choice": changes.pop("tool_choice", self.tool_choice),
            "parallel_tool_calls": changes.pop("parallel_tool_calls", self.parallel_tool_calls),
        }
        told = _without(told, self.disabled_params)
        return tasks.chat.ChatRequest(
            call,
            messages,
            _without(self._text_options(changes), self.disabled_params),
            stream_usage=usage,
            tools=tools,
            check_context=self._check_of(changes),
            count=counter_of(self),
            **told,
        )


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
