"""The dependency rule of the house: who may import whom, read from the source with `ast`."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CORE, LANGCHAIN, LLAMA_INDEX = PACKAGES = ("workers_ai", "langchain_workers_ai", "llama_index_workers_ai")
LANGCHAIN_FRAMEWORK = ("langchain", "langchain_core", "langgraph", "langsmith")
LLAMA_INDEX_FRAMEWORK = ("llama_index", "workflows", "llama_index_instrumentation")
FRAMEWORKS = (*LANGCHAIN_FRAMEWORK, *LLAMA_INDEX_FRAMEWORK)

# What stands around the core and may know it; nothing may know them.
AROUND = ("workers_ai.local", "workers_ai.cli", "workers_ai.testing")
SENDERS = ("workers_ai.transport", "workers_ai.pool", "workers_ai.client")
VALUES = ("workers_ai.usage", "workers_ai.errors", "workers_ai.gateway", "workers_ai.catalog", "workers_ai.cost")
NO_SOCKET = ("workers_ai.retry", "workers_ai.rate_limit", "workers_ai.sse", "workers_ai.wire")


@dataclass(frozen=True)
class Import:
    """One module that another imports."""

    importer: str
    imported: str
    line: int
    lazy: bool
    """Inside a function: at the call, not when the importer is imported."""
    for_types: bool
    """Under `if TYPE_CHECKING:`: never at run time."""

    def __str__(self) -> str:
        return f"{self.importer}, line {self.line}: imports {self.imported}"


class ImportReader(ast.NodeVisitor):
    """Collects the imports of one module, `importlib.import_module("...")` among them."""

    def __init__(self, module: str, *, is_package: bool) -> None:
        self.module = module
        self.package = module if is_package else module.rpartition(".")[0]
        self.imports: list[Import] = []
        self.lazy = False
        self.for_types = False

    def add(self, imported: str, line: int) -> None:
        self.imports.append(Import(self.module, imported, line, self.lazy, self.for_types))

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self.add(alias.name, node.lineno)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        above = self.package.split(".")[: len(self.package.split(".")) - node.level + 1] if node.level else []
        origin = ".".join([*above, *([node.module] if node.module else [])])
        for alias in node.names:
            self.add(f"{origin}.{alias.name}", node.lineno)  # a name or a submodule: the rules look at prefixes

    def visit_Call(self, node: ast.Call) -> None:
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if called in ("import_module", "__import__") and node.args and isinstance(node.args[0], ast.Constant):
            self.add(str(node.args[0].value), node.lineno)
        self.generic_visit(node)

    def visit_If(self, node: ast.If) -> None:
        outside = self.for_types
        self.for_types = outside or "TYPE_CHECKING" in ast.unparse(node.test)
        for child in node.body:
            self.visit(child)
        self.for_types = outside
        for child in node.orelse:
            self.visit(child)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        outside, self.lazy = self.lazy, True
        self.generic_visit(node)
        self.lazy = outside

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815 (ast names it)


def read_imports(source: str, module: str, *, is_package: bool = False) -> list[Import]:
    """The imports in the source of `module`."""
    reader = ImportReader(module, is_package=is_package)
    reader.visit(ast.parse(source))
    return reader.imports


@cache
def all_imports() -> tuple[Import, ...]:
    """The imports of every module of the three packages."""
    found: list[Import] = []
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            is_package = parts[-1] == "__init__"
            module = ".".join(parts[:-1] if is_package else parts)
            found += read_imports(path.read_text(encoding="utf-8"), module, is_package=is_package)
    return tuple(found)


def within(module: str, places: tuple[str, ...]) -> bool:
    """Whether a module is one of the places or stands below one."""
    return any(module == place or module.startswith(f"{place}.") for place in places)


def listing(imports: list[Import]) -> str:
    return "\n".join(map(str, imports))


def test_the_reader_sees_every_way_to_import():
    """Plain, from, relative, lazy, by name, and for types only."""
    source = """
import httpx
from . import sse
from ..wire.frame import read
if TYPE_CHECKING:
    import langchain_core.messages
else:
    import json
async def f():
    from llama_index.core import Settings
    importlib.import_module("uvicorn")
