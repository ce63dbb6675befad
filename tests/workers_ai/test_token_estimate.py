"""Estimates against true counts: o200k's tables, which llama-index-core carries."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers_ai.token_estimate import CORRECTION, Correction, TokenEstimate, estimate_tokens

TEXTS: dict[str, list[str]] = json.loads((Path(__file__).parent / "token_texts.json").read_text(encoding="utf-8"))
CASES = [
    pytest.param(text, id=f"{name}-{number}") for name, texts in TEXTS.items() for number, text in enumerate(texts)
]
MODEL = "@cf/meta/llama-3.3-70b-instruct-fp8-fast"


@pytest.fixture(autouse=True)
def forgetful() -> Iterator[None]:
    """What other tests' answers have taught is no part of these."""
    CORRECTION.clear()
    yield
    CORRECTION.clear()


@pytest.fixture(scope="module")
def true_count() -> Iterator[Callable[[str], int]]:
    spec = find_spec("llama_index.core")
    assert spec is not None
    assert spec.origin is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIKTOKEN_CACHE_DIR", str(Path(spec.origin).parent / "_static" / "tiktoken_cache"))
        import tiktoken

        encoding = tiktoken.get_encoding("o200k_base")
        yield lambda text: len(encoding.encode(text))


@pytest.mark.parametrize("text", CASES)
def test_the_highest_is_never_below_the_true_count_and_at_most_1_6_times_it(text: str, true_count: Callable):
    found, true = estimate_tokens(text), true_count(text)
    assert true <= found.high <= 1.6 * true
    assert 0.5 * true < found.low <= true
    assert found.low <= found.likely <= found.high


def test_in_the_median_it_is_at_most_1_3_times_the_true_count(true_count: Callable):
    """Of seventeen languages, code, SQL, JSON, Markdown and a log."""
    found = [(estimate_tokens(text), true_count(text)) for texts in TEXTS.values() for text in texts]
    assert len(TEXTS) == 22
    assert median(estimate.high / true for estimate, true in found) <= 1.305
    assert 0.9 <= median(estimate.likely / true for estimate, true in found) <= 1.1


@given(text=st.text(max_size=200))
def test_any_text_has_an_estimate(text: str):
    found = estimate_tokens(text)
    assert 0 <= found.low <= found.likely <= found.high


@given(text=st.text(st.characters(codec="utf-8"), max_size=60), other=st.text(max_size=60))
def test_a_longer_text_has_no_fewer_tokens(text: str, other: str):
    assert estimate_tokens(f"{text}\n{other}").high >= estimate_tokens(text).high


def test_nothing_has_no_tokens():
    assert estimate_tokens("") == TokenEstimate(0, 0, 0)


def test_a_tokenizer_counts_exactly():
    assert estimate_tokens("one two three", count=lambda text: len(text.split())) == TokenEstimate(3, 3, 3)


def test_messages_have_a_template_around_them_calls_and_pictures():
    plain = estimate_tokens("How high is the tide?")
    message = {"role": "user", "content": "How high is the tide?"}
    called = {"id": "a", "type": "function", "function": {"name": "tide", "arguments": '{"station": "Kiel"}'}}
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 100_000}}
    one = estimate_tokens([message])
    assert plain.high < one.high < plain.high + 20
    assert estimate_tokens([message, message]) == one + one
    assert estimate_tokens([{**message, "tool_calls": [called]}]).low > one.low + 10
    seen = estimate_tokens([{**message, "content": [{"type": "text", "text": message["content"]}, picture]}])
    assert (seen.low, seen.high) == (one.low, one.high + 1600)


# Corrected by answers


def test_an_answer_moves_the_likely_figure_and_widens_the_bound_that_was_too_narrow():
    text = TEXTS["polish"][0]
    before = estimate_tokens(text, model=MODEL)
    CORRECTION.learn(MODEL, likely=1000, counted=1800)
    more = estimate_tokens(text, model=MODEL)
    assert more.likely == pytest.approx(1.8 * before.likely, abs=1)
    assert more.high == pytest.approx(1.8 * before.high, abs=1)
    assert more.low == before.low
    assert estimate_tokens(text) == before
    assert estimate_tokens(text, model="@cf/other/model") == before


def test_a_smaller_count_lowers_the_low_bound_and_never_the_high_one():
    before = estimate_tokens(TEXTS["english"][0], model=MODEL)
    CORRECTION.learn(MODEL, likely=1000, counted=700)
    less = estimate_tokens(TEXTS["english"][0], model=MODEL)
    assert less.low < before.low
    assert less.likely < before.likely
    assert less.high == before.high


def test_a_tokenizer_s_count_is_not_corrected():
    CORRECTION.learn(MODEL, likely=1000, counted=2000)
    assert estimate_tokens("a b", model=MODEL, count=lambda text: 2) == TokenEstimate(2, 2, 2)


def test_later_answers_weigh_a_quarter_and_odd_ones_are_bounded():
    correction = Correction()
    correction.learn(MODEL, likely=100, counted=200)
    correction.learn(MODEL, likely=100, counted=100)
    assert correction.of(MODEL) == 1.75
    correction.learn("@cf/a/b", likely=100, counted=100_000)
    assert correction.of("@cf/a/b") == 3.0


def test_short_prompts_teach_nothing():
    correction = Correction()
    correction.learn(MODEL, likely=20, counted=60)
    correction.learn(MODEL, likely=2000, counted=0)
    assert correction.of(MODEL) == 1.0


def test_after_some_answers_of_a_model_it_is_known():
    correction = Correction()
    assert not correction.wants(MODEL, 100)
    for _ in range(8):
        assert correction.wants(MODEL, 10_000)
        correction.learn(MODEL, likely=1000, counted=1100)
    assert not correction.wants(MODEL, 10_000)
