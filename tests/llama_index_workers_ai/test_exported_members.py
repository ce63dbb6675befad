"""The public names, and what importing them costs."""

from __future__ import annotations

import subprocess
import sys

import pytest

import llama_index_workers_ai
import workers_ai
from workers_ai import errors

MODELS = {"WorkersAI", "WorkersAIEmbedding", "WorkersAIRerank"}
CORE = {"EmbeddingIdentity", "Gateway", "NeuronMeter", "check_identity", "close_all"}
OWN = MODELS | {"GatewayFeedback", "NeuronMeterHandler", "WorkersAIUsageEvent"}


def test_the_public_names():
    family = {name for name in errors.__all__ if name.endswith("Error")}
    assert set(llama_index_workers_ai.__all__) == dir_of_package() == OWN | CORE | family


def dir_of_package() -> set[str]:
    return set(dir(llama_index_workers_ai))


def test_the_cores_names_are_the_cores_own():
    for name in set(llama_index_workers_ai.__all__) - OWN:
        assert getattr(llama_index_workers_ai, name) is getattr(workers_ai, name)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="Nothing"):
        _ = llama_index_workers_ai.Nothing


def test_the_class_of_llamaindex_stands_first_in_line():
    """In the other order pydantic would let unknown arguments pass."""
    bases = {
        "WorkersAI": "FunctionCallingLLM",
        "WorkersAIEmbedding": "BaseEmbedding",
        "WorkersAIRerank": "BaseNodePostprocessor",
    }
    assert set(bases) == MODELS
    for cls, base in bases.items():
        found = getattr(llama_index_workers_ai, cls)
        assert found.__mro__[1].__name__ == base
        assert found.class_name() == cls


@pytest.mark.parametrize("name", sorted(MODELS))
def test_a_spelling_of_another_package_is_taken_with_a_note_at_the_users_line(name):
    with pytest.warns(DeprecationWarning, match="account_id") as notes:
        made = getattr(llama_index_workers_ai, name)(cf_account_id="0" * 32)
    assert made.account_id == "0" * 32
    assert notes[0].filename == __file__


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import llama_index_workers_ai", ("llama_index", "pydantic", "httpx")),
        ("from llama_index_workers_ai import WorkersAI; WorkersAI()", ("httpx", "llama_index_workers_ai.embeddings")),
        ("from llama_index_workers_ai import WorkersAIEmbedding", ("httpx", "llama_index_workers_ai.llms")),
        ("from llama_index_workers_ai import WorkersAIRerank; WorkersAIRerank()", ("llama_index_workers_ai.llms",)),
    ],
)
def test_what_is_not_needed_is_not_imported(statement, absent):
    script = f"{statement}\nimport sys\nprint(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120)
    assert not set(run.stdout.split()) & set(absent)
