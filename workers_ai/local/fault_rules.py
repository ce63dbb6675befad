"""Which fault befalls which request: a script that each request asks once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from .fault import Fault
from .faults import named
from .front_door import RecordedRequest

HEADER = "x-emulator-fault"
VARIABLE = "WORKERS_AI_FAULTS"

When = Callable[[RecordedRequest], bool]


@dataclass(slots=True)
class Rule:
    """A fault, and the requests that meet it.

    times: how many still do, None for all. every: only each so-manieth of those that fit. seen: those that fitted.
    """

    fault: Fault | None
    times: int | None = 1
    every: int = 1
    model: str | None = None
    path: str | None = None
    when: When | None = None
    seen: int = 0

    def takes(self, request: RecordedRequest) -> bool:
        """Whether this request is one of them; counts it."""
        if self.times == 0 or not self._fits(request):
            return False
        self.seen += 1
        if self.seen % self.every:
            return False
        if self.times is not None:
            self.times -= 1
        return True

    def _fits(self, request: RecordedRequest) -> bool:
        return (
            (self.model is None or request.model == self.model)
            and (self.path is None or self.path in request.path)
            and (self.when is None or self.when(request))
        )


class FaultRules:
    """The faults that wait for requests, first in, first out: `server.faults`. Safe from any thread.

    A fault is a `Fault`, or a name as `faults.named` knows them, with how often behind it: `"429"` once, `"429*2"`
    twice, `"429*"` always, `"429/20"` on each twentieth request; `"ok*3"` lets three pass before the next one's turn.
    """

    def __init__(self, faults: Iterable[Fault | str] = ()) -> None:
        self._lock = threading.Lock()
        self._rules: list[Rule] = []
        self._of_headers: dict[str, Rule] = {}
        self.refuse: Callable[[float], None] | None = None  # by the server that has a port to close
        for fault in faults:
            self._add(_rule(fault))

    def next(
        self,
        fault: Fault | str,
        *,
        times: int | None = None,
        model: str | None = None,
        path: str | None = None,
        when: When | None = None,
    ) -> None:
        """Let `fault` befall the next `times` requests that fit, behind those that wait already.

        times: 1 if neither this nor the name says otherwise. model: its id. path: a part of the path, e.g.
            "/embeddings". when: any other condition on a request. Raises ValueError for a name that is none.
        """
        if times is not None and times < 1:
            raise ValueError(f"times={times}: 1 or more")
        rule = _rule(fault)
        rule.model, rule.path, rule.when = model, path, when
        if times is not None:
            rule.times = times
        self._add(rule)

    def clear(self) -> None:
        """Let every request pass from now on."""
        with self._lock:
            self._rules.clear()
            self._of_headers.clear()

    @property
    def left(self) -> int:
        """How many requests are still to meet a fault; those that always do count as one."""
        with self._lock:
            return sum(1 if rule.times is None else rule.times for rule in self._rules if rule.fault is not None)

    @property
    def waiting(self) -> list[str]:
        """The faults that requests are still to meet, by name, once for each; without those that always do."""
        with self._lock:
            return [rule.fault.name for rule in self._rules if rule.fault for _ in range(rule.times or 0)]

    def take(self, request: RecordedRequest) -> Fault | None:
        """The fault of this request, None if it passes. Raises ValueError for a header that names none."""
        asked = request.headers.get(HEADER)
        with self._lock:
            if asked is not None:
                return self._of_header(asked, request)
            rule = next((rule for rule in self._rules if rule.takes(request)), None)
            self._rules = [each for each in self._rules if each.times != 0]
        return rule.fault if rule is not None else None

    def _of_header(self, asked: str, request: RecordedRequest) -> Fault | None:
        """By its header each such request meets the fault, unless it says how often; `#...` starts another count."""
        rule = self._of_headers.get(asked)
        if rule is None:
            text = asked.partition("#")[0].strip()
            rule = self._of_headers[asked] = _rule(text if text.endswith("*") or _counts(text) else f"{text}*")
        return rule.fault if rule.takes(request) else None

    def _add(self, rule: Rule) -> None:
        with self._lock:
            self._rules.append(rule)


def read(text: str) -> list[str]:
    """The faults that an environment variable names, in their order: `429*2, ok*3, reset-inside`.

    Raises ValueError for one that is none.
    """
    listed = [each for each in (part.strip() for part in text.split(",")) if each]
    for each in listed:
        _rule(each)
    return listed


def _rule(fault: Fault | str) -> Rule:
    if isinstance(fault, Fault):
        return Rule(fault)
    text = fault.strip()
    if text.endswith("*"):
        return Rule(named(text[:-1]), times=None)
    name, sign, count = _counted(text)
    if not sign:
        return Rule(named(text))
    if int(count) < 1:
        raise ValueError(f"fault {fault!r}: a count is 1 or more")
    return Rule(named(name), times=int(count)) if sign == "*" else Rule(named(name), times=None, every=int(count))


def _counts(text: str) -> bool:
    return bool(_counted(text)[1])


def _counted(text: str) -> tuple[str, str, str]:
    """Name, sign and number of `name*2` and `name/20`; two empty texts where there is no count."""
    for sign in "*/":
        name, found, count = text.rpartition(sign)
        if found and count.isdecimal():
            return name, sign, count
    return text, "", ""
