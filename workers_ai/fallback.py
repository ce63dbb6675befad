"""Several models in turn, tried from here: what `Transport` does with an exchange that has others behind it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import aclosing, closing
from dataclasses import replace
from typing import Any, Generic

from workers_ai import journal
from workers_ai.errors import ErrorClasses, WorkersAIError, recast
from workers_ai.exchange import Answer, Delta, Exchange, OtherModel
from workers_ai.retry import another_model_may_help


class Turn(Generic[Answer, Delta]):
    """Whose turn it is. Each model has retries and time-outs of its own; a deadline around the call ends them all."""

    def __init__(self, exchange: Exchange[Answer, Delta], classes: ErrorClasses) -> None:
        self.exchange = exchange
        self._others = list(exchange.others)
        self._asked = {exchange.request.model}
        self._counting = exchange.counting
        self._classes = classes
        self._failed: list[WorkersAIError] = []

    def pass_on(self, error: WorkersAIError) -> None:
        """`error` ends this model's turn. Raises it, with all that failed besides, where no other may help."""
        refused: list[WorkersAIError] = []
        while (other := self._next(error)) is not None:
            try:
                exchange = other.build()
            except WorkersAIError as wrong:  # tools, pictures or a prompt that this one does not take: not sent
                refused.append(_kept(recast(wrong, self._classes)))
                continue
            if exchange.request.model in self._asked:  # a budget may put one model in the place of several
                continue
            self._asked.add(exchange.request.model)
            self._failed += [_kept(error), *refused]
            self.exchange = replace(exchange, counting=self._counting)
            journal.changing(error, other.model)
            return
        error.attempts = (*self._failed, *refused)
        raise error

    def _next(self, error: WorkersAIError) -> OtherModel[Answer, Delta] | None:
        while self._others:
            other = self._others.pop(0)
            if another_model_may_help(error, other.model):
                return other
        return None


def _kept(error: WorkersAIError) -> WorkersAIError:
    """`error` without its traceback, whose frames hold requests and answers."""
    return error.with_traceback(None)


def send(once: Callable[[Exchange[Answer, Any]], Answer], turn: Turn[Answer, Any]) -> Answer:
    """The answer of the first model that gives one. once: asks one model."""
    while True:
        try:
            return once(turn.exchange)
        except WorkersAIError as error:
            turn.pass_on(error)


async def asend(once: Callable[[Exchange[Answer, Any]], Awaitable[Answer]], turn: Turn[Answer, Any]) -> Answer:
    """As `send`."""
    while True:
        try:
            return await once(turn.exchange)
        except WorkersAIError as error:
            turn.pass_on(error)


def stream(
    once: Callable[[Exchange[Any, Delta]], Generator[Delta, None, None]], turn: Turn[Any, Delta]
) -> Generator[Delta, None, None]:
    """The deltas of the first model that gives any: what has been handed out cannot be taken back."""
    while True:
        begun = False
        try:
            with closing(once(turn.exchange)) as deltas:
                for delta in deltas:
                    begun = True
                    yield delta
            return
        except WorkersAIError as error:
            if begun:
                raise
            turn.pass_on(error)


async def astream(
    once: Callable[[Exchange[Any, Delta]], AsyncGenerator[Delta, None]], turn: Turn[Any, Delta]
) -> AsyncGenerator[Delta, None]:
    """As `stream`."""
    while True:
        begun = False
        try:
            async with aclosing(once(turn.exchange)) as deltas:
                async for delta in deltas:
                    begun = True
                    yield delta
            return
        except WorkersAIError as error:
            if begun:
                raise
            turn.pass_on(error)
