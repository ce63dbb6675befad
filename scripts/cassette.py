"""The text of our own cassettes: what each says of itself above what vcrpy reads, and what two of them have in common.

Imported by record.py beside it and by the tests. What is secret is taken out by `workers_ai.testing.vcr_config`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml  # type: ignore[import-untyped]

EMULATOR, CLOUDFLARE = "emulator", "cloudflare"

Json = dict[str, Any]


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
