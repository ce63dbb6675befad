"""Streamed chat answers: the frames of each family, natively and on `/ai/v1`."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace

from . import ids
from .backend import CallPiece, Delta, End
from .call_pieces import CallEntries, flat_call
from .completion import Frame, Stamp, delta_choice, finish_reason, reasoning_key, wire_text
from .generation import Generation, joined
from .usage import Usage

Frames = Callable[[Generation, AsyncIterator[Delta | End]], AsyncIterator[Frame]]

# What gpt-oss gives as `stop_reason` at a natural end: the number of its return token, or of its call token.
_RETURN_TOKEN = {"stop": 200002, "tool_calls": 200012}
# The same of gemma-4 as `matched_stop`.
_END_OF_TURN = 106


def of(generation: Generation, pieces: AsyncIterator[Delta | End], *, openai: bool) -> AsyncIterator[Frame]:
    """The frames of this generation, in the manner of its model's family. `[DONE]` is not among them."""
    family = generation.request.family
    if not openai:
        frames: Frames = _classic_native if family.native_stream == "response" else _modern_native
    elif family.usage == "increments, total":
        frames = _modern_openai
    elif family.usage == "total at the end":
        frames = _vendor_openai
    else:
        frames = _gpt_oss_openai if family.usage == "total twice" else _classic_openai
    return frames(generation, pieces)


async def _classic_native(generation: Generation, pieces: AsyncIterator[Delta | End]) -> AsyncIterator[Frame]:
    """Calls come whole, all in one frame (quirk 37)."""
    request = generation.request
    calls: dict[int, CallPiece] = {}
    async for piece in pieces:
        if isinstance(piece, End):
            if calls:
                flat = [flat_call(request.family, c.name, c.arguments, request.quirks) for c in calls.values()]
                for _ in range(2 if "repeated-frame" in request.quirks else 1):
                    yield {"response": "", "tool_calls": flat}
            yield {"response": "", "usage": generation.usage.full()}
        elif piece.call is not None:
            calls[piece.call.index] = joined(calls.get(piece.call.index), piece.call)
        else:
            text = wire_text(piece.text, numbers=request.family.numbers)
            yield {"response": text} | ({"p": ids.old_padding()} if request.padding else {})


async def _classic_openai(generation: Generation, pieces: AsyncIterator[Delta | End]) -> AsyncIterator[Frame]:
    """No role, no finish_reason on content frames (quirk 18); the right totals, then all zeros (16a)."""
    request = generation.request
    stamp = Stamp.of(request, openai=True)
    counter = _Increments(generation)
    # llama-3.3-70b: an increment on each frame as well (seen on a numeric one).
    increments = request.family.usage == "increments, total, zeros"
    async for piece in _deltas(generation, pieces):
        if isinstance(piece, End):
            last = delta_choice({}, finish_reason=finish_reason(request, piece))
            zeros = Usage(0, 0, request.price)
            yield stamp.chunk([last], usage=generation.usage.short())
            yield stamp.chunk([last], usage=zeros.with_details())
            return
        if "content" in piece:
            piece["content"] = wire_text(piece["content"], numbers=request.family.numbers)
        yield stamp.chunk([delta_choice(piece)], **({"usage": counter.step().full()} if increments else {}))


async def _gpt_oss_openai(generation: Generation, pieces: AsyncIterator[Delta | End]) -> AsyncIterator[Frame]:
    """The natural last frame has no finish_reason (quirk 17); those after it do, with the same totals twice (16b)."""
    request = generation.request
    stamp = Stamp.of(request, openai=True)
    plain = {"logprobs": None, "finish_reason": None}
    yield stamp.chunk([delta_choice({"role": "assistant", "content": ""}, **plain)])
    yield stamp.chunk([delta_choice({reasoning_key(request): ""}, **plain, token_ids=None)])
    async for piece in _deltas(generation, pieces):
        if not isinstance(piece, End):
            yield stamp.chunk([delta_choice(piece, **plain, token_ids=None)])
            continue
        token = _RETURN_TOKEN.get(piece.finish_reason)
        yield stamp.chunk([delta_choice({}, **plain, **({"stop_reason": token} if token else {}), token_ids=None)])
        last = delta_choice({}, finish_reason=finish_reason(request, piece))
        if request.include_usage:
            yield stamp.chunk([last], usage=generation.usage.counts())
            yield stamp.chunk([last], usage=generation.usage.with_details())
        else:
            yield stamp.chunk([last])


async def _modern_native(generation: Generation, pieces: AsyncIterator[Delta | End]) -> AsyncIterator[Frame]:
    """Every frame counts its own increment; a last one in the native form, without choices, the total (14, 16c)."""
    async for frame in _modern_chunks(generation, pieces, openai=False):
        yield frame
    yield {"response": "", "usage": generation.usage.full()}


