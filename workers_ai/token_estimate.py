"""Tokens of a text, estimated offline: no tokenizer fits all models, and each of them would have to be fetched.

A text is cut into pieces as byte-pair tokenizers of 200,000 entries cut it: by words, then by as many letters of its
script as a token has at least. The widths were measured with OpenAI's o200k tables on texts of two dozen languages,
code and JSON; models with smaller vocabularies count more, which the usage of their answers corrects (`Correction`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import ceil
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

if TYPE_CHECKING:
    from workers_ai.wire.message import WireMessage

CountTokens = Callable[[str], int]
"""Counts the tokens of a text exactly, as a tokenizer does."""

HIGH = 1.1
"""Tokens for one piece at most, in ordinary text."""

LIKELY = HIGH / 1.25
LOW = HIGH / 1.65

A_PICTURE = 1600
"""Tokens of a picture at most; what models see in one differs widely, so this is an assumption."""

# What a chat template puts around a message, and what a picture may be worth: assumptions, low to high.
_AROUND_A_MESSAGE = (1, 5, 8)
_PICTURE = (0, 1000, A_PICTURE)

# Latin script, ASCII and what stands in both. Short words come first: they are most, and then nothing else is tried.
_LATIN = r"""
  [A-Za-z][a-z]{0,4}(?![A-Za-z\u00c0-\u024f\u1e00-\u1eff])
| [a-z]{0,2}[\u01a0-\u01b0\u1e00-\u1eff][a-z]{0,3}                        # Vietnamese: marks amid short words
# Long words of English and the Romance languages that stand in every vocabulary, by their endings.
| [A-Za-z][a-z]{1,8}(?:ions?|ments?|ing|[dt]y|ness|[ai]ble|[ae]nce|[ai]ve|ous|ally?
    |[cs]ión|mente|idad|edad|ção|dade|té)(?![a-z])
