"""Thinking that a model writes into its text, ended by `</think>` and mostly without the opening tag (quirk 30)."""

from __future__ import annotations

from workers_ai.wire.stop import overlap

OPEN, CLOSE = "<think>", "</think>"


def split(text: str, *, cut_off: bool = False) -> tuple[str, str]:
    """Reasoning and answer of a whole text. Without a closing tag all is answer, or reasoning if it was cut off."""
    before, tag, after = text.partition(CLOSE)
    if not tag:
        return (text.strip().removeprefix(OPEN).strip(), "") if cut_off else ("", text)
    return before.strip().removeprefix(OPEN).strip(), after.lstrip()


class ThinkSplitter:
    """As `split`, for text that comes in pieces: reasoning until the closing tag is seen, answer after it."""

    __slots__ = ("_closed", "_open", "_seen")

    def __init__(self) -> None:
        self._closed = False
        self._open = ""  # may be the beginning of a tag
        self._seen = ""  # reasoning so far: the answer after all, when no tag ever comes

    def feed(self, text: str) -> tuple[str, str]:
        """Reasoning and answer that `text` adds."""
        if self._closed:
            if not self._seen:
                return "", text
            # The answer begins after the tag and its line breaks.
            text = text.lstrip()
            self._seen = "" if text else self._seen
            return "", text
        text = self._open + text
        before, tag, after = text.partition(CLOSE)
        if tag:
            self._closed, self._open = True, ""
            self._seen += before or " "
            answer = after.lstrip()
            self._seen = "" if answer else self._seen
            return before.removeprefix(OPEN), answer
        held = max(overlap(text, CLOSE), overlap(text, OPEN) if not self._seen else 0)
        self._open = text[len(text) - held :]
        kept = text[: len(text) - held]
        self._seen += kept
        return (kept.removeprefix(OPEN) if kept == self._seen else kept), ""

    def close(self, *, cut_off: bool = False) -> tuple[str, str]:
        """What was held back: reasoning, and the whole text as answer where no tag came and nothing was cut off."""
        rest, self._open = self._open, ""
        return ("", "") if self._closed else (rest, "" if cut_off else self._seen + rest)
