"""Names that are resolved at their first use."""

from __future__ import annotations

import sys

import pytest

import langchain_workers_ai
import llama_index_workers_ai


@pytest.mark.parametrize(
    ("package", "name", "framework", "extra"),
    [
        (langchain_workers_ai, "ChatWorkersAI", "langchain_core", "workers-ai[langchain]"),
        (llama_index_workers_ai, "WorkersAI", "llama_index", "workers-ai[llama-index]"),
    ],
)
def test_a_missing_framework_is_told_with_the_extra_that_brings_it(
    monkeypatch: pytest.MonkeyPatch, package: object, name: str, framework: str, extra: str
):
    prefixes = (framework, package.__name__)  # type: ignore[attr-defined]
    for module in [m for m in sys.modules if m.startswith(prefixes) and m != prefixes[1]]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, framework, None)
    with pytest.raises(ModuleNotFoundError, match=framework) as caught:
        getattr(package, name)
    assert extra in str(caught.value)


@pytest.mark.parametrize("package", [langchain_workers_ai, llama_index_workers_ai])
def test_another_name_is_an_attribute_error(package: object):
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        package.Nothing  # type: ignore[attr-defined]  # noqa: B018
