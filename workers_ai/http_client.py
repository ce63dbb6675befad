"""Which HTTP clients can be sent with, told by what they can do: httpx and httpx2 share no class."""

from __future__ import annotations


def check_http_client(client: object, *, name: str) -> None:
    """Raises TypeError for what is no client, and for an async one as `http_client` or a plain one as the other.

    name: of the argument. None is no client, and fine.
    """
    if client is None:
        return
    wants_async = name == "http_async_client"
    kind = type(client).__name__
    if not all(callable(getattr(client, method, None)) for method in ("build_request", "send")):
        wanted = "an httpx.AsyncClient" if wants_async else "an httpx.Client"
        raise TypeError(f"{name}: {wanted} (or httpx2's), not {kind}")
    closes, acloses = hasattr(client, "close"), hasattr(client, "aclose")
    if wants_async and closes and not acloses:
        raise TypeError(f"http_async_client: an async client, not {kind}; a plain one goes into http_client")
    if not wants_async and acloses and not closes:
        raise TypeError(f"http_client: a plain client, not {kind}; an async one goes into http_async_client")
