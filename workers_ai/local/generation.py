"""One run of a backend: its pieces counted as they pass, or collected into a whole."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from . import tokens
from .backend import Backend, Delta, End
from .chat_request import ChatRequest
from .usage import Usage


@dataclass(frozen=True, slots=True)
class Whole:
    """A finished answer."""

    text: str
    reasoning: str
    end: End


class Generation:
    """The pieces of one answer. `usage` is what was used so far; it is right at any moment, so also after a hang-up.

    delay: seconds to wait before each piece, for watching a stream or breaking it off.
    """

    def __init__(self, request: ChatRequest, backend: Backend, *, delay: float = 0.0) -> None:
        self.request = request
        self._backend = backend
        self._delay = delay
        self._completion_tokens = 0

    @property
    def usage(self) -> Usage:
        """Prompt tokens, completion tokens so far, and their price."""
        return Usage(self.request.prompt_tokens, self._completion_tokens, self.request.price)

    async def pieces(self) -> AsyncIterator[Delta | End]:
        """Deltas in order, then one `End`. Reasoning nobody is to see is dropped."""
        async for piece in self._backend.generate(self.request):
            if isinstance(piece, Delta):
                if piece.reasoning and not self.request.thinking:
                    continue
                self._completion_tokens += tokens.count(piece.text) + tokens.count(piece.reasoning)
            elif self.request.family.end_token and piece.finish_reason == "stop":
                self._completion_tokens += 1
            if self._delay:
                await asyncio.sleep(self._delay)
            yield piece

    async def whole(self) -> Whole:
        """All of it at once."""
        text, reasoning = [], []
        end = End("stop")
        async for piece in self.pieces():
            if isinstance(piece, End):
                end = piece
            else:
                text.append(piece.text)
                reasoning.append(piece.reasoning)
        return Whole("".join(text), "".join(reasoning), end)


async def begun(pieces: AsyncIterator[Delta | End]) -> AsyncIterator[Delta | End]:
    """The same pieces, the first already waited for: what fails before it can still be answered with a status."""
    first = await anext(pieces)

    async def rest() -> AsyncIterator[Delta | End]:
        yield first
        async for piece in pieces:
            yield piece

    return rest()
