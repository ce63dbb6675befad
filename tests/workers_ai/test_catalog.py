"""The catalogue: total, true to its sources, cheap to import."""

from __future__ import annotations

import dataclasses
import datetime
import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from workers_ai import catalog
from workers_ai.catalog import ModelInfo, Price, lookup, models, suggest

FOLDER = Path(catalog.__file__).parent
DATA = json.loads((FOLDER / "models.json").read_text(encoding="utf-8"))

LLAMA = "@cf/meta/llama-3.3-70b-instruct-fp8-fast"
GPT_OSS = "@cf/openai/gpt-oss-20b"
GEMMA = "@cf/google/gemma-4-26b-a4b-it"


# Every model


def test_the_whole_listing_is_there():
    assert len(models()) == 115
    assert len(models(status="current")) == 73
    assert len(models(status="deprecated")) == 37
    assert len(models(status="unlisted")) == 5


@pytest.mark.parametrize("info", models(), ids=lambda info: info.id)
def test_every_model_is_found_under_its_id_and_under_the_ids_that_stand_for_it(info: ModelInfo):
    assert info.known
    assert lookup(info.id) == lookup(info.id + "-external") == lookup("workers-ai/" + info.id) == info
    assert suggest(info.id) is None
    assert hash(info) == hash(lookup(info.id))


def test_models_are_filtered_by_task_status_and_any_question():
    embeddings = models("text-embeddings")
    assert embeddings == models("Text Embeddings")
    assert {info.task for info in embeddings} == {"Text Embeddings"}
    assert len(embeddings) == 7
    seeing = models("Text Generation", status="current", where=lambda info: info.vision is True)
    assert lookup(GEMMA) in seeing
    assert lookup(LLAMA) not in seeing
    assert models("No Such Task") == ()


# Which API, which form


@pytest.mark.parametrize(
    ("model", "api"),
    [
        (LLAMA, "native"),
        (GPT_OSS, "openai"),
        (GEMMA, "openai"),
        ("@cf/meta/llama-4-scout-17b-16e-instruct", "native"),
        ("@cf/qwen/qwen3-30b-a3b-fp8", "openai"),  # a classic schema, but it answers chat completions
        ("@cf/ibm-granite/granite-4.0-h-micro", "native"),
        ("@cf/baai/bge-m3", "native"),
        ("@cf/openai/whisper", "native"),
        ("@cf/cloudflare/clef", "native"),
        ("dynamic/my-route", "openai"),
        ("cloudflare/auto", "openai"),
        ("anthropic/claude-sonnet-4-5", "openai"),
        ("@cf/some/model-of-tomorrow", "native"),
        ("@hf/some/model-of-tomorrow", "native"),
        ("no-author", "native"),
    ],
)
def test_the_api_follows_from_what_the_model_answers_or_from_the_form_of_its_id(model: str, api: str):
    assert lookup(model).api == api


def test_the_classic_family_takes_a_prompt_and_plain_strings_and_no_stop():
    info = lookup(LLAMA)
    assert (info.takes_messages, info.takes_prompt, info.takes_stream) == (True, True, True)
    assert (info.takes_content_parts, info.takes_stop, info.takes_n) == (False, False, False)
    assert (info.takes("temperature"), info.takes("tool_choice")) == (True, False)
    assert info.default_max_tokens == 256


@pytest.mark.parametrize("model", [GPT_OSS, GEMMA])
def test_the_newer_families_take_content_parts_stop_and_n(model: str):
    info = lookup(model)
    assert (info.takes_messages, info.takes_content_parts, info.takes_stop, info.takes_n) == (True,) * 4
    assert info.takes("tool_choice") is True
    assert info.takes("top_k") is False


def test_a_native_model_that_sees_takes_content_parts_and_only_data_urls():
    info = lookup("@cf/meta/llama-4-scout-17b-16e-instruct")
    assert (info.api, info.vision, info.takes_content_parts, info.data_urls_only) == (
        "native",
        True,
        True,
        True,
    )
    assert not lookup(GEMMA).data_urls_only


def test_decision_models_are_text_generation_without_messages_or_prompt():
    for model in ("clef", "clef-flash", "clef-omni", "clairic", "clairic-flash"):
        info = lookup(f"@cf/cloudflare/{model}")
        assert info.task == "Text Generation"
        taken = (info.takes_messages, info.takes_prompt, info.takes_stream, info.takes_content_parts)
        assert taken == (False,) * 4


# What a model can do


def test_a_property_of_the_listing_is_true_and_its_mere_absence_is_not_known():
    assert lookup(LLAMA).function_calling is True
    small = lookup("@cf/meta/llama-3.2-1b-instruct")
    assert (small.function_calling, small.tools_in_schema) == (None, True)
    guard = lookup("@cf/meta/llama-guard-3-8b")
    assert (guard.function_calling, guard.tools_in_schema) == (False, False)
    assert (lookup(GPT_OSS).vision, lookup(LLAMA).vision) == (False, False)


