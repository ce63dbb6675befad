"""The wheel and the sdist hold what users need, and an installed wheel runs by itself."""

from __future__ import annotations

import configparser
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("workers_ai", "langchain_workers_ai", "llama_index_workers_ai")

# One worker builds one wheel for all of these.
pytestmark = [pytest.mark.xdist_group("packaging"), pytest.mark.timeout(900)]


def run(*command: str | Path, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command with no account, no variables of Python's and no virtual environment around it."""
    private = ("CLOUDFLARE_", "CF_", "PYTHON", "VIRTUAL_ENV", "COV_", "COVERAGE_")
    around = {name: value for name, value in os.environ.items() if not name.startswith(private)}
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**around, "PYTHONUTF8": "1", **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def build(kind: str, folder: Path) -> Path:
    """Build by hatchling itself: no network, no installer in between."""
    built = run(sys.executable, "-m", "hatchling", "build", "--target", kind, "--directory", folder, cwd=ROOT)
    assert built.returncode == 0, built.stderr
    (path,) = folder.iterdir()
    return path


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built wheel."""
    return build("wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    """The paths inside the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    """What the wheel says of itself."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return Parser().parsestr(archive.read(name).decode())


def test_the_wheel_holds_three_typed_packages_and_nothing_else(names):
    """No tests, scripts or benchmarks beside them."""
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == set(PACKAGES)
    assert {f"{package}/py.typed" for package in PACKAGES} <= names


def test_every_file_of_the_packages_is_in_the_wheel(names):
    """The catalogue and the demo's corpus among them: a package's data is as needed as its code."""
    for package in PACKAGES:
        files = (path for path in (ROOT / package).rglob("*") if path.is_file() and not path.name.startswith("."))
        kept = (path for path in files if "__pycache__" not in path.parts)
        assert {path.relative_to(ROOT).as_posix() for path in kept} <= names
    assert "workers_ai/catalog/models.json" in names


def test_the_core_needs_httpx_and_pydantic_and_nothing_else(metadata):
    """Everything else comes by an extra."""
    required = [line for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line]
    assert {re.split(r"[<>=!~ ;\[]", line)[0] for line in required} == {"httpx", "pydantic"}


def test_the_extras_are_those_that_have_code_behind_them(metadata):
    """`all` is five of the others."""
    by_extra: dict[str, set[str]] = {name: set() for name in metadata.get_all("Provides-Extra", [])}
    for line in metadata.get_all("Requires-Dist", []):
        requirement, _, extra = line.partition("; extra == ")
        if extra:
            by_extra[extra.strip("'\"")].add(requirement)
    everything = by_extra.pop("all")
    assert set(by_extra) == {"langchain", "llama-index", "local", "cli", "aiohttp", "redis", "otel", "bulk", "ray"}
    five = ("langchain", "llama-index", "local", "cli", "aiohttp")
    assert everything == set().union(*(by_extra[name] for name in five))


def test_the_metadata_tells_what_an_index_shows(metadata):
    """Searched and filtered by: summary, keywords, licence, classifiers; no address that is not ours."""
    assert "unofficial" in metadata["Summary"].lower()
    assert {"langchain", "llama-index", "cloudflare", "workers-ai", "ai-gateway", "llm", "embeddings", "rag"} <= set(
        metadata["Keywords"].split(",")
    )
    assert (metadata["License-Expression"], metadata["License-File"]) == ("MIT", "LICENSE")
    assert metadata["Requires-Python"] == ">=3.11"
    pythons = {f"Programming Language :: Python :: 3.{minor}" for minor in (11, 12, 13, 14)}
    assert {*pythons, "Typing :: Typed"} <= set(metadata.get_all("Classifier", []))
    urls = {line.split(",")[0] for line in metadata.get_all("Project-URL", [])}
    assert urls in (set(), {"Documentation", "Source", "Changelog", "Issues"})
    assert metadata.get_payload().strip(), "the README is the page that an index shows"


def test_the_command_is_the_cli_and_pytest_finds_the_plugin(wheel):
    """`workers-ai` stands for workers_ai.cli:main."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/entry_points.txt"))
        entries = configparser.ConfigParser()
        entries.read_string(archive.read(name).decode())
    assert dict(entries["console_scripts"]) == {"workers-ai": "workers_ai.cli:main"}
    assert dict(entries["pytest11"]) == {"workers_ai": "workers_ai.testing.plugin"}


def test_the_sdist_holds_what_builds_and_tests_it(tmp_path):
    """A packager can run the tests from it."""
    with tarfile.open(build("sdist", tmp_path)) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    wanted = {"pyproject.toml", "Makefile", "LICENSE", "README.md", "CHANGELOG.md", "CONTRIBUTING.md"}
    assert wanted <= inside
    assert {"tests/test_packaging.py", "constraints/py3.txt", "scripts/environment.sh"} <= inside