async def _modern_openai(generation: Generation, pieces: AsyncIterator[Delta | End]) -> AsyncIterator[Frame]:
    """The same with the total on a frame of no choices; no usage at all unless asked for."""
    asked = generation.request.include_usage
    last: Frame = {}
    async for frame in _modern_chunks(generation, pieces, openai=True):
        if asked:
            last = frame | {"choices": [], "usage": generation.usage.full()}
            if frame["choices"]:
                yield frame
        elif frame["choices"]:
            yield {key: value for key, value in frame.items() if key != "usage"}
    if asked:
        yield last


async def _vendor_openai(generation: Generation, pieces: AsyncIterator[Delta | End]) -> AsyncIterator[Frame]:
    """As OpenAI documents it: the total stands on a last frame of no choices, if it was asked for."""
    request = generation.request
    stamp = Stamp.of(request, openai=True)
    yield stamp.chunk([delta_choice({"role": "assistant", "content": ""}, finish_reason=None)])
    async for piece in _deltas(generation, pieces):
        if isinstance(piece, End):
            yield stamp.chunk([delta_choice({}, finish_reason=finish_reason(request, piece))])
        else:
            yield stamp.chunk([delta_choice(piece, finish_reason=None)])
    if request.include_usage:
        yield stamp.chunk([], usage=generation.usage.with_details())


async def _modern_chunks(
    generation: Generation, pieces: AsyncIterator[Delta | End], *, openai: bool
) -> AsyncIterator[Frame]:
    request = generation.request
    stamp = Stamp.of(request, openai=openai)
    counter = _Increments(generation)

    def chunk(choices: list[Frame], usage: Usage) -> Frame:
        padding = {"p": ids.padding()} if request.padding else {}
        return stamp.chunk(choices, **padding, usage=usage.full())

    def choice(delta: Frame, *, finish: str | None = None, matched: int | str | None = None) -> Frame:
        return delta_choice(
            {reasoning_key(request): None, **delta}, finish_reason=finish, logprobs=None, matched_stop=matched
        )

    yield chunk([choice({"role": "assistant", "content": ""})], counter.prompt())
    async for piece in _deltas(generation, pieces):
        if not isinstance(piece, End):
            yield chunk([choice(piece)], counter.step())
        else:
            matched = None if piece.finish_reason == "length" else (piece.stopped_by or _END_OF_TURN)
            yield chunk([choice({}, finish=finish_reason(request, piece), matched=matched)], counter.nothing())
            # The token that ended the text, counted on a frame without choices (quirk 19).
            yield chunk([], counter.step())


async def _deltas(generation: Generation, pieces: AsyncIterator[Delta | End]) -> AsyncIterator[Frame | End]:
    """The pieces as OpenAI's deltas; pieces of calls gathered, as many to a frame as the family puts there."""
    request = generation.request
    calls = CallEntries(request.family, request.quirks)
    held: list[Frame] = []
    async for piece in pieces:
        if isinstance(piece, Delta) and piece.call is not None:
            ready, held = calls.gathered(held, piece.call)
            for entries in ready:
                yield {"tool_calls": entries}
            continue
        if isinstance(piece, End):
            held += calls.close()
        if held:
            yield {"tool_calls": held}
            held = []
        if isinstance(piece, End):
            yield piece
        elif piece.refusal:
            yield {"refusal": piece.refusal}
        else:
            yield {reasoning_key(request): piece.reasoning} if piece.reasoning else {"content": piece.text}


class _Increments:
    """What was used since the frame before."""

    def __init__(self, generation: Generation) -> None:
        self._generation = generation
        self._sent = Usage(0, 0, generation.request.price)

    def prompt(self) -> Usage:
        """The prompt alone; it is sent once."""
        usage = self._generation.usage
        self._sent = replace(self._sent, prompt_tokens=usage.prompt_tokens, cached_tokens=usage.cached_tokens)
        return replace(self._sent, reasoning_tokens=None if usage.reasoning_tokens is None else 0)

    def step(self) -> Usage:
        """The completion tokens that are new, and the prompt if it was not counted yet."""
        usage, sent = self._generation.usage, self._sent
        self._sent = usage
        return replace(
            usage,
            prompt_tokens=usage.prompt_tokens - sent.prompt_tokens,
            completion_tokens=usage.completion_tokens - sent.completion_tokens,
            cached_tokens=usage.cached_tokens - sent.cached_tokens,
            reasoning_tokens=None
            if usage.reasoning_tokens is None
            else usage.reasoning_tokens - (sent.reasoning_tokens or 0),
        )

    def nothing(self) -> Usage:
        """Zeros."""
        return Usage(0, 0, self._generation.request.price)
