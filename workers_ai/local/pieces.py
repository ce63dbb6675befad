"""A plan cut into the pieces of an answer: reasoning, text and calls, as the request wants them."""

from collections.abc import Iterator, Sequence
from itertools import zip_longest

from . import errors, tokens
from .backend import CallPiece, Delta, End
from .call_pieces import TAKING_TURNS
from .chat_request import ChatRequest
from .plan import Plan


def of(request: ChatRequest, made: Plan) -> Iterator[Delta | End]:
    """The pieces of reasoning, answer and calls, cut at a stop text and at `max_tokens`, then the end."""
    if made.refusal:
        yield Delta(refusal=made.refusal)
        yield End("stop")
        return
    text, stopped = _until_stop(made.text, request.stop)
    parts = [_thoughts(request, made), [Delta(text=piece) for piece in tokens.split(text)], _call_pieces(request, made)]
    if "reasoning-last" in request.quirks:
        parts = [*parts[1:], parts[0]]
    pieces = [piece for part in parts for piece in part]
    cut = len(pieces) > request.max_tokens
    if cut and made.calls and request.choice.forced:
        raise errors.native(400, 8006, "Tool call could not be completed: max_tokens is too small")
    yield from pieces[: request.max_tokens]
    finish = "length" if cut or made.cut else "tool_calls" if made.calls else "stop"
    yield End(finish, stopped_by=stopped if finish == "stop" else None)


def _thoughts(request: ChatRequest, made: Plan) -> list[Delta]:
    if not request.thinking or not made.thoughts:
        return []
    if request.family.thinks != "in text":
        return [Delta(reasoning=piece) for piece in tokens.split(made.thoughts)]
    # deepseek-r1-distill: all in the text, and the tag that opens it is missing (quirk 30).
    return [Delta(text=piece) for piece in tokens.split(f"{made.thoughts}\n</think>\n\n")]


def _call_pieces(request: ChatRequest, made: Plan) -> list[Delta]:
    """Each call opened by its name, then its arguments bit by bit; the calls one by one, or by turns if asked for."""
    calls = []
    for index, call in enumerate(made.calls):
        text = call.text[: -(len(call.text) // 2)] if "invalid-arguments" in request.quirks else call.text
        pieces = [text] if "whole-calls" in request.quirks else ["", *tokens.split(text)]
        calls.append([Delta(call=CallPiece(index, call.name, piece)) for piece in pieces])
    if request.quirks & TAKING_TURNS:
        calls = [[piece for piece in turn if piece is not None] for turn in zip_longest(*calls)]
    return [piece for call in calls for piece in call]


def _until_stop(text: str, stops: Sequence[str]) -> tuple[str, str | None]:
    """`text` up to the first of `stops`, and which one that was."""
    hits = [(text.find(stop), stop) for stop in stops if stop and stop in text]
    if not hits:
        return text, None
    at, stop = min(hits)
    return text[:at], stop
