"""The way to the service: by which proxy, and what is in it."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from workers_ai.cli.finding import Finding
from workers_ai.errors import APITimeoutError, WorkersAIError
from workers_ai.settings import BASE_URL, BASE_URL_VARIABLE, is_loopback

SUBJECT = "network"


def route(base_url: str) -> str:
    """How requests leave: straight, or by a proxy, named without its password."""
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    named = getproxies()
    proxy = named.get(parts.scheme) or named.get("all")
    if not proxy or is_loopback(host) or proxy_bypass(host):
        return host_of(base_url)
    return f"{host_of(base_url)} by the proxy {host_of(proxy)}"


def host_of(url: str) -> str:
    """Host and port of an address, without user and password."""
    parts = urlsplit(url if "://" in url else f"http://{url}")
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)


def unreached(base_url: str, error: WorkersAIError) -> Finding:
    """Why no answer came, by what the system said, and what to do about it."""
    way = route(base_url)
    causes = list(_causes(error))
    names = {type(cause).__name__ for cause in causes}
    if found := next((cause for cause in causes if isinstance(cause, ssl.SSLError)), None):
        return Finding.wrong(
            SUBJECT,
            f"TLS to {way} fails ({getattr(found, 'reason', None) or found})",
            "where a proxy opens TLS, name its certificate in SSL_CERT_FILE; else look at this machine's clock",
        )
    if "ProxyError" in names:
        return Finding.wrong(
            SUBJECT, f"the proxy refuses: {way}", "look at HTTPS_PROXY, or except the host in NO_PROXY"
        )
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return Finding.wrong(
            SUBJECT,
            f"DNS does not know {way}",
            f"look at the connection and at {BASE_URL_VARIABLE}; behind a proxy set HTTPS_PROXY",
        )
    if isinstance(error, APITimeoutError):
        return Finding.wrong(SUBJECT, f"no answer in time from {way}", "look at firewall and proxy (HTTPS_PROXY)")
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        here = is_loopback(urlsplit(base_url).hostname or "")
        start = "start the emulator there (workers-ai serve)" if here else "look at firewall and proxy"
        other = "" if base_url == BASE_URL else f", or unset {BASE_URL_VARIABLE} for Cloudflare's own address"
        return Finding.wrong(SUBJECT, f"nothing listens at {way}", start + other)
    return Finding.wrong(SUBJECT, f"{way}: {error.message}", "look at the connection, firewall and proxy (HTTPS_PROXY)")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error, what it comes from, and so on to the system's own."""
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or cause.__context__
