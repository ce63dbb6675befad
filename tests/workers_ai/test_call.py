"""What is common to every request: the model, the way there, and the switches around it."""

from __future__ import annotations

import json
import warnings
from datetime import date
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from workers_ai import errors as e
from workers_ai.call import Call, ModelDeprecationWarning, _tell_of, end_of
from workers_ai.catalog import lookup
from workers_ai.gateway import Gateway

LLAMA = "@cf/meta/llama-3.2-3b-instruct"
URL = Gateway("docs", route="url")
GPT_OSS = "@cf/openai/gpt-oss-20b"


@pytest.mark.parametrize(
    ("model", "path"),
    [
        (LLAMA, "ai/run/@cf/meta/llama-3.2-3b-instruct"),
        ("@hf/a/b", "ai/run/@hf/a/b"),
        ("dynamic/my-route", "ai/run"),
        ("a/b:c~d_e.f", "ai/run"),
        ("@cf/é/b", "ai/run/@cf/%C3%A9/b"),
        ("@cf/a%2Fb/c", "ai/run/@cf/a%252Fb/c"),
    ],
)
def test_the_id_of_a_model_stands_in_the_path_as_it_is_and_of_others_in_the_body(model: str, path: str):
    """`/ai/run/...` serves Workers AI's own models."""
    assert Call(model).run_path == path


@pytest.mark.parametrize("model", ["openai/gpt-5.5", "dynamic/support"])
def test_the_body_of_a_native_call_of_others_names_the_model_beside_its_input(model: str):
    call = Call(model, api="native")
    assert json.loads(call.request(call.run_path, {"prompt": "x"}).body) == {"model": model, "input": {"prompt": "x"}}


@pytest.mark.parametrize(
    ("model", "gateway", "form", "sent", "path"),
    [
        (LLAMA, None, "native", LLAMA, "ai/v1/chat/completions"),
        (LLAMA, URL, "native", LLAMA, "ai/v1/chat/completions"),
        (f"workers-ai/{LLAMA}", None, "native", LLAMA, "ai/v1/chat/completions"),
        (f"workers-ai/{LLAMA}", Gateway("docs"), "native", LLAMA, "ai/v1/chat/completions"),
        (f"workers-ai/{LLAMA}", URL, "openai", f"workers-ai/{LLAMA}", "ai/compat/chat/completions"),
        ("workers-ai/@cf/baai/bge-m3", URL, "native", "@cf/baai/bge-m3", "ai/v1/chat/completions"),
        ("dynamic/support", Gateway("docs"), "openai", "dynamic/support", "ai/v1/chat/completions"),
        ("dynamic/support", URL, "openai", "dynamic/support", "ai/compat/chat/completions"),
        ("cloudflare/auto", URL, "openai", "cloudflare/auto", "ai/compat/chat/completions"),
        ("openai/gpt-5.5", None, "openai", "openai/gpt-5.5", "ai/v1/chat/completions"),
    ],
)
def test_each_spelling_of_a_model_goes_where_it_is_known(
    model: str, gateway: Gateway | None, form: str, sent: str, path: str
):
    """The gateway's own host serves all providers at one endpoint, which alone wants `workers-ai/` before the id."""
    call = Call(model, gateway=gateway)
    assert (call.form, call.model, call.chat_path) == (form, sent, path)


def test_the_native_form_of_others_is_refused_on_the_gateways_own_host():
    call = Call("openai/gpt-5.5", api="native", gateway=URL)
    with pytest.raises(e.BadRequestError, match="route='header'"):
        call.request(call.run_path, {})


@pytest.mark.parametrize(
    "model",
    ["", " ", "@cf/a b", "@cf/a?b", "@cf/a#b", "@cf/../secret", "..", "a/./b", "@cf//b", "@cf/a\\b", "@cf/a\nb"],
)
def test_what_would_change_the_address_is_no_model(model: str):
    with pytest.raises(e.BadRequestError, match="cannot be a model id") as caught:
        Call(model)
    assert caught.value.maybe_sent is False


@pytest.mark.filterwarnings("ignore::workers_ai.call.ModelNameWarning")  # hypothesis tries names that it found nearby
@given(model=st.text(max_size=20))
@example(model="/")
@example(model="/a")
def test_no_model_id_leaves_its_place_in_the_path(model: str):
    try:
        path = Call(model).run_path
    except e.BadRequestError:
        return
    assert path.isascii()
    assert not {"?", "#", " ", "\\"} & set(path)
    assert not {"", ".", ".."} & set(path.split("/")[1:-1])


@pytest.mark.parametrize(
    ("model", "api", "form"),
    [
        (LLAMA, "auto", "native"),
        (GPT_OSS, "auto", "openai"),
        (LLAMA, "openai", "openai"),
        (GPT_OSS, "native", "native"),
        ("@cf/nobody/knows-this-one", "auto", "native"),
    ],
)
def test_the_form_is_the_catalogue_s_or_the_caller_s(model: str, api: Any, form: str):
    assert Call(model, api=api).form == form


def body(call: Call, **told: Any) -> Any:
    return json.loads(call.request("p", told).body)


def test_extra_body_goes_over_the_body():
    assert body(Call(LLAMA, extra_body={"b": 3, "c": 4}), a=1, b=2) == {"a": 1, "b": 3, "c": 4}


def test_reject_if_busy_stands_among_the_options():
    assert body(Call(LLAMA, reject_if_busy=True), a=1) == {"a": 1, "options": {"rejectIfBusy": True}}
    assert body(Call(LLAMA, reject_if_busy=True, extra_body={"options": {"x": 1}})) == {
        "options": {"x": 1, "rejectIfBusy": True}
    }
    assert "options" not in body(Call(LLAMA), a=1)


