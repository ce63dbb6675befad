"""The text of a value that should be a string and is not always one."""

from __future__ import annotations

from pydantic_core import to_json


def as_text(value: object) -> str:
    """`value` as the text that the model wrote.

    A numeric token arrives as a JSON number (quirk 6), a JSON-mode answer as an object (quirk 5), nothing as null.
    Dropping what is no string loses digits, prices and citation marks.
    """
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, list) and value and all(isinstance(part, dict) and "text" in part for part in value):
        return "".join(as_text(part["text"]) for part in value)
    return to_json(value).decode()
