"""The emulator's own answers: extractive, deterministic, and honest about it.

It quotes the sentence of the given context that best meets the question, and says so of the results of tools and the
headers of images. What it calls, and which JSON it gives, is decided in `plan`. Without a context it says what it is.
A few requests are obeyed to the letter because programs are tested with them: "Reply exactly with: X", small sums,
"Count to N", greetings.
"""

import operator
import re
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace

from . import extract, pieces, plan, prompts
from .backend import Delta, End
from .chat_request import ChatRequest
from .message import Message
from .prompts import Reading

UNKNOWN = "I don't know: the context given does not say."
_GREETING = "Hello! This is the local emulator of Workers AI, not a language model. How can I help you?"
_ECHO = (
    "This is the local emulator of Workers AI, not a language model: without a context to quote from "
    "it can only repeat what was asked: "
)

# How much of the question a sentence must meet before it counts as an answer: little where a context is offered as
# such, more where it only happens to stand in the conversation.
_ENOUGH_MARKED = 0.15
_ENOUGH_LOOSE = 0.5

_HELLO = re.compile(r"^\W*(?:hello|hi|hey|good (?:morning|evening|day)|hallo)\b.{0,40}$", re.IGNORECASE | re.DOTALL)
_EXACTLY = re.compile(
    r"\b(?:(?:reply|respond|answer)\s+(?:exactly\s+|only\s+|just\s+)?with(?:\s+(?:exactly|only|just))?"
    r"|repeat\s+after\s+me|say\s+(?:exactly|only|just))\s*(?:the\s+words?\s*)?[:：]?\s*(?P<text>\S.*)$",
    re.IGNORECASE | re.DOTALL,
)
_SUM = re.compile(r"(?<![\w.])(?P<a>\d{1,9})\s*(?P<op>[-+*x×/])\s*(?P<b>\d{1,9})(?![\w])")
_OPERATIONS: dict[str, Callable[[int, int], int]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "x": operator.mul,
    "×": operator.mul,
}
_COUNT = re.compile(r"\bcount\s+(?:up\s+)?(?:from\s+(?P<start>\d{1,4})\s+)?to\s+(?P<end>\d{1,4})\b", re.IGNORECASE)
_REPHRASE = re.compile(r"standalone question", re.IGNORECASE)
_FOLLOW_UP = re.compile(
    r"(?:<follow up message>|follow[- ]up (?:input|question|message)\s*:)\s*(?P<text>.*?)\s*"
    r"(?:<|standalone question|$)",
    re.IGNORECASE | re.DOTALL,
)


def answer(messages: Sequence[Message]) -> str:
    """The answer to a chat: never empty, the same for the same messages."""
    return known(messages) or without_context(messages)


def known(messages: Sequence[Message]) -> str:
    """The answer that the chat itself gives; "" if it gives none."""
    last = next((message.text for message in reversed(messages) if message.role == "user"), "")
    # Chat engines first ask for the question in words of its own; ours go back as they came.
    if _REPHRASE.search(last) and (follow_up := _FOLLOW_UP.search(last)) and follow_up["text"]:
        return follow_up["text"]
    if seen := _seen(messages):
        return _literal(last) or seen
    reading = prompts.read(messages)
    if reading.context is None or reading.loose:
        return _literal(reading.question) or _from_conversation(reading)
    return _from_context(reading)


def _seen(messages: Sequence[Message]) -> str:
    """What can be said of the images that came with the last question or since; "" if there are none."""
    at = max((i for i, message in enumerate(messages) if message.role == "user"), default=0)
    found = [image.describe() for message in messages[at:] for image in message.images]
    if not found:
        return ""
    return f"I see {' and '.join(found)}; what it shows, an emulator without a model cannot tell."


def _from_context(reading: Reading) -> str:
    passage = extract.best_passage(reading.question, reading.context or "")
    found = passage.text if passage and passage.coverage >= _ENOUGH_MARKED else ""
    if reading.existing and reading.existing != UNKNOWN:
        return _refined(reading, found)
    return found or reading.tool_results or UNKNOWN


def _refined(reading: Reading, found: str) -> str:
    """Of the existing answer and what the new context says, the one that meets the question better."""
    best = extract.best_passage(reading.question, f"{reading.existing}\n\n{found}")
    return found if found and best and best.text in found else reading.existing


def _from_conversation(reading: Reading) -> str:
    passage = extract.best_passage(reading.question, reading.context) if reading.context else None
    return passage.text if passage and passage.coverage >= _ENOUGH_LOOSE else ""


def _literal(question: str) -> str:
    if exactly := _EXACTLY.search(question):
        text = exactly["text"].strip()
        return text.strip("\"'“”") or text
    if counting := _COUNT.search(question):
        return ", ".join(map(str, range(int(counting["start"] or 1), int(counting["end"]) + 1)))
    if (asked := _SUM.search(question)) and asked["op"] in _OPERATIONS:
        return str(_OPERATIONS[asked["op"]](int(asked["a"]), int(asked["b"])))
    return _GREETING if _HELLO.match(question) else ""


def without_context(messages: Sequence[Message]) -> str:
    """What is said where nothing is known."""
    shown = " ".join(prompts.read(messages).question.split())
    return f'{_ECHO}"{shown[:300]}"'


def reasoning(question: str) -> str:
    """The thinking shown before an answer: a line that repeats the question and says how it is answered."""
    shown = " ".join(question.split())
    return f'The user asks: "{shown[:120]}". I look for the sentence that fits best and answer with it.'


class Brain:
    """The backend without a model. Knows no clock and no randomness."""

    async def generate(self, request: ChatRequest) -> AsyncIterator[Delta | End]:
        """The pieces of what is planned."""
        made = plan.make(request, known, without_context)
        thoughts = made.thoughts or reasoning(prompts.read(request.messages).question)
        for piece in pieces.of(request, replace(made, thoughts=thoughts)):
            yield piece
