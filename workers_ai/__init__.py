"""Cloudflare Workers AI for Python: the core that the LangChain and LlamaIndex adapters share. Unofficial.

Names are resolved at their first use, so importing this package costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from workers_ai.answers import ChatAnswer as ChatAnswer
    from workers_ai.answers import ChatDelta as ChatDelta
    from workers_ai.answers import Ranked as Ranked
    from workers_ai.answers import Ranking as Ranking
    from workers_ai.answers import Vectors as Vectors
    from workers_ai.bulk_embedder import BulkEmbedder as BulkEmbedder
    from workers_ai.call import ModelDeprecationWarning as ModelDeprecationWarning
    from workers_ai.client import Client as Client
    from workers_ai.cost_estimate import estimate as estimate
    from workers_ai.embedding_identity import EmbeddingIdentity as EmbeddingIdentity
    from workers_ai.embedding_identity import check_identity as check_identity
    from workers_ai.errors import *  # noqa: F403 - the whole family, as `errors.__all__` lists it
    from workers_ai.gateway import Gateway as Gateway
    from workers_ai.gateway_logs import GatewayLogs as GatewayLogs
    from workers_ai.meter import NeuronMeter as NeuronMeter
    from workers_ai.pool import close_all as close_all
    from workers_ai.queued import ItemError as ItemError
    from workers_ai.queued import QueuedRequest as QueuedRequest
    from workers_ai.queued import QueueStatus as QueueStatus
    from workers_ai.tasks.gateway_logs import GatewayLog as GatewayLog
    from workers_ai.usage import Usage as Usage

ERROR_NAMES = (
    "APIConnectionError",
    "APITimeoutError",
    "AuthenticationError",
    "BadRequestError",
    "BudgetExceededError",
    "CapacityError",
    "ContentFilteredError",
    "ContextLengthError",
    "EmptyAnswerError",
    "GatewayError",
    "InvalidResponseError",
    "ModelNotFoundError",
    "PermissionDeniedError",
    "QuotaExceededError",
    "RateLimitError",
    "ServerError",
    "StreamInterruptedError",
    "StructuredOutputError",
    "WorkersAIError",
)
"""The family of errors by name; the adapters export it too."""

_HOMES = {
    "BulkEmbedder": "bulk_embedder",
    "ChatAnswer": "answers",
    "ChatDelta": "answers",
    "Client": "client",
    "EmbeddingIdentity": "embedding_identity",
    "Gateway": "gateway",
    "ItemError": "queued",
    "NeuronMeter": "meter",
    "QueueStatus": "queued",
    "QueuedRequest": "queued",
    "Ranked": "answers",
    "Ranking": "answers",
    "GatewayLog": "tasks.gateway_logs",
    "GatewayLogs": "gateway_logs",
    "ModelDeprecationWarning": "call",
    "Usage": "usage",
    "Vectors": "answers",
    "check_identity": "embedding_identity",
    "close_all": "pool",
    "estimate": "cost_estimate",
    **dict.fromkeys(ERROR_NAMES, "errors"),
}

__all__ = [*sorted(_HOMES), "__version__"]  # noqa: F405 - made by `__getattr__`


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from workers_ai.version import version

        return version()
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
