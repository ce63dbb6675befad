"""LangChain messages to the wire, and answers and deltas to messages and chunks. Functions of one value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    InvalidToolCall,
    SystemMessage,
    ToolCall,
    ToolCallChunk,
    ToolMessage,
)
from langchain_core.messages.ai import InputTokenDetails, OutputTokenDetails, UsageMetadata
from langchain_core.messages.tool import invalid_tool_call, tool_call, tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult, GenerationChunk
from langchain_core.utils.json import parse_partial_json
from pydantic_core import to_json

from langchain_workers_ai.errors import WorkersAIBadRequestError
from workers_ai.provider import PROVIDER
from workers_ai.wire.arguments import parsed_arguments
from workers_ai.wire.call_ids import inward_id
from workers_ai.wire.message import WireMessage

if TYPE_CHECKING:
    from workers_ai.answers import ChatAnswer, ChatDelta, Choice, Facts
    from workers_ai.usage import Usage
    from workers_ai.wire.tool_calls import CallPiece
    from workers_ai.wire.tool_calls import ToolCall as Call

_NO_FORM = frozenset({"audio", "input_audio", "file", "input_file", "document", "video", "media"})
"""Blocks that the service has no form for. What else an answer holds is a record of how it was made: thinking, calls
(which stand in `tool_calls`), another provider's searches. It is left out, so that a fallback can go on."""


def to_wire(message: BaseMessage) -> WireMessage:
    """One message as the service takes it: content is never null, and a string unless it holds a picture.

    `additional_kwargs` are not forwarded: other packages keep what they like there.
    Raises BadRequestError, naming the kind, for content that the service has no form for.
    """
    match message:
        case AIMessage():
            wire = _assistant(message)
        case ToolMessage():
            call_id = inward_id(message.tool_call_id)
            wire = WireMessage(role="tool", content=_content(message), tool_call_id=call_id)
        case FunctionMessage():
            wire = WireMessage(role="tool", content=_content(message), tool_call_id=message.name)
        case SystemMessage():
            wire = WireMessage(role="system", content=_content(message))
        case HumanMessage():
            wire = WireMessage(role="user", content=_content(message))
        case ChatMessage():
            role = "system" if message.role == "developer" else message.role
            wire = WireMessage(role=role, content=_content(message))
        case _:
            raise WorkersAIBadRequestError(f"messages: no way to send a {type(message).__name__}", maybe_sent=False)
    if message.name:
        wire["name"] = message.name
    return wire


def with_tool_names(messages: Sequence[BaseMessage], model: str | None = None) -> list[WireMessage]:
    """All messages as the service takes them; a tool's result also tells the tool's name (quirk 47).

    model: named by the refusal of what has no form.
    """
    names: dict[str | None, str] = {}
    wires = []
    for message in messages:
        if isinstance(message, AIMessage):
            names |= {call.get("id"): call["name"] for call in message.tool_calls}
        try:
            wire = to_wire(message)
        except WorkersAIBadRequestError as refusal:
            refusal.model = model
            raise
        if isinstance(message, ToolMessage) and (name := message.name or names.get(message.tool_call_id)):
            wire["name"] = name
        wires.append(wire)
    return wires


def _assistant(message: AIMessage) -> WireMessage:
    wire = WireMessage(role="assistant", content=_content(message))
    calls = [
        {
            "id": inward_id(call.get("id") or f"call_{place}"),
            "type": "function",
            "function": {"name": call.get("name") or "unknown", "arguments": _arguments(call.get("args"))},
        }
        for place, call in enumerate([*message.tool_calls, *message.invalid_tool_calls])
    ]
    if calls:
        wire["tool_calls"] = calls
    return wire


def _arguments(args: Any) -> str:
    """Arguments as JSON text, which most models ask for (quirk 46); text that is no JSON goes back as it came."""
    return args if isinstance(args, str) else to_json(args or {}).decode()


def _content(message: BaseMessage) -> str | list[dict[str, Any]]:
    content = message.content
    if isinstance(content, str):
        return content
    is_answer = isinstance(message, AIMessage)
    parts = [part for block in content if (part := _part(block, is_answer=is_answer)) is not None]
    if all(part["type"] == "text" for part in parts):
        # An answer was cut into blocks by a framework and is put together again; a user's parts stand apart.
        return ("" if is_answer else "\n").join(part["text"] for part in parts)
    return parts


