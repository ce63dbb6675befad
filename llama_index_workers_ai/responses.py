"""Answers and deltas to LlamaIndex's responses. No network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    CompletionResponse,
    LogProb,
    MessageRole,
    TextBlock,
    ThinkingBlock,
)

if TYPE_CHECKING:
    from workers_ai.answers import ChatAnswer, ChatDelta, Facts
    from workers_ai.usage import Usage

    Block = ThinkingBlock | TextBlock


def to_chat_response(answer: ChatAnswer) -> ChatResponse:
    """A whole answer; of several choices the first, the others stand in `raw`."""
    return ChatResponse(
        message=_message(answer.text, answer.reasoning, answer.usage),
        raw=_raw(answer),
        logprobs=log_probabilities(answer.choices[0].logprobs),
        additional_kwargs=told(answer.facts),
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

    LlamaIndex wants the whole text so far in every item beside the new piece. The last item, made from the delta
    with the facts, repeats it once more and tells usage and cost: agents keep that item's message.
    """

    __slots__ = ("_reasoning", "_text")

    def __init__(self) -> None:
        self._text = ""
        self._reasoning = ""

    def chat_item(self, delta: ChatDelta) -> ChatResponse:
        """The item of a chat's stream for one delta."""
        self._add(delta)
        return ChatResponse(
            message=_message(self._text, self._reasoning, delta.facts.usage if delta.facts else None),
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


def _message(text: str, reasoning: str, usage: Usage | None) -> ChatMessage:
    # One TextBlock, whatever came: LlamaIndex joins several with line breaks.
    blocks: list[Block] = [TextBlock(text=text)]
    if reasoning:
        blocks.insert(0, ThinkingBlock(content=reasoning, num_tokens=usage.reasoning_tokens if usage else None))
    return ChatMessage(role=MessageRole.ASSISTANT, blocks=blocks)


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
    known = told(delta.facts) if delta.facts else {}
    return {**known, "thinking_delta": delta.reasoning} if delta.reasoning else known
