"""Texts in, packed vectors out, and the arguments of whatever embeds in bulk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import ConfigDict, Field

from workers_ai import bulk
from workers_ai.embedding_fields import DEFAULT_EMBEDDING_MODEL, EmbeddingFields
from workers_ai.errors import WorkersAIError
from workers_ai.in_flight import in_order
from workers_ai.packed import PackedVectors

if TYPE_CHECKING:
    from typing import Unpack

    from workers_ai.bulk import OnAnswer
    from workers_ai.options import BulkEmbedderOptions
    from workers_ai.tasks.embeddings import EmbeddingRequest


class TextEmbedder(EmbeddingFields):
    """The arguments of `BulkEmbedder`, checked, and what it does with texts.

    A class of its own: engines make subclasses of the other one and keep attributes in them, which a pydantic class
    refuses.
    """

    if TYPE_CHECKING:

        def __init__(self, **kwargs: Unpack[BulkEmbedderOptions]) -> None: ...

    model_config = ConfigDict(defer_build=False)

    aliases: ClassVar[Mapping[str, str]] = {**EmbeddingFields.aliases, "model_name": "model"}

    model: str = DEFAULT_EMBEDDING_MODEL
    """Full id."""
    column: str = "text"
    """The column of the texts."""
    output: str = "embedding"
    """The column that is added."""
    key: str | None = None
    """One more column to add: 32 hex digits that say which text and which settings a vector is of."""
    batch_size: int | None = Field(default=None, ge=1)
    """Texts in one request; unset, and at most, the model's own limit."""

    @property
    def texts_in_a_request(self) -> int:
        """At most."""
        limit = self._call(self.model, {}).info.max_texts
        return min(self.batch_size or limit, limit)

    @property
    def identity(self) -> dict[str, Any]:
        """What tells vectors of this object from others': they do not mix in one index."""
        return self._identity_with(self.model).to_dict()

    def key_of(self, text: str) -> str:
        """What `key` adds for `text`."""
        import hashlib
        import json

        told = json.dumps([*self.identity.values(), self.text_instruction, text]).encode()
        return hashlib.blake2b(told, digest_size=16).hexdigest()

    def requests_needed(self, texts: Sequence[str]) -> int:
        """Requests that these texts make. Raises BadRequestError for texts or settings that no request may have."""
        return len(self._requests(texts))

    def pack(
        self, texts: Sequence[str], *, into: dict[str, bytes] | None = None, on_answer: OnAnswer | None = None
    ) -> PackedVectors:
        """The vectors of `texts`, in order.

        into: takes the vector of each text as it comes, packed; after a failure it holds those that were done, and
        texts that it holds already are not sent. on_answer: called with each request's answer, in its thread.
        """
        by_text = {} if into is None else into
        wanted = [text for text in dict.fromkeys(texts) if text not in by_text]
        requests = self._requests(wanted)
        ends = accumulate(len(request.texts) for request in requests)

        place_of = dict(zip(reversed(texts), reversed(range(len(texts))), strict=True))  # the first of equal texts

        def one(numbered: tuple[EmbeddingRequest, int]) -> None:
            request, end = numbered
            places = [place_of[text] for text in request.texts]
            rows = bulk.embed(self._transport, [request], max_concurrency=1, on_answer=on_answer, places=places)
            # Packed at once: as Python's floats the vectors of a checkpoint would take eight times the room.
            by_text.update(PackedVectors.each(wanted[end - len(rows) : end], rows))

        try:
            in_order(one, list(zip(requests, ends, strict=True)), at_once=self.max_concurrency)
        except WorkersAIError as failed:
            failed.done = bulk.ranges(place for place, text in enumerate(texts) if text in by_text)
            failed.not_done = bulk.ranges(place for place, text in enumerate(texts) if text not in by_text)
            raise
        return PackedVectors([by_text[text] for text in texts])

    def _requests(self, texts: Sequence[str]) -> list[EmbeddingRequest]:
        return self._embedding_requests(self.model, texts, batch_size=self.batch_size)


TextEmbedder.__name__ = "BulkEmbedder"  # what errors call it: the class that users make