def test_twelve_current_models_take_tools_without_saying_so():
    quiet = models(
        "Text Generation",
        status="current",
        where=lambda info: info.tools_in_schema is True and info.function_calling is None,
    )
    assert len(quiet) == 12


def test_reasoning_levels_come_weakest_first_and_say_whether_thinking_can_be_off():
    assert lookup(GPT_OSS).reasoning_effort_levels == ("low", "medium", "high")
    assert (lookup(GPT_OSS).reasoning_effort_default, lookup(GPT_OSS).reasoning_can_be_off) == (
        "medium",
        False,
    )
    assert (lookup(GEMMA).reasoning_effort_levels, lookup(GEMMA).reasoning_can_be_off) == ((), True)
    assert lookup("@cf/qwen/qwen3.8-27b").reasoning_effort_levels == ("low", "medium", "xhigh")
    assert lookup("@cf/zai-org/glm-5.2").reasoning_effort_levels == ("none", "high", "max")
    assert lookup("@cf/zai-org/glm-5.3").reasoning_can_be_off is False
    assert lookup(LLAMA).reasoning is False


def test_models_that_print_their_thinking_are_marked():
    marked = models(where=lambda info: info.splits_think_tag)
    assert [info.id for info in marked] == [
        "@cf/deepseek-ai/deepseek-r1-distill-qwen-32b",
        "@cf/qwen/qwq-32b",
    ]


def test_context_windows_are_in_tokens():
    assert lookup(LLAMA).context_window == 24_000
    assert lookup(GPT_OSS).context_window == 128_000
    assert lookup(GEMMA).context_window == 256_000


# Embeddings


@pytest.mark.parametrize(
    ("model", "dimensions", "max_texts", "pooling"),
    [
        ("@cf/baai/bge-small-en-v1.5", 384, 100, "mean"),
        ("@cf/baai/bge-base-en-v1.5", 768, 100, "mean"),
        ("@cf/baai/bge-large-en-v1.5", 1024, 100, "mean"),
        ("@cf/baai/bge-m3", 1024, 100, "cls"),
        ("@cf/qwen/qwen3-embedding-0.6b", 1024, 32, None),
        ("@cf/google/embeddinggemma-300m", 768, 100, None),
        ("@cf/pfnet/plamo-embedding-1b", 2048, 100, None),
    ],
)
def test_embedding_models_state_length_limit_and_pooling(
    model: str, dimensions: int, max_texts: int, pooling: str | None
):
    info = lookup(model)
    assert (info.dimensions, info.max_texts, info.default_pooling) == (dimensions, max_texts, pooling)
    assert info.takes_pooling is (pooling == "mean")


def test_qwen_wants_documents_and_queries_the_others_text():
    qwen = lookup("@cf/qwen/qwen3-embedding-0.6b")
    others = models("Text Embeddings", where=lambda info: info != qwen)
    assert qwen.embedding_input == "documents"
    assert qwen.query_instruction is not None
    assert {info.embedding_input for info in others} == {"text"}
    assert {info.query_instruction for info in others} == {None}


def test_bge_m3_has_a_limit_for_one_text_and_for_all_of_a_request():
    info = lookup("@cf/baai/bge-m3")
    assert (info.max_input_tokens, info.max_batch_tokens) == (8192, 60_000)


# Prices, limits, ends


@pytest.mark.parametrize(
    ("model", "usd", "neurons"),
    [
        ("@cf/meta/llama-3.2-1b-instruct", (0.027, None, 0.201), (2457, None, 18252)),
        ("@cf/meta/llama-3.1-8b-instruct", (0.282, None, 0.827), (25608, None, 75147)),
        ("@cf/meta/llama-3.1-8b-instruct-fp8-fast", (0.045, None, 0.384), (4119, None, 34868)),
        (LLAMA, (0.293, None, 2.253), (26668, None, 204805)),
        ("@cf/meta/llama-4-scout-17b-16e-instruct", (0.270, None, 0.850), (24545, None, 77273)),
        ("@cf/meta/llama-guard-3-8b", (0.484, None, 0.030), (44003, None, 2730)),
        (GEMMA, (0.100, None, 0.300), (9091, None, 27273)),
        ("@cf/qwen/qwen3-30b-a3b-fp8", (0.051, None, 0.335), (4625, None, 30475)),
        (GPT_OSS, (0.200, None, 0.300), (18182, None, 27273)),
        ("@cf/openai/gpt-oss-120b", (0.350, None, 0.750), (31818, None, 68182)),
        ("@cf/deepseek-ai/deepseek-v4-pro-0813", (1.320, 0.044, 3.960), (120000, 4000, 360000)),
        ("@cf/zai-org/glm-5.3", (1.400, 0.260, 4.400), (127273, 23636, 400000)),
        ("@cf/moonshotai/kimi-k2.6", (0.950, 0.160, 4.000), (86364, 14545, 363636)),
        ("@cf/baai/bge-m3", (0.012, None, None), (1075, None, None)),
        ("@cf/baai/bge-reranker-base", (0.003, None, None), (283, None, None)),
    ],
)
def test_prices_are_those_of_the_pricing_page(
    model: str, usd: tuple[float | None, ...], neurons: tuple[float | None, ...]
):
    """The page rounds to a tenth of a cent, the listing less or more; the neurons are the page's own."""
    price = lookup(model).price
    assert price is not None
    listed = (price.input, price.cached_input, price.output)
    assert listed == pytest.approx(usd, abs=0.0006)
    assert (price.input_neurons, price.cached_input_neurons, price.output_neurons) == neurons


