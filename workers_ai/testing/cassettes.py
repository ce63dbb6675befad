"""Cassettes without secrets: the configuration of vcrpy for programs that call Workers AI, and for our own tests.

What is secret or changes with every recording is taken out by naming what may stay: a header that nobody thought of is
left out, not let through. Every account's id is written as zeros, so a cassette plays for any account.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

from workers_ai.gateway import ID_VARIABLES
from workers_ai.gateway import TOKEN_VARIABLES as GATEWAY_TOKEN_VARIABLES
from workers_ai.redaction import MASK, scrub
from workers_ai.settings import ACCOUNT_VARIABLES, TOKEN_VARIABLES

NO_ACCOUNT = "0" * 32
"""Stands for every account id, on replay too."""

NO_GATEWAY = "gateway"
"""Stands for every gateway's id."""

KEPT_REQUEST_HEADERS = frozenset({"accept", "content-type", "x-session-affinity"})
KEPT_RESPONSE_HEADERS = frozenset({"content-type", "retry-after", "cf-ai-neurons", "x-workers-ai-emulator"})
_NO_ID = "00000000-0000-4000-8000-000000000000"
IDS = {"cf-ray": "0000000000000000-LOC", **dict.fromkeys(["cf-ai-req-id", "cf-aig-log-id", "cf-aig-event-id"], _NO_ID)}
"""Headers that name one reply: kept, since answers and errors show them, with a value of no reply."""

_GATEWAY = "cf-aig-"
_GATEWAY_ID = "cf-aig-gateway-id"
_TOKENS = frozenset({"authorization", "cf-aig-authorization", "x-auth-key"})
_TOKENS_OF_GATEWAY = frozenset({"cf-aig-authorization"})

# Where the two ids stand in addresses, in those that texts repeat, and under the keys that the API has for them.
_ACCOUNTS = (
    re.compile(r"(?<=/accounts/)[^/?\"'\s]+"),
    re.compile(r"(?<=//gateway\.ai\.cloudflare\.com/v1/)[^/?\"'\s]+"),
    re.compile(r"(?<=\"account_id\":\")[^\"]+|(?<=\"account_id\": \")[^\"]+"),
    re.compile(r"(?<=\"account_tag\":\")[^\"]+|(?<=\"account_tag\": \")[^\"]+"),
)
_GATEWAYS = (
    re.compile(r"(?<=/ai-gateway/gateways/)[^/?\"'\s]+"),
    re.compile(rf"(?<=//gateway\.ai\.cloudflare\.com/v1/{NO_ACCOUNT}/)[^/?\"'\s]+"),
    re.compile(r"(?<=\"gateway_id\":\")[^\"]+|(?<=\"gateway_id\": \")[^\"]+"),
)
_BEARER = re.compile(r"(?<=[Bb]earer )[\w.~+/=-]{20,}")

# Shorter ones are a test's own ("token"), and masking them would destroy texts. Cloudflare's have 40 characters.
_SHORTEST_TOKEN = 20
_ACCOUNT = re.compile(r"[0-9a-f]{32}")

Json = dict[str, Any]


def vcr_config(secrets: Iterable[str] = ()) -> Json:
    """The arguments for `vcr.VCR(...)`, or the value of pytest-recording's fixture `vcr_config`.

    Requests match by method, address and body, the account and the gateway aside. Tokens, account ids, gateway ids and
    cookies are taken out of addresses, headers and bodies, of requests and of responses; a body that holds none of
    them, a stream above all, stays byte for byte.

    secrets: more texts that must not stand anywhere. Those that the environment holds, and those that a recorded
    request was sent with, are always among them.
    """
    cleaner = Cleaner(secrets)
    return {
        "match_on": ["method", "scheme", "host", "port", "path", "query", "body"],
        "before_record_request": cleaner.request,
        "before_record_response": cleaner.response,
        "decode_compressed_response": True,
    }


