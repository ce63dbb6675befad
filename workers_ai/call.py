"""What is common to every request of every task: the model, the way there, and the switches around it."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Never
from urllib.parse import quote

from pydantic_core import PydanticSerializationError, to_json

from workers_ai.api import Api, Form
from workers_ai.catalog import lookup, suggest
from workers_ai.counting import running
from workers_ai.errors import BadRequestError
from workers_ai.exchange import Request
from workers_ai.warning import warn

if TYPE_CHECKING:
    from workers_ai.catalog import ModelInfo
    from workers_ai.catalog.info import Kind
    from workers_ai.gateway import Gateway


_BAD_IN_A_MODEL_ID = re.compile(r"[\s?#\\\x00-\x1f\x7f]|(?:^|/)\.\.?(?:/|$)|^/|//")

_RUN = "ai/run"

_COMPAT_PREFIX = "workers-ai/"

DERIVED = "auto"
"""The `session_affinity` that is made from the conversation (`conversation`); where there is none, none is sent."""

_HEADER_VALUE = re.compile(r"[!-~](?:[ -~]*[!-~])?")


_MAKES: Mapping[Kind, str] = {"text": "answers", "embeddings": "vectors of texts", "rerank": "rankings of texts"}


class ModelNameWarning(UserWarning):
    """A model id that the catalogue does not hold, but nearly: it is sent as it is."""


class ModelDeprecationWarning(FutureWarning):
    """A model whose end is announced or has come: the message names its successor. Told once per process and model.

    No DeprecationWarning, which Python shows to nobody but the author of the main program.
    """


def end_of(info: ModelInfo, on: datetime.date) -> str | None:
    """What to say of a model's end and its successor, None for a model that is to stay."""
    if info.deprecated_on is None:
        return None
    end = f"{'is deprecated since' if info.deprecated(on) else 'will be deprecated on'} {info.deprecated_on}"
    return f"{end}; use {info.replacement!r}" if info.replacement else end


@lru_cache(maxsize=1024)
def _tell_of(model: str) -> None:
    """Warns, once per process and model, of an id that looks like a misspelt one, and of a model whose end is known.

    Another vendor's `author/model` is no misspelt one, unless `@cf/` is all that it lacks.
    """
    info = lookup(model)
    if (end := end_of(info, datetime.datetime.now(datetime.UTC).date())) is not None:
        warn(f"model {model!r} {end}", ModelDeprecationWarning)
    if info.known or (nearest := suggest(model)) is None:
        return
    if model.startswith("@") or "/" not in model or nearest.endswith(f"/{model}"):
        warn(f"model {model!r} is unknown here; did you mean {nearest!r}?", ModelNameWarning)


