"""Agents that write their calls as text: "Thought: ... Action: ... Action Input: ..." (ReAct).

LlamaIndex lists its tools as "> Tool Name: ...", LangChain's hub prompt as "name: description" lines under "tools:".
The history is turned into the messages that a model with tools would see, the same rules choose, and the choice is
written in the prompt's own format.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from . import tool_choice
from .message import Message
from .tools import Tool, ToolCall, ToolChoice, compact, parsed

_FORMAT = re.compile(r"^\s*`*Action Input:", re.MULTILINE)
_LISTED = re.compile(
    r"^>? ?Tool Name: *(?P<name>\S+)\s*\nTool Description: *(?P<description>.*?)\nTool Args: *(?P<args>\{.*\}) *$",
    re.MULTILINE | re.DOTALL,
)
_ONE_LISTED = re.compile(r"(?=^>? ?Tool Name:)", re.MULTILINE)
_PLAIN = re.compile(
    r"^(?P<name>[A-Za-z_]\w*)(?:\((?P<parameter>\w*)[^\n]*?\)[^\n:-]*(?:->[^\n:-]*)?)?\s*[:-]\s+(?P<description>[^\n]+)$",
    re.MULTILINE,
)
_PLAIN_LIST = re.compile(
    r"access to the following tools:\s*\n(?P<tools>.*?)\n\s*\n(?:Use the following|The way you use|To use a tool)",
    re.DOTALL | re.IGNORECASE,
)
_STEP = re.compile(
    r"Action: *(?P<name>[^\n(]+?) *\n+Action Input: *(?P<input>.*?)(?=\n+ *(?:Observation:|Thought:|Answer:)|\Z)",
    re.DOTALL,
)
_OBSERVATION = re.compile(r"Observation: *(?P<text>.*?)(?=\n+Thought:|\Z)", re.DOTALL)
_QUESTION = re.compile(r"\nBegin!.*?\nQuestion: *(?P<question>.*?)\nThought: *(?P<scratch>.*)\Z", re.DOTALL)
_NEED = "The current language of the user is: English. I need to use a tool to help me answer the question."
_ENOUGH = "I can answer without using any more tools. I'll use the user's language to answer"


@dataclass(frozen=True, slots=True)
class _Agent:
    """A ReAct prompt taken apart. `final`: how the answer is labelled; `as_json`: the input is an object."""

    tools: Sequence[Tool]
    messages: Sequence[Message]
    final: str = "Answer"
    as_json: bool = True


def reply(messages: Sequence[Message], words: Callable[[Sequence[Message]], str]) -> str | None:
    """The next step of the agent, in its format; None where no prompt asks for it. `words`: an answer in words."""
    agent = _llama_index(messages) or _langchain(messages)
    if agent is None:
        return None
    # One call at a time: the format knows no other way.
    calls = tool_choice.choose(agent.tools, ToolChoice(), agent.messages, parallel=False)
    if calls:
        return _step(agent, calls[0])
    return f"Thought: {_ENOUGH}\n{agent.final}: {words(agent.messages)}"


def _step(agent: _Agent, call: ToolCall) -> str:
    given = json.dumps(call.arguments, ensure_ascii=False) if agent.as_json else _bare(call)
    return f"Thought: {_NEED}\nAction: {call.name}\nAction Input: {given}"


def _bare(call: ToolCall) -> str:
    """The input of a tool that takes one text."""
    values = list(call.arguments.values())
    return str(values[0]) if len(values) == 1 else compact(call.arguments)


def _llama_index(messages: Sequence[Message]) -> _Agent | None:
    for at, message in enumerate(messages):
        if _FORMAT.search(message.text) and "Tool Name:" in message.text:
            listed = [_LISTED.search(piece) for piece in _ONE_LISTED.split(message.text)]
            tools = [
                Tool(found["name"], found["description"].strip(), parsed(found["args"])) for found in listed if found
            ]
            rest = [*messages[:at], *messages[at + 1 :]]
            return _Agent(tools, [turned for number, m in enumerate(rest) for turned in _turned(m, number)])
    return None


def _turned(message: Message, number: int) -> list[Message]:
    """A step as the call it is, an observation as a result, all else as it stands."""
    if message.role == "assistant" and (step := _STEP.search(message.text)):
        call = ToolCall(step["name"].strip(), parsed(step["input"].strip()), f"step-{number}")
        return [Message("assistant", "", (call,))]
    if message.role in {"user", "tool"} and message.text.startswith("Observation:"):
        # The call it answers stands right before it.
        return [Message("tool", message.text.removeprefix("Observation:").strip(), call_id=f"step-{number - 1}")]
    return [message]


def _plain_tool(found: re.Match[str]) -> Tool:
    """A tool that takes one text, under the name of its first parameter."""
    name = found["parameter"] or "input"
    return Tool(found["name"], found["description"], {"type": "object", "properties": {name: {"type": "string"}}})


def _langchain(messages: Sequence[Message]) -> _Agent | None:
    last = messages[-1].text if messages else ""
    if not _FORMAT.search(last):
        return None
    listed, asked = _PLAIN_LIST.search(last), _QUESTION.search(last)
    if listed is None or asked is None:
        return None
    tools = [_plain_tool(found) for found in _PLAIN.finditer(listed["tools"])]
    history = [Message("user", asked["question"])]
    steps, seen = _STEP.finditer(asked["scratch"]), _OBSERVATION.finditer(asked["scratch"])
    for number, (step, observation) in enumerate(zip(steps, seen, strict=False)):
        call = ToolCall(step["name"].strip(), {"input": step["input"].strip()}, f"step-{number}")
        history.append(Message("assistant", "", (call,)))
        history.append(Message("tool", observation["text"].strip(), call_id=call.id))
    return _Agent(tools, history, final="Final Answer", as_json=False)
