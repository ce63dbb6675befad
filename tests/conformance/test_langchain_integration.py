"""langchain-tests' integration suites against the emulator: three families on both APIs, and embeddings.

Tools, structured output and images are not built yet, and are left out by the suites' own flags.
"""

from typing import Any

import pytest
from langchain_core.embeddings import Embeddings
from langchain_core.language_models import BaseChatModel
from langchain_tests.integration_tests import ChatModelIntegrationTests, EmbeddingsIntegrationTests

from langchain_workers_ai import ChatWorkersAI, WorkersAIEmbeddings
from workers_ai.local import LocalServer

LLAMA = "@cf/meta/llama-3.3-70b-instruct-fp8-fast"
GPT_OSS = "@cf/openai/gpt-oss-20b"
GEMMA = "@cf/google/gemma-4-26b-a4b-it"


class _OnTheEmulator:
    """Where the emulator is, and with which arguments it is reached."""

    tested: str
    form: str

    @pytest.fixture(autouse=True)
    def _reach_the_emulator(self, emulator: LocalServer) -> None:
        type(self).arguments = {
            "account_id": emulator.account_id,
            "api_token": emulator.api_token,
            "base_url": emulator.base_url,
        }


class _Chat(_OnTheEmulator, ChatModelIntegrationTests):
    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ChatWorkersAI

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {**self.arguments, "model": self.tested, "api": self.form}

    @property
    def supports_model_override(self) -> bool:
        return True

    @property
    def model_override_value(self) -> str:
        return GEMMA if self.tested == LLAMA else LLAMA


class TestLlamaNative(_Chat):
    tested, form = LLAMA, "native"


class TestLlamaOpenAI(_Chat):
    tested, form = LLAMA, "openai"


class TestGptOssNative(_Chat):
    tested, form = GPT_OSS, "native"


class TestGptOssOpenAI(_Chat):
    tested, form = GPT_OSS, "openai"


class TestGemmaNative(_Chat):
    tested, form = GEMMA, "native"


class TestGemmaOpenAI(_Chat):
    tested, form = GEMMA, "openai"


class _Embeddings(_OnTheEmulator, EmbeddingsIntegrationTests):
    @property
    def embeddings_class(self) -> type[Embeddings]:
        return WorkersAIEmbeddings

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        return {**self.arguments, "model": self.tested}


class TestBge(_Embeddings):
    tested = "@cf/baai/bge-base-en-v1.5"


class TestBgeM3(_Embeddings):
    tested = "@cf/baai/bge-m3"


class TestQwen3(_Embeddings):
    tested = "@cf/qwen/qwen3-embedding-0.6b"


class TestEmbeddingGemma(_Embeddings):
    tested = "@cf/google/embeddinggemma-300m"
