"""What is seen of a long work while it goes on: a progress bar, and the usage of each request."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from workers_ai.answers import Vectors
    from workers_ai.usage import Usage

    OnUsage = Callable[[Usage], object]
else:  # as pydantic, which knows no names of later, can read it
    OnUsage = Callable[..., object]
"""Called with the usage of each request, one at a time; not for one whose usage the service does not tell."""


@contextmanager
def watched(total: int, *, shown: bool = False, on_usage: OnUsage | None = None) -> Iterator[Callable[[Vectors], None]]:
    """What to call with each answer: it moves a bar over `total` texts, if it is shown, and tells the usage.

    The bar tells texts a second, neurons and USD, and stands on stderr where that is a terminal, or in a notebook.
    Raises ModuleNotFoundError for a bar without tqdm.
    """
    bar = bar_of(total, "Embedding", "texts") if shown else None
    neurons = usd = 0.0

    def on_answer(answer: Vectors) -> None:
        nonlocal neurons, usd
        if bar is not None:
            if answer.cost is not None:
                neurons, usd = neurons + answer.cost.neurons, usd + answer.cost.usd
                bar.set_postfix_str(f"{neurons:.4g} neurons, {usd:.6f} USD", refresh=False)
            bar.update(len(answer.rows))
        if on_usage is not None and answer.usage is not None:
            on_usage(answer.usage)

    try:
        yield on_answer
    finally:
        if bar is not None:
            bar.close()


def bar_of(total: int | None, doing: str, unit: str) -> Any:
    """tqdm's bar, on a terminal only. Raises ModuleNotFoundError, with what to do, where tqdm is not installed."""
    try:
        from tqdm.auto import tqdm  # type: ignore[import-untyped]  # has no types of its own
    except ModuleNotFoundError as missing:
        message = "a progress bar needs tqdm: pip install tqdm, or ask for none"
        raise ModuleNotFoundError(message, name=missing.name) from missing
    # disable=None: on a terminal only.
    return tqdm(total=total, desc=doing, unit=f" {unit}", disable=None)
