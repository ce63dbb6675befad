"""Texts in, packed vectors out, and the arguments of whatever embeds in bulk."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from itertools import accumulate, islice
from threading import Lock
from typing import TYPE_CHECKING, ClassVar

from pydantic import ConfigDict, Field

from workers_ai import bulk
from workers_ai.embedding_fields import DEFAULT_EMBEDDING_MODEL, EmbeddingFields
from workers_ai.errors import WorkersAIError
from workers_ai.in_flight import in_order
from workers_ai.packed import PackedVectors
from workers_ai.progress import watched

if TYPE_CHECKING:
    from typing import Unpack

    from workers_ai.answers import Vectors
    from workers_ai.bulk import OnAnswer
    from workers_ai.embedding_identity import EmbeddingIdentity
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
    def identity(self) -> EmbeddingIdentity:
        """Model, pooling and dimensions in effect: what tells these vectors from others'."""
        return self._identity_with(self.model)

    def key_of(self, text: str) -> str:
        """What `key` adds for `text`."""
        told = json.dumps([*self.identity.to_dict().values(), self.text_instruction, text]).encode()
        return hashlib.blake2b(told, digest_size=16).hexdigest()

    def requests_needed(self, texts: Sequence[str]) -> int:
        """Requests that these texts make. Raises BadRequestError for texts or settings that no request may have."""
        return len(self._requests(texts))

    def pack(
        self,
        texts: Sequence[str | None],
        *,
        into: dict[str, bytes] | None = None,
        on_answer: OnAnswer | None = None,
        first: int = 0,
    ) -> PackedVectors:
        """The vectors of `texts`, in order; none where there is no text. A text that stands twice is sent once.

        into: takes the vector of each text as it comes, packed; after a failure it holds those that were done.
        on_answer: called with each request's answer, one at a time. first: the number by which errors name the first.
        """
        by_text = {} if into is None else into
        places: dict[str, int] = {}
        for place, text in enumerate(texts, first):
            if text is not None:
                places.setdefault(text, place)
        requests, taken = self._requests(list(places)), Lock()
        ends = accumulate(len(request.texts) for request in requests)
        with watched(len(places), on_usage=self.on_usage) as tell_usage:

            def take(answer: Vectors) -> None:
                with taken:
                    tell_usage(answer)
                    if on_answer is not None:
                        on_answer(answer)

            def one(numbered: tuple[EmbeddingRequest, int]) -> None:
                request, end = numbered
                known = dict(islice(places.items(), end - len(request.texts), end))
                held = list(known.values())
                rows = bulk.embed(self._transport, [request], max_concurrency=1, on_answer=take, places=held)
                # Packed at once: as Python's floats the vectors of a checkpoint would take eight times the room.
                by_text.update(PackedVectors.each(list(known), rows))

            try:
                in_order(one, list(zip(requests, ends, strict=True)), at_once=self.max_concurrency)
            except WorkersAIError as failed:
                numbered = [(place, text) for place, text in enumerate(texts, first) if text is not None]
                failed.done = bulk.ranges(place for place, text in numbered if text in by_text)
                failed.not_done = bulk.ranges(place for place, text in numbered if text not in by_text)
                raise
        packed = PackedVectors([None if text is None else by_text[text] for text in texts])
        packed.check(self.model)
        return packed

    def _requests(self, texts: Sequence[str]) -> list[EmbeddingRequest]:
        return self._embedding_requests(self.model, texts, batch_size=self.batch_size)


TextEmbedder.__name__ = "BulkEmbedder"  # what errors call it: the class that users make
