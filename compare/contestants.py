"""Who is compared: each class with the arguments that point it at the emulator, and that ask a model to think."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from langchain_cloudflare import ChatCloudflareWorkersAI
from langchain_core.language_models import BaseChatModel
from langchain_openai import ChatOpenAI

from langchain_workers_ai import ChatWorkersAI
from workers_ai.catalog import lookup
from workers_ai.local import LocalServer

FAMILIES = {
    "Llama": "@cf/meta/llama-3.3-70b-instruct-fp8-fast",
    "GptOss": "@cf/openai/gpt-oss-20b",
    "Gemma": "@cf/google/gemma-4-26b-a4b-it",
    "Scout": "@cf/meta/llama-4-scout-17b-16e-instruct",
}

CONVERSATION = "the-suite"
"""What keeps requests together, so that the second of two equal ones meets the prompt cache."""


@dataclass(frozen=True, slots=True)
class Contestant:
    """A class, and how it is told where to send and what to ask."""

    cls: type[BaseChatModel]
    where: Callable[[LocalServer, str], dict[str, Any]]
    """(emulator, model) -> arguments."""
    inputs: Callable[[Mapping[str, Any]], dict[str, Any]] = dict
    """Inputs of a model that are no argument of the class -> arguments."""


def _ours(api: str) -> Contestant:
    def where(emulator: LocalServer, model: str) -> dict[str, Any]:
        told = {"account_id": emulator.account_id, "api_token": emulator.api_token, "base_url": emulator.base_url}
        fetch = lookup(model).data_urls_only
        return {**told, "api": api, "session_affinity": CONVERSATION, "fetch_images": fetch}

    return Contestant(ChatWorkersAI, where)


def _langchain_cloudflare(endpoint_format: str) -> Contestant:
    def where(emulator: LocalServer, _: str) -> dict[str, Any]:
        told = {"account_id": emulator.account_id, "api_token": emulator.api_token, "base_url": emulator.base_url}
        return {**told, "endpoint_format": endpoint_format, "session_id": CONVERSATION}

    return Contestant(ChatCloudflareWorkersAI, where, lambda inputs: {"model_kwargs": dict(inputs)})


def _chat_openai() -> Contestant:
    def where(emulator: LocalServer, _: str) -> dict[str, Any]:
        return {
            "base_url": f"{emulator.base_url}/accounts/{emulator.account_id}/ai/v1",
            "api_key": emulator.api_token,
            "default_headers": {"x-session-affinity": CONVERSATION},
            "stream_usage": True,  # it leaves that out by itself where `base_url` is given
        }

    return Contestant(ChatOpenAI, where, lambda inputs: {"extra_body": dict(inputs)})


CONTESTANTS = {
    "ours_native": _ours("native"),
    "ours_openai": _ours("openai"),
    "cloudflare_native": _langchain_cloudflare("workers_ai"),
    "cloudflare_openai": _langchain_cloudflare("openai_compatible"),
    "openai": _chat_openai(),
}
