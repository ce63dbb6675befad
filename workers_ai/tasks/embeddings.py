"""Embeddings: texts in, one vector each out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Never

from workers_ai.answers import Vectors
from workers_ai.call import Call
from workers_ai.errors import BadRequestError, ContextLengthError
from workers_ai.exchange import Exchange
from workers_ai.text_tokens import at_least
from workers_ai.wire.answer import read_vectors
from workers_ai.wire.form import FORMS

Pooling = Literal["mean", "cls"]

MAX_TEXT_TOKENS = 8192
"""Of one text, on any model: the refusal that is recorded (quirk 68). The 512 that the bge-*-en models state is how far
they read; no refusal of more is recorded."""


@dataclass(frozen=True, slots=True)
class EmbeddingRequest:
    """What an embedding asks.

    texts: up to the model's own limit (100; 32 for qwen3). queries: they are questions, which some models embed
    apart. pooling: unset means not sent, and the model decides (quirk 67): the two do not mix in one index.
    dimensions: of a vector, where the model lets one choose. instruction: what the texts are embedded with.
    """

    call: Call
    texts: Sequence[str]
    queries: bool = False
    pooling: Pooling | None = None
    dimensions: int | None = None
    instruction: str | None = None

    def instructed(self) -> EmbeddingRequest:
        """The same request with the instruction where the model reads it: an input of its own, else before each text.

        Only questions have such an input.
        """
        if not self.instruction or (self.queries and self.call.info.takes("instruction") is True):
            return self
        return replace(self, texts=[f"{self.instruction} {text}" for text in self.texts], instruction=None)


def exchange(request: EmbeddingRequest) -> Exchange[Vectors, Never]:
    """The exchange of one embedding request: `len(texts)` rows of floats, in the order of the texts.

    Raises BadRequestError, before anything is sent, for a model that makes no vectors, for no text, for more than the
    model's limit, and for what `check` refuses.
    """
    call, texts = request.call, request.texts
    call.check_kind("embeddings")
    if not 1 <= len(texts) <= call.info.max_texts:
        message = f"texts: 1 to {call.info.max_texts} in one request, not {len(texts)}"
        raise BadRequestError(message, model=call.model, maybe_sent=False)
    check(request)
    form, told = FORMS[call.form], request.instructed()
    encode = form.encode_queries if request.queries else form.encode_texts
    path, body = encode(call, told.texts, _options(told))
    return Exchange(
        call.request(path, body),
        lambda reply: read_vectors(reply, model=call.model, expected=len(texts), length=request.dimensions),
        idempotent=True,
    )


def _options(request: EmbeddingRequest) -> dict[str, Any]:
    # Its own number of dimensions may be said of any model, and need not be sent.
    chosen = request.dimensions if request.dimensions != request.call.info.dimensions else None
    told = {"pooling": request.pooling, "dimensions": chosen, "instruction": request.instruction}
    return {name: value for name, value in told.items() if value is not None}


def check(request: EmbeddingRequest) -> None:
    """Raises BadRequestError for what the service would refuse without saying where, or ignore.

    That is an empty text and (as ContextLengthError) one that is surely too long, each by its position; and pooling or
    dimensions that the model does not offer. TypeError for what is no text.
    """
    texts, call = request.texts, request.call
    if isinstance(texts, str):
        raise TypeError("texts: a list of texts, not one text")
    if not {str}.issuperset(map(type, texts)):
        for place, text in enumerate(texts):
            if not isinstance(text, str):
                raise TypeError(f"texts[{place}]: a text, not {type(text).__name__}")
    problem = _unoffered(request)
    if not all(texts):
        problem = f"texts[{next(place for place, text in enumerate(texts) if not text)}] is empty"
    if problem is not None:
        raise BadRequestError(problem, model=call.model, maybe_sent=False)
    for place, text in enumerate(texts):
        if len(text) > MAX_TEXT_TOKENS and (tokens := at_least(text)) > MAX_TEXT_TOKENS:
            raise _too_long(place, tokens, call)


def _too_long(place: int, tokens: int, call: Call) -> ContextLengthError:
    error = ContextLengthError(
        f"texts[{place}] is too long for one text: {tokens} tokens at least, the service takes {MAX_TEXT_TOKENS}",
        model=call.model,
        hint="Shorten it, or cut it into several",
        maybe_sent=False,
    )
    error.tokens, error.limit = tokens, MAX_TEXT_TOKENS
    return error


def _unoffered(request: EmbeddingRequest) -> str | None:
    """What is wrong with pooling or dimensions, None if nothing is."""
    pooling, dimensions, info = request.pooling, request.dimensions, request.call.info
    if pooling not in (None, "mean", "cls"):
        return f"pooling={pooling!r}: 'mean' or 'cls'"
    if pooling is not None and info.known and not info.takes_pooling:
        return f"pooling: {info.id} does not take it"
    if dimensions is not None and dimensions != info.dimensions and info.takes("dimensions") is False:
        own = f"; its vectors have {info.dimensions}" if info.dimensions else ""
        return f"dimensions={dimensions}: {info.id} does not let one choose{own}"
    return None