@dataclass(frozen=True, slots=True)
class Call:
    """The part of a request that is the same for all tasks.

    model: full id, also `dynamic/route`, `cloudflare/auto`, another vendor's `author/model`, and the spelling of the
        gateway's compat endpoint, `workers-ai/@cf/...`.
    api: "native" (`/ai/run`), "openai" (`/ai/v1`) or "auto": as the catalogue says.
    session_affinity: sent as `x-session-affinity`, so that the prompt cache is met again; "auto" is made from the
        conversation.
    reject_if_busy: fail at once (3040) instead of waiting for capacity.
    extra_body: merged over the body, last.
    requested: the model that the caller named, where a budget or `fallback` put another in its place.
    fallback: models to ask in this order where the one before has failed for good; for texts only.
    step: which of those in turn this is, 0 for the one that the caller named; None without `fallback`.
    """

    model: str
    api: Api = "auto"
    gateway: Gateway | None = None
    session_affinity: str | None = None
    reject_if_busy: bool = False
    extra_body: Mapping[str, Any] = field(default_factory=dict)
    requested: str | None = None
    fallback: Sequence[str] = ()
    step: int | None = None

    def __post_init__(self) -> None:
        _check_id("model", self.model)
        for model in self.fallback:
            _check_id("fallback: model", model)
        if self.api not in ("auto", "native", "openai"):
            raise BadRequestError(f"api={self.api!r}: 'auto', 'native' or 'openai'", model=self.model, maybe_sent=False)
        if self.session_affinity and not _is_header_value(self.session_affinity):
            raise BadRequestError(
                f"session_affinity={self.session_affinity!r} cannot be a header: printable ASCII only",
                model=self.model,
                maybe_sent=False,
            )
        if self.model.startswith(_COMPAT_PREFIX) and not self.is_compat:  # a spelling that only that endpoint knows
            object.__setattr__(self, "model", self.model.removeprefix(_COMPAT_PREFIX))
        _tell_of(self.model)

    @property
    def is_compat(self) -> bool:
        """Whether a chat goes to the endpoint of the gateway's own host that serves all providers.

        There `workers-ai/...` serves Workers AI alone; routes and other vendors' models are found under `compat/...`.
        """
        on_its_host = self.gateway is not None and self.gateway.route == "url"
        return on_its_host and self._is_elsewhere and self.info.does("text") is not False

    @property
    def _is_elsewhere(self) -> bool:
        """Whether the id names no model of Workers AI by itself: a route's, the Auto Router's, another vendor's."""
        return "/" in self.model and not self.model.startswith("@")

    @property
    def info(self) -> ModelInfo:
        """What the catalogue knows of the model."""
        return lookup(self.model)

    def within_budget(self) -> Call:
        """This call, of the cheaper model that a running meter wants once its budget is spent; for texts only."""
        model = self.model
        for each in running():
            model = each.meter.instead_of(model)
        return self if model == self.model else replace(self, model=model, requested=self.requested or self.model)

    def in_turn(self) -> list[Call]:
        """This call, and the same of each other model, in the order of `fallback`; each by itself."""
        first = replace(self, fallback=(), step=0)
        requested = self.requested or self.model
        others = dict.fromkeys(model for model in self.fallback if model != self.model)
        calls = [replace(first, model=model, requested=requested, step=step) for step, model in enumerate(others, 1)]
        return [first, *calls]

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
        if self.api == "auto":
            return "openai" if self.is_compat else self.info.api
        return self.api

    @property
    def chat_path(self) -> str:
        """The path of OpenAI's chat completions."""
        return "ai/compat/chat/completions" if self.is_compat else "ai/v1/chat/completions"

    @property
    def run_path(self) -> str:
        """The native path. `@` and `/` stay as they are (quirk 64).

        Other vendors' models are named in the body of `/ai/run`: see `request`.
        """
        return _RUN if self._is_elsewhere else f"ai/run/{quote(self.model, safe='@/:._-~')}"

    def request(self, path: str, body: Mapping[str, Any]) -> Request:
        """The request for `body` at `path`.

        Raises BadRequestError, before anything is sent, for a body that is no JSON; NaN and infinities are none.
        """
        whole = {**body, **self.extra_body}
        if self.reject_if_busy:  # beside the messages it would be dropped without a word (quirk 65)
            whole["options"] = {**whole.get("options", {}), "rejectIfBusy": True}
        if path == _RUN:
            if self.is_compat:
                raise BadRequestError(
                    "api='native': the gateway's own host takes that of Workers AI's models alone",
                    model=self.model,
                    hint="Leave api out, or use route='header'",
                    maybe_sent=False,
                )
            whole = {"model": self.model, "input": whole}
        try:
            encoded = to_json(whole)
            if b"NaN" in encoded or b"Infinity" in encoded:  # perhaps only in a text, so it is worth a second look
                json.loads(encoded, parse_constant=_refuse)
        except (PydanticSerializationError, ValueError, UnicodeError) as broken:
            raise BadRequestError(
                f"The request holds a value that JSON cannot: {broken}", model=self.model, maybe_sent=False
            ) from broken
        known = self.session_affinity not in (None, "", DERIVED)
        headers = {"x-session-affinity": str(self.session_affinity)} if known else {}
        return Request(path=path, body=encoded, model=self.model, headers=headers, gateway=self.gateway)


def _check_id(name: str, model: object) -> None:
    if not isinstance(model, str) or not model or _BAD_IN_A_MODEL_ID.search(model):
        raise BadRequestError(
            f"{name} {model!r} cannot be a model id", hint="Use an id like @cf/author/name", maybe_sent=False
        )


def _is_header_value(value: object) -> bool:
    """Whether a header can hold `value` as it is: an HTTP client would fail with an error of its own otherwise."""
    return isinstance(value, str) and _HEADER_VALUE.fullmatch(value) is not None


def _refuse(constant: str) -> Never:
    raise ValueError(f"{constant} is no number in JSON")
