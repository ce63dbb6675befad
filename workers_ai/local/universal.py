"""The gateway's universal endpoint: what its list of requests says."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from . import errors
from .errors import ServiceError
from .fault import Answer, Data, Fault, Head
from .front_door import RecordedRequest
from .reply import Reply

# What one of the requests does not take over from the whole: each provider wants credentials of its own, and a fault
# that a header asks for has befallen the whole.
_NOT_SHARED = frozenset({"authorization", "x-emulator-fault", "content-length"})


@dataclass(frozen=True, slots=True)
class Step:
    """One of the requests. target: provider and endpoint, as they would stand in a path behind the gateway's slug.

    headers: names in lower case; its own go before those of the whole.
    """

    number: int
    target: str
    headers: Mapping[str, str]
    query: Mapping[str, Any]

    def recorded(self, whole: RecordedRequest) -> RecordedRequest:
        """The request as a rule for faults looks at it."""
        return replace(whole, path=f"{whole.path}/{self.target}", headers=self.headers, json=self.query)

    def failing(self, fault: Fault) -> Reply:
        """What comes of a fault: its answer; without a whole one, or a connection at all, the gateway's own refusal."""
        head, body = None, b""
        for played in fault.play(Answer()):
            match played:
                case Head():
                    head = played
                case Data(data):
                    body += data
                case _:
                    head = None
                    break
        if head is None or head.status < 400:
            raise errors.upstream_unavailable(f"no answer from {self.target}")
        return Reply(head.status, body, headers=dict(head.headers))


def read_steps(text: bytes, headers: Mapping[str, str]) -> list[Step]:
    """The requests in a body, in their order; `ServiceError` for a body that is no list of such."""
    try:
        listed = json.loads(text)
    except ValueError as wrong:
        raise errors.bad_input(f"the body is not JSON: {wrong}") from None
    if not isinstance(listed, list) or not listed:
        raise _wrong("expected a list of requests")
    shared = {name: value for name, value in headers.items() if name not in _NOT_SHARED}
    return [_step(number, one, shared) for number, one in enumerate(listed)]


def _step(number: int, one: Any, shared: Mapping[str, str]) -> Step:
    if not isinstance(one, dict) or not all(isinstance(one.get(key), str) for key in ("provider", "endpoint")):
        raise _wrong(f"provider and endpoint are missing in entry {number}")
    query, own = one.get("query"), one.get("headers", {})
    if not isinstance(query, dict) or not isinstance(own, dict):
        raise _wrong(f"query and headers of entry {number} are objects")
    headers = {**shared, **{str(name).lower(): str(value) for name, value in own.items()}}
    return Step(number, f"{one['provider']}/{one['endpoint']}", headers, query)


def _wrong(reason: str) -> ServiceError:
    return errors.gateway(400, 7003, f"Model execution failed (User Input Error): Invalid value: {reason}")
