"""The door behind the front door: a request that a fault is meant for does not get the answer it would have got."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from . import errors
from .connections import CONNECTION
from .fault import Answer, Data, HangUp, Head, Refuse, Reset, Step, Wait
from .fault_rules import HEADER, FaultRules
from .front_door import RECORDED
from .reply import encode


class FaultDoor:
    """ASGI middleware: plays the fault that `rules` has for a request."""

    def __init__(self, app: ASGIApp, *, rules: FaultRules) -> None:
        self._app = app
        self._rules = rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            fault = self._rules.take(scope[RECORDED])
        except ValueError as wrong:
            refused = errors.bad_input(f"{HEADER}: {wrong}")
            await Response(encode(refused.body), 400, {"content-type": "application/json"})(scope, receive, send)
            return
        if fault is None:
            await self._app(scope, receive, send)
            return
        answer = await _answer(self._app, scope, receive) if fault.asks else Answer()
        await self._play(fault.play(answer), scope, receive, send)

    async def _play(self, steps: Iterable[Step], scope: Scope, receive: Receive, send: Send) -> None:
        for step in steps:
            match step:
                case Head(status, headers):
                    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
                    await send({"type": "http.response.start", "status": status, "headers": raw})
                case Data(data):
                    await send({"type": "http.response.body", "body": data, "more_body": True})
                case Wait(seconds):
                    if await _gone(receive, seconds):
                        return
                case Reset() | HangUp() | Refuse():
                    self._end(step, scope)
                    await _gone(receive, None)
                    return
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _end(self, step: Reset | HangUp | Refuse, scope: Scope) -> None:
        if (connection := scope.get(CONNECTION)) is None:
            raise ConnectionResetError("a fault of the connection needs one: run the emulator as a LocalServer")
        if isinstance(step, HangUp):
            connection.close()
            return
        if isinstance(step, Refuse) and self._rules.refuse is not None:
            self._rules.refuse(step.seconds)
        connection.reset()


async def _gone(receive: Receive, seconds: float | None) -> bool:
    """Waits so many seconds, None for ever; whether the client went in that time."""
    try:
        async with asyncio.timeout(seconds):
            while (await receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        return False
    return True


async def _answer(app: ASGIApp, scope: Scope, receive: Receive) -> Answer:
    """The whole answer of the app."""
    head: dict[str, Any] = {}
    body = bytearray()

    async def take(message: Message) -> None:
        if message["type"] == "http.response.start":
            head.update(message)
        else:
            body.extend(message.get("body", b""))

    await app(scope, receive, take)
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in head["headers"]}
    return Answer(head["status"], headers, bytes(body))
