"""The catalogue: what is known of each model, shipped as data (made by `scripts/build_catalog.py`).

`lookup` answers for any string: an id the catalogue does not hold gets a documented default, never an error.
Importing this package reads and builds nothing; the first question does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from .info import ModelInfo, Price, UnitPrice

__all__ = ["ModelInfo", "Price", "UnitPrice", "lookup", "models", "suggest"]


def lookup(model: str) -> ModelInfo:
    """What is known of `model`; `known` is False where that is only the default for such an id.

    Understands the ids under which answers come back (`...-external`) and which the gateway wants
    (`workers-ai/@cf/...`). Cached: asking again costs well below a microsecond.
    """
    return _find()(model)


def suggest(model: str) -> str | None:
    """The id that was probably meant ("did you mean"), None if `model` is known or none is near.

    Sees through a missing `@cf/`, a missing or wrong author, capitals, a shortened name and typing errors;
    a model in service goes before one that has ended.
    """
    from .suggestions import nearest

    return nearest(model)


def models(
    task: str | None = None, *, status: str | None = None, where: Callable[[ModelInfo], bool] | None = None
) -> tuple[ModelInfo, ...]:
    """The models of the catalogue, sorted by id, that pass every filter given.

    task: the service's name, "Text Embeddings" or "text-embeddings".
    status: "current", "deprecated" or "unlisted".
    where: any other question, e.g. `lambda model: model.vision is True`.
    """
    from .entries import ids

    return tuple(
        info
        for info in map(lookup, ids())
        if (task is None or _plain(task) == _plain(info.task))
        and (status is None or info.status == status)
        and (where is None or where(info))
    )


def _plain(task: str) -> str:
    return task.casefold().replace("-", " ").replace("_", " ")


_found: Callable[[str], ModelInfo] | None = None


def _find() -> Callable[[str], ModelInfo]:
    """`entries.find`, imported at the first question: the data classes and json are not paid for before."""
    global _found
    if _found is None:
        from .entries import find

        _found = find
    return _found


def __getattr__(name: str) -> Any:
    """`ModelInfo` and the prices, at first use (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from . import info

    return getattr(info, name)
