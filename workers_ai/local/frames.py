"""Streamed chat answers: the frames of each family, natively and on `/ai/v1`."""

from collections.abc import AsyncIterator, Callable

from . import ids
from .backend import Delta, End
from .completion import Frame, Stamp, delta_choice, wire_text
from .generation import Generation
from .usage import Usage

Frames = Callable[[Generation, AsyncIterator[Delta | End]], AsyncIterator[Frame]]

# What gpt-oss gives as `stop_reason` at a natural end: the number of its return token.
_RETURN_TOKEN = 200002
# The same of gemma-4 as `matched_stop`.
_END_OF_TURN = 106


def of(generation: Generation, pieces: AsyncIterator[Delta | End], *, openai: bool) -> AsyncIterator[Frame]:
    """The frames of this generation, in the manner of its model's family. `[DONE]` is not among them."""
    family = generation.request.family
    if not openai:
        frames: Frames = _classic_native if family.native_stream == "response" else _modern_native
    elif family.usage == "increments, total":
        frames = _modern_openai
    else:
        frames = _gpt_oss_openai if family.usage == "total twice" else _classic_openai
    return frames(generation, pieces)


async def _classic_native(generation: Generation, pieces: AsyncIterator[Delta | End]) -> AsyncIterator[Frame]:
    request = generation.request
    async for piece in pieces:
        if isinstance(piece, End):
            yield {"response": "", "usage": generation.usage.full()}
        else:
            text = wire_text(piece.text, numbers=request.family.numbers)
            yield {"response": text} | ({"p": ids.old_padding()} if request.padding else {})


async def _classic_openai(generation: Generation, pieces: AsyncIterator[Delta | End]) -> AsyncIterator[Frame]:
    """No role, no finish_reason on content frames (quirk 18); the right totals, then all zeros (16a)."""
    request = generation.request
    stamp = Stamp.of(request, openai=True)
    counter = _Increments(generation)
    async for piece in pieces:
        if isinstance(piece, Delta):
            choice = delta_choice({"content": wire_text(piece.text, numbers=request.family.numbers)})
            # llama-3.3-70b: an increment on each frame as well (seen on a numeric one).
            increments = request.family.usage == "increments, total, zeros"
            yield stamp.chunk([choice], **({"usage": counter.step().full()} if increments else {}))
        else:
            last = delta_choice({}, finish_reason=piece.finish_reason)
            zeros = Usage(0, 0, request.price)
            yield stamp.chunk([last], usage=generation.usage.counts())
            yield stamp.chunk([last], usage=zeros.with_details())


async def _gpt_oss_openai(generation: Generation, pieces: AsyncIterator[Delta | End]) -> AsyncIterator[Frame]:
    """The natural last frame has no finish_reason (quirk 17); those after it do, with the same totals twice (16b)."""
    stamp = Stamp.of(generation.request, openai=True)
    plain = {"logprobs": None, "finish_reason": None}
    yield stamp.chunk([delta_choice({"role": "assistant", "content": ""}, **plain)])
    yield stamp.chunk([delta_choice({"reasoning_content": ""}, **plain, token_ids=None)])
    async for piece in pieces:
        if isinstance(piece, Delta):
            key, text = ("reasoning_content", piece.reasoning) if piece.reasoning else ("content", piece.text)
            yield stamp.chunk([delta_choice({key: text}, **plain, token_ids=None)])
            continue
        natural = {"stop_reason": _RETURN_TOKEN} if piece.finish_reason == "stop" else {}
        yield stamp.chunk([delta_choice({}, **plain, **natural, token_ids=None)])
        last = delta_choice({}, finish_reason=piece.finish_reason)
        if generation.request.include_usage:
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
            {"reasoning_content": None, **delta}, finish_reason=finish, logprobs=None, matched_stop=matched
        )

    yield chunk([choice({"role": "assistant", "content": ""})], counter.prompt())
    async for piece in pieces:
        if isinstance(piece, Delta):
            delta: Frame = {"content": piece.text} if piece.text else {"reasoning_content": piece.reasoning}
            yield chunk([choice(delta)], counter.step())
        else:
            matched = (piece.stopped_by or _END_OF_TURN) if piece.finish_reason == "stop" else None
            yield chunk([choice({}, finish=piece.finish_reason, matched=matched)], counter.nothing())
            # The token that ended the text, counted on a frame without choices (quirk 19).
            yield chunk([], counter.step())


class _Increments:
    """What was used since the frame before."""

    def __init__(self, generation: Generation) -> None:
        self._generation = generation
        self._prompt_sent = False
        self._completion_sent = 0

    def prompt(self) -> Usage:
        """The prompt alone; it is sent once."""
        self._prompt_sent = True
        return Usage(self._generation.usage.prompt_tokens, 0, self._generation.request.price)

    def step(self) -> Usage:
        """The completion tokens that are new, and the prompt if it was not counted yet."""
        usage = self._generation.usage
        prompt = 0 if self._prompt_sent else usage.prompt_tokens
        completion = usage.completion_tokens - self._completion_sent
        self._prompt_sent, self._completion_sent = True, usage.completion_tokens
        return Usage(prompt, completion, usage.price)

    def nothing(self) -> Usage:
        """Zeros."""
        return Usage(0, 0, self._generation.request.price)
