"""Refusals by their code, for programs that are tested with them: what the service answers when it says no.

Statuses are the documented ones, else those seen; the words are ours, in the shapes of the recordings.
"""

from collections.abc import Callable

from . import errors
from .errors import ServiceError

_QUOTA = "you have used up your daily free allocation of 10,000 neurons, please upgrade to go on."
_INFERENCE = {
    3003: (400, "Incomplete request: headers or body are missing"),
    3006: (413, "Request is too large"),
    3007: (408, "AiError: Request timed out"),
    3008: (408, "Request was aborted"),
    3023: (403, "Account blocked"),
    3036: (429, _QUOTA),
    3040: (429, "AiError: Capacity temporarily exceeded, please try again."),
    3041: (403, "This account is not allowed to access this model"),
    3042: (404, "Invalid model name"),
    3043: (500, "AiError: Internal server error"),
    4006: (429, f"AiError: AiError: {_QUOTA}"),
    5006: (400, "AiError: Bad input: Error: the input does not fit the model's schema"),
    5007: (400, "No such model or task"),
    5016: (403, "The model's terms have not been accepted"),
    5018: (403, "This account is not allowed to access this model"),
    5021: (413, "AiError: The estimated number of tokens exceeded this model context window limit"),
    5028: (410, "This model was deprecated. Please use an alternative model"),
    5035: (403, "This model requires the Workers Paid plan"),
    7009: (504, "Upstream service unavailable: timed out"),
    8001: (400, "Invalid input"),
}
_FRONT_DOOR = {
    9106: (400, "Authentication failed (status: 400)"),
    10000: (401, "Authentication error"),
}
_GATEWAY = {
    2001: (400, "Please configure AI Gateway in the Cloudflare dashboard"),
    2003: (429, "Rate limited"),
    2009: (401, "Unauthorized"),
    2016: (424, "Prompt blocked due to security configurations"),
    2017: (424, "Response blocked due to security configurations"),
    2021: (402, "Insufficient balance; add money to your gateway or use BYOK"),
    2045: (429, "Spend limit exceeded"),
    7013: (503, "The guardrail scanner is not available"),
}
KNOWN = tuple(sorted([*_INFERENCE, *_FRONT_DOOR, *_GATEWAY]))
"""The codes with a status and words of their own."""


def of(code: int, message: str | None = None, status: int | None = None) -> ServiceError:
    """The refusal of this code, or of a bare status (400 to 599) as its code.

    message, status: in place of the usual ones; a code that is not `KNOWN` needs a status. Raises ValueError without.
    """
    for table, envelope in _ENVELOPES:
        if code in table:
            usual, words = table[code]
            return envelope(status or usual, code, message or words)
    if status is None and not 400 <= code <= 599:
        raise ValueError(
            f"code {code} is not known here: give its status=, or take one of {', '.join(map(str, KNOWN))}"
        )
    return errors.native(status or code, code, message or f"The emulator was told to refuse with {code}")


def _front_door(status: int, code: int, message: str) -> ServiceError:
    return errors.front_door(status, {code: message})


_ENVELOPES: tuple[tuple[dict[int, tuple[int, str]], Callable[[int, int, str], ServiceError]], ...] = (
    (_INFERENCE, errors.native),
    (_FRONT_DOOR, _front_door),
    (_GATEWAY, errors.gateway),
)
