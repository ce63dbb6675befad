"""What is secret, defined once: used by repr, errors, logs and cassettes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from pydantic import SecretStr, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

if TYPE_CHECKING:
    from workers_ai.errors import WorkersAIError

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

_SHOWN = 256 * 1024  # bytes of a body that an error keeps


def reveal(value: SecretStr | str) -> str:
    """The text of a secret, for the one place that sends it."""
    return value.get_secret_value() if isinstance(value, SecretStr) else value


def visible_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """A copy of `headers` that may be shown: secret ones masked."""
    return {name: MASK if name.lower() in SECRET_HEADERS else value for name, value in headers.items()}


class SecretHeaders(dict[str, str]):
    """Headers whose values are not shown."""

    def __repr__(self) -> str:
        return repr(dict.fromkeys(self, MASK))


def hidden_inputs(error: ValidationError) -> ValidationError:
    """`error` without the values that were given: pydantic keeps them, and shows them on request."""
    found = error.errors(include_url=False, include_input=False, include_context=False)
    lines = [
        InitErrorDetails(
            type=PydanticCustomError(line["type"], "{message}", {"message": line["msg"]}), loc=line["loc"], input=MASK
        )
        for line in found
    ]
    return ValidationError.from_exception_data(error.title, lines, hide_input=True)


def bearer(token: SecretStr) -> SecretStr:
    """The Authorization value that carries `token`."""
    return SecretStr(f"Bearer {token.get_secret_value()}")


def cleaned(error: WorkersAIError, secrets: Iterable[SecretStr]) -> WorkersAIError:
    """`error`, with secrets that a server sent back masked in its text and in the response it holds."""
    texts = [text for secret in secrets for text in _spellings(secret.get_secret_value())]
    for name, value in error.fields().items():
        if isinstance(value, str):  # a hint and a request id may hold what the server sent, too
            setattr(error, name, scrub(value, texts))
    error.args = (error.message,)
    if error.response is not None:
        error.response = replace(
            error.response,
            headers={name: scrub(value, texts) for name, value in error.response.headers.items()},
            body=scrub(error.response.body[:_SHOWN].decode("utf-8", "replace"), texts).encode(),
        )
    return error


def masked(text: str, secrets: Iterable[SecretStr]) -> str:
    """`text`, with the secrets of a request masked in it."""
    return scrub(text, [spelling for secret in secrets for spelling in _spellings(secret.get_secret_value())])


def _spellings(secret: str) -> list[str]:
    """A header's value whole, and the token in it alone."""
    return [secret, secret.removeprefix("Bearer ")]


def scrub(text: str, secrets: Iterable[str]) -> str:
    """`text` with every given secret masked. Short strings are passed over: masking "a" would destroy the text."""
    for secret in sorted(secrets, key=len, reverse=True):  # one may be a part of another
        if len(secret) >= 4 and secret in text:
            text = text.replace(secret, MASK)
    return text
