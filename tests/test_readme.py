"""The README's Python runs, block by block, against the emulator."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from workers_ai.local import LocalServer

README = Path(__file__).parent.parent / "README.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```", README.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("block", BLOCKS, ids=[f"block-{number}" for number in range(1, len(BLOCKS) + 1)])
def test_a_block_runs_and_prints_something(
    block: str, emulator: LocalServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in emulator.environment().items():
        monkeypatch.setenv(name, value)
    exec(compile(block, str(README), "exec"), {"__name__": "readme"})
    assert capsys.readouterr().out.strip()


def test_it_says_unofficial_in_its_first_lines() -> None:
    assert "Unofficial" in "".join(README.read_text(encoding="utf-8").splitlines(keepends=True)[:4])
