"""What is secret, defined once: used by repr, errors, logs and cassettes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pydantic import SecretStr

SECRET_HEADERS = frozenset(
    {
        "authorization",
        "cf-aig-authorization",
        "proxy-authorization",
        "x-auth-key",
        "x-auth-email",
        "cookie",
        "set-cookie",
    }
)
"""Lower-case names of headers whose values must not be shown."""

MASK = "**********"


def reveal(value: SecretStr | str) -> str:
    """The text of a secret, for the one place that sends it."""
    return value.get_secret_value() if isinstance(value, SecretStr) else value


def visible_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """A copy of `headers` that may be shown: secret ones masked."""
    return {name: MASK if name.lower() in SECRET_HEADERS else value for name, value in headers.items()}


def scrub(text: str, secrets: Iterable[str]) -> str:
    """`text` with every given secret masked. Short strings are passed over: masking "a" would destroy the text."""
    for secret in secrets:
        if len(secret) >= 4 and secret in text:
            text = text.replace(secret, MASK)
    return text
