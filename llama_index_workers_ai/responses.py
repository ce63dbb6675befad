"""Answers and deltas to LlamaIndex's responses. No network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    CompletionResponse,
    LogProb,
    MessageRole,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
)
from pydantic_core import from_json

from workers_ai.wire.arguments import parsed_arguments

if TYPE_CHECKING:
    from workers_ai.answers import ChatAnswer, ChatDelta, Facts
    from workers_ai.usage import Usage
    from workers_ai.wire.tool_calls import CallPiece

    Block = ThinkingBlock | TextBlock | ToolCallBlock


@dataclass(slots=True)
class Call:
    """A call in an answer. arguments: a dict, of a growing call as far as they have come; None for no JSON object."""

    id: str
    name: str
    arguments: dict[str, Any] | None
    text: str

    def block(self) -> ToolCallBlock:
        """As a block. Arguments that are no JSON object stay the text they are: such a call is never run."""
        held = self.text if self.arguments is None else self.arguments
        return ToolCallBlock(tool_call_id=self.id, tool_name=self.name, tool_kwargs=held)

    def in_openais_form(self) -> dict[str, Any]:
        """As the framework looks for it in `additional_kwargs`."""
        return {"id": self.id, "type": "function", "function": {"name": self.name, "arguments": self.text}}


def to_chat_response(answer: ChatAnswer) -> ChatResponse:
    """A whole answer; of several choices the first, the others stand in `raw`."""
    choice = answer.choices[0]
    calls = [Call(call.id, call.name, call.arguments, call.arguments_text) for call in choice.tool_calls]
    return ChatResponse(
        message=_message(answer.text, answer.reasoning, answer.usage, calls),
        raw=_raw(answer),
        logprobs=log_probabilities(choice.logprobs),
        additional_kwargs={**told(answer.facts), **_refusal(choice.refusal)},
    )


def to_completion_response(answer: ChatAnswer) -> CompletionResponse:
    """A whole answer to a prompt."""
    return CompletionResponse(
        text=answer.text,
        raw=_raw(answer),
        logprobs=log_probabilities(answer.choices[0].logprobs),
        additional_kwargs=told(answer.facts),
    )


class StreamedAnswer:
    """The answer of one stream as it grows.

    LlamaIndex wants the whole message so far in every item beside the new piece: text, reasoning and calls with the
    arguments that have come. The last item, made from the delta with the facts, repeats it once more and tells usage
    and cost: agents keep that item's message. single: leave out all calls but the first.
    """

    __slots__ = ("_calls", "_reasoning", "_single", "_text")

    def __init__(self, *, single: bool = False) -> None:
        self._text = ""
        self._reasoning = ""
        self._calls: dict[int, Call] = {}
        self._single = single

    def chat_item(self, delta: ChatDelta) -> ChatResponse:
        """The item of a chat's stream for one delta."""
        self._add(delta)
        if delta.facts is not None:
            self._end_calls()
        usage = delta.facts.usage if delta.facts else None
        return ChatResponse(
            message=_message(self._text, self._reasoning, usage, list(self._calls.values())),
            delta=delta.text,
            raw=_last_raw(delta.facts),
            logprobs=log_probabilities(delta.logprobs),
            additional_kwargs=_item_facts(delta),
        )

    def completion_item(self, delta: ChatDelta) -> CompletionResponse:
        """The item of a completion's stream for one delta."""
        self._add(delta)
        return CompletionResponse(
            text=self._text,
            delta=delta.text,
            raw=_last_raw(delta.facts),
            logprobs=log_probabilities(delta.logprobs),
            additional_kwargs=_item_facts(delta),
        )

    def _add(self, delta: ChatDelta) -> None:
        self._text += delta.text
        self._reasoning += delta.reasoning
        for piece in delta.calls:
            if not (self._single and piece.index):
                self._add_piece(piece)

    def _add_piece(self, piece: CallPiece) -> None:
        call = self._calls.setdefault(piece.index, Call(piece.id or "", piece.name or "", {}, ""))
        call.text += piece.arguments
        call.arguments = so_far(call.text)

    def _end_calls(self) -> None:
        """What never became JSON is no arguments."""
        for call in self._calls.values():
            call.arguments = parsed_arguments(call.text)


