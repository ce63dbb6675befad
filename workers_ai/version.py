"""The version of the installed distribution."""

from __future__ import annotations

from functools import cache


@cache
def version() -> str:
    """The distribution's version, "0" in a checkout that was never installed."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    try:
        return installed("workers-ai")
    except PackageNotFoundError:
        return "0"


@cache
def user_agent() -> str:
    """How requests introduce themselves."""
    return f"workers-ai-python/{version()}"
