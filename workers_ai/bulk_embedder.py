"""The class that an engine of large work (Ray Data, Dask, or a loop) maps over batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast

from workers_ai.batches import columns_of
from workers_ai.errors import BadRequestError
from workers_ai.text_embedder import TextEmbedder

if TYPE_CHECKING:
    from typing import Unpack

    from workers_ai.embedding_identity import EmbeddingIdentity
    from workers_ai.options import BulkEmbedderOptions

Batch = TypeVar("Batch")


class BulkEmbedder:
    """Adds a column of vectors to a batch of rows.

    ```python
    from workers_ai import BulkEmbedder

    embedder = BulkEmbedder(column="text", output="embedding")
    embedder({"id": [1, 2], "text": ["one text", "another"]})["embedding"]  # a float32 array of shape (2, 1024)
    ```

    A batch is a mapping of columns (lists or numpy arrays), a pyarrow Table or RecordBatch, or a pandas DataFrame; the
    same comes back with the column `output` added: float32, in a mapping one numpy array (lists where numpy is not
    installed), in Arrow `list<float>`. Any number of rows: they go out in requests of the model's limit, several in
    flight, over the process's shared connections. A text that stands twice in a batch is sent once.

    Nothing is kept between calls and nothing is opened by the constructor, so an engine may make it in each worker,
    call it again after a crash and get the same. `key` names one more column: a hash of the text and of all that its
    vector depends on, the same for the same text wherever and whenever it is made. Give the credentials by environment
    in the workers: a pickle of this object carries its token, as it does for the model classes.

    Raises BadRequestError, naming the row of the batch, for a missing or empty text before anything is sent.
    """

    def __init__(self, **options: Unpack[BulkEmbedderOptions]) -> None:
        """Takes the arguments of every class (account_id, api_token, gateway, ...), of embeddings (model, pooling,
        max_concurrency, ...), and: column, of the texts ("text"); output, the column to add ("embedding"); key, one
        more column to add (none); batch_size, texts in one request (the model's limit).
        """
        self.embedder = TextEmbedder(**options)

    def __call__(self, batch: Batch) -> Batch:
        """The batch with the vectors of its texts. Raises BadRequestError for one that has no such column."""
        embedder = self.embedder
        rows = columns_of(batch, embedder.column)
        added: dict[str, Any] = {embedder.output: embedder.pack(self._checked(rows.texts))}
        if embedder.key is not None:
            added[embedder.key] = [embedder.key_of(text) for text in rows.texts]
        return cast("Batch", rows.with_columns(added))

    @property
    def identity(self) -> EmbeddingIdentity:
        """Model, pooling and dimensions in effect: what `check_identity` compares with an index."""
        return self.embedder.identity

    def __repr__(self) -> str:
        return repr(self.embedder)

    def _checked(self, texts: Sequence[Any]) -> Sequence[str]:
        for row, text in enumerate(texts):
            if not isinstance(text, str) or not text:
                told = "is empty" if text == "" else f"is {type(text).__name__}, no text"
                raise BadRequestError(f"row {row} of the batch: {self.embedder.column!r} {told}", maybe_sent=False)
        return texts
