"""langchain-tests' unit suites: construction, environment, serialisation."""

from typing import Any

from langchain_core.embeddings import Embeddings
from langchain_core.language_models import BaseChatModel
from langchain_tests.unit_tests import ChatModelUnitTests, EmbeddingsUnitTests

from langchain_workers_ai import ChatWorkersAI, WorkersAIEmbeddings

ACCOUNT = "0123456789abcdef0123456789abcdef"
ENVIRONMENT = {"CLOUDFLARE_ACCOUNT_ID": ACCOUNT, "CLOUDFLARE_API_TOKEN": "token-of-the-test"}


class TestChatWorkersAI(ChatModelUnitTests):
    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ChatWorkersAI

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"model": "@cf/google/gemma-4-26b-a4b-it", "account_id": ACCOUNT}

    @property
    def init_from_env_params(self) -> tuple[dict[str, str], dict[str, Any], dict[str, Any]]:
        return (
            ENVIRONMENT,
            {"model": "@cf/google/gemma-4-26b-a4b-it"},
            {"account_id": ACCOUNT, "api_token": "token-of-the-test"},
        )


class _Embeddings(EmbeddingsUnitTests):
    tested: str

    @property
    def embeddings_class(self) -> type[Embeddings]:
        return WorkersAIEmbeddings

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        return {"model": self.tested, "api_key": "test"}

    @property
    def init_from_env_params(self) -> tuple[dict[str, str], dict[str, Any], dict[str, Any]]:
        return ENVIRONMENT, {"model": self.tested}, {"account_id": ACCOUNT, "api_token": "token-of-the-test"}


class TestBge(_Embeddings):
    tested = "@cf/baai/bge-base-en-v1.5"


class TestBgeM3(_Embeddings):
    tested = "@cf/baai/bge-m3"


class TestQwen3(_Embeddings):
    tested = "@cf/qwen/qwen3-embedding-0.6b"


class TestEmbeddingGemma(_Embeddings):
    tested = "@cf/google/embeddinggemma-300m"
