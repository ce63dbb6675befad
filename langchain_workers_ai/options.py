"""Every spelling of the constructors' arguments, for type checkers: a field with another name has two."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from workers_ai.options import ChatToolOptions, ConnectionOptions, EmbeddingOptions, RerankOptions, TextOptions

if TYPE_CHECKING:
    from langchain_core.caches import BaseCache
    from langchain_core.callbacks import Callbacks
    from langchain_core.language_models.model_profile import ModelProfile
    from langchain_core.rate_limiters import BaseRateLimiter


class LangChainOptions(TextOptions, ConnectionOptions, total=False):
    """What LangChain's own bases take, beside our fields."""

    name: str | None
    cache: BaseCache | bool | None
    verbose: bool
    callbacks: Callbacks
    tags: list[str] | None
    metadata: dict[str, Any] | None
    custom_get_token_ids: Callable[[str], list[int]] | None
    model_name: str
    streaming: bool | None
    stream_usage: bool


class ChatOptions(LangChainOptions, ChatToolOptions, total=False):
    """Arguments of ChatWorkersAI."""

    rate_limiter: BaseRateLimiter | None
    disable_streaming: bool | Literal["tool_calling"]
    output_version: str | None
    profile: ModelProfile | None
    include_response_headers: bool
    disabled_params: Mapping[str, Any] | None


class LLMOptions(LangChainOptions, total=False):
    """Arguments of WorkersAI."""


class WorkersAIEmbeddingsOptions(EmbeddingOptions, ConnectionOptions, total=False):
    """Arguments of WorkersAIEmbeddings."""

    batch_size: int | None
    show_progress_bar: bool


class WorkersAIRerankOptions(RerankOptions, ConnectionOptions, total=False):
    """Arguments of WorkersAIRerank."""

    top_n: int | None
