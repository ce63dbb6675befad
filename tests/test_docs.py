"""The Python in docs/ runs: each block of tests is a project of its own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TESTING = Path(__file__).parent.parent / "docs" / "testing.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```", TESTING.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
TESTS = [block for block in BLOCKS if "def test_" in block]
"""The others are for a conftest.py."""


@pytest.mark.parametrize("number", range(len(TESTS)))
def test_a_block_of_tests_passes(number: int, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch):
    """In a process of its own, with no plugin but ours."""
    if "langchain.agents" in TESTS[number]:
        pytest.importorskip(
            "langchain", reason="langchain asks for a newer langchain-core than the oldest that we take"
        )
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTHONPATH", str(TESTING.parent.parent))
    pytester.makepyfile(TESTS[number])
    done = pytester.runpytest_subprocess("-p", "workers_ai.testing.plugin", timeout=100)
    done.assert_outcomes(passed=1)


RECORDED = """
import pytest
from workers_ai import Client

@pytest.mark.vcr
def test_plays(request):
    client = Client(account_id="0" * 32, api_token="of-no-account")
    messages = [
        {"role": "system", "content": "Answer from this context.\\n\\nContext: "
         "The Orlec lighthouse was built in 1874."},
        {"role": "user", "content": "When was the Orlec lighthouse built?"},
    ]
    options = {"model": "@cf/google/gemma-4-26b-a4b-it", "api": "openai", "max_tokens": 64}
    assert "1874" in "".join(delta.text for delta in client.stream_chat(messages, **options))
"""


def test_the_conftest_for_recordings_plays_one(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch):
    """A user's project with one of our own cassettes, by pytest-recording, with its network off."""
    (conftest,) = set(BLOCKS) - set(TESTS)
    cassettes = Path(__file__).parent / "cassettes"
    pytester.makeconftest(conftest)
    pytester.makepyfile(test_it=RECORDED)
    folder = pytester.path / "cassettes" / "test_it"
    folder.mkdir(parents=True)
    (folder / "test_plays.yaml").write_bytes((cassettes / "stream-openai-gemma.yaml").read_bytes())
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTHONPATH", str(TESTING.parent.parent))
    done = pytester.runpytest_subprocess("-p", "recording", "--block-network", timeout=100)
    done.assert_outcomes(passed=1)
