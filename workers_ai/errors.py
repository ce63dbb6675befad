"""Every failure this package raises, as one family.

WorkersAIError
 ├─ AuthenticationError        no token, a wrong one, or one that the gateway does not know
 ├─ PermissionDeniedError      the account or its plan may not use this
 ├─ BadRequestError            (also ValueError) the request is wrong; found here or by the service
 │   ├─ StructuredOutputError  JSON mode found no answer in the wanted form
 │   ├─ ContextLengthError     prompt and max_tokens do not fit the model's window
 │   └─ ContentFilteredError   prompt or answer was refused: safety, guardrail, data loss prevention
 ├─ ModelNotFoundError         no such model, or it has been retired
 ├─ QuotaExceededError         the day's free neurons, the credits or a spend limit are used up
 ├─ BudgetExceededError        a budget of your own is spent (NeuronMeter)
 ├─ RateLimitError             too many requests a minute
 │   └─ CapacityError          the model has no room just now
 ├─ ServerError                the service failed
 ├─ GatewayError               AI Gateway refused: unknown gateway, unknown key alias
 ├─ InvalidResponseError       a success that cannot be read: empty, no JSON, wrong count
 │   └─ EmptyAnswerError       a success without a result
 ├─ StreamInterruptedError     a stream stopped before it was finished
 ├─ APIConnectionError         (also ConnectionError) no connection, or it broke
 └─ APITimeoutError            (also TimeoutError) no answer in time
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

if TYPE_CHECKING:
    from workers_ai.exchange import Reply

__all__ = [
    "APIConnectionError",
    "APITimeoutError",
    "AuthenticationError",
    "BadRequestError",
    "BudgetExceededError",
    "CapacityError",
    "ContentFilteredError",
    "ContextLengthError",
    "EmptyAnswerError",
    "GatewayError",
    "InvalidResponseError",
    "ModelNotFoundError",
    "PermissionDeniedError",
    "QuotaExceededError",
    "RateLimitError",
    "ServerError",
    "StreamInterruptedError",
    "StructuredOutputError",
    "WorkersAIError",
]

FIELDS = (
    "message",
    "status",
    "code",
    "request_id",
    "model",
    "hint",
    "retryable",
    "maybe_sent",
    "response",
    "partial",
    "gateway",
    "done",
    "not_done",
    "attempts",
)

_RANGES_TOLD = 5


class WorkersAIError(Exception):
    """Base of the family. `str(error)` is one line: what failed, its numbers, and what to do.

    message: the service's own words, without its wrapping.
    status: HTTP status, None where no answer came.
    code: Cloudflare's code (3040, 10000, ...), None where none was given.
    request_id: `cf-ai-req-id` or `cf-ray`, or the id inside the message.
    model: the model asked for.
    hint: the next step to take.
    retryable: whether the same request can succeed later; None takes the class's own answer.
    maybe_sent: False only where no attempt can have reached the service (so nothing can have been billed).
    response: status, headers and body of the refusal, None where there was none.
    partial: text that had arrived before a stream failed.
    gateway: what AI Gateway told of the failed request (log_id, event_id, step, ...), {} where none was passed.
    done, not_done: where one of several requests failed, which of the texts have their answer and which have not:
        ranges of positions in the list that was given.
    attempts: with `fallback`, what the other models failed with, in the order in which they were tried.
    """

    default_retryable: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: int | None = None,
        request_id: str | None = None,
        model: str | None = None,
        hint: str | None = None,
        retryable: bool | None = None,
        maybe_sent: bool = True,
        response: Reply | None = None,
        partial: str | None = None,
        gateway: Mapping[str, Any] | None = None,
        done: Sequence[range] = (),
        not_done: Sequence[range] = (),
        attempts: Sequence[WorkersAIError] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.code = code
        self.request_id = request_id
        self.model = model
        self.hint = hint
        self.retryable = self.default_retryable if retryable is None else retryable
        self.maybe_sent = maybe_sent
        self.response = response
        self.partial = partial
        self.gateway = dict(gateway or {})
        self.done = done
        self.not_done = not_done
        self.attempts = tuple(attempts)

    @property
    def status_code(self) -> int | None:
        """The HTTP status under the name that OpenAI's and httpx's errors use."""
        return self.status

    @property
    def is_retryable(self) -> bool:
        """`retryable` under LangChain's name: its retry middleware asks for it."""
        return self.retryable

    @is_retryable.setter
    def is_retryable(self, value: bool) -> None:
        self.retryable = value

    def __str__(self) -> str:
        facts = (
            ("code", self.code),
            ("HTTP", self.status),
            ("model", self.model),
            ("request id", self.request_id),
        )
        told = ", ".join(f"{name} {value}" for name, value in facts if value is not None)
        text = self.message.rstrip(". ") if told or self.hint else self.message
        text = f"{text} ({told})" if told else text
        text = f"{text}. {self.hint}" if self.hint else text
        if self.not_done:
            text = f"{text}. Done: {_told(self.done)}; not done: {_told(self.not_done)}"
        if self.attempts:
            text = f"{text.rstrip('. ')}. Other models failed too: {', '.join(map(_short, self.attempts))}"
        return " ".join(text.split())

    def fields(self) -> dict[str, Any]:
        """Everything that makes this error, by argument name."""
        return {name: getattr(self, name) for name in FIELDS}

    @classmethod
    def rebuild(cls, fields: dict[str, Any]) -> Self:
        """The error that `fields()` described, as this class."""
        return cls(**fields)

    def __reduce__(self) -> tuple[Any, ...]:
        # Keyword-only constructors do not unpickle by themselves, and worker processes
        # (Dask, Ray, multiprocessing) send exceptions back as pickles.
        return type(self).rebuild, (self.fields(),)


