"""langchain-tests' integration suites against the emulator: four families, on both APIs, direct and through a gateway.

Every flag that a model has by the catalogue is on, and the whole suite runs once for each method of structured output.
Where a flag is off, `test_langchain_refusals.py` shows the refusal. `test_stream_time` replays a cassette, with the
network off; `make record` makes those anew.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import httpx
import pytest
from langchain_core.embeddings import Embeddings
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_tests.integration_tests import ChatModelIntegrationTests, EmbeddingsIntegrationTests
from pytest_recording.network import blocking_context

from langchain_workers_ai import ChatWorkersAI, WorkersAIEmbeddings
from workers_ai.catalog import lookup
from workers_ai.local import LocalServer
from workers_ai.testing import cassettes

LLAMA = "@cf/meta/llama-3.3-70b-instruct-fp8-fast"
GPT_OSS = "@cf/openai/gpt-oss-20b"
GEMMA = "@cf/google/gemma-4-26b-a4b-it"
SCOUT = "@cf/meta/llama-4-scout-17b-16e-instruct"

FAMILIES = {"Llama": LLAMA, "GptOss": GPT_OSS, "Gemma": GEMMA, "Scout": SCOUT}
METHODS = ("function_calling", "json_schema", "json_mode")

PICTURE = (Path(__file__).parent / "picture.png").read_bytes()

NAMES = {LLAMA: "llama", GPT_OSS: "gpt-oss", GEMMA: "gemma", SCOUT: "scout"}
"""As the cassettes have them."""


@pytest.fixture(scope="module")
def vcr_cassette_dir() -> str:
    """Where the cassettes of `test_stream_time` stand."""
    return str(Path(__file__).parent / "cassettes")


@pytest.fixture
def default_cassette_name(request: pytest.FixtureRequest) -> str:
    """One for each family and API: methods and gateways ask the same."""
    return f"stream-time-{request.cls.form}-{NAMES[request.cls.tested]}"


@pytest.fixture
def vcr_config() -> dict[str, Any]:
    """As for all cassettes; a benchmark plays one many times."""
    return {**cassettes.vcr_config(), "allow_playback_repeats": True}


class _OnTheEmulator:
    """Where the emulator is, and with which arguments it is reached."""

    tested: str
    arguments: dict[str, Any]

    @pytest.fixture(autouse=True)
    def _reach_the_emulator(self, emulator: LocalServer, request: pytest.FixtureRequest) -> Iterator[None]:
        replayed = request.node.get_closest_marker("vcr") is not None
        address = {} if replayed else {"base_url": emulator.base_url}  # cassettes have Cloudflare's own
        type(self).arguments = {"account_id": emulator.account_id, "api_token": emulator.api_token, **address}
        with blocking_context() if replayed else nullcontext():
            yield


class _Chat(_OnTheEmulator, ChatModelIntegrationTests):
    form: str
    method: str
    gateway: str | None

    @pytest.fixture(autouse=True)
    def _pictures_come_from_a_file(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The suite downloads its picture, and so does a model that takes no addresses: from here."""
        whole = httpx.Response(200, content=PICTURE, request=httpx.Request("GET", "https://example.com/"))
        monkeypatch.setattr(httpx, "get", lambda *_, **__: whole)
        data_url = f"data:image/png;base64,{base64.b64encode(PICTURE).decode()}"
        monkeypatch.setattr("workers_ai.fetching.fetch", lambda _: data_url)

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ChatWorkersAI

    @property
    def chat_model_params(self) -> dict[str, Any]:
        told = {**self.arguments, "model": self.tested, "api": self.form, "gateway": self.gateway}
        return {**told, "session_affinity": "the-suite", "fetch_images": lookup(self.tested).data_urls_only}

    @property
    def structured_output_kwargs(self) -> dict[str, Any]:
        return {"method": self.method}

    @property
    def enable_vcr_tests(self) -> bool:
        return True

    @property
    def supports_json_mode(self) -> bool:
        return bool(lookup(self.tested).json_mode)

    @property
    def supports_anthropic_inputs(self) -> bool:
        return True

    @property
    def supports_image_inputs(self) -> bool:
        return bool(lookup(self.tested).vision)

    @property
    def supports_image_urls(self) -> bool:
        return bool(lookup(self.tested).vision)

    @property
    def supports_image_tool_message(self) -> bool:
        return bool(lookup(self.tested).vision)

    @property
    def model_override_value(self) -> str:
        return GEMMA if self.tested == LLAMA else LLAMA

    @property
    def supported_usage_metadata_details(self) -> dict[str, list[str]]:
        told = ["cache_read_input"]
        if lookup(self.tested).reasoning:
            told.append("reasoning_output")
        return {"invoke": told, "stream": told}

    def invoke_with_cache_read_input(self, *, stream: bool = False) -> AIMessage:
        model = ChatWorkersAI(**self.chat_model_params)
        prompt = "A long beginning that two calls share. " * 40 + "Say hello."
        model.invoke(prompt)
        return _answer(model, prompt, stream=stream)

    def invoke_with_reasoning_output(self, *, stream: bool = False) -> AIMessage:
        info = lookup(self.tested)
        effort = {"reasoning_effort": "low"} if info.reasoning_effort_levels else {}
        thinking = {} if effort else {"chat_template_kwargs": {"enable_thinking": True}}
        model = ChatWorkersAI(**self.chat_model_params, **effort, **thinking)
        return _answer(model, "How much is 12 and 30?", stream=stream)


def _answer(model: ChatWorkersAI, prompt: str, *, stream: bool) -> AIMessage:
    if not stream:
        return model.invoke(prompt)
    full = None
    for chunk in model.stream(prompt):
        full = chunk if full is None else full + chunk
    assert isinstance(full, AIMessage)
    return full


def _suites() -> dict[str, type]:
    """A class for each family, API, method and route. pytest collects what stands in the module by name."""
    suites = {}
    for family, model in FAMILIES.items():
        for form in ("native", "openai"):
            for method in METHODS:
                for gateway in (None, "default") if method == "function_calling" else (None,):
                    route = "ThroughAGateway" if gateway else ""
                    name = f"Test{family}_{form}_{method}{route}"
                    told = {"tested": model, "form": form, "method": method, "gateway": gateway}
                    suites[name] = type(name, (_Chat,), {**told, "__module__": __name__})
    return suites


globals().update(_suites())


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
