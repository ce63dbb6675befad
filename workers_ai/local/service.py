"""What stands behind the routes: a call is answered by its model's family."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from . import (
    answer,
    chat_request,
    embeddings,
    errors,
    frames,
    prompt_cache,
    queue,
    quirk_header,
    ranking,
    response_format,
    validation,
)
from .account import Account
from .backend import Backend
from .families import ChatFamily, EmbeddingFamily, Family, Price, facts, lookup
from .generation import Generation, begun
from .prompt_cache import PromptCache
from .reply import Reply, in_envelope, of_events, of_json

Endpoint = Literal["run", "chat/completions", "embeddings"]


@dataclass(frozen=True, slots=True)
class Call:
    """A call of one model: `endpoint` "run" is the native one, the other two are those of `/ai/v1`.

    queued: it is for the batch queue.
    own_key: a vendor's model is called with a key that the gateway stores, and not paid from the credits.
    """

    endpoint: Endpoint
    model: str
    body: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)
    queued: bool = False
    own_key: bool = False

    @property
    def family(self) -> Family:
        """The family of the model."""
        return lookup(self.model)


class Service:
    """Answers calls for the account. delay: seconds before each piece of a generation."""

    def __init__(self, account: Account, backend: Backend, *, delay: float = 0.0) -> None:
        self._account = account
        self._backend = backend
        self._delay = delay
        self._prompts = PromptCache()

    async def answer(self, call: Call) -> Reply:
        """The reply, counted in the account's books; raises `ServiceError` where the model refuses."""
        reply = await self._answer(call)
        if reply.usage is not None:
            if reply.events is None:
                self._account.charge(call.model, reply.usage(), own_key=call.own_key)
            else:
                reply.events = self._charged(call, reply, reply.events)
        return reply

    async def _queued(self, call: Call) -> Reply:
        if not facts(call.model).queues:
            raise queue.unsupported()
        return await self._account.queue.answer(
            call.model, call.body, lambda body: self.answer(replace(call, body=body, queued=False))
        )

    async def _answer(self, call: Call) -> Reply:
        if call.queued:
            return await self._queued(call)
        family, price = call.family, facts(call.model).price
        if isinstance(family, ChatFamily):
            return await self._chat(call, family, price)
        if call.endpoint == "chat/completions":
            raise errors.bad_input(f"required properties at '/' are '{_wanted(family)}'")
        if call.endpoint == "embeddings":
            if isinstance(family, EmbeddingFamily):
                return embeddings.openai(call.model, family, price, call.body)
            raise errors.bad_input("required properties at '/' are 'query,contexts'")
        if isinstance(family, EmbeddingFamily):
            return embeddings.native(call.model, family, price, call.body)
        return ranking.native(call.model, price, call.body)

    async def _chat(self, call: Call, family: ChatFamily, price: Price) -> Reply:
        openai = call.endpoint != "run"
        quirks = quirk_header.read(call.headers)
        validation.check_chat(call.body, family, openai=openai, quirks=quirks)
        request = chat_request.read(call.model, family, price, call.body, quirks)
        if family.caches_prompts:
            session = call.headers.get(prompt_cache.HEADER)
            cached = self._prompts.look_up(session, call.model, request.prefix, prompt_tokens=request.prompt_tokens)
            request = replace(request, cached_tokens=cached)
        validation.check_window(request, facts(call.model).context_window)
        if request.stream and not openai and family.native_stream == "empty":
            return of_json(in_envelope({}))
        generation = Generation(request, self._backend, delay=self._delay)
        if request.stream:
            pieces = await begun(generation.pieces())
            return of_events(frames.of(generation, pieces, openai=openai), lambda: generation.usage)
        whole = await generation.whole()
        usage = generation.usage
        if answer.breaks_promise(request, whole):
            if openai:
                raise response_format.unmet()
            return of_json(response_format.unmet_body(answer.native(request, whole, usage)), usage=usage)
        if openai:
            return of_json(answer.openai(request, whole, usage), usage=usage)
        return of_json(in_envelope(answer.native(request, whole, usage)), usage=usage)

    async def _charged(self, call: Call, reply: Reply, events: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        try:
            async for event in events:
                yield event
        finally:
            if reply.usage is not None:
                self._account.charge(call.model, reply.usage(), own_key=call.own_key)


def _wanted(family: Family) -> str:
    return "text" if isinstance(family, EmbeddingFamily) else "query,contexts"
