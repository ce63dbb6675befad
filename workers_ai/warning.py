"""Warnings, told at the line that the user wrote."""

from __future__ import annotations

import sys
import warnings

_BETWEEN = frozenset(
    {
        "workers_ai",
        "langchain_workers_ai",
        "llama_index_workers_ai",
        "pydantic",
        "langchain",
        "langchain_core",
        "langgraph",
        "llama_index",
        "llama_index_instrumentation",
        "workflows",
        "wrapt",
    }
)
"""Packages whose frames stand between a user's line and this file."""


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """As `warnings.warn`, naming the nearest line that is neither ours nor a framework's.

    Python shows a DeprecationWarning only where that line is in `__main__`, and any other once for each such line.
    """
    # How many frames stand between differs by class and call: a framework's base may have an `__init__` of its own.
    frame, level = sys._getframe(), 1
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in _BETWEEN:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)
