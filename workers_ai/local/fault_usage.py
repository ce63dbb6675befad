"""What the usage of a stream can mean (quirk 16): the frames of an answer, with their usage told in another way.

A document has one usage, and only loses it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from .fault import Answer
from .reply import encode

_COUNTS = ("prompt_tokens", "completion_tokens", "total_tokens")
_DONE = b"data: [DONE]\n\n"

Frame = dict[str, Any]
Tell = Callable[[list[Frame], Frame], Iterable[Frame]]


def missing(answer: Answer) -> bytes:
    """Nowhere any usage."""
    if answer.is_stream:
        return _told(answer, lambda frames, _: frames)
    document = json.loads(answer.body)
    for part in (document, document.get("result") if isinstance(document, dict) else None):
        if isinstance(part, dict):
            part.pop("usage", None)
            part.pop("meta", None)
    return encode(document)


def null(answer: Answer) -> bytes:
    """`usage: null` on every frame."""
    return _told(answer, lambda frames, _: [{**frame, "usage": None} for frame in frames])


def then_zeros(answer: Answer) -> bytes:
    """The total on a frame of its own, then one with zeros."""
    return _told(answer, lambda frames, total: [*frames, _alone(frames, total), _alone(frames, _zeros(total))])


def twice(answer: Answer) -> bytes:
    """The total on two frames."""
    return _told(answer, lambda frames, total: [*frames, _alone(frames, total), _alone(frames, total)])


def increments(answer: Answer) -> bytes:
    """On each chunk what it adds, the first one the prompt; the total on a last frame in the native form."""
    return _told_of_chunks(
        answer, lambda frames, total: [*_increasing(frames, total), {"response": "", "usage": total}]
    )


def increments_alone(answer: Answer) -> bytes:
    """On each chunk what it adds, and no total."""
    return _told_of_chunks(answer, _increasing)


def running(answer: Answer) -> bytes:
    """On each chunk the total up to it."""

    def tell(frames: list[Frame], total: Frame) -> Iterable[Frame]:
        answered = 0
        for frame, added in zip(frames, _shares(frames, total), strict=True):
            answered += added
            yield {**frame, "usage": _counts(total["prompt_tokens"], answered)}

    return _told_of_chunks(answer, tell)


def _increasing(frames: list[Frame], total: Frame) -> Iterable[Frame]:
    for at, (frame, added) in enumerate(zip(frames, _shares(frames, total), strict=True)):
        yield {**frame, "usage": _counts(0 if at else total["prompt_tokens"], added)}


def _shares(frames: list[Frame], total: Frame) -> list[int]:
    """How the tokens of the answer fall on its frames: one each from the second on, the rest on the last."""
    left = total["completion_tokens"]
    shares = [0]
    for _ in frames[1:]:
        shares.append(min(1, left))
        left -= shares[-1]
    shares[-1] += left
    return shares


def _told_of_chunks(answer: Answer, tell: Tell) -> bytes:
    """As `_told`, of OpenAI's chunks alone: on native frames these have never been seen."""
    return _told(answer, tell) if b'"choices"' in answer.body else answer.body


def _told(answer: Answer, tell: Tell) -> bytes:
    """The body with its usage told in another way; as it is where it tells none."""
    if not answer.is_stream:
        return answer.body
    frames = [json.loads(event[6:]) for event in answer.pieces if event.startswith(b"data: {")]
    usages = [usage for frame in frames if (usage := frame.get("usage"))]
    if not usages:
        return answer.body
    total = max(usages, key=lambda usage: usage["total_tokens"])
    kept = [_without_usage(frame) for frame in frames if not _is_usage_alone(frame)]
    return b"".join(b"data: " + encode(frame) + b"\n\n" for frame in tell(kept, total)) + _DONE


def _without_usage(frame: Frame) -> Frame:
    return {key: value for key, value in frame.items() if key != "usage"}


def _is_usage_alone(frame: Frame) -> bool:
    if "usage" not in frame:
        return False
    return frame.get("choices") == [] if "choices" in frame else frame.get("response") == "" and len(frame) == 2


def _alone(frames: list[Frame], usage: Frame) -> Frame:
    """A frame that tells this usage and nothing else, in the form of the others."""
    if frames and "choices" in frames[-1]:
        return {**frames[-1], "choices": [], "usage": usage}
    return {"response": "", "usage": usage}


def _zeros(total: Frame) -> Frame:
    return {**total, **dict.fromkeys(_COUNTS, 0)} | ({"neurons": 0} if "neurons" in total else {})


def _counts(prompt: int, answer: int) -> Frame:
    return dict(zip(_COUNTS, (prompt, answer, prompt + answer), strict=True))
