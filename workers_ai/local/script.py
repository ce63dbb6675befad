"""The emulator's answers, written beforehand turn by turn: for tests of chains and agents.

    script = Script()
    script.call_tool("weather", city="Oslo")
    script.reply("It rains in Oslo.")
    with LocalServer(script=script) as server: ...

Each chat that arrives takes the next turn, dressed in the form of its model's family, streamed or not. Embeddings and
rankings take none.
"""

import threading
from collections import deque
from collections.abc import AsyncIterator, Mapping
from typing import Any

from . import errors, pieces, refusals
from .backend import Backend, Delta, End
from .chat_request import ChatRequest
from .errors import ServiceError
from .fit import misfits
from .plan import Plan
from .tools import ToolCall, compact

_SHOWN = 120  # characters of a text in a message


class ScriptError(AssertionError):
    """A request that the script has no turn for, a call that its request does not allow, or turns nobody asked for."""


class Script:
    """The turns, first in, first out; safe from any thread. `LocalServer(script=...)` takes it as what generates.

    behind: what answers as long as no turn was ever given. None: every chat needs a turn.

    What the script cannot answer is refused (400) with words that name the request; it stands in `problems` too, and
    `check` raises it, so that code which catches errors hides nothing.
    """

    def __init__(self, *, behind: Backend | None = None) -> None:
        self._behind = behind
        self._lock = threading.Lock()
        self._turns: deque[Plan | ServiceError] = deque()
        self._given = 0
        self._asked = 0
        self._problems: list[str] = []

    def reply(self, text: str | Mapping[str, Any] | list[Any], *, reasoning: str = "", cut: bool = False) -> None:
        """A turn in words; a mapping or a list goes out as JSON.

        reasoning: shown where the request asks for it or the model always does. cut: it breaks off there, finish reason
        "length"; so does what is longer than the request's (or the model's own) `max_tokens`.
        """
        words = text if isinstance(text, str) else _json(text, "reply")
        self._add(Plan(words, thoughts=reasoning, cut=cut))

    def call_tool(self, name: str, /, **arguments: Any) -> None:
        """A turn that calls one tool."""
        self.call_tools((name, arguments))

    def call_tools(self, *calls: tuple[str, Mapping[str, Any]], text: str = "", reasoning: str = "") -> None:
        """A turn that calls tools at once: pairs of a name and its arguments. text: said before the calls.

        When its request arrives each is checked: the tool is one of those offered, the arguments fit its schema, and
        `tool_choice` and `parallel_tool_calls` allow it. Raises TypeError for arguments that are no JSON.
        """
        if not calls:
            raise ValueError("call_tools needs a pair of name and arguments at least")
        for name, arguments in calls:
            _json(dict(arguments), f"the arguments of {name}")
        self._add(Plan(text, tuple(ToolCall(name, dict(arguments)) for name, arguments in calls), reasoning))

    def fail(self, code: int, message: str | None = None, *, status: int | None = None) -> None:
        """A turn that refuses with a code of the service, e.g. 3040, or with a bare status, e.g. 503.

        The client tries again what the service would want tried again: then the next turn answers it.
        message, status: in place of those that the code comes with. Raises ValueError for a code that is not known and
        has no `status`.
        """
        self._add(refusals.of(code, message, status))

    @property
    def left(self) -> list[str]:
        """The turns that no request has taken yet, in words."""
        with self._lock:
            return [_told(turn) for turn in self._turns]

    def drop(self) -> None:
        """Forget the turns that are left: `check` will not miss them."""
        with self._lock:
            self._turns.clear()

    @property
    def problems(self) -> list[str]:
        """What could not be answered so far."""
        with self._lock:
            return list(self._problems)

    def check(self) -> None:
        """Raise `ScriptError` for problems, and for turns that no request has taken."""
        problems = self.problems
        if left := self.left:
            problems.append(f"{len(left)} of {self._given} turns were not asked for: {', '.join(left)}")
        if problems:
            raise ScriptError("The script of the emulator, " + "\n".join(problems))

    async def generate(self, request: ChatRequest) -> AsyncIterator[Delta | End]:
        """The pieces of the next turn."""
        turn = self._take(request)
        if turn is None:
            assert self._behind is not None
            async for piece in self._behind.generate(request):
                yield piece
            return
        if isinstance(turn, ServiceError):
            raise turn
        for piece in pieces.of(request, turn):
            yield piece

    def _add(self, turn: Plan | ServiceError) -> None:
        with self._lock:
            self._turns.append(turn)
            self._given += 1

    def _take(self, request: ChatRequest) -> Plan | ServiceError | None:
        with self._lock:
            self._asked += 1
            if not self._given and self._behind is not None:
                return None
            turn = self._turns.popleft() if self._turns else None
            problem = "" if isinstance(turn, ServiceError) else self._problem(turn, request)
            if problem:
                self._problems.append(f"chat {self._asked}: {problem}\n  it was {_request(request)}")
                raise errors.openai(400, "script", f"The script of the emulator, {self._problems[-1]}")
            return turn

    def _problem(self, turn: Plan | None, request: ChatRequest) -> str:
        if turn is None:
            return f"no turn is left; {self._given} were given"
        return "; ".join(_call_problems(turn, request))


def _call_problems(turn: Plan, request: ChatRequest) -> list[str]:
    choice, offered = request.choice, {tool.name: tool for tool in request.tools}
    found = []
    if turn.calls and choice.mode == "none":
        found.append(f"{_told(turn)}, but tool_choice is 'none'")
    if len(turn.calls) > 1 and not request.parallel:
        found.append(f"{_told(turn)}, but parallel_tool_calls is false")
    for call in turn.calls:
        if call.name not in offered:
            # A ReAct agent describes its tools in the prompt, and its calls are text.
            names = ", ".join(sorted(offered)) or "none (an agent that writes its calls as text takes reply(...))"
            found.append(f"there is no tool {call.name!r}; the tools offered: {names}")
        elif choice.names and call.name not in choice.names:
            found.append(f"tool_choice allows {', '.join(choice.names)} and not {call.name!r}")
        else:
            wrong = misfits(dict(call.arguments), offered[call.name].parameters)
            found += [f"the call {_call(call)} does not fit the tool's schema: {each}" for each in wrong]
    return found


def _request(request: ChatRequest) -> str:
    """A chat in a line or two."""
    last = request.messages[-1]
    tools = f", tools {', '.join(tool.name for tool in request.tools)}" if request.tools else ""
    count = f"{len(request.messages)} message{'s' if len(request.messages) > 1 else ''}"
    return f"to {request.model}{tools}; {count}, the last from {last.role}: {_short(last.text)!r}"


def _told(turn: Plan | ServiceError) -> str:
    """A turn as it was written."""
    if isinstance(turn, ServiceError):
        return f"fail({turn.args[0]}, {_short(compact(turn.body))})"
    if turn.calls:
        return " and ".join(f"call_tool({_call(call)})" for call in turn.calls)
    return f"reply({_short(turn.text)!r})"


def _call(call: ToolCall) -> str:
    return ", ".join([call.name, *(f"{name}={_short(compact(value))}" for name, value in call.arguments.items())])


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _json(value: Any, what: str) -> str:
    try:
        return compact(value)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{what} must be JSON: {error}") from None
