"""Which meters are running where a request is made: a context variable, which tasks and our own threads inherit."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workers_ai.meter import NeuronMeter


@dataclass(frozen=True, slots=True)
class Counting:
    """A meter that runs, and the tags under which it counts here."""

    meter: NeuronMeter
    tags: tuple[str, ...] = ()


_ENTERED: ContextVar[tuple[Counting, ...]] = ContextVar("workers_ai.counting", default=())


def running() -> tuple[Counting, ...]:
    """The meters that run here, each once, with the tags it was given last."""
    entered = _ENTERED.get()
    return entered if len(entered) < 2 else tuple({id(each.meter): each for each in entered}.values())


def enter(meter: NeuronMeter, *tags: str) -> None:
    """`meter` runs from here on, with these tags besides those it has here already."""
    held = next((each.tags for each in reversed(_ENTERED.get()) if each.meter is meter), ())
    _ENTERED.set((*_ENTERED.get(), Counting(meter, tuple(dict.fromkeys((*held, *tags))))))


def leave(meter: NeuronMeter) -> None:
    """Takes back the last `enter` of this meter."""
    # Not by ContextVar.reset: an async generator or a notebook may leave in another context than it entered in.
    entered = list(_ENTERED.get())
    for place in reversed(range(len(entered))):
        if entered[place].meter is meter:
            del entered[place]
            break
    _ENTERED.set(tuple(entered))
