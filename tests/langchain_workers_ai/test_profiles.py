"""Model profiles: what LangChain's agents ask before they choose a strategy."""

import warnings

import pytest
from langchain_core.language_models.model_profile import ModelProfile

from langchain_workers_ai import ChatWorkersAI
from langchain_workers_ai.profiles import profile_of
from workers_ai.catalog import lookup, models

CHATS = [info.id for info in models("Text Generation")]
GEMMA = "@cf/google/gemma-4-26b-a4b-it"


@pytest.mark.parametrize("model", CHATS)
def test_a_profile_holds_only_what_langchain_knows_and_nothing_unknown(model):
    profile = profile_of(model)
    assert profile is not None
    assert set(profile) <= set(ModelProfile.__annotations__)
    assert None not in profile.values()


def test_every_model_of_the_catalogue_makes_an_object_without_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for model in CHATS:
            assert ChatWorkersAI(model=model).profile == profile_of(model)


def test_windows_and_outputs_are_the_catalogues():
    profile, info = ChatWorkersAI(model=GEMMA).profile, lookup(GEMMA)
    assert profile["max_input_tokens"] == info.context_window
    assert profile["text_inputs"] is True
    assert profile["text_outputs"] is True
    assert profile["reasoning_output"] is info.reasoning
    assert profile["temperature"] is True


def test_the_profile_of_an_embedding_model_says_that_it_makes_no_text():
    profile = profile_of("@cf/baai/bge-m3")
    assert profile is not None
    assert profile.get("text_outputs") is False


@pytest.mark.parametrize("model", ["@cf/nobody/knows-this-one", "dynamic/route"])
def test_a_model_that_nobody_knows_has_no_profile(model):
    """None, so that LangChain takes no strategy for granted."""
    assert ChatWorkersAI(model=model).profile is None


def test_a_profile_given_by_the_user_goes_before():
    assert ChatWorkersAI(model=GEMMA, profile={"max_input_tokens": 5}).profile == {"max_input_tokens": 5}
