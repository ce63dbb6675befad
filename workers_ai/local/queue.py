"""The batch queue: requests taken in one call, worked on later, and asked for by id (quirk 70)."""

import asyncio
import json
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from . import errors
from .reply import Reply, in_envelope, of_json
from .validation import json_type

MAX_BYTES = 10_000_000

Run = Callable[[Mapping[str, Any]], Awaitable[Reply]]


@dataclass(slots=True)
class _Entry:
    """Work that was taken. asked: polls so far. result: what a poll answers once it is done."""

    model: str
    requests: Sequence[Mapping[str, Any]]
    taken: float
    asked: int = 0
    result: dict[str, Any] | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Queue:
    """The queue of an account, and how slow it is.

    polls: how many polls of each piece of work find it unfinished: the first "queued", those after it "running".
    seconds: for how long after it was taken it stays so at least.
    shuffled: answers come in reverse order, as from workers of which the last is the quickest.
    """

    def __init__(self, *, polls: int = 1, seconds: float = 0.0, shuffled: bool = False) -> None:
        self.polls = polls
        self.seconds = seconds
        self.shuffled = shuffled
        self._entries: dict[str, _Entry] = {}

    async def answer(self, model: str, body: Mapping[str, Any], run: Run) -> Reply:
        """The reply to a submission or a poll. `run` answers one request. Raises `ServiceError` for anything else."""
        if "requests" in body:
            return self._take(model, body)
        if "request_id" in body:
            return await self._tell(model, body["request_id"], run)
        # What the service says here is not published; a bare input is reported to be taken, and to fail later.
        raise errors.bad_input("required properties at '/' are 'requests'")

    def _take(self, model: str, body: Mapping[str, Any]) -> Reply:
        requests = body["requests"]
        if not isinstance(requests, list):
            raise errors.bad_input(f"Type mismatch of '/requests', '{json_type(requests)}' not in 'array'")
        for at, request in enumerate(requests):
            if not isinstance(request, dict):
                raise errors.bad_input(f"Type mismatch of '/requests/{at}', '{json_type(request)}' not in 'object'")
        if not requests:
            raise errors.bad_input("'/requests' must have >= 1 items")
        if len(json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")) > MAX_BYTES:
            raise errors.body_too_large(MAX_BYTES)
        request_id = str(uuid.uuid4())
        self._entries[request_id] = _Entry(model, requests, time.monotonic())
        return of_json(in_envelope({"status": "queued", "request_id": request_id, "model": model}))

    async def _tell(self, model: str, request_id: Any, run: Run) -> Reply:
        entry = self._entries.get(request_id) if isinstance(request_id, str) else None
        if entry is None or entry.model != model:
            # Not published either; worded as other refusals of a body.
            raise errors.bad_input(f"no queued request has the request_id {request_id!r}")
        async with entry.lock:
            entry.asked += 1
            if entry.asked <= self.polls or time.monotonic() - entry.taken < self.seconds:
                status = "queued" if entry.asked == 1 else "running"
                return of_json(in_envelope({"status": status, "request_id": request_id, "model": model}))
            if entry.result is None:
                entry.result = await self._worked(entry, run)
        return of_json(in_envelope(entry.result))

    async def _worked(self, entry: _Entry, run: Run) -> dict[str, Any]:
        responses, counts = [], [0, 0]
        for at, request in enumerate(entry.requests):
            asked = {name: value for name, value in request.items() if name not in {"external_reference", "stream"}}
            answered: dict[str, Any] = {"id": at}
            try:
                reply = await run(asked)
                answered |= {"result": json.loads(reply.body)["result"], "success": True}
                if reply.usage is not None:
                    usage = reply.usage()
                    counts = [counts[0] + usage.prompt_tokens, counts[1] + usage.completion_tokens]
            except errors.ServiceError as error:
                # How a request among others fails is not published: as it would have failed alone, in its own place.
                answered |= {"success": False, "errors": error.body.get("errors") or [error.body.get("error")]}
            # Of the request itself only: what stands deeper is not looked at, and null comes back.
            responses.append(answered | {"external_reference": request.get("external_reference")})
        if self.shuffled:
            responses.reverse()
        usage_told = {"prompt_tokens": counts[0], "completion_tokens": counts[1], "total_tokens": sum(counts)}
        return {"responses": responses, "usage": usage_told}


def unsupported() -> errors.ServiceError:
    """The model has no queue; code and words by one report."""
    return errors.native(400, 8007, "AiError: This model does not support request queuing", signed=True)