@pytest.mark.parametrize("info", models(where=lambda info: info.price is not None), ids=lambda info: info.id)
def test_every_price_says_where_and_when_and_its_neurons_cost_what_neurons_cost(info: ModelInfo):
    price = info.price
    assert isinstance(price, Price)
    assert price.source
    assert price.as_of.startswith("202")
    for name in ("input", "cached_input", "output"):
        usd, neurons = getattr(price, name), getattr(price, f"{name}_neurons")
        if neurons is not None:
            assert usd == pytest.approx(neurons * 0.000011, rel=0.01, abs=0.0006)


def test_other_measures_than_tokens_keep_their_unit():
    (minute,) = lookup("@cf/openai/whisper").prices
    assert (minute.unit, minute.usd, minute.as_of) == ("per audio minute", 0.000453, "2026-08-20")
    assert lookup("@cf/openai/whisper").price is None
    units = {price.unit for price in lookup("@cf/black-forest-labs/flux-2-dev").prices}
    assert units == {"per input 512 by 512 tile, per step", "per output 512 by 512 tile, per step"}


@pytest.mark.parametrize(
    ("model", "limit"),
    [
        (GEMMA, 300),
        ("@cf/baai/bge-m3", 3000),
        ("@cf/baai/bge-large-en-v1.5", 1500),
        ("@cf/baai/bge-reranker-base", 2000),
        ("@cf/moonshotai/kimi-k2.6", 20),
        ("@cf/deepgram/aura-1", None),
        ("@cf/some/model-of-tomorrow", None),
    ],
)
def test_the_rate_limit_is_the_tasks_unless_the_model_or_the_plan_has_its_own(model: str, limit: int | None):
    assert lookup(model).requests_per_minute == limit


def test_seven_models_want_the_paid_plan():
    assert len(models(where=lambda info: info.requires_paid_plan)) == 7


def test_a_model_is_deprecated_from_its_day_on():
    info = lookup("@cf/moonshotai/kimi-k2.5")
    day = datetime.date(2026, 5, 30)
    assert info.deprecated_on == day
    assert not info.deprecated(day - datetime.timedelta(days=1))
    assert info.deprecated(day)
    assert (info.replacement, info.replacement_source) == ("@cf/moonshotai/kimi-k2.6", "Cloudflare")
    assert not lookup(GEMMA).deprecated(datetime.date.max)


@pytest.mark.parametrize("info", models(status="deprecated"), ids=lambda info: info.id)
def test_every_model_that_has_ended_has_a_day_and_names_a_living_successor_of_its_task(info: ModelInfo):
    assert info.deprecated_on is not None
    if info.task == "Summarization":  # no model of the task is left
        assert info.replacement is None
        return
    assert info.replacement is not None
    assert info.replacement_source
    successor = lookup(info.replacement)
    assert (successor.status, successor.task) == ("current", info.task)


# Unknown ids


def test_an_unknown_native_id_counts_as_a_classic_chat_model_of_which_nothing_is_known():
    info = lookup("@cf/some/model-of-tomorrow")
    assert (info.known, info.task, info.status) == (False, "Unknown", "unknown")
    assert (info.takes_messages, info.takes_prompt, info.takes_stream) == (True, True, True)
    assert (info.takes_content_parts, info.takes_stop, info.takes_n) == (False, False, False)
    assert (info.options, info.takes("stop")) == (None, None)
    assert (info.function_calling, info.vision, info.reasoning, info.json_mode) == (None,) * 4
    assert (info.context_window, info.price, info.max_texts) == (None, None, 100)


def test_an_unknown_openai_id_takes_what_that_form_has():
    info = lookup("openai/gpt-of-tomorrow")
    assert (info.takes_content_parts, info.takes_stop, info.takes_n, info.takes_prompt) == (
        True,
        True,
        True,
        False,
    )


