"""What an HTTP client raised, as an error of the family."""

from __future__ import annotations

from workers_ai import errors as e

_NEVER_SENT = frozenset({"ConnectError", "ConnectTimeout", "PoolTimeout", "UnsupportedProtocol", "ProxyError"})


def failure(raised: BaseException, *, model: str | None = None) -> e.WorkersAIError | None:
    """The error of the family for what httpx (or httpx2) raised; None for anything that is not the client's.

    By class name: httpx and httpx2 share their names but not their classes, and neither need be imported here.
    """
    names = [cls.__name__ for cls in type(raised).__mro__]
    if "InvalidURL" in names or "UnsupportedProtocol" in names or "LocalProtocolError" in names:
        return e.BadRequestError(f"The request could not be written: {raised}", model=model, maybe_sent=False)
    maybe_sent = _NEVER_SENT.isdisjoint(names)
    if "TimeoutException" in names:
        kind = names[0].removesuffix("Timeout").lower()
        return e.APITimeoutError(
            f"No answer in time (while waiting to {kind})",
            model=model,
            maybe_sent=maybe_sent,
            hint="Raise `timeout`, or lower max_tokens; a busy model can be refused at once with reject_if_busy=True",
        )
    if "DecodingError" in names or "TooManyRedirects" in names:
        return e.InvalidResponseError(
            f"The answer could not be decoded: {raised}",
            model=model,
            hint="It is not compressed as its headers say: look for a proxy on the way",
        )
    if names[0] == "RuntimeError" and "client has been closed" in str(raised):
        return e.APIConnectionError("The HTTP client has been closed", model=model, maybe_sent=False)
    if "TransportError" in names or "StreamError" in names:
        return e.APIConnectionError(
            f"Connection failed: {str(raised) or names[0]}",
            model=model,
            maybe_sent=maybe_sent,
            hint="Check the network and base_url; HTTPS_PROXY and SSL_CERT_FILE are honoured",
        )
    return None
