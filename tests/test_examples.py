"""The examples run as they stand, against the emulator, and cite the passage that answers."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from workers_ai.local import LocalServer

EXAMPLES = Path(__file__).parent.parent / "examples"
NEEDS = {
    "retrieval_langchain": ("langchain_qdrant", "langchain_classic"),
    "retrieval_llama_index": ("llama_index.vector_stores.qdrant",),
}


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Loads a file of examples/ as its own program does: its neighbours are modules at the top."""
    names = {path.stem for path in EXAMPLES.glob("*.py")}
    monkeypatch.syspath_prepend(str(EXAMPLES))

    def loaded(name: str) -> ModuleType:
        for needed in NEEDS.get(name, ()):
            pytest.importorskip(needed, reason="the vector stores of the examples are not installed")
        return importlib.import_module(name)

    yield loaded
    for name in names & set(sys.modules):
        del sys.modules[name]


def test_every_program_is_run_here():
    """Whoever adds one adds it to the table."""
    programs = {path.stem for path in EXAMPLES.glob("*.py") if "__main__" in path.read_text(encoding="utf-8")}
    assert programs == {*NEEDS, "ray_embed"}  # the last one in tests/workers_ai/test_ray.py, on a cluster


@pytest.mark.parametrize("name", NEEDS)
def test_each_answer_cites_the_passage_that_holds_it(load: Any, capsys: pytest.CaptureFixture[str], name: str):
    """All of it: 2,000 passages embedded, indexed and searched, the best reranked, an answer made of them."""
    questions = load("passages").QUESTIONS
    answers = load(name).main()
    assert {answer.question: [source.name for source in answer.cited] for answer in answers} == {
        question: [source] for question, source in questions.items()
    }
    told = capsys.readouterr().out
    assert "local emulator" in told
    assert re.search(r"Indexed in [\d.]+ s: [1-9][\d.]* neurons, 0\.\d*[1-9]\d* USD", told)
    for model in ("bge-m3", "bge-reranker-base", "gemma-4-26b-a4b-it"):
        assert model in told
    for answer in answers:
        assert len(answer.sources) == 3
        assert f"cites {questions[answer.question]}" in told


@pytest.mark.parametrize("name", NEEDS)
def test_a_question_of_ones_own_and_an_account_in_the_environment(
    load: Any, emulator: LocalServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
):
    """The emulator plays Cloudflare; a few passages are enough here."""
    for variable, value in emulator.environment().items():
        monkeypatch.setenv(variable, value)
    program, few = load(name), list(load("passages").passages())[:16]
    monkeypatch.setattr(program, "passages", lambda: iter(few))
    (answer,) = program.main(["Who winds the clock of Aldmoor?"])
    assert [source.name for source in answer.cited] == ["aldmoor/clock"]
    assert f"Runs on {emulator.base_url}" in capsys.readouterr().out


def test_the_passages_are_2000_different_ones_and_the_same_in_every_run(load: Any):
    module = load("passages")
    told = list(module.passages())
    assert len(told) == len({each.text for each in told}) == len({each.source for each in told}) == 2000
    assert told == list(module.passages())
    assert set(module.QUESTIONS.values()) <= {each.source for each in told}


@pytest.mark.parametrize(
    ("text", "cited"),
    [
        ("It was built in 1871 [2].", ["b"]),
        ("[1] It was, and [3] it is.", ["a", "c"]),
        ("It was [3, 1].", ["c", "a"]),
        ("Source 2: it was. Source 2 again.", ["b"]),
        ("It was [4] in [0], [1871].", []),
        ("The sources do not say.", []),
    ],
)
def test_citations_are_read_as_models_write_them(load: Any, text: str, cited: list[str]):
    module = load("citations")
    answer = module.Answer("Which?", text, [module.Source(name, 0.5) for name in "abc"])
    assert [source.name for source in answer.cited] == cited
    assert ("cites nothing" in str(answer)) is (not cited)
