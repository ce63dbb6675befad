"""Which tools to call next: decided by words that the message and a tool share.

The message is cut into clauses; each goes to the tool that it meets best, a clause that meets none stays with the one
before it. So "the weather in Paris and the time in Tokyo" calls two tools, "the weather in Paris and London" one tool
twice. What was called since the message and brought a result is not called again.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from . import arguments, extract, material, proper_names, words
from .arguments import Filler
from .inventions import Inventor
from .material import Material, Source
from .message import Message
from .schemas import choices_in, kind_of, resolved
from .tools import Tool, ToolCall, ToolChoice
from .turn import Turn

_NUMERIC = {"integer", "number"}
# Words of a name that say nothing about what it is for.
_GENERIC = frozenset(
    words.stem(word)
    for word in """get set fetch do run call make create compute calculate perform execute retrieve return tool function
    helper api my current new info information data value given and or with for of to from by in at the a an use
    useful when user request string int float str dict list object type input output result number some any can this
    agent function_call""".split()
)
# Words that ask for the same thing; the first stands for all.
_SYNONYMS = {
    words.stem(word): words.stem(group.split()[0])
    for group in (
        "weather forecast temperature rain rainy sunny warm cold snow windy climate umbrella degrees",
        "time clock hour timezone",
        "add plus sum adder addition total",
        "subtract minus difference subtraction",
        "multiply product multiplication multiplied multiplier",
        "divide quotient division divided",
        "search find lookup google",
        "email mail e-mail",
        "price cost worth",
        "translate translation translator",
    )
    for word in group.split()
}
_OPERATORS = (
    (re.compile(r"(?<=\d)\s*\+\s*(?=\d)"), " add "),
    (re.compile(r"(?<=\d)\s*(?:\*|×|x|times|multiplied by)\s*(?=\d)"), " multiply "),
    (re.compile(r"(?<=\d)\s*(?:/|÷|divided by|over)\s*(?=\d)"), " divide "),
    (re.compile(r"(?<=\d)\s+[-−]\s+(?=\d)"), " subtract "),
)
_CUT = re.compile(r"(?<=[.?!;\n])\s+|\s*[,;]\s*(?:and\s+|then\s+|also\s+)*|\s+(?:and|then|also|plus)\s+", re.IGNORECASE)
_USE_A_TOOL = re.compile(r"\b(?:us(?:e|ing)|call|invoke)\s+(?:\w+\s+){0,3}?(?:tool|function)s?\b", re.IGNORECASE)
_LATER = re.compile(r"\b(?:then|after(?:wards| that)?|the results?|that (?:number|value|result|sum))\b", re.IGNORECASE)
_OPTION = re.compile(r"^[ \t]*[-*•]?[ \t]*['\"]?(?P<name>\w[\w-]*)['\"]?[ \t]*:[ \t]*(?P<text>\S.*)$", re.MULTILINE)
_OPTION_INLINE = re.compile(r"['\"](?P<name>\w[\w -]*)['\"]: ['\"](?P<text>[^'\"]+)")
_FAILED = re.compile(r"^\W*(?:error|exception|failed|invalid|missing)\b", re.IGNORECASE)
_MOST_TRIES = 2


def choose(
    tools: Sequence[Tool], choice: ToolChoice, messages: Sequence[Message], *, parallel: bool = True
) -> list[ToolCall]:
    """The calls to make now, in order; [] to answer in words. Ids are left to whoever dresses the answer."""
    allowed = [tool for tool in tools if not choice.names or tool.name in choice.names]
    if choice.mode == "none" or not allowed:
        return []
    turn = Turn.of(messages)
    calls = _open_calls(allowed, turn)
    if not calls and choice.forced:
        calls = _forced_call(allowed, turn)
    return calls if parallel else calls[:1]


def _open_calls(tools: Sequence[Tool], turn: Turn) -> list[ToolCall]:
    """What the message asks for and nobody did yet; of steps that build on one another, the first."""
    open_calls: list[ToolCall] = []
    made = list(turn.called)
    for step in _steps(tools, turn.asked):
        if open_calls and step.later:
            break
        for call in _calls(step, turn):
            done = next((other for other in made if other.name == call.name), None)
            if done is not None and not _worth_another_try(call, turn):
                made.remove(done)
            elif not any(call.same_as(other) for other in open_calls):
                open_calls.append(call)
    return open_calls


def _worth_another_try(call: ToolCall, turn: Turn) -> bool:
    """Whether the tool failed the last time and would now be asked something else."""
    tries = [other for other in turn.called if other.name == call.name]
    failed = bool(turn.results) and bool(_FAILED.match(turn.results[-1]))
    return failed and len(tries) < _MOST_TRIES and not any(call.same_as(other) for other in tries)


def _forced_call(tools: Sequence[Tool], turn: Turn) -> list[ToolCall]:
    """The call that must come although nothing asks for it: the best tool among those that did not run yet."""
    called = {call.name for call in turn.called}
    fresh = [tool for tool in tools if tool.name not in called]
    if not fresh:
        return []
    best = max(fresh, key=lambda tool: _Fit.of(tool, turn.asked).score)
    return _calls(_Step(best, turn.asked, forced=True), turn)[: None if best.required else 1]


@dataclass(slots=True)
class _Step:
    """A stretch of the message that one tool is for."""

    tool: Tool
    text: str
    later: bool = False
    forced: bool = False


@dataclass(frozen=True, slots=True)
class _Fit:
    """How well a tool meets a text."""

    score: float
    fits: bool

    @classmethod
    def of(cls, tool: Tool, text: str, *, urged: bool = False) -> "_Fit":
        """`urged`: the message says that a tool is to be used, so any word in common is enough."""
        if re.search(rf"(?<!\w){re.escape(tool.name)}(?!\w)", text):
            return cls(10.0 + len(tool.name) / 100, fits=True)
        asked = _terms(text)
        name = _telling(" ".join(arguments.words_of(tool.name)))
        about = _telling(tool.description) - name
        params = _telling(" ".join(word for key in tool.properties for word in arguments.words_of(key))) - name - about
        hits, described = len(name & asked), len(about & asked)
        share = hits / len(name) if name else 0.0
        score = 2 * share + 0.5 * min(described, 3) + 0.25 * min(len(params & asked), 2)
        fits = (
            share >= 0.5
            or (hits > 0 and described > 0)
            or (described >= 2 and described >= len(asked) / 2)
            or (urged and score > 0)
            or any(_telling(" ".join(arguments.words_of(option))) & asked for option in _options(tool))
        )
        return cls(score, fits and _has_numbers(tool, text))


def _has_numbers(tool: Tool, text: str) -> bool:
    """A tool that must have numbers is not for a text without any; one that builds on a result may lack one."""
    needed = [tool.properties[name] for name in tool.required]
    numeric = sum(isinstance(facts, dict) and kind_of(facts) in _NUMERIC for facts in needed)
    return not numeric or bool(Source(text).numbers()) or bool(_LATER.search(text))


def _terms(text: str) -> set[str]:
    for pattern, word in _OPERATORS:
        text = pattern.sub(word, text)
    stems = set(extract.terms(text))
    return stems | {_SYNONYMS[stem] for stem in stems if stem in _SYNONYMS}


def _telling(text: str) -> set[str]:
    """The terms of a tool's own words; the generic ones only where there are no others."""
    found = {_SYNONYMS.get(stem, stem) for stem in extract.terms(text)} if text else set()
    return {stem for stem in found if stem not in _GENERIC} or found


