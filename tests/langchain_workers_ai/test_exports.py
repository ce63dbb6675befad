"""The public names of the package."""

import subprocess
import sys

import pytest

import langchain_workers_ai
import workers_ai
from workers_ai import errors as family

CLASSES = {"ChatWorkersAI", "WorkersAI", "WorkersAIEmbeddings", "WorkersAIRerank"}
CORE = {"EmbeddingIdentity", "Gateway", "NeuronMeter", "check_identity", "close_all"}
ERRORS = {name for name, value in vars(family).items() if isinstance(value, type) and issubclass(value, Exception)}


def test_the_public_names_are_these():
    """Four classes, what stands around them, and every error: one import line serves a user."""
    assert set(langchain_workers_ai.__all__) == CLASSES | ERRORS | CORE | {"GatewayFeedback", "NeuronMeterHandler"}


def test_dir_shows_what_can_be_imported():
    assert set(dir(langchain_workers_ai)) == set(langchain_workers_ai.__all__)


@pytest.mark.parametrize("name", langchain_workers_ai.__all__)
def test_every_public_name_is_there(name):
    assert getattr(langchain_workers_ai, name).__name__ == name


@pytest.mark.parametrize("name", sorted(ERRORS | CORE))
def test_what_the_core_shares_is_the_cores_own(name):
    """So that `except workers_ai.RateLimitError` and `except langchain_workers_ai.RateLimitError` are one."""
    assert getattr(langchain_workers_ai, name) is getattr(workers_ai, name)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match=r"langchain_workers_ai.*ChatWorkerAI"):
        langchain_workers_ai.ChatWorkerAI  # noqa: B018


def test_each_public_name_can_be_imported_by_star():
    """In a process of its own: a name that another test has resolved already would hide a mistake."""
    code = "from langchain_workers_ai import *; ChatWorkersAI, WorkersAIEmbeddings, WorkersAI, Gateway, RateLimitError"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_each_class_has_a_docstring_with_a_first_example(name):
    assert f"from langchain_workers_ai import {name}\n" in (getattr(langchain_workers_ai, name).__doc__ or "")


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_every_argument_of_its_own_has_a_docstring_or_a_type_for_checkers(name):
    """A constructor's TypedDict names every field, and no field that is not there."""
    from langchain_workers_ai import options

    told = {"ChatWorkersAI": "ChatOptions", "WorkersAI": "LLMOptions"}.get(name, f"{name}Options")
    cls = getattr(langchain_workers_ai, name)
    spellings = set(getattr(options, told).__annotations__)
    assert spellings == set(cls.model_fields) | set(cls.aliases)
