"""Where the demo runs: on Cloudflare when the environment names an account, else on the emulator."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workers_ai.cli.environment import changed
from workers_ai.cli.failure import CommandError
from workers_ai.gateway import gateway_from_environment
from workers_ai.settings import (
    ACCOUNT_VARIABLES,
    BASE_URL,
    BASE_URL_VARIABLE,
    TOKEN_VARIABLES,
    account_from_environment,
    base_url_from_environment,
    token_from_environment,
)

if TYPE_CHECKING:
    from workers_ai.options import ConnectionOptions

ACCOUNT_VARIABLE, TOKEN_VARIABLE = ACCOUNT_VARIABLES[0], TOKEN_VARIABLES[0]

# The demo speaks to the chosen service and to nobody else: LangChain would send traces where these say so.
NO_TRACES = dict.fromkeys(
    ("LANGSMITH_TRACING", "LANGSMITH_TRACING_V2", "LANGCHAIN_TRACING", "LANGCHAIN_TRACING_V2"), "false"
)


@dataclass(frozen=True, slots=True)
class Service:
    """Who answers. told: what a person should know of it. connection: the arguments that lead there."""

    told: str
    connection: ConnectionOptions
    emulated: bool


@contextmanager
def chosen_service() -> Iterator[Service]:
    """The service that the environment names, or the emulator, which runs until the end of the block.

    Raises CommandError when neither can be had.
    """
    account, token = account_from_environment(), token_from_environment()
    if account and token:
        yield Service(_told_of(base_url_from_environment()), {}, emulated=False)
        return
    with _emulator(_told_of_missing(account, token)) as service:
        yield service


@contextmanager
def _emulator(reason: str) -> Iterator[Service]:
    """The emulator on a free port. reason: why it is not Cloudflare."""
    try:
        from workers_ai.local import Account, LocalServer
    except ImportError:
        raise CommandError(
            'without an account the demo needs the local emulator: pip install "workers-ai[local]", or set'
            f" {ACCOUNT_VARIABLE} and {TOKEN_VARIABLE}"
        ) from None
    with LocalServer(account=Account(only_listed=True)) as server, changed(_directly("127.0.0.1")):
        connection: ConnectionOptions = {
            "account_id": server.account_id,
            "api_token": server.api_token,
            "base_url": server.base_url,
            "gateway": "default",  # one of the environment would be unknown there
        }
        told = (
            f"Runs on a local emulator at {server.url}, through its gateway `default`: {reason}.\n"
            "The emulator is no language model: it is extractive, its answers are sentences of the corpus."
        )
        yield Service(told, connection, emulated=True)


def _told_of(base_url: str) -> str:
    try:
        gateway = gateway_from_environment()
    except ValueError as error:
        raise CommandError(str(error)) from None
    through = f" through AI Gateway {gateway.id}" if gateway else ""
    if base_url == BASE_URL:
        return f"Runs on Cloudflare{through}, with the account that the environment names; it is billed there."
    return f"Runs on {base_url}{through}, as {BASE_URL_VARIABLE} says."


def _told_of_missing(account: object, token: object) -> str:
    missing = [name for name, value in ((ACCOUNT_VARIABLE, account), (TOKEN_VARIABLE, token)) if not value]
    return f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set"


def _directly(host: str) -> dict[str, str]:
    """The variables with which `host` is reached without the proxy that may stand before the world outside."""
    names = ("NO_PROXY", "no_proxy")
    return {name: f"{excepted},{host}" if (excepted := os.environ.get(name)) else host for name in names}
