"""Every spelling of the arguments that our classes share, for type checkers.

A field with another name has two spellings, and pydantic's own constructors know one of them. Nothing imports this at
run time: making these classes costs more than all else in the modules whose arguments they list.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypedDict

if TYPE_CHECKING:
    from pydantic import SecretStr

    from workers_ai.api import Api
    from workers_ai.connection import HttpAsyncClient, HttpClient, Timeout
    from workers_ai.gateway import Gateway
    from workers_ai.progress import OnUsage
    from workers_ai.settings import Token, TokenSource
    from workers_ai.tasks.embeddings import Pooling


class DirectOptions(TypedDict, total=False):
    """Every spelling of the arguments of `ConnectionFields` but the gateway, for type checkers."""

    account_id: str | None
    api_token: Token | TokenSource | None
    api_key: Token | TokenSource | None
    auth_token: Token | TokenSource | None
    base_url: str | None
    api_base: str | None
    allow_insecure: bool
    api: Api
    timeout: Timeout
    request_timeout: Timeout
    max_retries: int
    rate_limit: int | Literal["catalog", "adaptive"] | None
    rate_limit_store: str | SecretStr | None
    default_headers: Mapping[str, str] | None
    default_query: Mapping[str, str] | None
    extra_body: Mapping[str, Any] | None
    http_client: HttpClient | None
    http_async_client: HttpAsyncClient | None
    async_http_client: HttpAsyncClient | None
    session_affinity: str | None
    reject_if_busy: bool


class ConnectionOptions(DirectOptions, total=False):
    """Every spelling of the arguments of `ConnectionFields`, for type checkers."""

    gateway: Gateway | str | Mapping[str, Any] | Literal[False] | None


class TextOptions(TypedDict, total=False):
    """Every spelling of the text arguments, for type checkers."""

    model: str
    temperature: float | None
    max_tokens: int | None
    max_completion_tokens: int | None
    top_p: float | None
    top_k: int | None
    seed: int | None
    stop: str | Sequence[str] | None
    stop_sequences: str | Sequence[str] | None
    repetition_penalty: float | None
    frequency_penalty: float | None
    presence_penalty: float | None
    n: int | None
    logprobs: bool | None
    top_logprobs: int | None
    logit_bias: Mapping[str, float] | None
    lora: str | None
    raw: bool | None
    reasoning_effort: str | None
    chat_template_kwargs: Mapping[str, Any] | None
    response_format: Mapping[str, Any] | None
    model_kwargs: Mapping[str, Any] | None
    check_context: Literal["error", "warn", "trim"] | None
    fallback: str | Sequence[str] | None


class ChatToolOptions(TypedDict, total=False):
    """Every spelling of the tool arguments, for type checkers."""

    tool_choice: Any
    parallel_tool_calls: bool | None
    strict: bool | None
    fetch_images: bool


class EmbeddingOptions(TypedDict, total=False):
    """Every spelling of the embedding arguments, for type checkers."""

    model: str
    model_name: str
    pooling: Pooling | None
    dimensions: int | None
    max_concurrency: int
    query_instruction: str | None
    text_instruction: str | None
    on_usage: OnUsage | None


class BulkEmbedderOptions(ConnectionOptions, EmbeddingOptions, total=False):
    """Every spelling of the arguments of `BulkEmbedder`, for type checkers."""

    column: str
    output: str
    key: str | None
    batch_size: int | None


class RerankOptions(TypedDict, total=False):
    """Every spelling of a reranker's arguments, for type checkers."""

    model: str
    model_name: str
    batch_size: int
    max_concurrency: int
