"""What each client's program does with its checks: run them in order, say what became of each, a JSON object a line."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

ACCOUNT_ID = os.environ["CLOUDFLARE_ACCOUNT_ID"]
API_TOKEN = os.environ["CLOUDFLARE_API_TOKEN"]
BASE_URL = os.environ["CLOUDFLARE_BASE_URL"]
SPENT_BASE_URL = os.environ["PEERS_SPENT_BASE_URL"]
"""The same account after its free neurons are used."""

QUESTIONS: dict[str, Any] = json.loads((Path(__file__).parent / "questions.json").read_text())
"""What every client asks, and which models."""

MODELS: dict[str, str] = QUESTIONS["models"]
NEWER: str = QUESTIONS["newer"]
EMBEDDER: str = QUESTIONS["embedder"]
RERANKER: str = QUESTIONS["reranker"]
NO_MODEL: str = QUESTIONS["no_model"]
BUSY: str = QUESTIONS["busy_model"]
"""Has no capacity (3040) for the first request of each client."""
FAILING: str = QUESTIONS["failing_model"]
"""Tells an error behind the second event of each stream."""
CUT: str = QUESTIONS["cut_model"]
"""Ends each stream behind the second event."""
QUESTION: str = QUESTIONS["question"]
ANSWER: str = QUESTIONS["answer"]
SUM: str = QUESTIONS["sum"]
WEATHER: str = QUESTIONS["weather"]
RESULT: str = QUESTIONS["result"]
PERSON: str = QUESTIONS["person"]
TEXTS: list[str] = QUESTIONS["texts"]
QUERY: str = QUESTIONS["query"]
TOO_MANY = [f"text number {at}" for at in range(101)]

PARAMETERS: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string", "description": "the city's name"}},
    "required": ["city"],
}
PERSON_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
}
TOOL: dict[str, Any] = {
    "type": "function",
    "function": {"name": "get_weather", "description": "The weather of a city.", "parameters": PARAMETERS},
}
Check = Callable[[], str]


class Otherwise(Exception):  # noqa: N818 - no error: something else came about than the client's documentation says
    """What came instead."""


def expect(holds: object, told: object) -> None:
    """Raise `Otherwise` with what was `told` where it does not hold."""
    if not holds:
        raise Otherwise(str(told)[:400])


def refused(
    call: Callable[[], object], kind: type[Exception], status: int, code: int, *, body: Callable[[Any], str]
) -> str:
    """What a client tells of a refusal: an exception of this kind, with this status, and this code in its body.

    body: reads the service's answer from the exception, as the client's documentation says.
    """
    try:
        answer = call()
    except kind as error:
        response: Any = error.response
        told = f"{type(error).__name__}: {error}"
        expect(response.status_code == status and str(code) in body(error), f"{told}: {body(error)}")
        return told
    raise Otherwise(f"no error, but {answer!r}")


def for_each_model(**checks: Callable[[str], str]) -> dict[str, Check]:
    """Each check for both models, by `feature · model`."""
    return {
        f"{feature.replace('_', ' ')} · {name}": lambda check=check, model=model: check(model)
        for feature, check in checks.items()
        for name, model in MODELS.items()
    }


def report(checks: Mapping[str, Check], packages: Sequence[str]) -> None:
    """Run the checks, and print what became of each."""
    say({"versions": {name: version(name) for name in packages}})
    for feature, check in checks.items():
        try:
            told, ok = check(), True
        except Exception as error:  # noqa: BLE001 - whatever a client raises is what it said
            told, ok = f"{type(error).__name__}: {error}", False
        say({"feature": feature, "ok": ok, "told": told})


def say(fact: object) -> None:
    """One line of JSON."""
    print(json.dumps(fact), flush=True)
