"""What can be asked of the service: each file builds the exchanges of one task, and is loaded at its first use."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workers_ai.tasks import access as access
    from workers_ai.tasks import chat as chat
    from workers_ai.tasks import completion as completion
    from workers_ai.tasks import embeddings as embeddings
    from workers_ai.tasks import models as models
    from workers_ai.tasks import rerank as rerank

__all__ = ["access", "chat", "completion", "embeddings", "models", "rerank"]


def __getattr__(name: str) -> ModuleType:
    if name in __all__:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
