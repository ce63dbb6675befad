"""Names of a package that are resolved at their first use."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any


def resolved(package: str, own: Mapping[str, str], shared: tuple[str, ...], name: str, *, extra: str) -> Any:
    """What `name` stands for in an adapter `package`.

    own: names to the modules of the package that hold them. shared: names that the core holds.
    extra: of the distribution, that brings the framework.
    Raises AttributeError for any other name, and ModuleNotFoundError, naming the extra, without the framework.
    """
    if name in shared:
        return getattr(import_module("workers_ai"), name)
    if name not in own:
        raise AttributeError(f"module {package!r} has no attribute {name!r}")
    try:
        return getattr(import_module(f"{package}.{own[name]}"), name)
    except ModuleNotFoundError as missing:
        if missing.name is None or missing.name.partition(".")[0] == package:
            raise
        raise ModuleNotFoundError(
            f"{package}.{name} needs {missing.name}: pip install 'workers-ai[{extra}]'", name=missing.name
        ) from missing
