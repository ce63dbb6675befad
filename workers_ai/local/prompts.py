"""Reading a prompt: which part is the question, which the context to answer from.

Both frameworks put a context and a question into one user message, each in wordings of its own; a context can stand
in the system message too, or come as the result of a tool. What is understood: fenced blocks (LlamaIndex), tags,
labels at the start or the end of a line ("Context:", "Question:", "... the following context:").
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from .message import Message


@dataclass(frozen=True, slots=True)
class Reading:
    """A prompt taken apart.

    context: text to answer from; None when the prompt carries none.
    loose: the context is not marked as such (a system message, earlier turns): it may well not be about the question.
    existing: an earlier answer that is to be refined, "" if there is none.
    tool_results: what tools brought since the question, "" if nothing.
    """

    question: str
    context: str | None = None
    loose: bool = False
    existing: str = ""
    tool_results: str = ""


_REFINE = (
    re.compile(
        r"original query is as follows:(?P<question>.*?)\n[^\n]*existing answer:(?P<existing>.*?)"
        r"\n[^\n]*\n-{3,}\n(?P<context>.*)\n-{3,}",
        re.DOTALL | re.IGNORECASE,
    ),
    re.compile(
        r"\bnew context:(?P<context>.*)\nquery:(?P<question>.*?)\noriginal answer:(?P<existing>.*?)\nnew answer:",
        re.DOTALL | re.IGNORECASE,
    ),
)
_CONTEXT = (
    re.compile(r"<(?P<tag>contexts?|documents?|sources?)>(?P<context>.*)</(?P=tag)>", re.DOTALL | re.IGNORECASE),
    re.compile(r"^(?P<fence>[-=]{5,})[ \t]*\n(?P<context>.*)\n(?P=fence)[ \t]*$", re.DOTALL | re.MULTILINE),
)
_QUESTION = re.compile(
    r"^[ \t#*]*(?:user |the |new |original |follow[- ]up )?(?:question|query|input|request)\b"
    r"[*]*[ \t]*[:：][*]*(?P<text>.*)",
    re.IGNORECASE | re.MULTILINE,
)
_QUESTION_TAG = re.compile(r"<(?P<tag>question|query)>(?P<text>.*?)</(?P=tag)>", re.DOTALL | re.IGNORECASE)
_ANSWER = re.compile(
    r"^[ \t#*]*(?:[\w']+ ){0,2}(?:answer|response)\b[^\n]{0,20}[:：]?[*]*\s*\Z", re.IGNORECASE | re.MULTILINE
)
# "Context: text", "# Context", or any line that ends in "context:" ("... only on the following context:").
_CONTEXT_LABEL = re.compile(
    r"^[ \t#*]*(?:new |retrieved )?(?:contexts?|documents|sources|passages?)(?: information)?[*]*[ \t]*[:：][*]*[ \t]*"
    r"|^#+[ \t]*context[ \t]*$"
    r"|^[^\n]{0,300}\b(?:contexts?|information|documents|passages?|sources)(?: (?:below|here))?[ \t]*[:：][ \t]*$",
    re.IGNORECASE | re.MULTILINE,
)
_INSTRUCTION = re.compile(
    r"^[-*\d.) ]*(?:you (?:are|have|must|should|will)|you're|use |using |answer|if |always|never|do not|don't|keep |"
    r"reply|respond|return|provide|given |please|be |act |your |think|when you|some rules|avoid|only )",
    re.IGNORECASE,
)


def read(messages: Sequence[Message]) -> Reading:
    """Take a chat apart. The question is in the last user message; the context there, or in what stands around it."""
    at = max((i for i, message in enumerate(messages) if message.role == "user"), default=len(messages) - 1)
    if at < 0:
        return Reading("")
    reading = _read_text(messages[at].text)
    if reading.context is not None:
        return reading
    results = "\n\n".join(message.text for message in messages[at:] if message.role in {"tool", "function"})
    if results:
        return Reading(reading.question, results, tool_results=results)
    return _with_surroundings(reading.question, [m for i, m in enumerate(messages) if i != at])


def _read_text(text: str) -> Reading:
    for pattern in _REFINE:
        if found := pattern.search(text):
            question, context, existing = (found[name].strip() for name in ("question", "context", "existing"))
            return Reading(question, context, existing=existing)
    for pattern in _CONTEXT:
        if found := pattern.search(text):
            question = _question_in(text[found.end() :]) or _question_in(text[: found.start()])
            return Reading(question, found["context"].strip())
    return _read_labels(text)


def _read_labels(text: str) -> Reading:
    label = _CONTEXT_LABEL.search(text)
    if label is None:
        return Reading(_question_in(text))
    rest = _ANSWER.sub("", text[label.end() :])
    # The context may quote questions of its own: the one asked is the last after it, unless one stood before it.
    if asked := _last_question(text[: label.start()]):
        return Reading(asked, rest.strip())
    questions = list(_QUESTION.finditer(rest)) + list(_QUESTION_TAG.finditer(rest))
    if questions:
        last = questions[-1]
        return Reading((last["text"].strip() or rest[last.end() :].strip()), rest[: last.start()].strip())
    context, _, final = rest.strip().rpartition("\n\n")
    if context and final.rstrip().endswith("?"):
        return Reading(final.strip(), context)
    return Reading(_question_in(text[: label.start()]), rest.strip())


def _question_in(text: str) -> str:
    """The question of a text without context: what is labelled so, else its last paragraph, else all of it."""
    if labelled := _last_question(text):
        return labelled
    return _ANSWER.sub("", text).strip() or text.strip()


def _last_question(text: str) -> str:
    if tagged := _QUESTION_TAG.search(text):
        return tagged["text"].strip()
    labelled = list(_QUESTION.finditer(text))
    if not labelled:
        return ""
    after = text[labelled[-1].start("text") :]
    return _ANSWER.sub("", after).strip()


def _with_surroundings(question: str, others: Sequence[Message]) -> Reading:
    """The question with the context that a system message carries, or else with what was said before."""
    system = "\n\n".join(message.text for message in others if message.role in {"system", "developer"})
    if system:
        marked = _read_text(system)
        if marked.context:
            return Reading(question, marked.context)
        instructions, _, rest = system.partition("\n\n")
        if rest and "context" in instructions.lower():
            # "Use the retrieved context ...", a blank line, and the context without a label.
            return Reading(question, rest)
    said = [_statements(system)] if system else []
    said += [message.text for message in others if message.role in {"user", "assistant"}]
    context = "\n\n".join(filter(None, said))
    return Reading(question, context or None, loose=True)


def _statements(system: str) -> str:
    """A system message without its first words of instruction, line by line: what is left may be a context."""
    kept = [line for line in system.splitlines() if not _INSTRUCTION.match(line.strip())]
    text = "\n".join(kept).strip()
    if text:
        return text
    sentences = re.split(r"(?<=[.!?])\s+", system)
    return " ".join(sentence for sentence in sentences if not _INSTRUCTION.match(sentence))
