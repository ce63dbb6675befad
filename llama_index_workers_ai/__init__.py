"""Cloudflare Workers AI for LlamaIndex. Unofficial.

Names are resolved at their first use: importing one class does not import the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workers_ai import ERROR_NAMES
from workers_ai.lazy import resolved

if TYPE_CHECKING:
    from llama_index_workers_ai.embeddings import WorkersAIEmbedding as WorkersAIEmbedding
    from llama_index_workers_ai.feedback import GatewayFeedback as GatewayFeedback
    from llama_index_workers_ai.llms import WorkersAI as WorkersAI
    from llama_index_workers_ai.meter_handler import NeuronMeterHandler as NeuronMeterHandler
    from llama_index_workers_ai.rerank import WorkersAIRerank as WorkersAIRerank
    from llama_index_workers_ai.usage_event import WorkersAIUsageEvent as WorkersAIUsageEvent
    from workers_ai import EmbeddingIdentity as EmbeddingIdentity
    from workers_ai import Gateway as Gateway
    from workers_ai import NeuronMeter as NeuronMeter
    from workers_ai import check_identity as check_identity
    from workers_ai import close_all as close_all
    from workers_ai.errors import *  # noqa: F403 - the whole family

_OWN = {
    "GatewayFeedback": "feedback",
    "NeuronMeterHandler": "meter_handler",
    "WorkersAI": "llms",
    "WorkersAIEmbedding": "embeddings",
    "WorkersAIRerank": "rerank",
    "WorkersAIUsageEvent": "usage_event",
}
_CORE = ("EmbeddingIdentity", "Gateway", "NeuronMeter", "check_identity", "close_all", *ERROR_NAMES)

__all__ = [*sorted((*_OWN, *_CORE))]


def __getattr__(name: str) -> Any:
    return resolved(__name__, _OWN, _CORE, name, extra="llama-index")


def __dir__() -> list[str]:
    return __all__
