"""`workers-ai demo`, as a person at a terminal meets it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from workers_ai.cli.commands import app
from workers_ai.cli.demo import QUESTIONS

FACT = "The password of the clockmaker Quillon Brask is marzipan-7719."
QUESTION = "What is the password of the clockmaker Quillon Brask?"
ANSWERS = ("19:15", "Ilse Brandt", "buckwheat")

# Runs the command line in a process in which some packages cannot be imported.
WITHOUT = """
import sys
hidden = sys.argv.pop(1).split(",")
class Hide:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in hidden:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Hide())
from workers_ai.cli import main
main()
"""


@pytest.fixture
def corpus(tmp_path) -> Path:
    """A folder with a fact that no model has read, among others."""
    (tmp_path / "clock.md").write_text(f"# Clocks\n\nThe tower clock is from 1820.\n\n{FACT}\n")
    (tmp_path / "bread.txt").write_text("Bread is baked at four in the morning.\n")
    return tmp_path


def run(*arguments: str, env: dict[str, str] | None = None) -> Result:
    """The command line in this process."""
    return CliRunner().invoke(app, [*arguments], env=env)


def run_without(hidden: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command line where the packages `hidden` are not installed."""
    command = [sys.executable, "-c", WITHOUT, hidden, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def halves(output: str) -> tuple[str, str]:
    """What LangChain and what LlamaIndex printed."""
    langchain, _, llama_index = output.partition("\nLlamaIndex\n")
    return langchain.partition("\nLangChain\n")[2], llama_index


def test_both_frameworks_answer_the_questions_over_the_shipped_corpus():
    """With no account: answers, their sources and what they used, and a word on who answers."""
    shown = run("demo")
    assert shown.exit_code == 0, shown.output
    assert "local emulator" in shown.output
    assert "extractive" in shown.output
    for half in halves(shown.output):
        for question, answer in zip(QUESTIONS, ANSWERS, strict=True):
            assert answer in half.partition(question)[2].partition("Sources")[0]
        assert "Sources: ferry.md" in half
        assert "Neurons" in half
        assert "Answered by @cf/google/gemma-4-26b-a4b-it" in half
        assert "cost source: service" in half
        logged = re.findall(r"Gateway: log ([0-9a-f-]{36}), cache MISS\.", half)
        assert len(set(logged)) == len(QUESTIONS)
        figures = next(line.split() for line in half.splitlines() if line.split()[:1] == ["all"])[1:]
        assert all(float(figure.replace(",", "")) > 0 for figure in figures), figures


def test_the_meter_tells_at_the_end_what_all_of_it_cost():
    """By model, embeddings among them, and by framework."""
    told = run("demo", "--question", QUESTIONS[0]).output.partition("What all of it cost")[2]
    figures = {line.split()[0]: line.split()[1:] for line in told.splitlines() if len(line.split()) == 7}
    assert {"@cf/google/gemma-4-26b-a4b-it", "@cf/baai/bge-m3", "all", "LangChain", "LlamaIndex"} <= set(figures)
    assert all(float(figures[name][4]) > 0 for name in figures if name != "calls")
    assert "10,000 neurons a day" in told


def test_answers_come_in_many_pieces():
    """Both halves stream: LangChain's callback and LlamaIndex's generator saw more than one piece."""
    langchain, llama_index = (
        int(half.partition("Streamed in ")[2].split()[0])
        for half in halves(run("demo", "--question", QUESTIONS[1]).output)
    )
    assert langchain > 5
    # Older query engines drain a stream to one value before they pass it on (0.14.23 does, 0.14.25 does not).
    assert llama_index > 5 or version("llama-index-core") < "0.14.25"


def test_both_frameworks_answer_from_a_file_of_the_users_own(corpus):
    """The fact stands in that file alone."""
    shown = run("demo", "--corpus", str(corpus), "--question", QUESTION)
    assert shown.exit_code == 0, shown.output
    assert [half.count("marzipan-7719") for half in halves(shown.output)] == [1, 1]
    assert [half.partition("Sources: ")[2].startswith("clock.md") for half in halves(shown.output)] == [True, True]


def test_the_module_runs_as_a_program_and_writes_plain_text_when_piped(corpus):
    """`python -m workers_ai`, in an environment whose proxy leads nowhere and whose terminal knows ASCII only."""
    environment = {"HTTP_PROXY": "http://127.0.0.1:9", "ALL_PROXY": "http://127.0.0.1:9", "PYTHONIOENCODING": "ascii"}
    (corpus / "clock.md").write_text(f"{FACT} Его зовут Квиллон \x1b[31m Браск.", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "workers_ai", "demo", "--corpus", str(corpus), "--question", QUESTION],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"PATH": "", "PYTHONPATH": os.pathsep.join(sys.path), **environment},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("marzipan-7719") == 2
    assert "\x1b" not in done.stdout
    assert not done.stderr


def test_one_framework_can_be_shown_alone():
    """By the name of its extra."""
    shown = run("demo", "--only", "llama-index", "--question", QUESTIONS[2])
    assert shown.exit_code == 0, shown.output
    assert "\nLlamaIndex\n" in shown.output
    assert "\nLangChain\n" not in shown.output


