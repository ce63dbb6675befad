"""Whether a prompt fits the model's window, and what is left of a history that does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from workers_ai.errors import BadRequestError, ContextLengthError
from workers_ai.token_estimate import (
    CORRECTION,
    HIGH,
    LOW,
    Correction,
    CountTokens,
    TokenEstimate,
    characters_of,
    corrected,
    of_message,
    of_tools,
)
from workers_ai.warning import warn

if TYPE_CHECKING:
    from workers_ai.call import Call
    from workers_ai.wire.message import WireMessage

CheckContext = Literal["error", "warn", "trim"] | None
"""What to do about a prompt that does not fit: "error" refuses one that cannot fit even by the lowest estimate, "warn"
also tells of one that probably does not, "trim" leaves out the oldest turns, None sends everything."""


def checked(value: object) -> CheckContext:
    """`value`, if it is one of these. Raises BadRequestError otherwise."""
    if value in ("error", "warn", "trim", None):
        return value
    raise BadRequestError(f'check_context={value!r}: "error", "warn", "trim" or None', maybe_sent=False)


class ContextLengthWarning(UserWarning):
    """A prompt probably does not fit the model's window: it is sent all the same."""


@dataclass(frozen=True, slots=True)
class Fitting:
    """Messages that may go out. estimate: the uncorrected one of them and the tools, where one was made."""

    messages: Sequence[WireMessage]
    estimate: TokenEstimate | None = None

    def lesson(self, model: str) -> Callable[[int], None] | None:
        """What learns from the tokens that the service counts; None where there is nothing to compare them with."""
        if (estimate := self.estimate) is None or any(_has_pictures(message) for message in self.messages):
            return None
        return lambda counted: CORRECTION.learn(model, estimate.likely, counted)


def fit_window(
    call: Call,
    messages: Sequence[WireMessage],
    *,
    check: CheckContext,
    max_tokens: int | None,
    tools: Sequence[Any] = (),
    count: CountTokens | None = None,
) -> Fitting:
    """`messages`, checked against the window: the service counts the prompt and `max_tokens` together (quirk 80).

    max_tokens: of the request; unset, the model's own default counts. A model whose window nobody knows is not checked.
    Raises ContextLengthError, before anything is sent, with both numbers.
    """
    window = call.info.context_window
    characters = characters_of(messages)
    learns = count is None and CORRECTION.wants(call.model, characters)
    if check is None or window is None:
        return Fitting(messages, _estimate(messages, tools) if learns else None)
    answer = max_tokens or call.info.default_max_tokens or 0
    exact = count is not None
    characters += sum(len(str(tool)) for tool in tools)
    if not learns and characters * _most_for_a_character(check, exact=exact) <= window - answer:
        return Fitting(messages)
    sizes = [of_message(message, count) for message in messages]
    whole = sum(sizes, of_tools(tools, count))
    if check == "trim":
        messages, whole = _trimmed(call, messages, sizes, whole, room=window - answer, exact=exact)
    found = corrected(whole, call.model, exact=exact)
    if found.low + answer > window:
        raise _too_long(call, found, answer, window)
    if check == "warn" and found.likely + answer > window:
        warn(
            f"about {found.likely} tokens and max_tokens={answer} are probably more than the {window} of {call.model}",
            ContextLengthWarning,
        )
    return Fitting(messages, None if exact else whole)


def _most_for_a_character(check: CheckContext, *, exact: bool) -> float:
    """Tokens for a character that no estimate exceeds: an exact count by its bytes, others by their widest piece."""
    if exact:
        return 4.0
    return 2 * LOW if check == "error" else 2 * HIGH * Correction.MOST


def _estimate(messages: Sequence[WireMessage], tools: Sequence[Any]) -> TokenEstimate:
    return sum(map(of_message, messages), of_tools(tools))


def _has_pictures(message: Mapping[str, Any]) -> bool:
    content = message.get("content")
    return not isinstance(content, str) and any(part.get("type") != "text" for part in content or ())


def _too_long(call: Call, found: TokenEstimate, answer: int, window: int) -> ContextLengthError:
    error = ContextLengthError(
        f"The prompt has about {found.likely} tokens by estimate, at least {found.low}; with max_tokens={answer}"
        f" that is more than the {window} of {call.model}",
        model=call.model,
        hint="Shorten it, lower max_tokens, check_context='trim' to leave out the oldest turns, None to send it anyway",
        maybe_sent=False,
    )
    error.tokens, error.limit = found.low + answer, window
    return error


def _trimmed(
    call: Call,
    messages: Sequence[WireMessage],
    sizes: Sequence[TokenEstimate],
    whole: TokenEstimate,
    *,
    room: int,
    exact: bool,
) -> tuple[Sequence[WireMessage], TokenEstimate]:
    """What is left when the oldest units go, one by one, until the highest estimate fits or only the newest is left."""
    gone: set[int] = set()
    for unit in _droppable(messages):
        if corrected(whole, call.model, exact=exact).high <= room:
            break
        gone.update(unit)
        whole -= sum((sizes[place] for place in unit), TokenEstimate())
    return [message for place, message in enumerate(messages) if place not in gone], whole


def _droppable(messages: Sequence[Mapping[str, Any]]) -> Iterator[list[int]]:
    """Places of messages that may go together, oldest first.

    Whole turns at first: a question and all that follows it, so that what is left begins with a question. Then, of the
    newest turn, calls with their results. What the system says, the newest question and what follows its last calls
    stay.
    """
    places = [place for place, message in enumerate(messages) if message["role"] not in ("system", "developer")]
    turns = _split(places, [place for place in places if messages[place]["role"] == "user"])
    yield from turns[:-1]
    newest = turns[-1] if turns else []
    asked = [place for place in newest if messages[place]["role"] == "user"]
    rest = [place for place in newest if place not in asked]
    units = _split(rest, [place for place in rest if messages[place]["role"] != "tool"])
    yield from units[:-1]


def _split(places: Sequence[int], firsts: Sequence[int]) -> list[list[int]]:
    """`places` cut before each of `firsts`."""
    parts: list[list[int]] = []
    starts = set(firsts)
    for place in places:
        if place in starts or not parts:
            parts.append([])
        parts[-1].append(place)
    return parts
