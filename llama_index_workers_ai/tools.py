"""LlamaIndex's tools to the wire, and calls in its messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, ToolCallBlock
from llama_index.core.llms.llm import ToolSelection
from llama_index.core.tools.types import BaseTool

from workers_ai.errors import InvalidResponseError
from workers_ai.wire.arguments import parsed_arguments
from workers_ai.wire.tools import WireTool, wire_tool

Tool = BaseTool | Mapping[str, Any]
"""A tool of LlamaIndex's, or OpenAI's dict."""

_Made = tuple[tuple[Any, ...], WireTool]

_MADE: WeakKeyDictionary[BaseTool, _Made] = WeakKeyDictionary()
"""What became of each tool, as long as it lives, and what it was made from: agents hand them over in every step."""


def to_wire_tools(tools: Sequence[Tool], *, strict: bool | None = None) -> list[WireTool]:
    """`tools` as the service takes them; each is converted once. strict: keep to the schema to the letter."""
    return [_to_wire(tool, strict=strict) for tool in tools]


def _to_wire(tool: Tool, *, strict: bool | None) -> WireTool:
    if isinstance(tool, Mapping):
        return tool if isinstance(tool, WireTool) else wire_tool(_strictly(tool, strict=strict))
    made_of = (tool.metadata.name, tool.metadata.description, tool.metadata.fn_schema, strict)
    try:
        held = _MADE.get(tool)
    except TypeError:  # a class of the user's own whose objects have no hash, or take no weak reference
        return _made(tool, strict=strict)
    if held is None or held[0] != made_of:
        _MADE[tool] = held = (made_of, _made(tool, strict=strict))
    return held[1]


def _made(tool: BaseTool, *, strict: bool | None) -> WireTool:
    # No limit to the length of a description here: the service has none.
    return wire_tool(_strictly(tool.metadata.to_openai_tool(skip_length_check=True), strict=strict))


def _strictly(tool: Mapping[str, Any], *, strict: bool | None) -> Mapping[str, Any]:
    return tool if strict is None else {**tool, "function": {**tool["function"], "strict": strict}}


def calls_of(message: ChatMessage) -> list[ToolCallBlock]:
    """The calls of a message, in their order."""
    return [block for block in message.blocks if isinstance(block, ToolCallBlock)]


def selections(response: ChatResponse) -> list[ToolSelection]:
    """The calls of a response as LlamaIndex runs them; of a growing one as far as their arguments are known.

    Raises InvalidResponseError for a call whose arguments are no JSON object, naming it and what stands there: run
    without them it could do something else than was asked for, and left out the agent would end without a word.
    """
    return [_selection(block, response) for block in calls_of(response.message)]


def _selection(block: ToolCallBlock, response: ChatResponse) -> ToolSelection:
    held = block.tool_kwargs
    arguments = parsed_arguments(held) if isinstance(held, str) else held
    if arguments is None:
        raise InvalidResponseError(
            f"The model called {block.tool_name!r} with arguments that are no JSON object: {held!r}",
            model=response.additional_kwargs.get("model_name"),
            hint="The tool was not run. A higher max_tokens helps where the arguments were cut off",
        )
    return ToolSelection(tool_id=block.tool_call_id or "", tool_name=block.tool_name, tool_kwargs=arguments)


def with_first_call(response: ChatResponse) -> ChatResponse:
    """`response` with the first of its calls alone: for who asked for one at a time, whatever the model did."""
    message = response.message
    if len(calls_of(message)) <= 1:
        return response
    rest = calls_of(message)[1:]
    blocks = [block for block in message.blocks if not any(block is each for each in rest)]
    kept = {**message.additional_kwargs, "tool_calls": message.additional_kwargs.get("tool_calls", [])[:1]}
    single = ChatMessage(role=message.role, blocks=blocks, additional_kwargs=kept)
    return response.model_copy(update={"message": single})
