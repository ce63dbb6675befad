"""The LLM class."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator, Mapping, Sequence
from contextlib import aclosing, closing
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.instrumentation import get_dispatcher  # type: ignore[attr-defined]  # no __all__ there
from llama_index.core.instrumentation.events.llm import (
    LLMStructuredPredictEndEvent,
    LLMStructuredPredictStartEvent,
)
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.types import Model
from pydantic import Field, field_serializer, model_validator

from llama_index_workers_ai.copying import sharing
from llama_index_workers_ai.events import astreaming, chat_events, completion_events, streaming
from llama_index_workers_ai.messages import to_wire_messages
from llama_index_workers_ai.metadata import metadata_of
from llama_index_workers_ai.responses import StreamedAnswer, to_chat_response, to_completion_response
from llama_index_workers_ai.token_counts import counter_of
from llama_index_workers_ai.tools import selections, to_wire_tools, with_first_call
from workers_ai.tasks import chat as chats
from workers_ai.tasks import completion as completions
from workers_ai.text_fields import DEFAULT_MODEL, ChatFields
from workers_ai.wire.message import WireMessage

if TYPE_CHECKING:
    from typing import Self, Unpack

    from llama_index.core.base.llms.types import (
        ChatResponse,
        ChatResponseAsyncGen,
        ChatResponseGen,
        CompletionResponse,
        CompletionResponseAsyncGen,
        CompletionResponseGen,
        LLMMetadata,
    )
    from llama_index.core.llms.llm import ToolSelection
    from llama_index.core.program.utils import FlexibleModel
    from llama_index.core.prompts import PromptTemplate
    from llama_index.core.tools.types import BaseTool

    from llama_index_workers_ai.options import LLMOptions
    from llama_index_workers_ai.structured import Asked
    from workers_ai.answers import ChatDelta

Item = TypeVar("Item")

_OF_CHATS = frozenset({"tools", "tool_choice", "parallel_tool_calls", "strict"})
"""Arguments of a call that mean nothing to a plain prompt."""

dispatcher = get_dispatcher(__name__)


class WorkersAI(FunctionCallingLLM, ChatFields):
    """Chat models on Cloudflare Workers AI.

    Set `CLOUDFLARE_ACCOUNT_ID` and `CLOUDFLARE_API_TOKEN` (a token with the permissions Workers AI Read and Edit), or
    run `workers-ai serve` to try without an account.

    ```python
    from llama_index.core import Settings
    from llama_index_workers_ai import WorkersAI

    Settings.llm = WorkersAI(model="@cf/google/gemma-4-26b-a4b-it", temperature=0, max_tokens=512)
    print(Settings.llm.complete("What is a neuron?"))
    ```

    Agents take it as any model that calls tools, and `structured_predict` and its kin ask in JSON mode, by a forced
    tool, or by prompt, whichever the model offers.

    ```python
    from llama_index.core.agent.workflow import FunctionAgent


    def weather(city: str) -> str:
        '''Weather in a city.'''
        return "sunny"


    agent = FunctionAgent(tools=[weather], llm=WorkersAI())
    ```

    Per call: every sampling argument, `tools`, `tool_choice`, `parallel_tool_calls`, `strict`, `model`, `fallback`,
    `api`, `gateway`, `session_affinity`, `reject_if_busy`, `extra_body`.
    A response tells tokens, finish reason, ids, neurons and USD in `additional_kwargs`, a stream on its last item.

    Raises the errors of `workers_ai.errors`, in streams when the first item is asked for.
    """

    if TYPE_CHECKING:

        def __init__(self, **kwargs: Unpack[LLMOptions]) -> None: ...

    aliases: ClassVar[Mapping[str, str]] = {**ChatFields.aliases, "max_new_tokens": "max_tokens"}

    model: str = DEFAULT_MODEL
    """Full id, e.g. `@cf/meta/llama-3.3-70b-instruct-fp8-fast`; any is taken, the catalogue only adds knowledge."""
    additional_kwargs: Mapping[str, Any] | None = None
    """Arguments of every call, by the names that a call takes; a call's own go before them."""
    context_window: int | None = Field(default=None, ge=1)
    """Tokens of prompt and answer together; unset, the catalogue tells, or `metadata.UNKNOWN_WINDOW` is assumed."""
    is_chat_model: bool = True
    """False sends completions as plain prompts and makes query engines use those."""
    is_function_calling_model: bool | None = None
    """Whether agents may hand tools over; unset, the catalogue tells. Say True for an id that it does not know."""
    should_use_structured_outputs: bool | None = None
    """How structured output is asked for: True by JSON mode, False by a tool (or the prompt, where the model takes
    none); unset, by JSON mode where the catalogue tells of it. `pydantic_program_mode` goes before."""
    tokenizer: Any = None
    """What counts tokens for `check_context`: a function of a text that gives its tokens, or an object that encodes it.
    Unset, or a name, which nothing is fetched for: they are estimated."""
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
        """Window, output, kind and name of the model, and whether it calls tools; for any id, known or not."""
        return self._metadata_of(self.model)

    def _metadata_of(self, model: str) -> LLMMetadata:
        return metadata_of(
            model,
            context_window=self.context_window,
            max_tokens=self.max_tokens,
            is_chat_model=self.is_chat_model,
            is_function_calling_model=self.is_function_calling_model,
        )

    @chat_events
    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """The answer to messages. tools: LlamaIndex's or OpenAI's dicts; its calls stand in blocks of the message."""
        asked = self._changes(kwargs)
        models = self._models(asked["model"], asked)
        wire = self._with_pictures(to_wire_messages(messages, model=asked["model"]), *models)
        answer = to_chat_response(self._transport.send(self._chat(wire, asked)))
        return with_first_call(answer) if self._one_call(asked) else answer

    @chat_events
    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """As `chat`."""
        asked = self._changes(kwargs)
        models = self._models(asked["model"], asked)
        wire = await self._awith_pictures(to_wire_messages(messages, model=asked["model"]), *models)
        answer = to_chat_response(await self._transport.asend(self._chat(wire, asked)))
        return with_first_call(answer) if self._one_call(asked) else answer

    @streaming(chat_events)
    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        """As `chat`, as it grows: each item holds the message so far and the new piece in `delta`."""
        asked = self._changes(kwargs)
        models = self._models(asked["model"], asked)
        wire = self._with_pictures(to_wire_messages(messages, model=asked["model"]), *models)
        return self._items(self._chat(wire, asked, stream=True), self._streamed(asked).chat_item)

    @astreaming(chat_events)
    async def astream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseAsyncGen:
        """As `stream_chat`."""
        asked = self._changes(kwargs)
        models = self._models(asked["model"], asked)
        wire = await self._awith_pictures(to_wire_messages(messages, model=asked["model"]), *models)
        return self._aitems(self._chat(wire, asked, stream=True), self._streamed(asked).chat_item)

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
        tool_choice: str | dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """What `chat` and its kin get. tool_choice: "auto", "none", "any", "required", a tool's name, or a dict."""
        messages = [*(chat_history or [])]
        if user_msg is not None:
            messages.append(ChatMessage(role="user", content=user_msg) if isinstance(user_msg, str) else user_msg)
        asked: dict[str, Any] = {"messages": messages, **kwargs}
        if tools:
            asked["tools"] = to_wire_tools(tools, strict=kwargs.get("strict", self.strict))
            choice = tool_choice or ("required" if tool_required else None)
            # "Allowed" is what every model takes for granted, and sent, some would refuse it.
            parallel = None if allow_parallel_tool_calls else False
            told = {"tool_choice": choice, "parallel_tool_calls": parallel}
            asked |= {name: value for name, value in told.items() if value is not None and name not in kwargs}
        return asked

    def _validate_chat_with_tools_response(
        self,
        response: ChatResponse,
        tools: Sequence[BaseTool],
        allow_parallel_tool_calls: bool = False,  # noqa: FBT001, FBT002
        **kwargs: Any,
    ) -> ChatResponse:
        return response if allow_parallel_tool_calls else with_first_call(response)

    def get_tool_calls_from_response(
        self,
        response: ChatResponse,
        error_on_no_tool_call: bool = True,  # noqa: FBT001, FBT002
        **kwargs: Any,
    ) -> list[ToolSelection]:
        """The calls in a response, ready to be run; those of a stream's item as far as their arguments have come.

        Raises InvalidResponseError for a whole call whose arguments are no JSON object, and ValueError where there is
        no call, unless `error_on_no_tool_call` is False.
        """
        found = selections(response)
        if not found and error_on_no_tool_call:
            raise ValueError(f"{self.model} called no tool; it wrote: {response.message.content!r}")
        return found

    @dispatcher.span
    def structured_predict(
        self,
        output_cls: type[Model],
        prompt: PromptTemplate,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> Model:
        """An instance of `output_cls`, as the answer to a prompt. llm_kwargs: arguments of the call.

        Raises StructuredOutputError, naming the model and what it wrote, for an answer that holds none.
        """
        if (asked := self._structured(output_cls, prompt, llm_kwargs, prompt_args)) is None:
            return cast("Model", super().structured_predict(output_cls, prompt, llm_kwargs, **prompt_args))
        start = LLMStructuredPredictStartEvent(output_cls=output_cls, template=prompt, template_args=prompt_args)
        dispatcher.event(start)
        found = asked.instance(self.chat(asked.messages, **asked.options))
        dispatcher.event(LLMStructuredPredictEndEvent(output=found))
        return found

    @dispatcher.span
    async def astructured_predict(
        self,
        output_cls: type[Model],
        prompt: PromptTemplate,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> Model:
        """As `structured_predict`."""
        if (asked := self._structured(output_cls, prompt, llm_kwargs, prompt_args)) is None:
            return cast("Model", await super().astructured_predict(output_cls, prompt, llm_kwargs, **prompt_args))
        start = LLMStructuredPredictStartEvent(output_cls=output_cls, template=prompt, template_args=prompt_args)
        dispatcher.event(start)
        found = asked.instance(await self.achat(asked.messages, **asked.options))
        dispatcher.event(LLMStructuredPredictEndEvent(output=found))
        return found

    def _structured_stream_call(
        self,
        output_cls: type[Model],
        prompt: PromptTemplate,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> Generator[Model | list[Model] | FlexibleModel | list[FlexibleModel], None, None]:
        if (asked := self._structured(output_cls, prompt, llm_kwargs, prompt_args)) is None:
            return super()._structured_stream_call(output_cls, prompt, llm_kwargs, **prompt_args)
        return self._objects(asked)

    async def _structured_astream_call(
        self,
        output_cls: type[Model],
        prompt: PromptTemplate,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> AsyncGenerator[Model | list[Model] | FlexibleModel | list[FlexibleModel], None]:
        if (asked := self._structured(output_cls, prompt, llm_kwargs, prompt_args)) is None:
            return await super()._structured_astream_call(output_cls, prompt, llm_kwargs, **prompt_args)
        return self._aobjects(asked)

    def _objects(self, asked: Asked[Model]) -> Generator[Model | FlexibleModel, None, None]:
        """The object of a streamed answer as it grows, the whole one last."""
        from llama_index_workers_ai.structured import Growing

        growing = Growing(asked)
        with closing(self.stream_chat(asked.messages, **asked.options)) as responses:
            for response in responses:
                if (found := growing.add(response)) is not None:
                    yield found
        if (found := growing.end()) is not None:
            yield found

    async def _aobjects(self, asked: Asked[Model]) -> AsyncGenerator[Model | FlexibleModel, None]:
        """As `_objects`."""
        from llama_index_workers_ai.structured import Growing

        growing = Growing(asked)
        async with aclosing(await self.astream_chat(asked.messages, **asked.options)) as responses:
            async for response in responses:
                if (found := growing.add(response)) is not None:
                    yield found
        if (found := growing.end()) is not None:
            yield found

    def _structured(
        self,
        output_cls: type[Model],
        prompt: PromptTemplate,
        llm_kwargs: dict[str, Any] | None,
        prompt_args: dict[str, Any],
    ) -> Asked[Model] | None:
        """The question for an instance of `output_cls`; None where LlamaIndex's own programs are to put it."""
        from llama_index_workers_ai.structured import asked, way_of

        model = (llm_kwargs or {}).get("model") or self.model
        way = way_of(
            self.pydantic_program_mode,
            model=model,
            wanted=self.should_use_structured_outputs,
            calls_tools=self._metadata_of(model).is_function_calling_model,
        )
        if way is None or not self.is_chat_model:
            return None
        messages = self._extend_messages(prompt.format_messages(llm=self, **prompt_args))
        return asked(output_cls, messages, llm_kwargs, way=way, model=model, strict=self.strict)

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

    def _changes(self, kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """What one call asks, over this object's own. Raises TypeError for an argument that nobody knows."""
        changes = {**self._call_options(self.additional_kwargs or {}), **self._call_options(_own(kwargs))}
        return {**changes, "model": changes.get("model") or self.model}

    def _one_call(self, asked: Mapping[str, Any]) -> bool:
        """Whether several calls were ruled out; some models make them all the same."""
        return asked.get("parallel_tool_calls", self.parallel_tool_calls) is False

    def _streamed(self, asked: Mapping[str, Any]) -> StreamedAnswer:
        return StreamedAnswer(single=self._one_call(asked))

    def _chat(self, messages: list[WireMessage], asked: dict[str, Any], *, stream: bool = False) -> chats.ChatExchange:
        """The exchange of a chat: this object's arguments under the call's own."""
        changes = dict(asked)
        call = self._call(self.model, changes)
        tools = to_wire_tools(changes.pop("tools", None) or [], strict=changes.pop("strict", self.strict))
        told = {
            "tool_choice": changes.pop("tool_choice", self.tool_choice),
            "parallel_tool_calls": changes.pop("parallel_tool_calls", self.parallel_tool_calls),
        }
        request = chats.ChatRequest(
            call,
            messages,
            self._text_options(changes),
            tools=tools,
            check_context=self._check_of(changes),
            count=counter_of(self.tokenizer),
            **told,
        )
        return self._exchange(chats.exchange, request, stream=stream)

    def _prompt(
        self, prompt: str, kwargs: Mapping[str, Any], *, formatted: bool, stream: bool = False
    ) -> chats.ChatExchange:
        """The exchange of a completion."""
        if not formatted and self.completion_to_prompt is not None:
            prompt = self.completion_to_prompt(prompt)
        asked = self._changes(kwargs)
        if self.is_chat_model and not asked.get("raw", self.raw):
            return self._chat([WireMessage(role="user", content=prompt)], asked, stream=stream)
        call = self._call(self.model, asked)
        options = {name: value for name, value in asked.items() if name not in _OF_CHATS}
        request = completions.CompletionRequest(
            call,
            prompt,
            self._text_options(options),
            check_context=self._check_of(asked),
            count=counter_of(self.tokenizer),
        )
        return self._exchange(completions.exchange, request, stream=stream)

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
