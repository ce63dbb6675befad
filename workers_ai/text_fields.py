"""The arguments of every class that makes text, and the options they put into a request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, field_validator

from workers_ai import fetching
from workers_ai.catalog import lookup
from workers_ai.connection import CALL_OPTIONS, ConnectionFields
from workers_ai.context import CheckContext, checked
from workers_ai.errors import WorkersAIError, recast
from workers_ai.in_flight import ain_order, in_order
from workers_ai.wire.message import WireMessage
from workers_ai.wire.options import NOT_SENT, OPTIONS
from workers_ai.wire.pictures import addresses, inlined

if TYPE_CHECKING:
    from workers_ai.call import Call

DEFAULT_MODEL = "@cf/google/gemma-4-26b-a4b-it"


_OURS = frozenset({"check_context", "fallback"})
"""Arguments of a call that are none of the service's."""


def in_order_of(models: Any) -> tuple[Any, ...]:
    """`fallback` as it is kept: a single id, and None, are taken too. What is no id is refused later, by its name."""
    if models is None:
        return ()
    return tuple(models) if isinstance(models, Sequence) and not isinstance(models, str) else (models,)


def with_fallback(call: Call, owner: ConnectionFields, models: Any) -> Call:
    """`call` with the models to ask next. Raises BadRequestError, of the owner's class, for what are no model ids."""
    models = in_order_of(models)
    return owner._exchange(replace, call, fallback=models) if models else call


