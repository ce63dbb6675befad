"""The connection under a request, for an app that has to break it."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any

from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.auto import AutoHTTPProtocol

CONNECTION = "workers_ai.connection"

# On with no time to linger: closing sends RST in place of what is left and of FIN.
_NO_LINGER = struct.pack("ii", 1, 0)


class Connection:
    """The connection that a request came by."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport

    def reset(self) -> None:
        """RST: what has been sent arrives, and nothing more."""
        if (held := self._transport.get_extra_info("socket")) is not None:
            held.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self._transport.abort()

    def close(self) -> None:
        """FIN, behind all that has been sent."""
        self._transport.close()


class ConnectionProtocol(AutoHTTPProtocol):  # type: ignore[misc, valid-type]
    """uvicorn's protocol, whose requests know the connection they came by: `scope[CONNECTION]`."""

    app: Any  # the base class's own: what each request is handed to

    def connection_made(self, transport: Any) -> None:
        """Called by the loop."""
        super().connection_made(transport)
        app, connection = self.app, Connection(transport)

        async def connected(scope: Scope, receive: Receive, send: Send) -> None:
            scope[CONNECTION] = connection
            await app(scope, receive, send)

        self.app = connected
