"""LlamaIndex's events around a call, once each, and the closing of streams that its own decorators leave open."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import aclosing, closing
from functools import wraps
from typing import Any, TypeVar, cast

from llama_index.core.llms.callbacks import llm_chat_callback, llm_completion_callback

Method = TypeVar("Method", bound=Callable[..., Any])
Item = TypeVar("Item")


def chat_events(method: Method) -> Method:
    """The events of a chat around `method`, plain or async; the rate limiter is asked there too."""
    return cast("Method", llm_chat_callback()(method))


def completion_events(method: Method) -> Method:
    """As `chat_events`, for a completion."""
    return cast("Method", llm_completion_callback()(method))


def streaming(events: Callable[[Any], Any]) -> Callable[[Method], Method]:
    """`events` around a method that returns a generator; closing what it gives closes that generator too."""

    def decorate(method: Method) -> Method:
        @wraps(method)
        def observed(self: Any, *args: Any, **kwargs: Any) -> Any:
            opened: list[Generator[Any, None, None]] = []

            def opening(self: Any, *args: Any, **kwargs: Any) -> Any:
                opened.append(method(self, *args, **kwargs))
                return opened[0]

            items = events(opening)(self, *args, **kwargs)
            return _closed(items, opened[0])

        return cast("Method", observed)

    return decorate


def astreaming(events: Callable[[Any], Any]) -> Callable[[Method], Method]:
    """As `streaming`, for a coroutine that returns an async generator.

    The framework's wrapper does not close the generator inside it: without this the connection would stay open
    until the garbage collector finds it.
    """

    def decorate(method: Method) -> Method:
        @wraps(method)
        async def observed(self: Any, *args: Any, **kwargs: Any) -> Any:
            opened: list[AsyncGenerator[Any, None]] = []

            async def opening(self: Any, *args: Any, **kwargs: Any) -> Any:
                opened.append(await method(self, *args, **kwargs))
                return opened[0]

            items = await events(opening)(self, *args, **kwargs)
            return _aclosed(items, opened[0])

        return cast("Method", observed)

    return decorate


def _closed(items: Generator[Item, None, None], source: Generator[Any, None, None]) -> Generator[Item, None, None]:
    with closing(source), closing(items):
        yield from items


async def _aclosed(items: AsyncGenerator[Item, None], source: AsyncGenerator[Any, None]) -> AsyncGenerator[Item, None]:
    async with aclosing(source), aclosing(items):
        async for item in items:
            yield item