| [A-Z\u00c0-\u024f][a-z]{1,4} | [a-z]{1,5} | [A-Z]{1,4} | [\u00c0-\u024f]  # case and marks begin anew
| [ \t](?=\d) | \d{1,3}
| [\n\r]+[ \t]* | [ \t]{2,}
| [!-/:-@\[-^`{-~]{1,2} | _ | [\x80-\xbf]
"""

_OTHER = r"[^\x00-\u024f\u1e00-\u1eff]+"

# Letters of other scripts that one token holds at least; of Han, kana, Hangul and all else it is one.
_WIDTHS = (
    r"[\u0400-\u052f]{2,4}",  # Cyrillic
    r"[\u0600-\u06ff\u0900-\u0dff]{2,3}",  # Arabic, Indic
    r"[\u0370-\u03ff\u1f00-\u1fff\u0590-\u05ff\u0e00-\u0eff]{2}",  # Greek, Hebrew, Thai and Lao
)

# Letters of languages that are rare in vocabularies (Polish, Czech, Turkish, Ukrainian, ...) and characters of four
# bytes (emoji): they break what stands around them. Not those of Vietnamese and Romanian.
_COSTLY = r"[\u0100-\u0102\u0104-\u0110\u0112-\u017f\u0454-\u0457\u0491\U00010000-\U0010ffff]"


@cache
def _pattern(text: str) -> re.Pattern[str]:
    """A pattern, made at its first use: importing makes none."""
    return re.compile(text, re.VERBOSE)


@dataclass(frozen=True, slots=True)
class TokenEstimate:
    """How many tokens a text has: at least `low`, probably `likely`, at most `high`. All equal where it was counted.

    Bounds hold for ordinary text; gibberish can have more.
    """

    low: int = 0
    likely: int = 0
    high: int = 0

    def __add__(self, other: TokenEstimate) -> TokenEstimate:
        """The estimate of both together."""
        return TokenEstimate(self.low + other.low, self.likely + other.likely, self.high + other.high)

    def __sub__(self, other: TokenEstimate) -> TokenEstimate:
        """The estimate without a part of it."""
        return TokenEstimate(self.low - other.low, self.likely - other.likely, self.high - other.high)


class Correction:
    """What the answers of each model have told of the estimates: tokens counted for each that was likely.

    It moves the likely figure, and widens the bounds where they were too narrow; it never narrows them, since the next
    text may be in another language.
    """

    LEAST, MOST = 0.5, 3.0
    """Between these a ratio is believed."""

    FEWEST = 100
    """Likely tokens below which an answer teaches nothing: the template outweighs the text."""

    ENOUGH = 8
    """Answers of a model after which estimates are no more made only to be corrected."""

    def __init__(self) -> None:
        self._ratios: dict[str, float] = {}
        self._learnt: dict[str, int] = {}

    def wants(self, model: str, characters: int) -> bool:
        """Whether an answer to so long a prompt should be learnt from."""
        return characters >= 8 * self.FEWEST and self._learnt.get(model, 0) < self.ENOUGH

    def learn(self, model: str, likely: int, counted: int) -> None:
        """Takes in what the service counted. likely: what had been estimated, uncorrected."""
        if likely < self.FEWEST or counted <= 0:
            return
        ratio = min(self.MOST, max(self.LEAST, counted / likely))
        before = self._ratios.get(model)
        self._ratios[model] = ratio if before is None else before + (ratio - before) / 4
        self._learnt[model] = self._learnt.get(model, 0) + 1

    def of(self, model: str | None) -> float:
        """Tokens for each that was likely; 1.0 for a model of which nothing is known yet."""
        return self._ratios.get(model, 1.0) if model is not None else 1.0

    def clear(self) -> None:
        """Forgets all."""
        self._ratios.clear()
        self._learnt.clear()


CORRECTION = Correction()
"""That of this process."""


def estimate_tokens(
    asked: str | Sequence[WireMessage], *, model: str | None = None, count: CountTokens | None = None
) -> TokenEstimate:
    """How many tokens a text or messages (`{"role", "content"}`) have, without asking anybody.

    model: corrects the estimate by what earlier answers of that model were counted as.
    count: counts a text exactly, e.g. `lambda text: len(tokenizer.encode(text))`; what a chat template puts around
        messages and what pictures are worth is still assumed.
    """
    if isinstance(asked, str):
        return corrected(_of_text(asked, count), model, exact=count is not None)
    return corrected(_sum(of_message(message, count) for message in asked), model, exact=count is not None)


def of_message(message: Mapping[str, Any], count: CountTokens | None = None) -> TokenEstimate:
    """The uncorrected estimate of one message, with its calls and pictures and what the template puts around it."""
    content = message.get("content") or ""
    parts = [content] if isinstance(content, str) else content
    texts = [part if isinstance(part, str) else str(part.get("text") or "") for part in parts]
    pictures = sum(not isinstance(part, str) and part.get("type") != "text" for part in parts)
    if calls := message.get("tool_calls"):
        texts.append(to_json(calls).decode())
    around = TokenEstimate(*_AROUND_A_MESSAGE)
    seen = TokenEstimate(*(pictures * tokens for tokens in _PICTURE))
    return _sum([around, seen, *(_of_text(text, count) for text in texts if text)])


def of_tools(tools: Sequence[Any], count: CountTokens | None = None) -> TokenEstimate:
    """The uncorrected estimate of tools. A template may write them shorter than the JSON they are sent as."""
    if not tools:
        return TokenEstimate()
    written = _of_text(to_json(tools).decode(), count)
    return TokenEstimate(written.low // 2, written.likely, written.high)


def characters_of(messages: Iterable[Mapping[str, Any]]) -> int:
    """About how many characters messages have, the template's and one for each token of a picture among them.

    It costs a thousandth of an estimate, and shows where none is needed.
    """
    total = 0
    for message in messages:
        content = message.get("content")
        total += _AROUND_A_MESSAGE[-1]
        if isinstance(content, str):
            total += len(content)
        elif content:
            total += sum(len(part["text"] or "") if "text" in part else A_PICTURE for part in content)
        if calls := message.get("tool_calls"):
            total += sum(len(str(call)) for call in calls)
    return total


def corrected(estimate: TokenEstimate, model: str | None, *, exact: bool = False) -> TokenEstimate:
    """`estimate` with what is known of the model."""
    ratio = 1.0 if exact else CORRECTION.of(model)
    if ratio == 1.0:
        return estimate
    low, high = int(estimate.low * min(1.0, ratio)), ceil(estimate.high * max(1.0, ratio))
    return TokenEstimate(low, min(high, max(low, round(estimate.likely * ratio))), high)


def _of_text(text: str, count: CountTokens | None) -> TokenEstimate:
    if count is not None:
        tokens = count(text)
        return TokenEstimate(tokens, tokens, tokens)
    pieces = _pieces(text)
    return TokenEstimate(int(pieces * LOW), round(pieces * LIKELY), ceil(pieces * HIGH))


def _pieces(text: str) -> int:
    if text.isascii():
        return len(_pattern(_LATIN).findall(text))
    others = _pattern(_OTHER).findall(text)
    latin = _pattern(_OTHER).sub("\0", text) if others else text
    pieces = len(_pattern(_LATIN).findall(latin)) + len(_pattern(_COSTLY).findall(text)) + sum(map(len, others))
    rest = " ".join(others)
    for width in _WIDTHS:
        together = _pattern(width).findall(rest)
        pieces -= sum(map(len, together)) - len(together)
    return pieces


def _sum(estimates: Iterable[TokenEstimate]) -> TokenEstimate:
    return sum(estimates, TokenEstimate())
