"""One fault: how the answer to one request goes wrong. Knows no socket: an answer in, steps out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from .reply import EVENTS

_EVENT = re.compile(rb".*?\n\n", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the emulator answered, before anything befell it. Header names are in lower case."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def is_stream(self) -> bool:
        """Whether it is a stream of events."""
        return self.headers.get("content-type", "").startswith(EVENTS)

    @property
    def succeeded(self) -> bool:
        """Whether it is no refusal."""
        return self.status < 300

    @property
    def unmeasured(self) -> dict[str, str]:
        """The headers without a length: the body goes out in chunks, whatever becomes of it."""
        return {name: value for name, value in self.headers.items() if name != "content-length"}

    @property
    def pieces(self) -> list[bytes]:
        """The events of a stream, each with the empty line behind it; the two halves of a document."""
        if self.is_stream:
            return _EVENT.findall(self.body)
        middle = len(self.body) // 2
        return [self.body[:middle], self.body[middle:]]


@dataclass(frozen=True, slots=True)
class Head:
    """Status and headers go out."""

    status: int
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Data:
    """A piece of the body goes out; of a chunked one it is a chunk."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing happens for so many seconds; None: until the client has gone."""

    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Reset:
    """The connection is reset (RST), whatever has been sent."""


@dataclass(frozen=True, slots=True)
class HangUp:
    """The connection is closed (FIN), the answer finished or not."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """The port is closed for so many seconds: nobody can connect. Open connections are reset, this one too."""

    seconds: float


Step = Head | Data | Wait | Reset | HangUp | Refuse
Play = Callable[[Answer], Iterable[Step]]


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that can go wrong with one request. `faults.named` makes those with a name; any other can be made here.

    name: for tables and messages. play: the answer that the emulator would give -> what happens instead, in steps;
        the answer ends properly behind the last one.
    asks: whether the emulator works out that answer, and charges it; else `play` gets an empty one.
    """

    name: str
    play: Play = field(repr=False, compare=False)
    asks: bool = True


def answered(status: int, headers: Mapping[str, str], body: bytes) -> list[Step]:
    """The steps of an answer in one piece, with its length."""
    return [Head(status, {**headers, "content-length": str(len(body))}), Data(body)]