def _part(block: str | dict[str, Any], *, is_answer: bool) -> dict[str, Any] | None:
    """A content block as a part of the wire: text or a picture. None for what is not sent."""
    if isinstance(block, str):
        return {"type": "text", "text": block}
    kind = block.get("type")
    if kind in ("text", "input_text", "output_text", "text-plain"):
        return {"type": "text", "text": str(block.get("text") or "")}
    if kind == "refusal":  # in history a refusal is plain text
        return {"type": "text", "text": str(block.get("refusal") or "")}
    if kind == "image_url":
        held = block.get("image_url")
        return {"type": "image_url", "image_url": {"url": held} if isinstance(held, str) else held}
    if kind == "image":
        return {"type": "image_url", "image_url": {"url": _picture_url(block)}}
    if is_answer and kind not in _NO_FORM:
        return None
    raise WorkersAIBadRequestError(
        f"messages: content of type {kind!r} has no form on Workers AI; text and pictures have", maybe_sent=False
    )


def _picture_url(block: Mapping[str, Any]) -> str:
    """A picture's address, or its bytes as a `data:` URL, in LangChain's forms (v1, v0) and Anthropic's."""
    source = block.get("source")
    held = {**block, **source} if isinstance(source, Mapping) else block  # Anthropic nests it
    if isinstance(held.get("url"), str):
        return str(held["url"])
    data = held.get("base64") or held.get("data")
    kind = held.get("mime_type") or held.get("media_type")
    if isinstance(data, str) and isinstance(kind, str):
        return f"data:{kind};base64,{data}"
    raise WorkersAIBadRequestError(
        "messages: a picture needs 'url', or 'base64' with 'mime_type'; ids of files are not known here",
        maybe_sent=False,
    )


def to_result(answer: ChatAnswer, *, headers: bool = False) -> ChatResult:
    """A whole answer as LangChain's result: one generation for each choice. headers: tell the reply's too."""
    generations = []
    for place, choice in enumerate(answer.choices):
        # Counted once: tokens and cost are those of all choices together.
        facts = answer.facts if place == 0 else replace(answer.facts, usage=None, cost=None)
        message = _answer_message(choice, facts, headers=headers)
        info = {"finish_reason": choice.finish_reason}
        if choice.logprobs is not None:
            info["logprobs"] = choice.logprobs
        generations.append(ChatGeneration(message=message, generation_info=info))
    output: dict[str, Any] = {"model_name": answer.facts.answering_model}
    if answer.usage is not None:
        output["token_usage"] = token_usage(answer.usage)
    return ChatResult(generations=generations, llm_output=output)


def _answer_message(choice: Choice, facts: Facts, *, headers: bool) -> AIMessage:
    metadata = _metadata(facts, headers=headers)
    if choice.finish_reason is not None:
        metadata["finish_reason"] = choice.finish_reason
    if choice.logprobs is not None:
        metadata["logprobs"] = choice.logprobs
    valid, invalid = _calls(choice.tool_calls)
    return AIMessage(
        content=choice.text,
        tool_calls=valid,
        invalid_tool_calls=invalid,
        additional_kwargs=_beside(choice.reasoning, choice.refusal),
        response_metadata=metadata,
        usage_metadata=usage_metadata(facts.usage),
    )


def _calls(calls: Sequence[Call]) -> tuple[list[ToolCall], list[InvalidToolCall]]:
    """Calls to execute, and those whose arguments are no JSON object: kept, never executed."""
    valid = [tool_call(name=call.name, args=call.arguments, id=call.id) for call in calls if call.arguments is not None]
    invalid = [
        invalid_tool_call(name=call.name, args=call.text, id=call.id, error="the arguments are no JSON object")
        for call in calls
        if call.arguments is None
    ]
    return valid, invalid


class Chunks:
    """The chunks of one stream. Keeps the arguments of its calls, to tell at the end which of them are no JSON."""

    __slots__ = ("_arguments", "_headers", "_usage")

    def __init__(self, *, headers: bool = False, usage: bool = True) -> None:
        self._headers = headers
        self._usage = usage
        self._arguments: dict[int, str] = {}

    def of(self, delta: ChatDelta) -> ChatGenerationChunk:
        """A delta as a chunk."""
        for piece in delta.calls:
            self._arguments[piece.index] = self._arguments.get(piece.index, "") + piece.arguments
        broken = [(index, _spoiled(text)) for index, text in self._arguments.items() if delta.facts is not None]
        return to_chunk(
            delta,
            headers=self._headers,
            usage=self._usage,
            ends=[tool_call_chunk(index=index, args=end) for index, end in broken if end],
        )


