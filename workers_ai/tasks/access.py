"""What the API tells of the token and of a gateway's settings: asked by the doctor, not needed for a call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Never
from urllib.parse import quote

from workers_ai.diagnosis import diagnose, is_refusal
from workers_ai.errors import InvalidResponseError
from workers_ai.exchange import Exchange, Reply, Request


@dataclass(frozen=True, slots=True)
class TokenStatus:
    """What `tokens/verify` tells of a token.

    status: "active", "disabled" or "expired". expires_on: ISO time, None for a token without end.
    """

    status: str
    expires_on: str | None = None


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """Settings of one gateway. authentication: whether its own host wants a token of each request."""

    id: str
    authentication: bool = False


def user_token() -> Exchange[TokenStatus, Never]:
    """Whether the token is good, where a user made it; an account's own is unknown there (401, code 1000)."""
    return _token("/user/tokens/verify")


def account_token() -> Exchange[TokenStatus, Never]:
    """The same for a token that the account owns."""
    return _token("tokens/verify")


def gateway_settings(gateway_id: str) -> Exchange[GatewaySettings, Never]:
    """The settings of a gateway; 404 where there is none, 403 where the token lacks AI Gateway Read."""
    request = Request(f"ai-gateway/gateways/{quote(gateway_id, safe='')}", method="GET")
    return Exchange(request, _read_gateway, idempotent=True)


def _token(path: str) -> Exchange[TokenStatus, Never]:
    return Exchange(Request(path, method="GET"), _read_token, idempotent=True)


def _read_token(reply: Reply) -> TokenStatus:
    told = _result(reply)
    expires = told.get("expires_on")
    return TokenStatus(str(told.get("status") or "unknown"), str(expires) if expires else None)


def _read_gateway(reply: Reply) -> GatewaySettings:
    told = _result(reply)
    return GatewaySettings(str(told.get("id") or ""), told.get("authentication") is True)


def _result(reply: Reply) -> Mapping[str, Any]:
    document = reply.json()
    if is_refusal(document):
        raise diagnose(reply)
    found = document.get("result") if isinstance(document, Mapping) else None
    if not isinstance(found, Mapping):
        raise InvalidResponseError("the answer holds no result", request_id=reply.request_id)
    return found