"""
    seen = {(one.imported, one.lazy, one.for_types) for one in read_imports(source, "workers_ai.tasks.chat")}
    assert seen == {
        ("httpx", False, False),
        ("workers_ai.tasks.sse", False, False),
        ("workers_ai.wire.frame.read", False, False),
        ("langchain_core.messages", False, True),
        ("json", False, False),
        ("llama_index.core.Settings", True, False),
        ("uvicorn", True, False),
    }


def test_the_core_imports_no_framework_and_no_adapter():
    """Not even for types; the command line alone runs what the demo shows, in modules that it loads when asked."""
    wrong = [
        one
        for one in all_imports()
        if within(one.importer, (CORE,)) and within(one.imported, (*FRAMEWORKS, LANGCHAIN, LLAMA_INDEX))
        if not within(one.importer, ("workers_ai.cli",)) or (one.importer == "workers_ai.cli" and not one.lazy)
    ]
    assert not wrong, listing(wrong)


@pytest.mark.parametrize(
    ("adapter", "strangers"),
    [(LANGCHAIN, (LLAMA_INDEX, *LLAMA_INDEX_FRAMEWORK)), (LLAMA_INDEX, (LANGCHAIN, *LANGCHAIN_FRAMEWORK))],
)
def test_an_adapter_knows_neither_the_other_nor_its_framework(adapter, strangers):
    """A third framework is a new folder that changes no line of these."""
    wrong = [one for one in all_imports() if within(one.importer, (adapter,)) and within(one.imported, strangers)]
    assert not wrong, listing(wrong)


def test_only_transport_and_pool_import_httpx_in_the_core():
    """One file sends and one holds the clients; others may name its types, and `httpx.Timeout` is a value."""
    wrong = [
        one
        for one in all_imports()
        if within(one.importer, (CORE,)) and within(one.imported, ("httpx", "httpx2")) and not one.for_types
        if not within(one.importer, ("workers_ai.transport", "workers_ai.pool", *AROUND))
        if one.imported != "httpx.Timeout"
    ]
    assert not wrong, listing(wrong)


def test_decisions_and_decoders_know_no_http_client_at_all():
    """Not even its types: bytes in, values out."""
    wrong = [
        one
        for one in all_imports()
        if within(one.importer, NO_SOCKET) and within(one.imported, ("httpx", "httpx2", "socket", "asyncio"))
    ]
    assert not wrong, listing(wrong)


def test_tasks_use_wire_and_wire_uses_values_never_the_other_way():
    """tasks -> wire -> usage, errors, gateway, catalog; what sends stands above all of them."""
    above = {
        VALUES: ("workers_ai.wire", "workers_ai.tasks", *SENDERS),
        ("workers_ai.wire",): ("workers_ai.tasks", *SENDERS),
        ("workers_ai.tasks",): SENDERS,
    }
    wrong = [
        one
        for lower, upper in above.items()
        for one in all_imports()
        if within(one.importer, lower) and within(one.imported, upper) and not one.for_types
    ]
    assert not wrong, listing(wrong)


def test_nothing_imports_the_emulator_the_command_line_or_the_pytest_plugin():
    """The command line starts the emulator, and so does the plugin; their own modules know each other."""
    wrong = [
        one
        for one in all_imports()
        if within(one.imported, AROUND)
        and one.importer.split(".")[:2] != one.imported.split(".")[:2]
        and not (within(one.importer, ("workers_ai.cli",)) and within(one.imported, ("workers_ai.local",)) and one.lazy)
        # `testing` is nothing but the emulator for tests; that pytest loads none of it is held by its own tests.
        and not (within(one.importer, ("workers_ai.testing",)) and within(one.imported, ("workers_ai.local",)))
        # `python -m workers_ai` is the command line.
        and not (one.importer == "workers_ai.__main__" and within(one.imported, ("workers_ai.cli",)))
    ]
    assert not wrong, listing(wrong)


def test_the_emulator_borrows_nothing_from_the_core():
    """It would agree with our mistakes."""
    wrong = [
        one
        for one in all_imports()
        if within(one.importer, ("workers_ai.local",))
        and within(one.imported, PACKAGES)
        and not within(one.imported, ("workers_ai.local",))
    ]
    assert not wrong, listing(wrong)


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import workers_ai; workers_ai.Client", FRAMEWORKS),
        ("from langchain_workers_ai import ChatWorkersAI, WorkersAIEmbeddings", LLAMA_INDEX_FRAMEWORK),
        ("from llama_index_workers_ai import WorkersAI, WorkersAIEmbedding", LANGCHAIN_FRAMEWORK),
    ],
)
def test_importing_one_adapter_leaves_the_other_framework_alone(statement, absent):
    """In a fresh process: what stands in sys.modules is what the import brought."""
    package = re.split(r"[ ;]", statement)[1]
    if not (ROOT / package / "__init__.py").exists():
        pytest.skip(f"{package} is not written yet")
    script = f"{statement}\nimport sys\nprint(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    run = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
    )
    assert run.returncode == 0, run.stderr
    assert not set(run.stdout.split()) & set(absent)


@cache
def tracked_files() -> tuple[Path, ...]:
    """What git holds or would hold after the next `git add`."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    if run.returncode != 0:
        pytest.skip("not a git checkout")
    paths = (ROOT / name for name in run.stdout.split("\0") if name)
    return tuple(path for path in paths if path.is_file())


def test_no_file_names_a_package_index():
    """Where packages come from is each machine's own affair."""
    hosts = re.compile("|".join(["pypi" + r"\.org", "index" + r"-url", "files" + r"\.pythonhosted"]))
    wrong = [
        str(path.relative_to(ROOT))
        for path in tracked_files()
        if hosts.search(path.read_text(encoding="utf-8", errors="replace"))
    ]
    assert not wrong


@pytest.mark.parametrize("name", ["py3.txt", "oldest.txt", "compare.txt", "peers.txt"])
def test_constraints_hold_names_and_versions_only(name):
    """`name==version`, and for which Pythons; no hashes, no addresses, no options."""
    lines = (ROOT / "constraints" / name).read_text().splitlines()
    pin = re.compile(r"[a-z0-9-]+==[a-z0-9.]+( ; python_version (<|>=) \"3\.\d+\"( and python_version < \"3\.\d+\")?)?")
    wrong = [line for line in lines if not line.startswith("#") and not pin.fullmatch(line)]
    assert lines
    assert not wrong
