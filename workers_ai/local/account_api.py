"""What the API tells of a token and of a gateway's settings."""

from typing import Any

from .gateway import Gateway
from .ids import uuid7

_TOKEN_ID = "e" * 32  # names the token, and opens nothing


def token(status: str = "active") -> dict[str, Any]:
    """The envelope of `/user/tokens/verify` and of an account's own form of it."""
    told = {"code": 10000, "message": "This API Token is valid and active", "type": None}
    return {"result": {"id": _TOKEN_ID, "status": status}, "success": True, "errors": [], "messages": [told]}


def gateway_settings(gateway: Gateway) -> dict[str, Any]:
    """The envelope of one gateway's settings, as far as this emulator has them."""
    result = {
        "id": gateway.id,
        "internal_id": uuid7(),
        "is_default": gateway.id == "default",
        "authentication": gateway.token is not None,
        "cache_invalidate_on_update": False,
        "cache_ttl": gateway.cache_ttl or 0,
        "collect_logs": gateway.collect_logs,
        "rate_limiting_interval": 0,
        "rate_limiting_limit": 0,
        "rate_limiting_technique": "fixed",
        "created_at": "2026-01-01T00:00:00Z",
        "modified_at": "2026-01-01T00:00:00Z",
    }
    return {"result": result, "success": True, "errors": [], "messages": []}
