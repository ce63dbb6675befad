"""How cassettes are recorded and replayed: one configuration of vcrpy for `scripts/record.py` and the tests.

A cassette shows the addresses of Cloudflare whatever it was recorded against, and says at its head which that was. What
is secret or changes with every recording is taken out by naming what may stay: a header that nobody thought of is left
out, not let through.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import yaml  # type: ignore[import-untyped]
from vcr.request import Request  # type: ignore[import-untyped]

from workers_ai.redaction import MASK, scrub
from workers_ai.settings import TOKEN_VARIABLES

NO_ACCOUNT = "0" * 32
"""Stands for every account id, on replay too: a cassette plays for any account."""

NO_GATEWAY = "gateway"
EMULATOR, CLOUDFLARE = "emulator", "cloudflare"

KEPT_REQUEST_HEADERS = frozenset({"accept", "content-type", "x-session-affinity"})
KEPT_RESPONSE_HEADERS = frozenset({"content-type", "retry-after", "cf-ai-neurons", "x-workers-ai-emulator"})
_NO_ID = "00000000-0000-4000-8000-000000000000"
IDS = {"cf-ray": "0000000000000000-LOC", **dict.fromkeys(["cf-ai-req-id", "cf-aig-log-id", "cf-aig-event-id"], _NO_ID)}
"""Headers that name one reply: kept, since answers and errors show them, with a value of no reply."""

_GATEWAY = "cf-aig-"
_GATEWAY_SECRETS = frozenset({"cf-aig-authorization"})
_GATEWAY_IDS = frozenset({"cf-aig-gateway-id"})
_ACCOUNT_IN_PATH = re.compile(r"(?<=/accounts/)[^/?]+")
_GATEWAY_IN_PATH = re.compile(r"(?<=//gateway\.ai\.cloudflare\.com/v1/)[^/?]+/[^/?]+")
_BEARER = re.compile(r"(?<=[Bb]earer )[\w.~+/=-]{20,}")

Json = dict[str, Any]


def vcr_config(secrets: Iterable[str] = ()) -> Json:
    """The arguments for `vcr.VCR(...)` or pytest-recording's fixture `vcr_config`.

    secrets: texts that must not stand in a body either; the tokens that the environment holds are always among them.
    Requests match by method, address and body, the account aside.
    """
    hidden = [*filter(None, [*secrets, *(os.environ.get(name, "").strip() for name in TOKEN_VARIABLES)])]
    return {
        "match_on": ["method", "scheme", "host", "port", "path", "query", "body"],
        "before_record_request": lambda request: clean_request(request, hidden),
        "before_record_response": lambda response: clean_response(response, hidden),
        "decode_compressed_response": True,
    }


def clean_request(request: Request, secrets: Iterable[str]) -> Request:
    """A request without credentials, account and gateway."""
    request.uri = _GATEWAY_IN_PATH.sub(f"{NO_ACCOUNT}/{NO_GATEWAY}", _ACCOUNT_IN_PATH.sub(NO_ACCOUNT, request.uri))
    request.headers = {name.lower(): value for name, value in request.headers.items() if _request_header(name.lower())}
    for name in _GATEWAY_IDS & request.headers.keys():
        request.headers[name] = NO_GATEWAY
    if isinstance(request.body, bytes):
        request.body = _clean(request.body, secrets)
    return request


def clean_response(response: Json, secrets: Iterable[str]) -> Json:
    """A response without cookies, ids of its own and what differs each time."""
    told = {name.lower(): values for name, values in response["headers"].items()}
    kept = {name: values for name, values in told.items() if _response_header(name)}
    return {
        "status": response["status"],
        "headers": kept | {name: [value] for name, value in IDS.items() if name in told},
        "body": {"string": _clean(response["body"]["string"], secrets)},
    }


def _request_header(name: str) -> bool:
    return name in KEPT_REQUEST_HEADERS or (name.startswith(_GATEWAY) and name not in _GATEWAY_SECRETS)


def _response_header(name: str) -> bool:
    return name in KEPT_RESPONSE_HEADERS or name.startswith(_GATEWAY)


def _clean(body: bytes, secrets: Iterable[str]) -> bytes:
    """A body without secrets and accounts; one that holds none stays byte for byte."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return body
    return _BEARER.sub(MASK, _ACCOUNT_IN_PATH.sub(NO_ACCOUNT, scrub(text, secrets))).encode()


@dataclass(frozen=True, slots=True)
class Heading:
    """What a cassette says of itself, above what vcrpy reads.

    recorded_against: "emulator" or "cloudflare". recorded_on: the day, as YYYY-MM-DD. answer: what came out of it when
    it was recorded, which is what every replay must give.
    """

    recorded_against: str
    recorded_on: str
    answer: Json

    @classmethod
    def read(cls, text: str) -> Heading:
        """The heading of a cassette's text."""
        told = yaml.safe_load(text)
        return cls(told["recorded_against"], told["recorded_on"], told["answer"])


def text_of(heading: Heading, tape: Json) -> str:
    """A cassette's text: YAML that vcrpy reads, each line of a stream on a line of its own.

    Outside ASCII everything is escaped: vcrpy opens files in the machine's own encoding.
    """
    whole = {
        "recorded_against": heading.recorded_against,
        "recorded_on": heading.recorded_on,
        "answer": heading.answer,
        **tape,
    }
    return str(yaml.dump(whole, Dumper=_Readable, sort_keys=False, width=10**9))


class _Readable(yaml.SafeDumper):  # type: ignore[misc]  # PyYAML has no types
    """Texts of several lines as blocks; PyYAML falls back to quotes where a block could not give them back."""

    def ignore_aliases(self, data: object) -> bool:
        """No anchors: each answer stands where it was given."""
        return True


def _text(dumper: _Readable, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Readable.add_representer(str, _text)


def gist(cassette: str) -> Any:
    """What two recordings of the same exchange have in common: all but the date and what is drawn anew each time."""
    told = yaml.safe_load(cassette)
    del told["recorded_on"]
    for interaction in told["interactions"]:
        body = interaction["response"]["body"]
        body["string"] = [_lasting(line) for line in body["string"].split("\n")]
    return told


_PASSING = frozenset({"id", "created", "p", "system_fingerprint", "request_id"})


def _lasting(line: str) -> Any:
    """One line of a body, parsed where it is JSON, without ids, times and padding."""
    start = "data: " if line.startswith("data: ") else ""
    try:
        return [start, _without_passing(json.loads(line.removeprefix(start)))]
    except ValueError:
        return line


def _without_passing(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _without_passing(each) for name, each in value.items() if name not in _PASSING}
    return [_without_passing(each) for each in value] if isinstance(value, list) else value
