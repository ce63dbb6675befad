"""LangChain messages to the wire, and answers and deltas to messages and chunks. Functions of one value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    ChatMessage,
    FunctionMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.messages.ai import InputTokenDetails, OutputTokenDetails, UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult, GenerationChunk
from pydantic_core import to_json

from langchain_workers_ai.errors import WorkersAIBadRequestError
from workers_ai.answers import PROVIDER, ChatAnswer, ChatDelta, Choice, Facts
from workers_ai.usage import Usage
from workers_ai.wire.message import WireMessage

_DROPPED = frozenset(
    {
        "reasoning",
        "reasoning_content",
        "redacted_thinking",
        "thinking",
        "tool_use",
        "tool_call",
        "tool_call_chunk",
        "invalid_tool_call",
        "function_call",
        "non_standard",
    }
)
"""Blocks of an assistant's message that are no text for the model: thinking, and calls, which stand in `tool_calls`."""


def to_wire(message: BaseMessage) -> WireMessage:
    """One message as the service takes it: content is a string and never null (quirks 45, 51).

    `additional_kwargs` are not forwarded: other packages keep what they like there.
    Raises BadRequestError, naming the kind, for content that is no text.
    """
    match message:
        case AIMessage():
            wire = _assistant(message)
        case ToolMessage():
            wire = WireMessage(role="tool", content=_text(message), tool_call_id=message.tool_call_id)
        case FunctionMessage():
            wire = WireMessage(role="tool", content=_text(message), tool_call_id=message.name)
        case SystemMessage():
            wire = WireMessage(role="system", content=_text(message))
        case HumanMessage():
            wire = WireMessage(role="user", content=_text(message))
        case ChatMessage():
            role = "system" if message.role == "developer" else message.role
            wire = WireMessage(role=role, content=_text(message))
        case _:
            raise WorkersAIBadRequestError(f"messages: no way to send a {type(message).__name__}", maybe_sent=False)
    if message.name:
        wire["name"] = message.name
    return wire


def _assistant(message: AIMessage) -> WireMessage:
    wire = WireMessage(role="assistant", content=_text(message))
    calls = [
        {
            "id": call.get("id") or f"call_{place}",
            "type": "function",
            "function": {"name": call["name"], "arguments": _arguments(call["args"])},
        }
        for place, call in enumerate([*message.tool_calls, *message.invalid_tool_calls])
    ]
    if calls:
        wire["tool_calls"] = calls
    return wire


def _arguments(args: Any) -> str:
    """Arguments as JSON text, which most models ask for (quirk 46); text that is no JSON goes back as it came."""
    return args if isinstance(args, str) else to_json(args or {}).decode()


def _text(message: BaseMessage) -> str:
    content = message.content
    if isinstance(content, str):
        return content
    is_answer = isinstance(message, AIMessage)
    pieces = [_block_text(block, dropped=_DROPPED if is_answer else frozenset()) for block in content]
    # An answer was cut into blocks by a framework and is put together again; a user's parts stand apart.
    return ("" if is_answer else "\n").join(piece for piece in pieces if piece is not None)


def _block_text(block: str | dict[str, Any], *, dropped: frozenset[str]) -> str | None:
    if isinstance(block, str):
        return block
    kind = block.get("type")
    if kind in ("text", "input_text", "output_text"):
        return str(block.get("text") or "")
    if kind == "refusal":  # in history a refusal is plain text
        return str(block.get("refusal") or "")
    if kind in dropped:
        return None
    raise WorkersAIBadRequestError(f"messages: content of type {kind!r} is not taken yet, only text", maybe_sent=False)


def to_result(answer: ChatAnswer, *, headers: bool = False) -> ChatResult:
    """A whole answer as LangChain's result: one generation for each choice. headers: tell the reply's too."""
    usage = usage_metadata(answer.usage)
    generations = []
    for place, choice in enumerate(answer.choices):
        # Counted once: the tokens are those of all choices together.
        message = _answer_message(choice, answer.facts, usage if place == 0 else None, headers=headers)
        info = {"finish_reason": choice.finish_reason}
        if choice.logprobs is not None:
            info["logprobs"] = choice.logprobs
        generations.append(ChatGeneration(message=message, generation_info=info))
    output: dict[str, Any] = {"model_name": answer.facts.answering_model}
    if answer.usage is not None:
        output["token_usage"] = token_usage(answer.usage)
    return ChatResult(generations=generations, llm_output=output)


def _answer_message(choice: Choice, facts: Facts, usage: UsageMetadata | None, *, headers: bool) -> AIMessage:
    metadata = _metadata(facts, headers=headers)
    if choice.finish_reason is not None:
        metadata["finish_reason"] = choice.finish_reason
    if choice.logprobs is not None:
        metadata["logprobs"] = choice.logprobs
    return AIMessage(
        content=choice.text,
        additional_kwargs=_reasoning(choice.reasoning),
        response_metadata=metadata,
        usage_metadata=usage,
    )


def to_chunk(delta: ChatDelta, *, headers: bool = False, usage: bool = True) -> ChatGenerationChunk:
    """A delta as a chunk. The provider stands on each: it chooses the translator of content blocks.

    All else that is known of the answer stands on the last chunk alone: LangChain adds up what two chunks tell.
    """
    if delta.facts is None:
        message = AIMessageChunk(
            content=delta.text,
            additional_kwargs=_reasoning(delta.reasoning),
            response_metadata={"model_provider": PROVIDER},
        )
        info = {"logprobs": delta.logprobs} if delta.logprobs is not None else None
        return ChatGenerationChunk(message=message, generation_info=info)
    last = AIMessageChunk(
        content="",
        response_metadata=_metadata(delta.facts, headers=headers),
        usage_metadata=usage_metadata(delta.facts.usage) if usage else None,
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


def _reasoning(text: str) -> dict[str, Any]:
    return {"reasoning_content": text} if text else {}