def test_session_affinity_is_a_header():
    assert Call(LLAMA, session_affinity="s-1").request("p", {}).headers == {"x-session-affinity": "s-1"}
    assert Call(LLAMA).request("p", {}).headers == {}


def test_a_request_carries_its_model_and_gateway():
    gateway = Gateway("docs")
    request = Call(LLAMA, gateway=gateway).request("p", {})
    assert (request.method, request.path, request.model, request.gateway) == ("POST", "p", LLAMA, gateway)


def test_text_is_sent_as_utf_8():
    assert "größe \u2028 🌊".encode() in Call(LLAMA).request("p", {"text": "größe \u2028 🌊"}).body


@pytest.mark.parametrize("value", [object(), {"deep": [object()]}, "\ud800", lambda: None])
def test_what_json_cannot_hold_is_refused_before_anything_is_sent(value: Any):
    with pytest.raises(e.BadRequestError, match="JSON") as caught:
        Call(LLAMA).request("p", {"x": value})
    assert (caught.value.maybe_sent, caught.value.model) == (False, LLAMA)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {"deep": [1.0, float("-inf")]}])
def test_what_is_no_number_in_json_is_refused_before_anything_is_sent(value: Any):
    """The encoder would write NaN, and the service answer that the body cannot be read."""
    with pytest.raises(e.BadRequestError, match=r"NaN|Infinity") as caught:
        Call(LLAMA).request("p", {"x": value})
    assert (caught.value.maybe_sent, caught.value.model) == (False, LLAMA)


def test_a_text_may_speak_of_them():
    assert body(Call(LLAMA), a='NaN, "Infinity', NaN=1) == {"a": 'NaN, "Infinity', "NaN": 1}


@pytest.mark.parametrize("value", ["größe", "a\nb", "a\x00", "\x7f", " a", "a\t", 7])
def test_a_session_that_no_header_can_hold_is_refused_by_its_name(value: Any):
    with pytest.raises(e.BadRequestError, match="session_affinity") as caught:
        Call(LLAMA, session_affinity=value)
    assert (caught.value.maybe_sent, caught.value.model) == (False, LLAMA)


@pytest.mark.parametrize("value", ["a", "a b", "user-1/2;x=~", "", None])
def test_a_session_of_printable_letters_is_taken(value: Any):
    assert Call(LLAMA, session_affinity=value).session_affinity == value


@pytest.mark.parametrize(
    ("model", "kind", "words"),
    [
        ("@cf/baai/bge-m3", "text", "no answers, but vectors of texts and rankings of texts"),
        ("@cf/baai/bge-reranker-base", "text", r"no answers, but rankings of texts \(its task is Text Classification"),
        ("@cf/baai/bge-reranker-base", "embeddings", "no vectors of texts, but rankings"),
        ("@cf/baai/bge-small-en-v1.5", "rerank", "no rankings of texts, but vectors"),
        (LLAMA, "embeddings", r"no vectors of texts \(its task is Text Generation"),
        (LLAMA, "rerank", r"no rankings of texts \("),
        ("@cf/huggingface/distilbert-sst-2-int8", "rerank", "no rankings of texts"),
    ],
)
def test_a_model_of_another_kind_is_told_before_anything_is_sent(model: str, kind: Any, words: str):
    """The catalogue knows it; the service would name fields of a schema."""
    with pytest.raises(e.BadRequestError, match=words) as caught:
        Call(model).check_kind(kind)
    assert not caught.value.maybe_sent
    assert repr(kind) in str(caught.value.hint)


@pytest.mark.parametrize(
    ("model", "kinds"),
    [
        ("@cf/baai/bge-m3", ["embeddings", "rerank"]),
        ("@cf/baai/bge-reranker-base", ["rerank"]),
        ("@cf/openai/gpt-oss-20b", ["text"]),
        ("@cf/nobody/has-seen-it", ["embeddings", "rerank", "text"]),
    ],
)
def test_a_model_is_taken_for_what_it_does_and_an_unknown_one_for_anything(model: str, kinds: list[Any]):
    for kind in kinds:
        Call(model).check_kind(kind)


# Models that come to an end


def test_a_deprecated_model_is_told_once_with_its_successor():
    _tell_of.cache_clear()
    with warnings.catch_warnings(action="always", record=True) as told:
        Call("@cf/moonshotai/kimi-k2.5")
        Call("@cf/moonshotai/kimi-k2.5")
    (one,) = told
    assert one.category is ModelDeprecationWarning
    assert str(one.message) == (
        "model '@cf/moonshotai/kimi-k2.5' is deprecated since 2026-05-30; use '@cf/moonshotai/kimi-k2.6'"
    )
    assert one.filename == __file__


def test_a_model_in_service_is_not_told():
    _tell_of.cache_clear()
    with warnings.catch_warnings(action="error"):
        Call(LLAMA)


def test_an_end_that_lies_ahead_is_told_as_such():
    info = lookup("@cf/moonshotai/kimi-k2.5")
    assert end_of(info, date(2026, 5, 29)) == "will be deprecated on 2026-05-30; use '@cf/moonshotai/kimi-k2.6'"
    assert end_of(lookup("@cf/facebook/bart-large-cnn"), date(2026, 5, 30)) == "is deprecated since 2026-05-30"
    assert end_of(lookup(LLAMA), date(2030, 1, 1)) is None
