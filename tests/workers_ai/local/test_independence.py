import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import workers_ai.local

FOLDER = Path(workers_ai.local.__file__).parent


def test_it_imports_nothing_of_the_client_side():
    for path in FOLDER.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                assert node.level <= 1, f"{path.name}: {ast.unparse(node)}"
                assert not (node.module or "").startswith("workers_ai"), f"{path.name}: {ast.unparse(node)}"
            if isinstance(node, ast.Import):
                assert not any(alias.name.startswith("workers_ai") for alias in node.names)


def test_every_public_name_resolves():
    for name in workers_ai.local.__all__:
        assert getattr(workers_ai.local, name)
    assert set(dir(workers_ai.local)) == set(workers_ai.local.__all__)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        workers_ai.local.nothing  # noqa: B018


def test_a_missing_extra_is_named_in_one_line():
    program = "import sys; sys.modules['starlette'] = None\nfrom workers_ai.local import LocalServer"
    root = FOLDER.parent.parent
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=root, check=False, timeout=120
    )
    assert done.stderr.strip().splitlines()[-1].startswith("ImportError: ")
    assert "workers-ai[local]" in done.stderr
    importlib.invalidate_caches()