class TextFields(ConnectionFields):
    """`ConnectionFields` and the sampling arguments. None means "not sent": the model's own default holds.

    Ranges are the widest that any model takes; a model's own narrower ones are the service's to check.
    """

    aliases: ClassVar[Mapping[str, str]] = {
        **ConnectionFields.aliases,
        "max_completion_tokens": "max_tokens",
        "stop_sequences": "stop",
    }

    call_options: ClassVar[frozenset[str]] = frozenset({"model_kwargs", "check_context", "fallback"})
    """What else a call of this class may be given."""

    temperature: float | None = Field(default=None, ge=0, le=5)
    """0 to 2, on classic models to 5."""
    max_tokens: int | None = Field(default=None, ge=1)
    """Tokens of the answer, reasoning included. Classic models stop at 256 when it is unset."""
    top_p: float | None = Field(default=None, ge=0, le=2)
    """Share of probability to draw from."""
    top_k: int | None = Field(default=None, ge=1)
    """Number of tokens to draw from; classic models take up to 50."""
    seed: int | None = None
    """For repeatable answers; classic models refuse 0."""
    stop: list[str] | None = None
    """Sequences that end the answer; kept to here where the model itself takes none."""
    repetition_penalty: float | None = Field(default=None, ge=0, le=2)
    """0 to 2."""
    frequency_penalty: float | None = Field(default=None, ge=-2, le=2)
    """-2 to 2."""
    presence_penalty: float | None = Field(default=None, ge=-2, le=2)
    """-2 to 2."""
    n: int | None = Field(default=None, ge=1, le=128)
    """Answers to one request, where the model offers several."""
    logprobs: bool | None = None
    """Tell the log probabilities of the answer's tokens."""
    top_logprobs: int | None = Field(default=None, ge=0, le=20)
    """Tell those of so many alternatives too."""
    logit_bias: Mapping[str, float] | None = None
    """Token id -> -100 to 100."""
    lora: str | None = None
    """Name or id of an adapter."""
    raw: bool | None = None
    """Leave out the chat template (plain prompts only)."""
    reasoning_effort: str | None = NOT_SENT
    """A level of the model ("low", "medium", "high", ...); None is off; "default" leaves it to the model."""
    chat_template_kwargs: Mapping[str, Any] | None = None
    """E.g. {"enable_thinking": False}."""
    response_format: Mapping[str, Any] | None = None
    """JSON mode, as the service takes it."""
    model_kwargs: Mapping[str, Any] | None = None
    """Further inputs of the model, put into every request."""
    check_context: Literal["error", "warn", "trim"] | None = "error"
    """What to do about a prompt that does not fit the model's window with `max_tokens`, tokens being estimated: "error"
    refuses what cannot fit even by the lowest estimate; "warn" also warns of what probably does not; "trim" leaves out
    the oldest turns of a chat; None sends everything."""
    fallback: tuple[str, ...] = ()
    """Models to ask next, in this order, where the one before has failed for good, each with retries and time-outs of
    its own: no room, a rate limit, a failure of the service, no answer in time, no such model; not for a wrong request,
    wrong credentials or a filter. A stream changes only before its first piece. With `Gateway(..., route="url")` the
    gateway tries them, in one request. The batch queue asks the model alone."""

    @field_validator("fallback", mode="before")
    @classmethod
    def _in_order(cls, value: Any) -> Any:
        return in_order_of(value)

    @field_validator("stop", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    def _text_options(self, changes: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The options that are set, with those of one call over them; None for one of a call takes it away."""
        told = {name: value for name in _SORTED if (value := getattr(self, name)) is not None}
        told["reasoning_effort"] = self.reasoning_effort
        changes = {name: value for name, value in (changes or {}).items() if name not in _OURS}
        inputs = {**(self.model_kwargs or {}), **(changes.pop("model_kwargs", None) or {})}
        told = {**inputs, **told, **changes}
        if told["reasoning_effort"] == NOT_SENT:
            del told["reasoning_effort"]
        return told

    def _call(self, model: str, options: dict[str, Any]) -> Call:
        models = options.pop("fallback", self.fallback)
        return with_fallback(super()._call(model, options), self, models)

    def _check_of(self, changes: Mapping[str, Any]) -> CheckContext:
        """What one call does about a prompt that is too long. Raises BadRequestError for what is no such thing."""
        check = changes.get("check_context", self.check_context)
        return self._exchange(checked, check)

    def _call_options(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """The options of one call under their first spelling. Raises TypeError for one that is unknown."""
        told = {self.aliases.get(name, name): value for name, value in options.items()}
        self._refuse_unknown(told, known=OPTIONS | CALL_OPTIONS | self.call_options)
        return told


class ChatFields(TextFields):
    """`TextFields`, and what chat classes ask of tools."""

    call_options: ClassVar[frozenset[str]] = TextFields.call_options | {
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "strict",
    }

    tool_choice: Any = None
    """For calls with tools: "auto", "none", "any" or "required", a tool's name, or OpenAI's dict."""
    parallel_tool_calls: bool | None = None
    """Whether one answer may hold several calls; unset, the model decides."""
    fetch_images: bool = False
    """Fetch pictures named by address for models that take only their bytes: several at once, at most 10 MiB and 20 s
    each."""
    strict: bool | None = None
    """Ask the model to keep to the tools' schemas to the letter, where it offers that."""

    def _models(self, model: str, options: Mapping[str, Any]) -> tuple[str, ...]:
        """All that may be asked in one call with these options, `model` first."""
        return model, *in_order_of(options.get("fallback", self.fallback))

    def _pictures_to_fetch(self, messages: Sequence[WireMessage], models: Sequence[str]) -> list[str]:
        """Addresses of pictures that one of `models` does not take as such, where they may be fetched."""
        wanted = self.fetch_images and any(lookup(model).data_urls_only for model in models)
        return addresses(messages) if wanted else []

    def _with_pictures(self, messages: list[WireMessage], *models: str) -> list[WireMessage]:
        """`messages` with the pictures in them that have to be fetched."""
        if not (wanted := self._pictures_to_fetch(messages, models)):
            return messages
        found = self._exchange(in_order, fetching.fetch, wanted, at_once=fetching.AT_ONCE)
        return inlined(messages, dict(zip(wanted, found, strict=True)))

    async def _awith_pictures(self, messages: list[WireMessage], *models: str) -> list[WireMessage]:
        """As `_with_pictures`."""
        if not (wanted := self._pictures_to_fetch(messages, models)):
            return messages
        try:
            found = await ain_order(fetching.afetch, wanted, at_once=fetching.AT_ONCE)
        except WorkersAIError as error:
            raise recast(error, self.error_classes) from error.__cause__
        return inlined(messages, dict(zip(wanted, found, strict=True)))


_SORTED: tuple[str, ...] = tuple(sorted(OPTIONS))
