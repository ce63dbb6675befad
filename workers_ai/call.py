"""What is common to every request of every task: the model, the way there, and the switches around it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Never
from urllib.parse import quote

from pydantic_core import PydanticSerializationError, to_json

from workers_ai.api import Api, Form
from workers_ai.catalog import lookup, suggest
from workers_ai.errors import BadRequestError
from workers_ai.exchange import Request
from workers_ai.warning import warn

if TYPE_CHECKING:
    from workers_ai.catalog import ModelInfo
    from workers_ai.catalog.info import Kind
    from workers_ai.gateway import Gateway


_BAD_IN_A_MODEL_ID = re.compile(r"[\s?#\\\x00-\x1f\x7f]|(?:^|/)\.\.?(?:/|$)|//")

_HEADER_VALUE = re.compile(r"[!-~](?:[ -~]*[!-~])?")


_MAKES: Mapping[Kind, str] = {"text": "answers", "embeddings": "vectors of texts", "rerank": "rankings of texts"}


class ModelNameWarning(UserWarning):
    """A model id that the catalogue does not hold, but nearly: it is sent as it is."""


@lru_cache(maxsize=1024)
def _tell_near_miss(model: str) -> None:
    """Warns, once per process and model, of an id that looks like a misspelt one."""
    if not lookup(model).known and (nearest := suggest(model)) is not None:
        warn(f"model {model!r} is unknown here; did you mean {nearest!r}?", ModelNameWarning)


@dataclass(frozen=True, slots=True)
class Call:
    """The part of a request that is the same for all tasks.

    model: full id. api: "native" (`/ai/run`), "openai" (`/ai/v1`) or "auto": as the catalogue says.
    session_affinity: sent as `x-session-affinity`, so that the prompt cache is met again.
    reject_if_busy: fail at once (3040) instead of waiting for capacity.
    extra_body: merged over the body, last.
    """

    model: str
    api: Api = "auto"
    gateway: Gateway | None = None
    session_affinity: str | None = None
    reject_if_busy: bool = False
    extra_body: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.model or _BAD_IN_A_MODEL_ID.search(self.model):
            raise BadRequestError(
                f"model {self.model!r} cannot be a model id", hint="Use an id like @cf/author/name", maybe_sent=False
            )
        if self.api not in ("auto", "native", "openai"):
            raise BadRequestError(f"api={self.api!r}: 'auto', 'native' or 'openai'", model=self.model, maybe_sent=False)
        if self.session_affinity and not _is_header_value(self.session_affinity):
            raise BadRequestError(
                f"session_affinity={self.session_affinity!r} cannot be a header: printable ASCII only",
                model=self.model,
                maybe_sent=False,
            )
        _tell_near_miss(self.model)

    @property
    def info(self) -> ModelInfo:
        """What the catalogue knows of the model."""
        return lookup(self.model)

    def check_kind(self, kind: Kind) -> None:
        """Raises BadRequestError where the model is known not to do that kind of work.

        The service would say which fields of its schema are missing.
        """
        info = self.info
        if info.does(kind) is False:
            others = [made for other, made in _MAKES.items() if other != "text" and info.does(other)]
            but = f", but {' and '.join(others)}" if others else ""
            raise BadRequestError(
                f"model: {self.model} makes no {_MAKES[kind]}{but} (its task is {info.task})",
                model=self.model,
                hint=f"workers_ai.catalog.models(where=lambda model: model.does({kind!r})) lists those that do",
                maybe_sent=False,
            )

    @property
    def form(self) -> Form:
        """Which of the service's two forms this call takes."""
        return self.info.api if self.api == "auto" else self.api

    @property
    def run_path(self) -> str:
        """The native path. `@` and `/` stay as they are (quirk 64)."""
        return f"ai/run/{quote(self.model, safe='@/:._-~')}"

    def request(self, path: str, body: Mapping[str, Any]) -> Request:
        """The request for `body` at `path`.

        Raises BadRequestError, before anything is sent, for a body that is no JSON; NaN and infinities are none.
        """
        whole = {**body, **self.extra_body}
        if self.reject_if_busy:  # beside the messages it would be dropped without a word (quirk 65)
            whole["options"] = {**whole.get("options", {}), "rejectIfBusy": True}
        try:
            encoded = to_json(whole)
            if b"NaN" in encoded or b"Infinity" in encoded:  # perhaps only in a text, so it is worth a second look
                json.loads(encoded, parse_constant=_refuse)
        except (PydanticSerializationError, ValueError, UnicodeError) as broken:
            raise BadRequestError(
                f"The request holds a value that JSON cannot: {broken}", model=self.model, maybe_sent=False
            ) from broken
        headers = {"x-session-affinity": self.session_affinity} if self.session_affinity else {}
        return Request(path=path, body=encoded, model=self.model, headers=headers, gateway=self.gateway)


def _is_header_value(value: object) -> bool:
    """Whether a header can hold `value` as it is: an HTTP client would fail with an error of its own otherwise."""
    return isinstance(value, str) and _HEADER_VALUE.fullmatch(value) is not None


def _refuse(constant: str) -> Never:
    raise ValueError(f"{constant} is no number in JSON")