class AuthenticationError(WorkersAIError):
    """Missing or wrong credentials (401; 10000, 9106, gateway 2009)."""


class PermissionDeniedError(WorkersAIError):
    """The account may not use this (403; 3023, 3041, 5016, 5018, 5035)."""


class BadRequestError(WorkersAIError, ValueError):
    """The request is wrong (400; 5004, 5006, 8001, ...), or was refused here: then `maybe_sent` is false."""


class ContextLengthError(BadRequestError):
    """Prompt plus max_tokens exceed the model's window (3010, 5021, some 3030). Lowering max_tokens can help.

    tokens: tokens asked for, as the service counted them; limit: tokens allowed. None where it did not say.
    of_one_text: one text of several is too long by itself, and it is not said which.
    """

    tokens: int | None = None
    limit: int | None = None
    of_one_text: bool = False

    def fields(self) -> dict[str, Any]:
        own = {"tokens": self.tokens, "limit": self.limit, "of_one_text": self.of_one_text}
        return {**super().fields(), **own}

    @classmethod
    def rebuild(cls, fields: dict[str, Any]) -> Self:
        rest = {name: value for name, value in fields.items() if name in FIELDS}
        error = cls(**rest)
        error.tokens, error.limit = fields.get("tokens"), fields.get("limit")
        error.of_one_text = bool(fields.get("of_one_text"))
        return error


class StructuredOutputError(BadRequestError):
    """JSON mode found no answer in the wanted form ("JSON Mode couldn't be met", which comes without a code)."""


class ContentFilteredError(BadRequestError):
    """Prompt or answer was refused (8007, flagged 3030; gateway 2016, 2017, 2029, 2030)."""


class ModelNotFoundError(WorkersAIError):
    """No such model (5007, 3042, gateway 7003), no such adapter (3037), or it was retired (5028)."""


class QuotaExceededError(WorkersAIError):
    """The day's free neurons (3036, 4006), credits (2021) or a spend limit (2045) are used up: never retried."""


class BudgetExceededError(WorkersAIError):
    """The budget of a `NeuronMeter` is spent; nothing was sent."""


class RateLimitError(WorkersAIError):
    """Too many requests (429 without a code of its own, gateway 2003)."""

    default_retryable = True


class CapacityError(RateLimitError):
    """The model is out of capacity (3040), or `reject_if_busy` refused to wait: retried with a longer pause."""


class ServerError(WorkersAIError):
    """The service failed (5xx, 52x; 5012 under 529, gateway 7013), or gave up in time (408; 3007, 3008)."""

    default_retryable = True


class GatewayError(WorkersAIError):
    """AI Gateway refused the request (2001 unknown gateway, 2040 unknown key alias, ...)."""


class InvalidResponseError(WorkersAIError):
    """A success that cannot be read: an empty result, no JSON, fewer vectors than texts."""


class EmptyAnswerError(InvalidResponseError):
    """A success without a result, as some models answer a stream on the native path (quirk 3)."""


class StreamInterruptedError(WorkersAIError):
    """A stream ended with neither `[DONE]` nor a finish reason. `partial` holds the text that had arrived."""


class APIConnectionError(WorkersAIError, ConnectionError):
    """No connection, or it broke before an answer."""

    default_retryable = True


class APITimeoutError(WorkersAIError, TimeoutError):
    """No answer, or no next event of a stream, within `timeout`."""

    default_retryable = True


def _told(ranges: Sequence[range]) -> str:
    """Ranges of texts in words."""
    shown = [f"texts[{each.start}:{each.stop}]" for each in ranges[:_RANGES_TOLD]]
    more = ["..."] if len(ranges) > _RANGES_TOLD else []
    return ", ".join([*shown, *more]) or "none"


def _short(error: WorkersAIError) -> str:
    """An error in a few words: model, class, code."""
    code = f" {error.code}" if error.code is not None else ""
    return f"{error.model or 'unknown model'} ({type(error).__name__}{code})"


ErrorClasses = Mapping[type[WorkersAIError], type[WorkersAIError]]
"""For each class of the family the one to raise in its stead: an adapter hands in classes that are both."""


def recast(error: WorkersAIError, classes: ErrorClasses) -> WorkersAIError:
    """`error` as the class that `classes` names for it, with its cause; itself where none is named."""
    wanted = classes.get(type(error))
    if wanted is None:
        return error
    other = wanted.rebuild(error.fields())
    other.__cause__ = error.__cause__
    return other
