"""`client.models`: which models the account itself can see."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers_ai.tasks.models import ListedModel, ModelSearch

if TYPE_CHECKING:
    from workers_ai.transport import Transport

Models = list[ListedModel]


class AccountModels:
    """The account's own listing of models, `GET /ai/models/search`; the token needs Workers AI Read.

    `workers_ai.catalog` knows the models without asking, and knows more of each; this tells what is new or gone.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, *, search: str | None = None, task: str | None = None, author: str | None = None) -> Models:
        """Every model that fits, all pages of it.

        search: part of an id. task: the service's name, e.g. "Text Embeddings". author: e.g. "meta".
        """
        asked = ModelSearch(search, task, author)
        while (page := asked.next_page()) is not None:
            asked.take(self._transport.send(page))
        return asked.models

    async def alist(self, *, search: str | None = None, task: str | None = None, author: str | None = None) -> Models:
        """As `list`."""
        asked = ModelSearch(search, task, author)
        while (page := asked.next_page()) is not None:
            asked.take(await self._transport.asend(page))
        return asked.models
