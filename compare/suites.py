"""langchain-tests' integration suite for each contestant, family and method of structured output.

The flags are those of `tests/conformance/test_langchain_integration.py`: on for all that the catalogue says of a model.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from contestants import CONTESTANTS, FAMILIES, Contestant
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_tests.integration_tests import ChatModelIntegrationTests

from workers_ai.catalog import lookup
from workers_ai.local import LocalServer

METHODS = ("function_calling", "json_schema")
PICTURE = (Path(__file__).parent.parent / "tests" / "conformance" / "picture.png").read_bytes()

os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost,::1"


@pytest.fixture(scope="session")
def emulator() -> Iterator[LocalServer]:
    """The emulator, once for all tests of a worker."""
    with LocalServer() as server:
        yield server


class _Suite(ChatModelIntegrationTests):
    contestant: Contestant
    tested: str
    method: str
    arguments: dict[str, Any]

    @pytest.fixture(autouse=True)
    def _reach_the_emulator(self, emulator: LocalServer, monkeypatch: pytest.MonkeyPatch) -> None:
        """With pictures from a file: the suite downloads its own, and so does a class for a model without addresses."""
        type(self).arguments = self.contestant.where(emulator, self.tested)
        whole = httpx.Response(200, content=PICTURE, request=httpx.Request("GET", "https://example.com/"))
        monkeypatch.setattr(httpx, "get", lambda *_, **__: whole)
        data_url = f"data:image/png;base64,{base64.b64encode(PICTURE).decode()}"
        monkeypatch.setattr("workers_ai.fetching.fetch", lambda _: data_url)

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return self.contestant.cls

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {**self.arguments, "model": self.tested}

    @property
    def structured_output_kwargs(self) -> dict[str, Any]:
        return {"method": self.method}

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
        return FAMILIES["Gemma"] if self.tested == FAMILIES["Llama"] else FAMILIES["Llama"]

    @property
    def supported_usage_metadata_details(self) -> dict[str, list[str]]:
        told = ["cache_read_input", *(["reasoning_output"] if lookup(self.tested).reasoning else [])]
        return {"invoke": told, "stream": told}

    def invoke_with_cache_read_input(self, *, stream: bool = False) -> AIMessage:
        model = self.chat_model_class(**self.chat_model_params)
        prompt = "A long beginning that two calls share. " * 40 + "Say hello."
        model.invoke(prompt)
        return _answer(model, prompt, stream=stream)

    def invoke_with_reasoning_output(self, *, stream: bool = False) -> AIMessage:
        levels = lookup(self.tested).reasoning_effort_levels
        inputs = {"reasoning_effort": "low"} if levels else {"chat_template_kwargs": {"enable_thinking": True}}
        model = self.chat_model_class(**self.chat_model_params, **self.contestant.inputs(inputs))
        return _answer(model, "How much is 12 and 30?", stream=stream)


def _answer(model: BaseChatModel, prompt: str, *, stream: bool) -> AIMessage:
    if not stream:
        return model.invoke(prompt)
    full = None
    for chunk in model.stream(prompt):
        full = chunk if full is None else full + chunk
    assert isinstance(full, AIMessage)
    return full


def _suites() -> Iterator[tuple[str, type]]:
    for who, contestant in CONTESTANTS.items():
        for family, tested in FAMILIES.items():
            for method in METHODS:
                name = f"Test__{who}__{family}__{method}"
                told = {"contestant": contestant, "tested": tested, "method": method, "__module__": __name__}
                yield name, type(name, (_Suite,), told)


globals().update(_suites())