def _spoiled(text: str) -> str:
    """What must follow arguments that broke off, "" for whole ones.

    LangChain completes what it takes for the beginning of JSON, and an agent would run a call that was cut off. A
    bracket that closes nothing makes it an invalid call.
    """
    if parsed_arguments(text) is not None:
        return ""
    ends = ("", "]", "}", '"]', '"}', '""]', '""}')
    return next((end for end in ends if not isinstance(parse_partial_json(text + end), dict)), "]")


def to_chunk(
    delta: ChatDelta, *, headers: bool = False, usage: bool = True, ends: Sequence[ToolCallChunk] = ()
) -> ChatGenerationChunk:
    """A delta as a chunk. The provider stands on each: it chooses the translator of content blocks.

    All else that is known of the answer stands on the last chunk alone: LangChain adds up what two chunks tell.
    ends: pieces of calls for the last chunk.
    """
    if delta.facts is None:
        message = AIMessageChunk(
            content=delta.text,
            additional_kwargs=_beside(delta.reasoning, None),
            response_metadata={"model_provider": PROVIDER},
            tool_call_chunks=[_call_chunk(piece) for piece in delta.calls],
        )
        info = {"logprobs": delta.logprobs} if delta.logprobs is not None else None
        return ChatGenerationChunk(message=message, generation_info=info)
    last = AIMessageChunk(
        content="",
        additional_kwargs=_beside("", delta.refusal),
        response_metadata=_metadata(delta.facts, headers=headers),
        usage_metadata=usage_metadata(delta.facts.usage) if usage else None,
        tool_call_chunks=list(ends),
        chunk_position="last",
    )
    return ChatGenerationChunk(message=last, generation_info={"finish_reason": delta.facts.finish_reason})


def to_text_chunk(delta: ChatDelta) -> GenerationChunk:
    """A delta of a plain completion. The last one tells the facts, under the names of the chat classes."""
    if delta.facts is None:
        return GenerationChunk(text=delta.text)
    info = delta.facts.metadata()
    if delta.facts.usage is not None:
        info["token_usage"] = token_usage(delta.facts.usage)
    return GenerationChunk(text="", generation_info=info)


def usage_metadata(usage: Usage | None) -> UsageMetadata | None:
    """Usage as LangChain counts it: whole numbers only, for it adds them up. Neurons stand in `response_metadata`."""
    if usage is None or not usage.total_tokens:
        return None
    told = UsageMetadata(
        input_tokens=usage.input_tokens, output_tokens=usage.output_tokens, total_tokens=usage.total_tokens
    )
    if usage.cached_tokens is not None:
        told["input_token_details"] = InputTokenDetails(cache_read=usage.cached_tokens)
    if usage.reasoning_tokens is not None:
        told["output_token_details"] = OutputTokenDetails(reasoning=usage.reasoning_tokens)
    return told


def token_usage(usage: Usage) -> dict[str, int]:
    """Usage under OpenAI's names, as `llm_output` has it."""
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
    }


def summed_output(outputs: Sequence[Mapping[str, Any] | None]) -> dict[str, Any]:
    """The `llm_output` of several results as one: tokens added up."""
    told: dict[str, Any] = {}
    total: dict[str, int] = {}
    for output in outputs:
        for name, count in cast("dict[str, int]", (output or {}).get("token_usage") or {}).items():
            total[name] = total.get(name, 0) + count
        told |= {name: value for name, value in (output or {}).items() if name != "token_usage"}
    return {**told, "token_usage": total} if total else told


def _metadata(facts: Facts, *, headers: bool) -> dict[str, Any]:
    told = facts.metadata()
    if headers:
        told["headers"] = dict(facts.headers)
    return told


def _call_chunk(piece: CallPiece) -> ToolCallChunk:
    return tool_call_chunk(name=piece.name, args=piece.arguments, id=piece.id, index=piece.index)


def _beside(reasoning: str, refusal: str | None) -> dict[str, Any]:
    """What LangChain keeps beside the text: its translator of content blocks reads it there."""
    told = {"reasoning_content": reasoning or None, "refusal": refusal}
    return {name: value for name, value in told.items() if value is not None}
