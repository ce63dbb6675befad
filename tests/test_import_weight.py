"""What importing a package loads, in processes of their own: neither the other framework nor what is not needed yet."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache

import pytest

pytestmark = pytest.mark.xdist_group("imports")  # one worker: each process below costs a second or two, once

# What every integration of that framework needs; its own packages resolve names lazily, so names are asked for.
LANGCHAIN = """
from langchain_core.language_models import BaseChatModel, BaseLLM
from langchain_core.documents import BaseDocumentCompressor
from langchain_core.embeddings import Embeddings
from langchain_core.messages import AIMessage
from langchain_core.tools import BaseTool
"""
LLAMA_INDEX = """
import llama_index.core.llms.function_calling
import llama_index.core.base.embeddings.base
import llama_index.core.postprocessor.types
"""

# Name -> what is there already, and what is imported then.
IMPORTS = {
    "workers_ai": ("", "import workers_ai"),
    "Client": ("", "from workers_ai import Client"),
    "langchain_workers_ai": ("", "import langchain_workers_ai"),
    "ChatWorkersAI": (LANGCHAIN, "from langchain_workers_ai import ChatWorkersAI"),
    "LangChain's WorkersAI": (LANGCHAIN, "from langchain_workers_ai import WorkersAI"),
    "WorkersAIEmbeddings": (LANGCHAIN, "from langchain_workers_ai import WorkersAIEmbeddings"),
    "LangChain's WorkersAIRerank": (LANGCHAIN, "from langchain_workers_ai import WorkersAIRerank"),
    "llama_index_workers_ai": ("", "import llama_index_workers_ai"),
    "LlamaIndex's WorkersAI": (LLAMA_INDEX, "from llama_index_workers_ai import WorkersAI"),
    "WorkersAIEmbedding": (LLAMA_INDEX, "from llama_index_workers_ai import WorkersAIEmbedding"),
    "LlamaIndex's WorkersAIRerank": (LLAMA_INDEX, "from llama_index_workers_ai import WorkersAIRerank"),
}
CLASSES = [name for name, (framework, _) in IMPORTS.items() if framework]
EACH_IMPORT = pytest.mark.parametrize("name", IMPORTS)
EACH_CLASS = pytest.mark.parametrize("name", CLASSES)


@cache
def process(before: str, statement: str) -> tuple[frozenset[str], frozenset[str]]:
    """The modules of a fresh process after both, and those that the second added."""
    code = f"{before}\nimport json, sys\nheld = set(sys.modules)\n{statement}\n"
    code += "print(json.dumps([sorted(sys.modules), sorted(set(sys.modules) - held)]))"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    loaded, added = json.loads(done.stdout)
    return frozenset(loaded), frozenset(added)


def loaded_by(name: str) -> frozenset[str]:
    """All modules that are there after an import, its framework's among them."""
    return process(*IMPORTS[name])[0]


def added_by(name: str) -> frozenset[str]:
    """The modules that an import adds to its framework's."""
    return process(*IMPORTS[name])[1]


def packages(modules: frozenset[str]) -> set[str]:
    return {module.partition(".")[0] for module in modules}


SERVERS = {"starlette", "uvicorn", "typer", "rich"}
FOREIGN = {
    "workers_ai": {"langchain_core", "llama_index", "httpx", "pydantic", *SERVERS},
    "Client": {"langchain_core", "llama_index", "httpx", *SERVERS},
    "langchain_workers_ai": {"langchain_core", "llama_index", "httpx", "pydantic", *SERVERS},
    "llama_index_workers_ai": {"langchain_core", "llama_index", "httpx", "pydantic", *SERVERS},
    "ChatWorkersAI": {"llama_index", "llama_index_workers_ai", "langchain", "langgraph"},
    "LangChain's WorkersAI": {"llama_index", "llama_index_workers_ai", "langchain", "langgraph"},
    "WorkersAIEmbeddings": {"llama_index", "llama_index_workers_ai", "langchain", "langgraph"},
    "LangChain's WorkersAIRerank": {"llama_index", "llama_index_workers_ai", "langchain", "langgraph"},
    "LlamaIndex's WorkersAI": {"langchain_core", "langchain_workers_ai", "langchain", "langgraph"},
    "WorkersAIEmbedding": {"langchain_core", "langchain_workers_ai", "langchain", "langgraph"},
    "LlamaIndex's WorkersAIRerank": {"langchain_core", "langchain_workers_ai", "langchain", "langgraph"},
}


@EACH_IMPORT
def test_an_import_leaves_out(name):
    assert packages(loaded_by(name)) & FOREIGN[name] == set()


@EACH_CLASS
def test_a_class_adds_no_package_but_our_own(name):
    """Submodules of the framework, of pydantic and of Python may be new; a package may not, httpx above all."""
    framework = "llama_index" if "llama_index" in IMPORTS[name][0] else "langchain_core"
    ours = {"workers_ai", "langchain_workers_ai", "llama_index_workers_ai"}
    assert packages(added_by(name)) - ours - {framework, "pydantic", "pydantic_core"} - sys.stdlib_module_names == set()


@EACH_CLASS
def test_a_class_adds_few_modules_of_its_framework(name):
    new = {module for module in added_by(name) if module.startswith(("langchain_core.", "llama_index."))}
    assert len(new) <= 5, sorted(new)


@pytest.mark.parametrize(
    ("name", "others"),
    [
        ("ChatWorkersAI", {"langchain_workers_ai.llms", "langchain_workers_ai.embeddings"}),
        ("LangChain's WorkersAI", {"langchain_workers_ai.chat_models", "langchain_workers_ai.embeddings"}),
        ("WorkersAIEmbeddings", {"langchain_workers_ai.chat_models", "langchain_workers_ai.llms"}),
        ("LlamaIndex's WorkersAI", {"llama_index_workers_ai.embeddings"}),
        ("WorkersAIEmbedding", {"llama_index_workers_ai.llms", "llama_index_workers_ai.rerank"}),
        ("LangChain's WorkersAIRerank", {"langchain_workers_ai.chat_models", "langchain_workers_ai.embeddings"}),
        ("LlamaIndex's WorkersAIRerank", {"llama_index_workers_ai.llms", "llama_index_workers_ai.embeddings"}),
    ],
)
def test_one_class_does_not_load_the_others(name, others):
    assert loaded_by(name) & others == set()


@EACH_IMPORT
def test_no_import_loads_what_the_first_call_needs(name):
    """The transport, the emulator, the command line and the catalogue's table come when they are used."""
    late = {"workers_ai.transport", "workers_ai.local", "workers_ai.cli", "workers_ai.catalog.entries"}
    assert loaded_by(name) & late == set()


def test_an_object_is_made_without_httpx():
    made = f"from workers_ai import Client; Client(account_id={'a' * 32!r}, api_token='token-of-the-test')"
    assert "httpx" not in packages(process("", made)[0])