@pytest.mark.parametrize(
    ("hidden", "absent", "present", "extra"),
    [
        ("llama_index", "LlamaIndex", "LangChain", "workers-ai[llama-index]"),
        ("langchain_core", "LangChain", "LlamaIndex", "workers-ai[langchain]"),
    ],
)
def test_with_one_framework_absent_the_other_runs_and_the_demo_says_so(hidden, absent, present, extra):
    """And names what to install."""
    done = run_without(hidden, "demo", "--question", QUESTIONS[1])
    assert done.returncode == 0, done.stderr
    assert f'{absent} is left out ({hidden} is not installed): pip install "{extra}"' in done.stdout
    assert f"\n{present}\n" in done.stdout
    assert f"\n{absent}\n" not in done.stdout
    assert done.stdout.count("Ilse Brandt") == 1


@pytest.mark.parametrize(
    ("hidden", "told"),
    [
        (
            "langchain_core,llama_index",
            ['pip install "workers-ai[langchain]"', 'pip install "workers-ai[llama-index]"'],
        ),
        ("numpy,llama_index", ["pip install numpy", 'pip install "workers-ai[llama-index]"']),
        ("uvicorn", ['pip install "workers-ai[local]"', "CLOUDFLARE_API_TOKEN"]),
        ("typer", ['pip install "workers-ai[cli]"']),
        ("rich", ['pip install "workers-ai[cli]"']),
    ],
)
def test_what_is_not_installed_is_told_in_one_line(hidden, told):
    """With the extra that brings it, and exit code 1."""
    done = run_without(hidden, "demo")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert all(part in done.stderr for part in told), done.stderr


def test_with_an_account_in_the_environment_the_demo_runs_there(emulator):
    """Here a server that the environment names; with half an account it is the emulator of its own, and says why."""
    emulator.clear()
    shown = run("demo", "--only", "langchain", "--question", QUESTIONS[0], env=emulator.environment())
    assert shown.exit_code == 0, shown.output
    assert f"Runs on {emulator.base_url}, as CLOUDFLARE_BASE_URL says." in shown.output
    assert "extractive" not in shown.output
    assert len(emulator.requests) == 3  # the passages, the question, the answer
    emulator.clear()
    shown = run("demo", "--only", "langchain", env={**emulator.environment(), "CLOUDFLARE_API_TOKEN": ""})
    assert "local emulator" in shown.output
    assert "CLOUDFLARE_API_TOKEN is not set" in shown.output
    assert not emulator.requests


def test_a_gateway_of_the_environment_is_passed_and_its_facts_are_told(emulator):
    """And without one there is no word of it."""
    for gateway, told in (("default", "Gateway: log "), ("", "")):
        env = {**emulator.environment(), "CLOUDFLARE_AI_GATEWAY": gateway}
        shown = run("demo", "--only", "langchain", "--question", QUESTIONS[0], env=env)
        assert shown.exit_code == 0, shown.output
        assert ("Gateway: log " in shown.output) is bool(told)


def test_traces_are_sent_nowhere(emulator):
    """Though the environment asks for them: the demo speaks to the service that it names and to nobody else."""
    emulator.clear()
    asked = {"LANGSMITH_TRACING": "true", "LANGSMITH_API_KEY": "k", "LANGSMITH_ENDPOINT": emulator.url}
    command = [sys.executable, "-m", "workers_ai", "demo", "--only", "langchain"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env={**os.environ, **asked})
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    assert not emulator.requests


@pytest.mark.parametrize("only", ["langchain", "llama-index"])
@pytest.mark.parametrize(
    ("arguments", "changed", "told"),
    [
        (["--model", "@cf/does/not-exist"], {}, "@cf/does/not-exist"),
        (["--embedding-model", "@cf/does/not-exist"], {}, "@cf/does/not-exist"),
        ([], {"CLOUDFLARE_API_TOKEN": "wrong"}, "10000"),
        ([], {"CLOUDFLARE_ACCOUNT_ID": "seven"}, "'seven' is not an account id"),
        ([], {"CLOUDFLARE_AI_GATEWAY": "of mine"}, "gateway id 'of mine'"),
    ],
)
def test_what_the_service_refuses_is_one_line(emulator, only, arguments, changed, told):
    """The service's own words, no traceback, exit code 1."""
    env = {**emulator.environment(), **changed}
    shown = run("demo", "--only", only, *arguments, env=env)
    assert shown.exit_code == 1
    assert len(shown.stderr.splitlines()) == 1
    assert shown.stderr.startswith("workers-ai: ")
    assert told in shown.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--corpus", "{missing}", "--question", "Who?"], "no such folder"),
        (["--corpus", "{empty}", "--question", "Who?"], "no text in"),
        (["--corpus", "{empty}"], "--corpus needs a question"),
        (["--question", " "], "--question is empty"),
    ],
)
def test_a_command_that_cannot_be_done_is_told_in_one_line(tmp_path, arguments, told):
    """Before anything is started."""
    places = {"empty": tmp_path, "missing": tmp_path / "missing"}
    shown = run("demo", *(argument.format(**places) for argument in arguments))
    assert shown.exit_code == 1
    assert len(shown.stderr.splitlines()) == 1
    assert told in shown.stderr
    assert not shown.stdout


def test_in_a_narrow_terminal_no_figure_is_cut_short():
    """Figures fold, words are left to the terminal."""
    shown = run("demo", "--only", "langchain", env={"COLUMNS": "36"})
    assert shown.exit_code == 0, shown.output
    assert "…" not in shown.output


def test_the_version_is_told():
    """As the installed distribution has it."""
    shown = run("--version")
    assert shown.exit_code == 0
    assert shown.output.startswith("workers-ai ")
