"""The batch queue as `Client` offers it: what is submitted is told by its model and its inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from workers_ai.errors import BadRequestError
from workers_ai.queue import Queue
from workers_ai.queued import KINDS, Kind, QueuedRequest
from workers_ai.tasks import queue as tasks
from workers_ai.tasks.embeddings import EmbeddingRequest
from workers_ai.tasks.rerank import RerankRequest

if TYPE_CHECKING:
    from workers_ai.client import Client


_OF_TEXTS = frozenset({"pooling", "dimensions", "queries", "instruction"})


@dataclass(frozen=True, slots=True)
class ClientQueue(Queue):
    """`Client.queue`. The service works on what is submitted when it has room; nobody waits, and nothing is refused
    for want of capacity.

    ```python
    queued = client.queue.submit(texts, model="@cf/baai/bge-m3")
    path.write_text(queued.to_json())  # another process can go on from here
    vectors = client.queue.collect(queued)
    ```
    """

    owner: Client

    def submit(
        self,
        inputs: Sequence[Any],
        *,
        model: str,
        kind: Kind | None = None,
        references: Sequence[str] | None = None,
        **options: Any,
    ) -> QueuedRequest:
        """Queues `inputs`, each by itself; the handle to poll and to collect with.

        inputs: texts for an embedding model; for a chat model texts or lists of messages; to rerank, pairs of a query
            and its texts; mappings are inputs as the model itself takes them.
        kind: "chat", "completion" (plain prompts), "embedding", "rerank" or "raw" (as the model takes them); told by
            the model and the inputs unless given.
        references: yours, one text for each input; results that failed name it.
        options: those of `chat`, `complete`, `embed` or `rerank` (`top_n`), the same for all inputs. `api` and
            `reject_if_busy` do not matter here.

        Many inputs go out in several requests (of at most 1,000 inputs and less than 10 MB, the service's limit), with
        one handle for all. A request that may have been taken is never sent again: the failure is raised, and says so.

        Raises BadRequestError, before anything is sent, for a model without a queue (naming those that have one), for
        no inputs, and for whatever `chat`, `complete`, `embed` or `rerank` refuses.
        """
        return self.submit_job(self._job(inputs, model, kind, references, options))

    async def asubmit(
        self,
        inputs: Sequence[Any],
        *,
        model: str,
        kind: Kind | None = None,
        references: Sequence[str] | None = None,
        **options: Any,
    ) -> QueuedRequest:
        """As `submit`."""
        return await self.asubmit_job(self._job(inputs, model, kind, references, options))

    def _job(
        self,
        inputs: Sequence[Any],
        model: str,
        kind: Kind | None,
        references: Sequence[str] | None,
        options: dict[str, Any],
    ) -> tasks.Job:
        if isinstance(inputs, (str, bytes, Mapping)) or not isinstance(inputs, Sequence):
            raise TypeError("inputs: a list, with one entry for each input")
        if not inputs:
            raise BadRequestError("inputs: there is none", model=model, maybe_sent=False)
        match kind or _told_by(inputs[0], model):
            case "chat":
                first, *others = inputs
                chat = self.owner._chat(first, model, options)
                asked = [chat, *(replace(chat, messages=self.owner._messages(one)) for one in others)]
                return self._built(tasks.of_chats, chat.call, asked, references)
            case "completion":
                prompt = self.owner._prompt(inputs[0], model, options)
                prompts = [replace(prompt, prompt=one) for one in inputs]
                return self._built(tasks.of_prompts, prompt.call, prompts, references)
            case "embedding":
                told = {name: options.pop(name) for name in _OF_TEXTS if name in options}
                call = self.owner._call(model, options)
                self.owner._refuse_unknown(options, known=_OF_TEXTS)
                return self._built(tasks.of_texts, EmbeddingRequest(call, inputs, **told), references)
            case "rerank":
                top_n = options.pop("top_n", None)
                call = self.owner._call(model, options)
                self.owner._refuse_unknown(options, known=frozenset({"top_n"}))
                rankings = [RerankRequest(call, *_pair(place, one), top_n) for place, one in enumerate(inputs)]
                return self._built(tasks.of_rankings, rankings, references)
            case "raw":
                call = self.owner._call(model, options)
                self.owner._refuse_unknown(options, known=frozenset())
                return self._built(tasks.of_inputs, call, inputs, references)
        raise BadRequestError(f"kind={kind!r}: one of {', '.join(KINDS)}", model=model, maybe_sent=False)


def _told_by(first: object, model: str) -> Kind:
    """What the inputs are, by the first of them and the model."""
    if isinstance(first, Mapping):
        return "raw"
    usual = tasks.usual_kind(model)
    return "rerank" if usual == "embedding" and isinstance(first, (tuple, list)) else usual


def _pair(place: int, given: object) -> tuple[str, Sequence[str]]:
    if isinstance(given, (tuple, list)) and len(given) == 2:
        query, texts = given
        return query, texts
    raise TypeError(f"inputs[{place}]: a pair of a query and its texts")
