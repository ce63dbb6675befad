"""JSON that a prompt asks for in words: a schema written into it, keys named, or just "respond in JSON"."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from .message import Message

_ASKS = re.compile(
    r"\b(?:respond|reply|answer|return|output|produce|provide|give|formatted|conforms?|generate|write)\b[^.\n]{0,80}"
    r"\bJSON\b|\bJSON schema to follow\b|\bas (?:a )?(?:valid )?JSON\b",
    re.IGNORECASE,
)
_KEYS = re.compile(
    r"\bJSON\b[^.\n]{0,60}?\b(?:with|containing|has|having|keys?|fields?)\b\s*(?:the\s+)?(?:keys?|fields?|properties)?"
    r"\s*[:=]?\s*(?P<names>[^.\n:]+)",
    re.IGNORECASE,
)
_QUOTED_KEY = re.compile(r"[\"'`“‘](?P<name>[A-Za-z_][\w-]*)[\"'`”’]")
_PLAIN_KEY = re.compile(r"\b[A-Za-z_]\w*\b")
_NO_KEY = frozenset(
    "and or with the keys key fields field as a an properties containing following only nothing".split()
)


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for: the schema ({"type": "object"} for any), and the messages without the words that ask it."""

    schema: dict[str, Any]
    messages: tuple[Message, ...]


def wish(messages: Sequence[Message]) -> Wish | None:
    """The JSON that the last user message or a system message asks for; None if none does."""
    last = max((at for at, message in enumerate(messages) if message.role == "user"), default=-1)
    for at in [last, *(i for i, m in enumerate(messages) if m.role in {"system", "developer"})]:
        if at < 0 or not (asks := _ASKS.search(messages[at].text)):
            continue
        schema, rest = _schema_in(messages[at].text, asks)
        changed = [m.with_text(rest) if i == at else m for i, m in enumerate(messages)]
        return Wish(schema, tuple(changed))
    return None


def _schema_in(text: str, asks: re.Match[str]) -> tuple[dict[str, Any], str]:
    """The schema, and the text up to the sentence that asks for it."""
    # Explanations of schemas give small ones as examples: the one that is meant stands last.
    written = [(start, value) for start, value in _objects(text) if "properties" in value or "$ref" in value]
    before = _before_sentence(text, asks.start())
    if written:
        return written[-1][1], before or text[: written[0][0]].strip()
    return _schema_of_keys(text), before


def _before_sentence(text: str, at: int) -> str:
    start = max(text.rfind("\n", 0, at), *(text.rfind(stop + " ", 0, at) + 1 for stop in ".!?"), 0)
    if before := text[:start].strip():
        return before
    keys = _KEYS.search(text, at)
    return text[keys.end() if keys else at :].strip(" \n.:") or text


def _objects(text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """JSON objects in a text, none inside another."""
    if '{{"' in text:
        # LlamaIndex sends the braces doubled, as if they were still to be formatted.
        text = text.replace("{{", "{").replace("}}", "}")
    decoder, at = json.JSONDecoder(), text.find("{")
    while at >= 0:
        try:
            value, end = decoder.raw_decode(text, at)
        except ValueError:
            end = at + 1
        else:
            yield at, value
        at = text.find("{", end)


def _schema_of_keys(text: str) -> dict[str, Any]:
    names = _keys_in(text)
    if not names:
        return {"type": "object"}
    return {"type": "object", "properties": {name: {} for name in names}, "required": names}


def _keys_in(text: str) -> list[str]:
    found = _KEYS.search(text)
    if found is None:
        return []
    quoted = [match["name"] for match in _QUOTED_KEY.finditer(found["names"])]
    plain = [word for word in _PLAIN_KEY.findall(found["names"]) if word.lower() not in _NO_KEY]
    return list(dict.fromkeys(quoted or plain))
