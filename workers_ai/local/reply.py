"""A reply before it becomes HTTP: so the gateway can read, keep and repeat it."""

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import Response, StreamingResponse

from .errors import ServiceError
from .usage import Usage

JSON = "application/json"
EVENTS = "text/event-stream"


@dataclass(slots=True)
class Reply:
    """Status, headers, and a body in one piece or as events that are still to come.

    usage: asked when the reply is over; None where nothing was used.
    """

    status: int = 200
    body: bytes = b""
    events: AsyncIterator[bytes] | None = None
    headers: dict[str, str] = field(default_factory=dict)
    usage: Callable[[], Usage] | None = None

    @property
    def content_type(self) -> str:
        """The media type, without parameters."""
        return JSON if self.events is None else EVENTS

    def to_response(self) -> Response:
        """As Starlette sends it."""
        headers = {"content-type": self.content_type, **self.headers}
        if self.events is None:
            return Response(self.body, self.status, headers)
        return StreamingResponse(self.events, self.status, headers)


def of_json(value: Any, *, status: int = 200, usage: Usage | None = None) -> Reply:
    """A reply with a JSON body. With `usage`, the neurons stand in a header too, to two places (quirk 72)."""
    reply = Reply(status, encode(value))
    if usage is not None:
        if usage.price.in_neurons:
            reply.headers["cf-ai-neurons"] = f"{usage.neurons:.2f}"
        reply.usage = lambda: usage
    return reply


def of_events(frames: AsyncIterator[dict[str, Any]], usage: Callable[[], Usage]) -> Reply:
    """A stream of frames with `[DONE]` behind them."""
    return Reply(events=_events(frames), usage=usage)


def in_envelope(result: Any) -> dict[str, Any]:
    """The envelope of `/ai/run`."""
    return {"result": result, "success": True, "errors": [], "messages": []}


def encode(value: Any) -> bytes:
    """Compact JSON in UTF-8. Half a surrogate pair stays an escape, as it came: UTF-8 cannot hold it."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "backslashreplace")


async def _events(frames: AsyncIterator[dict[str, Any]]) -> AsyncIterator[bytes]:
    try:
        async for frame in frames:
            yield b"data: " + encode(frame) + b"\n\n"
    except ServiceError as error:
        # The status is long sent: the error is a frame, and the stream ends without [DONE] (quirks 24, 25).
        yield b"data: " + encode(error.body) + b"\n\n"
    else:
        yield b"data: [DONE]\n\n"
