"""What the catalogue knows of one model: frozen values, no behaviour beyond reading them."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Literal

Api = Literal["native", "openai"]
Status = Literal["current", "deprecated", "unlisted", "unknown"]
Kind = Literal["text", "embeddings", "rerank"]
"""What a model makes: answers in text, vectors of texts, rankings of texts."""


@dataclass(frozen=True, slots=True)
class Price:
    """USD per million tokens; None where no price is printed, which does not mean free.

    `source` says where the price was seen, `as_of` when (ISO date, or a year where no more is known).
    The `*_neurons` are neurons per million tokens as the pricing page prints them, finer than the USD.
    """

    input: float | None = None
    cached_input: float | None = None
    output: float | None = None
    source: str = ""
    as_of: str = ""
    input_neurons: float | None = None
    cached_input_neurons: float | None = None
    output_neurons: float | None = None


@dataclass(frozen=True, slots=True)
class UnitPrice:
    """A price by another measure, e.g. 0.0005 USD `"per audio minute"`; beta models are listed with 0."""

    unit: str
    usd: float
    source: str
    as_of: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """Everything the package knows of one model.

    A flag that may be None says True (stated), False (stated or evident from the input schema) or None (not
    known: send, and perhaps warn). Plain flags are False where nothing says otherwise.
    """

    id: str
    """The full id, without an alias' ending."""
    known: bool
    """False: not in the catalogue, all else is the default for such an id."""
    task: str
    """The service's own name, e.g. "Text Generation"; "Unknown" for an unknown id."""
    status: Status
    """"unlisted": seen in the documentation but not in the listing, without a date."""
    api: Api
    """Where `api="auto"` sends it: "native" is /ai/run, "openai" is /ai/v1."""

    takes_messages: bool = False
    """/ai/run accepts `messages`."""
    takes_prompt: bool = False
    """/ai/run accepts `prompt`; False also where nothing says so: `messages` is the safe form then."""
    takes_content_parts: bool = False
    """A message's `content` may be a list of parts; classic models refuse it (quirk 51)."""
    takes_stop: bool = False
    """`stop` is an input of the model; the classic form lacks it."""
    takes_n: bool = False
    """`n` (several answers) is an input of the model."""
    takes_stream: bool = False
    """`stream` is an input of the model."""
    options: frozenset[str] | None = None
    """Names at the top level of the input (of its `messages` form, if any); None: not known."""
    input_forms: tuple[str, ...] = ()
    """Ways to call it on /ai/run, e.g. "messages", "multipart", "requests(batch)"; () if not known."""
    output_forms: tuple[str, ...] = ()
    """What it answers with, e.g. "response-string", "openai-chat-completion", "image-base64"."""

    function_calling: bool | None = None
    """The listing says so; None where only the schema does (`tools_in_schema`), or nothing."""
    tools_in_schema: bool | None = None
    """`tools` is an input of the model, whatever the listing says."""
    vision: bool | None = None
    """Takes pictures."""
    data_urls_only: bool = False
    """Pictures only as `data:` URLs; the model refuses http(s) ones."""
    json_mode: bool | None = None
    """`response_format` is an input of the model, or the JSON mode page names it."""
    lora: bool | None = None
    """Takes `lora` adapters."""
    async_queue: bool | None = None
    """Takes queued work (`queueRequest`)."""
    reasoning: bool | None = None
    """Thinks before it answers."""
    reasoning_effort_levels: tuple[str, ...] = ()
    """Levels the model tells apart, weakest first; the service may map others onto them."""
    reasoning_effort_default: str | None = None
    """The level without one given."""
    reasoning_can_be_off: bool | None = None
    """Whether thinking can be switched off."""
    splits_think_tag: bool = False
    """Prints its thinking in the text, ended by `</think>`, the opening tag often missing (quirk 30)."""

    context_window: int | None = None
    """Tokens of input and output together, as listed."""
    max_input_tokens: int | None = None
    """Tokens of one input text, where stated apart from the window."""
    default_max_tokens: int | None = None
    """Tokens of output when `max_tokens` is not sent: 256 on classic models (quirk 57)."""
    max_temperature: float | None = None
    """Highest `temperature` accepted, where stated."""

    dimensions: int | None = None
    """Length of one vector."""
    max_texts: int = 100
    """Texts in one embedding request (quirk 68)."""
    max_batch_tokens: int = 60_000
    """Tokens of all texts of one embedding request together (quirk 68)."""
    embedding_input: Literal["text", "documents"] = "text"
    """"documents": texts go as `documents`, questions as `queries`."""
    takes_pooling: bool = False
    """`pooling` is an input of the model."""
    default_pooling: Literal["mean", "cls"] | None = None
    """Pooling when none is sent; vectors of different pooling do not mix (quirk 67)."""
    query_instruction: str | None = None
    """The sentence the model itself puts before a question when none is sent."""

    price: Price | None = None
    """USD per million tokens; None where none is printed (not: free)."""
    prices: tuple[UnitPrice, ...] = ()
    """Prices by other measures: tiles, steps, minutes, characters."""
    requests_per_minute: int | None = None
    """The documented limit of an account; None where none is documented."""
    requires_paid_plan: bool = False
    """Refused on the free plan (403, code 5035)."""
    beta: bool = False
    """The listing calls it beta."""
    partner: bool = False
    """Made by a partner and under that partner's terms."""
    realtime: bool = False
    """Speaks WebSocket too."""
    terms_url: str | None = None
    """The licence."""

    deprecated_on: datetime.date | None = None
    """The announced end; may lie ahead."""
    replacement: str | None = None
    """What to use instead."""
    replacement_source: str | None = None
    """Who says so: the service's notice or the authors of this package."""

    def deprecated(self, on: datetime.date) -> bool:
        """Whether the announced end has come on that day."""
        return self.deprecated_on is not None and self.deprecated_on <= on

    def takes(self, option: str) -> bool | None:
        """Whether `option` may stand at the top level of the input; None where the schema is not known."""
        return None if self.options is None else option in self.options

    def does(self, kind: Kind) -> bool | None:
        """Whether it does work of that kind; None where the catalogue does not hold the model.

        The shape of its answers tells a reranker: by task it is one of "Text Classification", and bge-m3 both embeds
        and ranks. All that neither embeds nor ranks counts as text: whether it takes a prompt is the service's to say.
        """
        if not self.known:
            return None
        embeds = self.task == "Text Embeddings"
        ranks = "response-score-list" in self.output_forms
        return {"embeddings": embeds, "rerank": ranks, "text": not (embeds or ranks)}[kind]
