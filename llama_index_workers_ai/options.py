"""Every spelling of the constructors' arguments, for type checkers: a field with another name has two."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypedDict

from workers_ai.options import ChatToolOptions, ConnectionOptions, EmbeddingOptions, RerankOptions, TextOptions

if TYPE_CHECKING:
    from llama_index.core.base.llms.types import ChatMessage
    from llama_index.core.callbacks import CallbackManager
    from llama_index.core.prompts import BasePromptTemplate
    from llama_index.core.rate_limiter import BaseRateLimiter
    from llama_index.core.storage.kvstore.types import BaseKVStore
    from llama_index.core.types import BaseOutputParser, PydanticProgramMode


class LlamaIndexOptions(TypedDict, total=False):
    """What both of LlamaIndex's own bases take, beside our fields."""

    callback_manager: CallbackManager
    rate_limiter: BaseRateLimiter | None


class LLMOptions(TextOptions, ChatToolOptions, ConnectionOptions, LlamaIndexOptions, total=False):
    """Arguments of WorkersAI."""

    system_prompt: str | None
    messages_to_prompt: Callable[[Sequence[ChatMessage]], str] | None
    completion_to_prompt: Callable[[str], str] | None
    output_parser: BaseOutputParser | None
    pydantic_program_mode: PydanticProgramMode
    query_wrapper_prompt: BasePromptTemplate | None
    max_new_tokens: int | None
    additional_kwargs: Mapping[str, Any] | None
    context_window: int | None
    is_chat_model: bool
    is_function_calling_model: bool | None
    should_use_structured_outputs: bool | None
    tokenizer: Any
    reuse_client: bool


class WorkersAIEmbeddingOptions(EmbeddingOptions, ConnectionOptions, LlamaIndexOptions, total=False):
    """Arguments of WorkersAIEmbedding."""

    embed_batch_size: int
    num_workers: int | None
    embeddings_cache: BaseKVStore | None


class WorkersAIRerankOptions(RerankOptions, ConnectionOptions, total=False):
    """Arguments of WorkersAIRerank."""

    callback_manager: CallbackManager
    top_n: int
    keep_retrieval_score: bool