def _steps(tools: Sequence[Tool], asked: str) -> list[_Step]:
    """The stretches of the message with their tools, in order."""
    urged = bool(_USE_A_TOOL.search(asked))
    steps: list[_Step] = []
    lead = ""
    for clause in _clauses(asked):
        tool = _best(tools, clause, urged=urged)
        if tool is not None and not _goes_on(steps, tool, clause):
            steps.append(_Step(tool, lead + clause, later=bool(steps) and bool(_LATER.search(clause))))
            lead = ""
        elif steps:
            steps[-1].text += clause
        else:
            lead += clause
    if steps:
        steps[-1].text += lead
        return steps
    whole = _best(tools, asked, urged=urged) or (tools[0] if urged and len(tools) == 1 else None)
    return [_Step(whole, asked)] if whole else []


def _goes_on(steps: Sequence[_Step], tool: Tool, clause: str) -> bool:
    """Whether the clause only adds to what the tool is asked already: no name and no number of its own."""
    if not steps or steps[-1].tool is not tool:
        return False
    source = Source(clause)
    fresh = any(name.text not in steps[-1].text for name in source.names()) or bool(source.numbers())
    return not (fresh and _Fit.of(tool, clause).fits)


def _clauses(text: str) -> Iterator[str]:
    """The text in pieces that joined give it back."""
    at = 0
    for cut in _CUT.finditer(text):
        # A cut inside brackets or quotation marks is none.
        piece = text[at : cut.start()]
        if piece.count("(") > piece.count(")") or piece.count('"') % 2:
            continue
        yield text[at : cut.start()]
        at = cut.start()
    yield text[at:]


