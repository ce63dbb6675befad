"""One run of a backend: its pieces counted as they pass, or collected into a whole."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from . import tokens
from .backend import Backend, CallPiece, Delta, End
from .chat_request import ChatRequest
from .usage import Usage


@dataclass(frozen=True, slots=True)
class Whole:
    """A finished answer."""

    text: str
    reasoning: str
    end: End
    calls: tuple[CallPiece, ...] = ()
    refusal: str = ""


class Generation:
    """The pieces of one answer. `usage` is what was used so far; it is right at any moment, so also after a hang-up.

    delay: seconds to wait before each piece, for watching a stream or breaking it off.
    """

    def __init__(self, request: ChatRequest, backend: Backend, *, delay: float = 0.0) -> None:
        self.request = request
        self._backend = backend
        self._delay = delay
        self._completion_tokens = 0
        self._reasoning_tokens = 0

    @property
    def usage(self) -> Usage:
        """Prompt tokens, completion tokens so far, and their price."""
        request = self.request
        return Usage(
            request.prompt_tokens,
            self._completion_tokens,
            request.price,
            cached_tokens=request.cached_tokens,
            reasoning_tokens=self._reasoning_tokens if request.thinking else None,
        )

    async def pieces(self) -> AsyncIterator[Delta | End]:
        """Deltas in order, then one `End`. Reasoning nobody is to see is dropped."""
        async for piece in self._backend.generate(self.request):
            if isinstance(piece, Delta):
                if piece.reasoning and not self.request.thinking:
                    continue
                self._completion_tokens += _cost(piece)
                self._reasoning_tokens += tokens.count(piece.reasoning)
            elif self.request.family.end_token and piece.finish_reason != "length":
                self._completion_tokens += 1
            if self._delay:
                await asyncio.sleep(self._delay)
            yield piece

    async def whole(self) -> Whole:
        """All of it at once."""
        text, reasoning, refusal = [], [], []
        calls: dict[int, CallPiece] = {}
        end = End("stop")
        async for piece in self.pieces():
            if isinstance(piece, End):
                end = piece
                continue
            text.append(piece.text)
            reasoning.append(piece.reasoning)
            refusal.append(piece.refusal)
            if piece.call is not None:
                calls[piece.call.index] = joined(calls.get(piece.call.index), piece.call)
        return Whole("".join(text), "".join(reasoning), end, tuple(calls.values()), "".join(refusal))


def joined(call: CallPiece | None, piece: CallPiece) -> CallPiece:
    """A call grown by its next piece."""
    before = call.arguments if call is not None else ""
    return CallPiece(piece.index, piece.name, before + piece.arguments)


def _cost(piece: Delta) -> int:
    """Tokens of a piece; what opens a call costs its name."""
    call = piece.call
    in_call = 0 if call is None else tokens.count(call.arguments or call.name)
    return sum(map(tokens.count, (piece.text, piece.reasoning, piece.refusal))) + in_call


async def begun(pieces: AsyncIterator[Delta | End]) -> AsyncIterator[Delta | End]:
    """The same pieces, the first already waited for: what fails before it can still be answered with a status."""
    first = await anext(pieces)

    async def rest() -> AsyncIterator[Delta | End]:
        yield first
        async for piece in pieces:
            yield piece

    return rest()
