"""Structured output: a model that answers in a schema."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from langchain_core.exceptions import OutputParserException
from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import BaseMessage, SystemMessage
from langchain_core.output_parsers import BaseOutputParser, JsonOutputParser, PydanticOutputParser
from langchain_core.output_parsers.openai_tools import JsonOutputKeyToolsParser, PydanticToolsParser
from langchain_core.outputs import Generation
from langchain_core.runnables import Runnable, RunnableLambda, RunnableMap
from langchain_core.utils.function_calling import convert_to_json_schema
from langchain_core.utils.pydantic import is_basemodel_subclass
from pydantic_core import to_json

from langchain_workers_ai.tools import to_wire_tools
from workers_ai.json_schema import accepted

if TYPE_CHECKING:
    from langchain_workers_ai.chat_models import ChatWorkersAI

Method = Literal["function_calling", "json_schema", "json_mode"]
Schema = dict[str, Any] | type


class _ToTheEnd:
    """A stream is parsed as a beginning until its last chunk, and that as whole: nothing ends in silence."""

    def parse_result(self, result: list[Generation], *, partial: bool = False) -> Any:
        """What is found; None for a beginning that holds nothing yet."""
        ended = getattr(getattr(result[0], "message", None), "chunk_position", None) == "last"
        return super().parse_result(result, partial=partial and not ended)  # type: ignore[misc]  # before a parser


class _Forced:
    """A forced tool that was not called is an error with the text that came instead."""

    def parse_result(self, result: list[Generation], *, partial: bool = False) -> Any:
        """The arguments of the first call. Raises OutputParserException when the answer holds none."""
        found = super().parse_result(result, partial=partial)  # type: ignore[misc]  # a mixin before a parser
        message = getattr(result[0], "message", None)
        if found is None and not partial and not getattr(message, "tool_calls", None):
            broken = getattr(message, "invalid_tool_calls", None)
            text = str(broken[0].get("args") or "") if broken else result[0].text
            raise OutputParserException(f"The model did not call the tool; it wrote: {text!r}", llm_output=text)
        return found


class _PydanticCall(_ToTheEnd, _Forced, PydanticToolsParser):
    pass


class _KeyCall(_ToTheEnd, _Forced, JsonOutputKeyToolsParser):
    pass


class _PydanticText(_ToTheEnd, PydanticOutputParser[Any]):
    pass


class _JsonText(_ToTheEnd, JsonOutputParser):
    pass


def structured_output(
    model: ChatWorkersAI,
    schema: Schema | None,
    *,
    method: Method = "function_calling",
    include_raw: bool = False,
    strict: bool | None = None,
    tools: list[Any] | None = None,
    **kwargs: Any,
) -> Runnable[LanguageModelInput, Any]:
    """A runnable that answers with an instance of `schema`, or a dict where that is no class of pydantic's.

    Raises ValueError for an unknown method, and for none but "json_mode" without a schema.
    """
    if method not in ("function_calling", "json_schema", "json_mode"):
        raise ValueError(f"method={method!r}: 'function_calling', 'json_schema' or 'json_mode'")
    if schema is None and method != "json_mode":
        raise ValueError(f"method={method!r} needs a schema")
    if method == "function_calling":
        bound, parser = _by_call(model, schema, strict=strict, kwargs=kwargs)
    else:
        bound, parser = _by_json_mode(model, schema, method=method, strict=strict, tools=tools, kwargs=kwargs)
    if not include_raw:
        return bound | parser
    return RunnableMap(raw=bound) | RunnableLambda(_beside_raw(parser))


def _beside_raw(parser: BaseOutputParser[Any]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Adds what became of the raw answer. No fallbacks: in a stream they catch nothing after the first chunk."""

    def parsed(answer: dict[str, Any]) -> dict[str, Any]:
        try:
            return {**answer, "parsed": parser.invoke(answer["raw"]), "parsing_error": None}
        except Exception as error:  # noqa: BLE001  # whatever the parser raises is told beside the answer
            return {**answer, "parsed": None, "parsing_error": error}

    return parsed


def _instructed(model: ChatWorkersAI, schema: Schema) -> Callable[[LanguageModelInput], list[BaseMessage]]:
    """Adds the schema to a prompt: bare JSON mode does not tell the model which keys are wanted."""
    held = to_json(accepted(convert_to_json_schema(schema))).decode()
    instruction = SystemMessage(f"Answer with one JSON object and nothing else. Its JSON schema:\n{held}")

    def instructed(prompt: LanguageModelInput) -> list[BaseMessage]:
        return [instruction, *model._convert_input(prompt).to_messages()]

    return instructed


def _by_call(
    model: ChatWorkersAI, schema: Schema | None, *, strict: bool | None, kwargs: dict[str, Any]
) -> tuple[Runnable[LanguageModelInput, Any], BaseOutputParser[Any]]:
    """The schema as a tool that must be called."""
    assert schema is not None
    tool = to_wire_tools([schema], strict=strict)[0]
    name = tool["function"]["name"]
    bound = model.bind_tools(
        [tool],
        tool_choice=name,
        parallel_tool_calls=False,
        ls_structured_output_format={"kwargs": {"method": "function_calling", "strict": strict}, "schema": tool},
        **kwargs,
    )
    if isinstance(schema, type) and is_basemodel_subclass(schema):
        return bound, _PydanticCall(tools=[schema], first_tool_only=True)
    return bound, _KeyCall(key_name=name, first_tool_only=True)


def _by_json_mode(
    model: ChatWorkersAI,
    schema: Schema | None,
    *,
    method: Method,
    strict: bool | None,
    tools: list[Any] | None,
    kwargs: dict[str, Any],
) -> tuple[Runnable[LanguageModelInput, Any], BaseOutputParser[Any]]:
    """The schema as the answer's own format, or as a promise of the prompt (`json_mode`)."""
    asked: dict[str, Any] = {"type": "json_object"}
    if method == "json_schema":
        assert schema is not None
        held = convert_to_json_schema(schema)
        asked = {
            "type": "json_schema",
            "json_schema": {"name": held.get("title") or "answer", "schema": held, "strict": strict},
        }
    told = {"kwargs": {"method": method, "strict": strict}, "schema": schema}
    bound: Runnable[LanguageModelInput, Any] = model.bind_tools(
        tools or [], response_format=asked, ls_structured_output_format=told, **kwargs
    )
    if method == "json_mode" and schema is not None:
        bound = RunnableLambda(_instructed(model, schema)) | bound
    if isinstance(schema, type) and is_basemodel_subclass(schema):
        return bound, _PydanticText(pydantic_object=schema)
    return bound, _JsonText()