def _partial() -> Any:
    """How much of a cut JSON text is read: unfinished strings too, where pydantic is new enough for that."""
    try:
        from_json("{", allow_partial="trailing-strings")
    except TypeError:
        return True
    return "trailing-strings"


_PARTIAL = _partial()


def so_far(text: str) -> dict[str, Any]:
    """The arguments in the beginning of their JSON, {} where there is none yet."""
    try:
        found = from_json(text, allow_partial=_PARTIAL) if text else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def told(facts: Facts) -> dict[str, Any]:
    """What is known about an answer: its token counts in OpenAI's names, model, finish reason, ids, cost, gateway."""
    return {**token_counts(facts.usage), **facts.metadata()}


def token_counts(usage: Usage | None) -> dict[str, int]:
    """The three counts under the names that LlamaIndex's TokenCountingHandler reads; none where none were told."""
    if usage is None or not usage.total_tokens:
        return {}
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
    }


def log_probabilities(wire: Any) -> list[list[LogProb]] | None:
    """For each token its alternatives with their log probabilities, itself where none were asked for.

    None for a shape that tells no tokens.
    """
    tokens = wire.get("content") if isinstance(wire, Mapping) else None
    if not isinstance(tokens, list):
        return None
    return [[_log_prob(entry) for entry in token.get("top_logprobs") or [token]] for token in tokens]


def _log_prob(entry: Mapping[str, Any]) -> LogProb:
    return LogProb(token=entry["token"], logprob=entry["logprob"], bytes=entry.get("bytes") or [])


def _message(text: str, reasoning: str, usage: Usage | None, calls: Sequence[Call] = ()) -> ChatMessage:
    # One TextBlock, whatever came: LlamaIndex joins several with line breaks.
    blocks: list[Block] = [TextBlock(text=text)]
    if reasoning:
        blocks.insert(0, ThinkingBlock(content=reasoning, num_tokens=usage.reasoning_tokens if usage else None))
    if not calls:
        return ChatMessage(role=MessageRole.ASSISTANT, blocks=blocks)
    blocks += [call.block() for call in calls]
    # Its programs and memories look for calls in the old place, not among the blocks.
    kept = {"tool_calls": [call.in_openais_form() for call in calls]}
    return ChatMessage(role=MessageRole.ASSISTANT, blocks=blocks, additional_kwargs=kept)


def _refusal(text: str | None) -> dict[str, str]:
    return {"refusal": text} if text else {}


def _raw(answer: ChatAnswer) -> dict[str, Any]:
    """What the service sent, as a plain dict; its usage in OpenAI's names, whatever form it came in."""
    raw = dict(answer.raw)
    if counts := token_counts(answer.usage):
        sent = raw.get("usage")
        raw["usage"] = {**(sent if isinstance(sent, Mapping) else {}), **counts}
    return raw


def _last_raw(facts: Facts | None) -> dict[str, Any] | None:
    """The `raw` of a stream's last item, put together from what its frames told; the others have none."""
    if facts is None:
        return None
    raw = {"id": facts.id, "created": facts.created, "model": facts.answering_model, "usage": _usage(facts.usage)}
    return {name: value for name, value in raw.items() if value is not None}


def _usage(usage: Usage | None) -> dict[str, Any] | None:
    counts: dict[str, Any] = {**token_counts(usage)}
    if usage is None or not counts:
        return None
    if usage.cached_tokens is not None:
        counts["prompt_tokens_details"] = {"cached_tokens": usage.cached_tokens}
    if usage.reasoning_tokens is not None:
        counts["completion_tokens_details"] = {"reasoning_tokens": usage.reasoning_tokens}
    return counts


def _item_facts(delta: ChatDelta) -> dict[str, Any]:
    known = {**told(delta.facts), **_refusal(delta.refusal)} if delta.facts else {}
    return {**known, "thinking_delta": delta.reasoning} if delta.reasoning else known
