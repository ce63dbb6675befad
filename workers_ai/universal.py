"""The gateway's universal endpoint: several requests in one, which the gateway tries in turn until one succeeds.

It is a POST to the gateway's own address; its body lists the requests, each with provider, endpoint, headers and body.
The first that succeeds is the answer, and `cf-aig-step` tells which that was, counted from 0. Cloudflare keeps the
endpoint for those who have it and recommends dynamic routes (`model="dynamic/..."`) for new ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic

from pydantic_core import to_json

from workers_ai.exchange import Answer, Delta, Exchange, Reply, Request, StreamReader
from workers_ai.gateway import UNIVERSAL, step_of
from workers_ai.redaction import reveal

if TYPE_CHECKING:
    from pydantic import SecretStr


def universal(
    exchanges: Sequence[Exchange[Answer, Delta]], *, whole: Callable[[Answer], Iterable[Delta]]
) -> Exchange[Answer, Delta]:
    """One exchange of several, which pass the same gateway. Each answer is read by the one that it belongs to.

    A single one stays as it is. whole: a whole answer -> its deltas; a step may answer so where another streams.
    """
    first = exchanges[0]
    if len(exchanges) == 1:
        return first
    steps = _Steps(exchanges)
    streamed = first.reader is not None
    again = any(each.unstreamed is not None for each in exchanges)
    return Exchange(
        _request([each.request for each in exchanges]),
        steps.read,
        reader=steps.reader if streamed else None,
        whole=whole if streamed else None,
        unstreamed=(lambda: universal(steps.unstreamed(), whole=whole)) if again else None,
        counting=first.counting,
    )


@dataclass(frozen=True, slots=True)
class _Steps(Generic[Answer, Delta]):
    """How the answer is read, whichever of them gave it."""

    exchanges: Sequence[Exchange[Answer, Delta]]

    def _of(self, reply: Reply) -> Exchange[Answer, Delta]:
        return self.exchanges[step_of(reply.headers, len(self.exchanges))]

    def read(self, reply: Reply) -> Answer:
        return self._of(reply).read(reply)

    def reader(self, head: Reply) -> StreamReader[Delta]:
        reader = self._of(head).reader
        assert reader is not None, "they are all streamed, or none is"
        return reader(head)

    def unstreamed(self) -> list[Exchange[Answer, Delta]]:
        return [each.unstreamed() if each.unstreamed is not None else each for each in self.exchanges]


def _request(requests: Sequence[Request]) -> Request:
    """The request that holds others. Each wants an Authorization of its own, so the body is made when it is sent."""
    first = requests[0]
    pieces = [_pieces(request) for request in requests]

    def body(authorization: SecretStr) -> bytes:
        return b"[%s]" % b",".join(before + to_json(reveal(authorization)) + after for before, after in pieces)

    return Request(UNIVERSAL, body, model=first.model, gateway=first.gateway, steps=tuple(requests))


def _pieces(request: Request) -> tuple[bytes, bytes]:
    """One entry of the list, before and after the value of its Authorization."""
    assert isinstance(request.body, bytes), "a request inside another holds no secret by itself"
    provider, endpoint = _place(request.path)
    headers = to_json({"Content-Type": "application/json", **request.headers})
    named = b'{"provider":%s,"endpoint":%s' % (to_json(provider), to_json(endpoint))
    return b'%s,"headers":{%s,"Authorization":' % (named, headers[1:-1]), b'},"query":%s}' % request.body


def _place(path: str) -> tuple[str, str]:
    """Provider and endpoint of a path: the model itself for the native form, as the endpoint's own page has it."""
    below = path.removeprefix("ai/")
    if below.startswith("compat/"):
        return "compat", below.removeprefix("compat/")
    return "workers-ai", below.removeprefix("run/")