def install(wheel: Path, folder: Path, extras: str = "") -> Path:
    """An empty environment with the wheel in it; the folder of its commands."""
    arguments = ["--constraint", "constraints/py3.txt", f"{wheel}{extras}"]
    script = ["sh", "scripts/environment.sh", folder, *arguments]
    installed = run(*script, cwd=ROOT, PYTHON=sys.executable)
    assert installed.returncode == 0, installed.stderr
    return folder / "bin"


@pytest.mark.slow
def test_the_installed_wheel_answers_from_a_file_of_the_users_own(wheel, tmp_path):
    """Outside the repository, with no account: both frameworks tell a fact that stands in no other file."""
    commands = install(wheel, tmp_path / "environment", "[all]")
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    (corpus / "lighthouse.md").write_text(
        "# The lighthouse of Quellmoor\n\nThe lighthouse of Quellmoor was built in 1893 by Ottilie Brandhuber.\n"
    )
    (corpus / "harbour.md").write_text(
        "# The harbour\n\nThe harbour of Quellmoor freezes in January and is closed to ships until March.\n"
    )
    place = run(commands / "python", "-c", "import workers_ai; print(workers_ai.__file__)", cwd=tmp_path)
    assert place.stdout.startswith(str(tmp_path)), place.stdout + place.stderr

    question = "Who built the lighthouse of Quellmoor?"
    demo = run(commands / "workers-ai", "demo", "--corpus", corpus, "--question", question, cwd=tmp_path)
    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert demo.stdout.count("Ottilie Brandhuber") >= 2, demo.stdout
    assert "langchain" in demo.stdout.lower()
    assert "llamaindex" in re.sub(r"[ _-]", "", demo.stdout.lower())


PROJECT = '''
import asyncio

from langchain_workers_ai import ChatWorkersAI, WorkersAIEmbeddings
from llama_index.core.agent.workflow import FunctionAgent
from llama_index_workers_ai import WorkersAI


def weather(city: str) -> str:
    """Weather in a city."""
    return f"drizzle in {city}"


def test_a_chain_and_its_retry(workers_ai_server, workers_ai_faults):
    workers_ai_faults.next("3040")
    workers_ai_server.reply("scripted")
    assert "".join(chunk.text for chunk in ChatWorkersAI().stream("Hello?")) == "scripted"
    assert len(workers_ai_server.requests) == 2
    assert len(WorkersAIEmbeddings().embed_query("harbour")) == 1024


def test_an_agent(workers_ai_server):
    workers_ai_server.call_tool("weather", city="Oslo")
    workers_ai_server.reply("It drizzles.")

    async def run():
        return await FunctionAgent(tools=[weather], llm=WorkersAI()).run("Weather?")

    assert str(asyncio.run(run())) == "It drizzles."
    assert workers_ai_server.last.messages[-1]["content"] == "drizzle in Oslo"


def test_a_script_that_is_too_long(workers_ai_server):
    workers_ai_server.reply("used")
    workers_ai_server.reply("not used")
    ChatWorkersAI().invoke("Hello?")


def test_a_call_that_does_not_fit(workers_ai_server):
    workers_ai_server.call_tool("weather", town="Oslo")
    ChatWorkersAI().bind_tools([weather]).invoke("Weather?")
'''


@pytest.mark.slow
def test_pytest_finds_the_plugin_of_the_installed_wheel(wheel, tmp_path):
    """A project of somebody's own, outside the repository: its agents are tested, and its mistakes told."""
    commands = install(wheel, tmp_path / "environment", "[langchain,llama-index,local]")
    added = ["--constraint", "constraints/py3.txt", "pytest"]
    assert run("sh", "scripts/environment.sh", tmp_path / "environment", *added, cwd=ROOT).returncode == 0
    project = tmp_path / "project"
    project.mkdir()
    (project / "test_agent.py").write_text(PROJECT)
    tests = run(commands / "python", "-m", "pytest", "-rA", cwd=project)
    assert "2 passed" in tests.stdout, tests.stdout + tests.stderr
    assert "2 failed" in tests.stdout
    assert "1 of 2 turns were not asked for: reply('not used')" in tests.stdout
    assert 'the call weather, town="Oslo" does not fit the tool\'s schema: city is missing' in tests.stdout


@pytest.mark.slow
def test_the_bare_wheel_says_which_extra_is_missing(wheel, tmp_path):
    """In one line, and without a traceback."""
    commands = install(wheel, tmp_path / "environment")
    demo = run(commands / "workers-ai", "demo", cwd=tmp_path)
    assert demo.returncode != 0
    said = (demo.stdout + demo.stderr).strip()
    assert re.search(r"workers-ai\[(cli|all)\]", said), said
    assert "Traceback" not in said
    assert len(said.splitlines()) == 1, said
