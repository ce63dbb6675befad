"""How people who move over have written it: the arguments of other packages, and addresses with the account in them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from workers_ai.arguments import Moved
from workers_ai.gateway import Gateway, gateway_from_environment

_REST = re.compile(r"(?P<base_url>.+)/accounts(/(?P<account_id>[^/]+)(/ai(/(?P<api>run|v1))?)?)?/?")
_GATEWAY = re.compile(r"(?P<base_url>.+)/(?P<account_id>[^/]+)/(?P<id>[^/]+)/workers-ai(/(?P<api>v1))?/?")
_APIS = {"run": "native", "v1": "openai"}


def _api(endpoint_format: Any) -> Any:
    return {"workers_ai": "native", "openai_compatible": "openai"}.get(endpoint_format, endpoint_format)


def _where_true(value: Any) -> Any:
    """Their False is "unset", and asks for no gateway."""
    return value or None


MOVED: Mapping[str, Moved] = {
    # langchain-cloudflare, and the aliases of its fields
    "cf_account_id": ("account_id", None),
    "cf_api_token": ("api_token", None),
    "cf_ai_api_token": ("api_token", None),
    "cloudflare_account_id": ("account_id", None),
    "cloudflare_api_token": ("api_token", None),
    "cloudflare_api_base": ("base_url", None),
    "api_base_url": ("base_url", None),
    "session_id": ("session_affinity", None),
    "endpoint_format": ("api", _api),
    "ai_gateway": ("gateway", None),
    "cloudflare_ai_gateway": ("gateway", None),
    "aig_request_timeout": ("gateway.request_timeout_ms", None),
    "aig_max_attempts": ("gateway.max_attempts", None),
    "aig_retry_delay": ("gateway.retry_delay_ms", None),
    "aig_backoff": ("gateway.backoff", None),
    "aig_allowed_models": ("gateway.allowed_models", None),
    "aig_session_id": ("gateway.session_id", None),
    "aig_turn_id": ("gateway.turn_id", None),
    "aig_no_session_affinity": ("gateway.no_session_affinity", _where_true),
    # langchain-openai's long names
    "openai_api_key": ("api_token", None),
    "openai_api_base": ("base_url", None),
}
"""Another package's spelling -> ours, and what makes its value ours."""


def settle_address(values: Mapping[str, Any]) -> dict[str, Any]:
    """`values` with a `base_url` like OpenAI's classes want it taken apart; any other is left as it is.

    `.../client/v4/accounts/{id}/ai/v1` names the account and the API as well (`/ai/run`: the native one), and
    `https://gateway.ai.cloudflare.com/v1/{id}/{gateway}/workers-ai/v1` the gateway too.
    Raises ValueError where an argument names another account, or the gateway once more.
    """
    told = dict(values)
    address = str(told.get("base_url") or "")
    if found := _GATEWAY.fullmatch(address):
        if told.get("gateway") is not None:
            raise ValueError("base_url names a gateway, and gateway does: leave one of the two out")
        told["gateway"] = {"id": found["id"], "route": "url", "base_url": found["base_url"]}
        del told["base_url"]
    elif found := _REST.fullmatch(address):
        told["base_url"] = found["base_url"]
    else:
        return told
    account = told.get("account_id") or found["account_id"]
    if found["account_id"] not in (None, account):
        raise ValueError("base_url and account_id name two accounts")
    told["account_id"] = account
    if found["api"]:
        told.setdefault("api", _APIS[found["api"]])
    return told


def settle_gateway(values: Mapping[str, Any]) -> dict[str, Any]:
    """`values` with the options of `gateway` (`gateway.max_attempts`, ...) in the gateway that is named.

    It may be named by the environment; where none is, the mapping of options that is left says so when it is coerced.
    """
    told = {name: value for name, value in values.items() if not name.startswith("gateway.")}
    given = {name.removeprefix("gateway."): value for name, value in values.items() if name not in told}
    options = {name: value for name, value in given.items() if value is not None}
    if options:
        gateway = Gateway.coerce(told.get("gateway")) or gateway_from_environment()
        told["gateway"] = gateway.replace(**options) if gateway is not None else options
    return told
