"""The sans-IO contract: what is asked of the service, and how its reply is read. Knows no socket."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from pydantic_core import from_json

from workers_ai.counting import Counting, running

if TYPE_CHECKING:
    from pydantic import SecretStr

    from workers_ai.answers import Facts
    from workers_ai.gateway import Gateway

Answer = TypeVar("Answer")
Delta = TypeVar("Delta")
Delta_co = TypeVar("Delta_co", covariant=True)

Body = bytes | Callable[["SecretStr"], bytes]
"""What is sent as it is; or what makes it of the Authorization value, at the moment of sending: a body that must hold
the token (each step of a gateway's universal request does) is not kept, so that nothing can show it."""


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request, without host and credentials: the transport adds those.

    path: below `/accounts/{account_id}/`, e.g. `ai/run/@cf/baai/bge-m3`; with a slash in front below the base URL
        itself, e.g. `/user/tokens/verify`. Its parts are quoted already.
    body: JSON, unless headers name another content-type; None sends no body and no content-type.
    model: the model that is asked, for errors; None where none is.
    headers: beyond the usual ones. query: over the client's `default_query`.
    gateway: the AI Gateway to pass, None for none; only requests below `ai/` can pass one.
    steps: the requests that a gateway is to try in turn, where this one holds several; its `model` is the first one's.
    """

    path: str
    body: Body | None = None
    model: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    gateway: Gateway | None = None
    method: str = "POST"
    query: Mapping[str, str] = field(default_factory=dict)
    steps: Sequence[Request] = ()


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back: HTTP status, headers (lower-case names, cookies left out) and the body as bytes."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def status_code(self) -> int:
        """`status` under httpx's name: tracers read it from an error's response."""
        return self.status

    @property
    def text(self) -> str:
        """The body as text; bytes that are no UTF-8 show as replacement characters."""
        return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """The body's JSON value. Raises ValueError where it is none."""
        return from_json(self.body)

    @property
    def is_json(self) -> bool:
        """Whether the service calls the body JSON. A stream can be answered so (quirk 26)."""
        return "json" in self.headers.get("content-type", "").lower()

    @property
    def is_document(self) -> bool:
        """Whether the body is one document, JSON or a page, and no stream."""
        return self.is_json or "html" in self.headers.get("content-type", "").lower()

    @property
    def request_id(self) -> str | None:
        """The service's id of this request: `cf-ai-req-id` before `cf-ray` (quirk 102)."""
        return self.headers.get("cf-ai-req-id") or self.headers.get("cf-ray")


class StreamReader(Protocol[Delta_co]):
    """Turns the bytes of one streamed reply into deltas. One reader serves one attempt."""

    def feed(self, data: bytes) -> Iterable[Delta_co]:
        """Deltas that `data` completes. Raises the error that an error frame carries."""
        ...

    def close(self) -> Iterable[Delta_co]:
        """What is left at the end of the body. Raises StreamInterruptedError when the stream was cut short."""
        ...

    @property
    def partial(self) -> str:
        """Text that has arrived so far."""
        ...

    @property
    def begun(self) -> bool:
        """Whether any part of the answer has arrived; an error frame is none."""
        ...

    @property
    def done(self) -> bool:
        """Whether the stream has said that it is at its end."""
        ...

    def facts_so_far(self) -> Facts | None:
        """What is known of an answer that ends here, its usage as far as it was told."""
        ...


@dataclass(frozen=True, slots=True)
class OtherModel(Generic[Answer, Delta]):
    """A model to ask the same of where the one before has failed.

    build: makes its exchange; raises what that model cannot be asked.
    """

    model: str
    build: Callable[[], Exchange[Answer, Delta]]


@dataclass(frozen=True, slots=True)
class Exchange(Generic[Answer, Delta]):
    """One request to the service, and how its reply is read.

    read: a whole reply -> the answer, or an error of our family.
    reader: a reply's head -> fresh state for one attempt of a stream.
    whole: an answer that came in one piece although a stream was asked for -> its deltas.
    unstreamed: makes the same question without the stream, for models that answer a stream with nothing (quirk 3).
    idempotent: whether a reply that broke off halfway may be asked for again: text would be paid for twice.
    once: it sets work going that nobody waits for, so it is not sent again where it may have been taken already.
    others: whom to ask in its stead once it has failed for good, in this order (`fallback`).
    counting: the meters that ran where it was made; they count its answer, wherever that is read.
    """

    request: Request
    read: Callable[[Reply], Answer]
    reader: Callable[[Reply], StreamReader[Delta]] | None = None
    whole: Callable[[Answer], Iterable[Delta]] | None = None
    unstreamed: Callable[[], Exchange[Answer, Delta]] | None = None
    idempotent: bool = False
    once: bool = False
    others: Sequence[OtherModel[Answer, Delta]] = ()
    counting: tuple[Counting, ...] = field(default_factory=running, compare=False, repr=False)