@given(st.text() | st.from_regex(r"@(cf|hf)/[a-z-]{1,9}/[a-z0-9.-]{1,20}", fullmatch=True))
@example("")
@example("-external")
@example("workers-ai/")
@example("@cf/" + "x" * 10_000)
def test_lookup_and_suggest_answer_for_any_string(model: str):
    info = lookup(model)
    assert info.known or (info.id, info.task) == (model, "Unknown")
    meant = suggest(model)
    assert meant is None or (lookup(meant).known and not info.known)


# Did you mean


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("meta/llama-3.3-70b-instruct-fp8-fast", LLAMA),
        ("llama-3.3-70b-instruct-fp8-fast", LLAMA),
        ("@cf/llama-3.3-70b-instruct-fp8-fast", LLAMA),
        ("@cf/google/llama-3.3-70b-instruct-fp8-fast", LLAMA),
        ("@cf/meta/llama-3.3-70b-instruct", LLAMA),
        ("meta-llama/Llama-3.3-70B-Instruct", LLAMA),
        ("@cf/meta/llama-3.3-70b-instruct-fp8-fst", LLAMA),
        ("@cf/openai/gpt-oss20b", GPT_OSS),
        (" @cf/openai/gpt-oss-20b/ ", GPT_OSS),
        ("@CF/BAAI/BGE-M3", "@cf/baai/bge-m3"),
        ("BAAI/bge-large-en", "@cf/baai/bge-large-en-v1.5"),
        ("@cf/google/gemma-4", GEMMA),
        ("@cf/meta/llama-3.1-8b", "@cf/meta/llama-3.1-8b-instruct-fp8"),
        ("whisper-large-v3", "@cf/openai/whisper-large-v3-turbo"),
    ],
)
def test_a_near_miss_names_the_model_that_was_meant(typed: str, meant: str):
    assert suggest(typed) == meant


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "@cf/",
        "dynamic/gpt-oss-20b",
        "cloudflare/auto",
        "openai/gpt-4o",
        "anthropic/claude-sonnet-4-5",
        "google/gemini-2.5-pro",
        "text-embedding-3-small",
        "@cf/meta/qqqqqqqqqqqq",
        "gpt-oss-20b" * 50,
    ],
)
def test_nothing_is_suggested_where_nothing_is_near_or_the_id_is_another_vendors(typed: str):
    assert suggest(typed) is None


# The files


def test_the_data_names_only_fields_options_and_sources_that_exist():
    fields = {field.name for field in dataclasses.fields(ModelInfo)}
    for model, entry in DATA["models"].items():
        assert entry.keys() <= fields - {"id", "known", "requests_per_minute"}, model
        assert entry.get("options", "bge-m3") in DATA["options"], model
        prices = [*entry.get("prices", []), *([entry["price"]] if "price" in entry else [])]
        assert all(price["seen"] in DATA["sources"] for price in prices), model


@pytest.mark.parametrize("name", ["models.json", "rate_limits.json"])
def test_the_files_are_sorted_plain_and_free_of_paths(name: str):
    text = (FOLDER / name).read_text(encoding="utf-8")
    content = json.loads(text)
    assert text.isascii()
    assert text.endswith("}\n")
    assert "\\" not in text
    assert not re.search(r"(?<![\w./:])/\w", text)  # an absolute path
    for section in (content, *(value for value in content.values() if isinstance(value, dict))):
        assert list(section) == sorted(section)


@pytest.mark.parametrize("info", models(), ids=lambda info: info.id)
def test_no_figure_is_odd(info: ModelInfo):
    numbers = (info.context_window, info.max_input_tokens, info.default_max_tokens, info.dimensions)
    assert all(number is None or number > 0 for number in numbers)
    assert info.max_input_tokens is None or info.max_input_tokens <= (info.context_window or 10**9)
    assert info.reasoning_effort_default is None or info.reasoning_effort_default in info.reasoning_effort_levels
    assert info.terms_url is None or info.terms_url.startswith("https://")
    assert not (info.takes_content_parts and not info.takes_messages)


# Cost of it all


def test_importing_the_catalogue_reads_no_data_and_builds_no_class():
    code = "import sys, workers_ai.catalog; print(*(name for name in sys.modules if 'catalog' in name))"
    environment = os.environ | {"PYTHONPATH": str(FOLDER.parent.parent)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.split() == ["workers_ai.catalog"]


def test_many_threads_that_ask_first_at_the_same_time_get_equal_answers():
    from workers_ai.catalog import entries

    for cached in (entries.find, entries.data, entries.rate_limits):
        cached.cache_clear()
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lookup, [GEMMA] * 64))
    assert set(answers) == {lookup(GEMMA)}


def test_a_name_that_the_package_lacks_is_an_attribute_error():
    with pytest.raises(AttributeError, match="ModelInfos"):
        getattr(catalog, "ModelInfos")  # noqa: B009 - the type checker would refuse the plain form
