"""What an answer is to consist of, before it is cut into pieces: calls, JSON, or words."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from . import extract, react, schema_instances, tool_choice
from .chat_request import ChatRequest
from .message import Message
from .tools import ToolCall, compact
from .turn import Turn

# A result up to this many characters is repeated whole; of a longer one the passage that fits the question.
_SHORT_RESULT = 400
_REFUSAL = "I'm sorry, but I can't help with that."

Words = Callable[[Sequence[Message]], str]


@dataclass(frozen=True, slots=True)
class Plan:
    """The text, and the calls behind it. `thoughts`: the reasoning, "" for the usual one. `refusal`: said instead.

    cut: it breaks off there, as at the end of the tokens allowed.
    """

    text: str = ""
    calls: Sequence[ToolCall] = field(default_factory=tuple)
    thoughts: str = ""
    refusal: str = ""
    cut: bool = False


def make(request: ChatRequest, known: Words, otherwise: Words) -> Plan:
    """The plan for a request. `known`: what the conversation itself answers, ""; `otherwise`: what is said then."""
    calls = tool_choice.choose(request.tools, request.choice, request.messages, parallel=request.parallel)
    if "refusal" in request.quirks:
        return Plan(refusal=_REFUSAL)
    if calls:
        return _calling(request, calls)

    def words(messages: Sequence[Message]) -> str:
        results = _from_results(messages)
        # An image among the results is spoken of as well.
        return "\n".join(filter(None, [results, known(messages) if not results or _shows(messages) else ""]))

    step = react.reply(request.messages, lambda messages: words(messages) or otherwise(messages))
    if step is not None:
        return Plan(step)
    text = schema_instances.wanted(request, words) or words(request.messages)
    return Plan(text or otherwise(request.messages))


def _calling(request: ChatRequest, calls: Sequence[ToolCall]) -> Plan:
    thoughts = " ".join(f"{call.name} fits; I call it with {call.text}." for call in calls)
    if request.choice.forced and request.quirks & {"leak-forced-call", "leak-forced-call-flat"}:
        return Plan(_leaked(calls[0], flat="leak-forced-call-flat" in request.quirks), thoughts=thoughts)
    names = " and ".join(dict.fromkeys(call.name for call in calls))
    return Plan(f"I will call {names}." if "text-before-calls" in request.quirks else "", calls, thoughts)


def _leaked(call: ToolCall, *, flat: bool) -> str:
    """A forced call as the text that gpt-oss makes of it (quirk 39)."""
    return compact({"name": call.name, **call.arguments} if flat else {"name": call.name, "arguments": call.arguments})


def _from_results(messages: Sequence[Message]) -> str:
    """What tools brought since the question, one after the other; "" if they brought nothing."""
    turn = Turn.of(messages)
    return "\n".join(dict.fromkeys(filter(None, (_told(result, turn.asked) for result in turn.results))))


def _shows(messages: Sequence[Message]) -> bool:
    return any(message.is_result and message.images for message in messages)


def _told(result: str, question: str) -> str:
    if len(result) <= _SHORT_RESULT:
        return result.strip()
    passage = extract.best_passage(question, result)
    return passage.text if passage else result.strip()[:_SHORT_RESULT]
