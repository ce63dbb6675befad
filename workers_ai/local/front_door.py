"""What every request meets first: bodies bounded, requests recorded, answers marked as an emulator's."""

import json
import re
import time
from collections.abc import Mapping, MutableSequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from . import errors, ids
from .reply import encode

MAX_BODY_BYTES = 32 * 1024 * 1024
EMULATOR_HEADER = "x-workers-ai-emulator"
EMULATOR_VERSION = "1"
REQUEST_ID = "workers_ai.request_id"
RECORDED = "workers_ai.recorded"

_MODEL_IN_PATH = re.compile(r"/run/(.+)|/(@(?:cf|hf)/.+)")


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """A request as it arrived.

    path: decoded, without the query; `raw_path` as it was on the wire. headers: names in lower case.
    json: the parsed body; None where there was none, or it was no JSON (`body` has the bytes).
    at: when it had arrived, in seconds of `time.monotonic()`.
    """

    method: str
    path: str
    raw_path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    json: Any = None
    at: float = 0.0

    @property
    def model(self) -> str | None:
        """The id of the model that is asked, from the path or the body; None where none is."""
        if found := _MODEL_IN_PATH.search(self.path):
            return found[1] or found[2]
        named = self.json.get("model") if isinstance(self.json, dict) else None
        return named if isinstance(named, str) else None


class FrontDoor:
    """ASGI middleware around the whole app.

    record: where each request is put, None to keep none.
    max_body: bytes; a longer body is refused with 413 before it is read to its end.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        record: MutableSequence[RecordedRequest] | None = None,
        max_body: int = MAX_BODY_BYTES,
    ) -> None:
        self._app = app
        self._record = record
        self._max_body = max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope[REQUEST_ID] = ids.request_id()
        marked = _marking(send, scope[REQUEST_ID])
        try:
            body = await self._read(receive)
        except ClientDisconnect:
            return
        except errors.ServiceError as error:
            headers = {"content-type": "application/json", "connection": "close"}
            await Response(encode(error.body), error.status, headers)(scope, receive, marked)
            return
        scope[RECORDED] = recorded = _recorded(scope, body)
        if self._record is not None:
            self._record.append(recorded)
        await self._app(scope, _replaying(body, receive), marked)

    async def _read(self, receive: Receive) -> bytes:
        """The whole body; `ServiceError` if it is longer than allowed."""
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            body += message.get("body", b"")
            if len(body) > self._max_body:
                raise errors.body_too_large(self._max_body)
            if not message.get("more_body", False):
                return bytes(body)


def _marking(send: Send, request_id: str) -> Send:
    """A `send` that puts the headers on which every answer carries."""
    marks = {"cf-ray": ids.ray_id(), "cf-ai-req-id": request_id, EMULATOR_HEADER: EMULATOR_VERSION}

    async def marked(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in marks.items():
                headers[name] = value
        await send(message)

    return marked


def _replaying(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body once more, then what comes after it."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return messages.pop() if messages else await receive()

    return replayed


def _recorded(scope: Scope, body: bytes) -> RecordedRequest:
    try:
        parsed = json.loads(body) if body else None
    except ValueError:
        parsed = None
    return RecordedRequest(
        method=scope["method"],
        path=scope["path"],
        raw_path=(scope.get("raw_path") or scope["path"].encode()).decode("latin-1"),
        query=parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True),
        headers={name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]},
        body=body,
        json=parsed,
        at=time.monotonic(),
    )