class Cleaner:
    """Takes secrets out of what vcrpy records, and of what it reads: doing it twice changes nothing more."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets = {*secrets, *_tokens(_set_in_environment((*TOKEN_VARIABLES, *GATEWAY_TOKEN_VARIABLES)))}
        self._accounts = {*filter(_ACCOUNT.fullmatch, _set_in_environment(ACCOUNT_VARIABLES))}
        self._gateways = _set_in_environment(ID_VARIABLES)

    def request(self, request: Any) -> Any:
        """A request (of vcrpy's class, changed in place) without credentials, account and gateway."""
        headers = {name.lower(): _text(value) for name, value in request.headers.items()}
        self._learn(request.uri, headers)
        request.uri = self._clean(request.uri)
        request.headers = {name: value for name, value in headers.items() if _is_kept_in_request(name)}
        if _GATEWAY_ID in request.headers:
            request.headers[_GATEWAY_ID] = NO_GATEWAY
        if isinstance(request.body, bytes):
            request.body = self._clean_bytes(request.body)
        return request

    def response(self, response: Json) -> Json:
        """A response without cookies, ids of its own and what differs each time."""
        told = {name.lower(): values for name, values in response["headers"].items()}
        kept = {name: values for name, values in told.items() if _is_kept_in_response(name)}
        return {
            "status": response["status"],
            "headers": kept | {name: [value] for name, value in IDS.items() if name in told},
            "body": {"string": self._clean_bytes(response["body"]["string"], answer=True)},
        }

    def _learn(self, uri: str, headers: Mapping[str, str]) -> None:
        """What this request was sent with: an answer, or the next request, may repeat it."""
        self._secrets |= _tokens(headers[name].removeprefix("Bearer ").strip() for name in _TOKENS & headers.keys())
        self._gateways |= {headers[name] for name in {_GATEWAY_ID} & headers.keys()} - {NO_GATEWAY}
        found = (pattern.search(uri) for pattern in _ACCOUNTS)
        self._accounts |= {each[0] for each in found if each and _ACCOUNT.fullmatch(each[0])}

    def _clean_bytes(self, body: bytes, *, answer: bool = False) -> bytes:
        try:
            text = body.decode()
        except UnicodeDecodeError:
            return body
        return self._clean(text, answer=answer).encode()

    def _clean(self, text: str, *, answer: bool = False) -> str:
        text = _BEARER.sub(MASK, scrub(text, self._secrets))
        for account in self._accounts:
            text = text.replace(account, NO_ACCOUNT)
        for pattern in _ACCOUNTS:
            text = pattern.sub(NO_ACCOUNT, text)
        for pattern in _GATEWAYS:
            text = pattern.sub(NO_GATEWAY, text)
        # A gateway's id can be any word: in an answer it is one where it is called one. A request's text stays, or it
        # would match only where the gateway has the same id.
        for gateway in self._gateways if answer else ():
            named = rf"(gateway[\"'`:= ]{{1,4}}){re.escape(gateway)}(?![\w-])"
            text = re.sub(named, rf"\1{NO_GATEWAY}", text, flags=re.IGNORECASE)
        return text


def _set_in_environment(names: Iterable[str]) -> set[str]:
    return {*filter(None, (os.environ.get(name, "").strip() for name in names))}


def _tokens(texts: Iterable[str]) -> set[str]:
    return {text for text in texts if len(text) >= _SHORTEST_TOKEN}


def _text(value: Any) -> str:
    """A header's value; some clients give it as bytes or in a list."""
    if isinstance(value, list | tuple):
        value = value[0] if value else ""
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _is_kept_in_request(name: str) -> bool:
    return name in KEPT_REQUEST_HEADERS or (name.startswith(_GATEWAY) and name not in _TOKENS_OF_GATEWAY)


def _is_kept_in_response(name: str) -> bool:
    return name in KEPT_RESPONSE_HEADERS or name.startswith(_GATEWAY)
