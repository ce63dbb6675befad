"""Projects of their own, run by pytest with nothing but our plugin."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from contextlib import suppress

import pytest

# A project takes with it what it loaded, and some modules cannot be loaded twice: what they use is loaded out here.
for name in (
    "langchain.agents",
    "langchain_workers_ai.chat_models",
    "llama_index.core.agent.workflow",
    "llama_index_workers_ai.llms",
    "workers_ai.client",
    "workers_ai.local.server",
    "workers_ai.testing.emulator",
):
    with suppress(ImportError):  # langchain is not beside the oldest langchain-core
        importlib.import_module(name)


@pytest.fixture
def run_tests(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Callable[..., pytest.RunResult]:
    """Writes test files' sources into an empty project and runs them in this process."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")

    def run(*sources: str, plugins: tuple[str, ...] = ()) -> pytest.RunResult:
        for number, source in enumerate(sources):
            pytester.makepyfile(**{f"test_{number}": source})
        chosen = [part for name in ("workers_ai.testing.plugin", *plugins) for part in ("-p", name)]
        return pytester.runpytest_inprocess(*chosen, "-p", "no:cacheprovider", "-rA")

    return run
