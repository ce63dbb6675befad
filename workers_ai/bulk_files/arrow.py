"""pyarrow, imported where it is first needed."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def arrow(module: str = "pyarrow") -> Any:
    """`pyarrow` or one of its modules. Raises ModuleNotFoundError that names the extra where it is not installed."""
    try:
        return import_module(module)
    except ModuleNotFoundError as missing:
        raise ModuleNotFoundError(
            "columnar files need pyarrow: pip install 'workers-ai[bulk]'", name=missing.name
        ) from missing
