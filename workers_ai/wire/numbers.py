"""JSON that is mostly numbers: read and checked without touching each of them in Python."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING

from pydantic_core import SchemaValidator, ValidationError, core_schema, from_json

if TYPE_CHECKING:
    Rows = list[list[float]]


def parse_numbers(body: bytes) -> object:
    """The value of a JSON text. Raises ValueError where it is none."""
    return _parser()(body)


def rows_of_floats(rows: list[object]) -> Rows:
    """`rows` with every number as a float; an empty list for a row that holds anything else."""
    try:
        return _validator().validate_python(rows)  # type: ignore[no-any-return]  # as its schema says
    except ValidationError as wrong:
        bad = {error["loc"][0] for error in wrong.errors(include_url=False, include_input=False)}
        return rows_of_floats([[] if place in bad else row for place, row in enumerate(rows)])


@cache
def _parser() -> Callable[[bytes], object]:
    """orjson where it is installed (LangChain brings it): floats take it half the time of pydantic's parser."""
    try:
        from orjson import loads
    except ImportError:
        return from_json

    def parse(body: bytes) -> object:
        with suppress(ValueError):  # it refuses NaN and broken UTF-8: one parser decides for all what is JSON
            return loads(body)
        return from_json(body)  # out here: orjson's error, which holds the body, would be part of this one's

    return parse


@cache
def _validator() -> SchemaValidator:
    number = core_schema.float_schema(strict=True)  # takes integers, and neither text nor booleans
    return SchemaValidator(core_schema.list_schema(core_schema.list_schema(number, strict=True), strict=True))