def _best(tools: Sequence[Tool], text: str, *, urged: bool) -> Tool | None:
    fits = [(_Fit.of(tool, text, urged=urged), tool) for tool in tools]
    found = [(fit.score, -at, tool) for at, (fit, tool) in enumerate(fits) if fit.fits]
    return max(found, key=lambda entry: entry[:2])[2] if found else None


def _calls(step: _Step, turn: Turn) -> list[ToolCall]:
    """The calls of one step: several where it lists several values for the tool's one parameter."""
    tool = step.tool
    name = _sole_parameter(tool)
    several = _listed_values(tool, name, step.text) if name else []
    if name and len(several) > 1:
        return [_filled(tool, step, turn, {name: value}) for value in several]
    return [_filled(tool, step, turn, {})]


def _filled(tool: Tool, step: _Step, turn: Turn, given: Mapping[str, Any]) -> ToolCall:
    results = list(reversed(turn.results))
    # A step that builds on a result asks that first for what it lacks.
    texts = [step.text, *results, turn.asked] if step.later else [step.text, turn.asked, *results]
    if step.forced:
        texts = [*results, step.text]
    schema = _with_options(tool)
    found = _without_name(Material(*texts, turn.before), tool)
    # Where nothing in the message asks for the tool, what it lacks is made up.
    inventor = Inventor(turn.asked, from_results=bool(results)) if step.forced else None
    filler = Filler(found, tool.parameters, inventor=inventor)
    return ToolCall(tool.name, filler.object(resolved(schema, tool.parameters), given=given))


def _without_name(found: Material, tool: Tool) -> Material:
    """The material with the tool's own name taken out: it is no value."""
    for source in found.sources:
        for match in re.finditer(rf"(?<!\w){re.escape(tool.name)}(?!\w)", source.text):
            source.take(*match.span())
    return found


def _sole_parameter(tool: Tool) -> str | None:
    names = tool.required or list(tool.properties)
    return names[0] if len(names) == 1 else None


def _listed_values(tool: Tool, name: str, text: str) -> list[Any]:
    """The values listed for a parameter that takes one: numbers, quotations, names, or plain words after "in"."""
    facts = resolved(tool.properties[name], tool.parameters)
    source = Source(text)
    if choices := choices_in(facts):
        return [choice for choice in choices if re.search(rf"\b{re.escape(str(choice))}\b", text, re.IGNORECASE)]
    if kind_of(facts) in _NUMERIC:
        numbers = source.numbers()
        listed = len(numbers) > 1 and _side_by_side(text, [(n.start, n.end) for n in numbers])
        return [int(n.value) if n.value.is_integer() else n.value for n in numbers] if listed else []
    if kind_of(facts) not in {"", "string"} or set(arguments.words_of(name)) & {"query", "question", "expression"}:
        return []
    return _listed_names(source)


def _listed_names(source: Source) -> list[str]:
    quotations = source.quotations()
    if len(quotations) > 1 and _side_by_side(source.text, [(q.start, q.end) for q in quotations]):
        return [quotation.text for quotation in quotations]
    names = source.names()
    chains = [proper_names.chain(source.text, names, at) for at in range(len(names))]
    longest = max(chains, key=len, default=[])
    if names:
        return [name.text for name in longest] if len(longest) > 1 else []
    places = source.lower_places()
    return [place.text for place in places] if places and material.one_phrase(source.text, places) else []


def _side_by_side(text: str, spans: Sequence[tuple[int, int]]) -> bool:
    """Whether nothing but commas and "and" stands between them, and one "and" at least."""
    between = [text[a[1] : b[0]] for a, b in pairwise(spans)]
    joints = [re.fullmatch(r"\s*,?\s*(?:and|&)?\s*", piece) for piece in between]
    return all(joints) and any("and" in piece or "&" in piece for piece in between)


def _with_options(tool: Tool) -> dict[str, Any]:
    """The tool's schema; a parameter for one of the things that the description lists is told what they are."""
    options = _options(tool)
    properties = dict(tool.properties)
    for name, facts in properties.items() if options else ():
        if isinstance(facts, dict) and kind_of(facts) == "string" and name in tool.required:
            properties[name] = {**facts, "x-options": options}
            break
    return {**tool.parameters, "properties": properties}


def _options(tool: Tool) -> dict[str, str]:
    """What a description lists as "Name: what for", in lines or as a Python dict, if a parameter is about it."""
    told = {word for name in tool.properties for word in arguments.words_of(name)}
    if not told & set(words.words(tool.description)):
        return {}
    listed = _OPTION_INLINE.findall(tool.description) or _OPTION.findall(tool.description)
    return {name: text for name, text in listed if name not in {*tool.properties, "Args", "Returns", "Example"}}
