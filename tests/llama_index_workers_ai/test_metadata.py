"""What LlamaIndex asks of a model."""

from __future__ import annotations

import pytest

from llama_index_workers_ai import WorkersAI
from llama_index_workers_ai.metadata import UNKNOWN_OUTPUT, UNKNOWN_WINDOW, metadata_of
from workers_ai import catalog


@pytest.mark.parametrize("model", ["", "no/such", "@cf/never/seen", "dynamic/route", "cloudflare/auto", "\n?"])
def test_any_id_has_metadata(model):
    """LlamaIndex reads it in every call, so an error here would end calls that work."""
    found = metadata_of(model)
    assert (found.context_window, found.num_output, found.model_name) == (UNKNOWN_WINDOW, UNKNOWN_OUTPUT, model)


def test_every_model_of_the_catalogue_has_metadata():
    for info in catalog.models():
        found = metadata_of(info.id)
        assert found.context_window == (info.context_window or UNKNOWN_WINDOW)
        assert found.num_output < found.context_window


def test_the_assumed_window_is_within_every_current_model_but_the_bases_for_adapters():
    windows = [
        info.context_window
        for info in catalog.models("Text Generation", status="current")
        if info.context_window and not info.id.endswith("-lora")
    ]
    assert min(windows) == UNKNOWN_WINDOW


def test_a_chat_model_that_calls_tools_by_default():
    found = WorkersAI().metadata
    assert (found.is_chat_model, found.is_function_calling_model) == (True, True)
    assert found.model_name == "@cf/google/gemma-4-26b-a4b-it"
    assert found.context_window == 256_000


@pytest.mark.parametrize(
    ("model", "calls"),
    [
        ("@cf/meta/llama-3.3-70b-instruct-fp8-fast", True),
        ("@cf/meta/llama-3.1-8b-instruct", True),  # an input of the model; the listing is silent
        ("@cf/never/seen", False),
    ],
)
def test_a_model_calls_tools_as_the_catalogue_says_and_as_the_user_says(model, calls):
    assert WorkersAI(model=model).metadata.is_function_calling_model is calls
    for told in (True, False):
        assert WorkersAI(model=model, is_function_calling_model=told).metadata.is_function_calling_model is told


def test_no_model_of_plain_prompts_calls_tools_unless_the_user_says_so():
    assert WorkersAI(is_chat_model=False).metadata.is_function_calling_model is False


def test_what_the_user_says_goes_before_the_catalogue():
    found = WorkersAI(context_window=9000, max_tokens=77, is_chat_model=False).metadata
    assert (found.context_window, found.num_output, found.is_chat_model) == (9000, 77, False)
