"""Any error body, in any of the service's shapes, becomes one error of the family (quirks 75 to 88, 100 to 104).

The shapes of the recordings are in test_recordings_facts.py; here are the others, and what holds for all of them.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers_ai import errors as e
from workers_ai.diagnosis import diagnose, is_refusal
from workers_ai.exchange import Reply
from workers_ai.gateway import Gateway

PAYLOADS = Path(__file__).parents[1] / "payloads"
ALL = sorted(path.stem for path in PAYLOADS.glob("error-*.json"))

UUID = "3f6f2a10-9c4e-4d51-8b7a-0c2d4e6f8a90"
VLLM_SAYS = (
    "This model's maximum context length is 8192 tokens. However, you requested 9001 tokens"
    " (8489 in the messages, 512 in the completion)."
)
RETIRED = "@cf/deepseek-ai/deepseek-math-7b-instruct"
SUCCESSOR = "@cf/deepseek-ai/deepseek-r1-distill-qwen-32b"


@pytest.mark.parametrize(
    ("name", "kind", "status", "code", "message", "request_id", "retryable"),
    [
        (
            "error-errors-as-object",
            e.BadRequestError,
            400,
            5006,
            "Bad input: required properties at '/' are 'text'",
            UUID,
            False,
        ),
        (
            "error-vllm-context",
            e.ContextLengthError,
            400,
            8,
            VLLM_SAYS,
            UUID,
            False,
        ),
        (
            "error-requested-token-count",
            e.ContextLengthError,
            400,
            5006,
            "Requested token count exceeds the model's window: 12000 asked for, 8192 allowed",
            None,
            False,
        ),
        (
            "error-3030-sequence-too-long",
            e.ContextLengthError,
            400,
            3030,
            "Sequence too long: 9000 tokens, 8192 allowed",
            "0badcafe",
            False,
        ),
        (
            "error-none-type",
            e.BadRequestError,
            400,
            None,
            "'NoneType' object has no attribute 'strip'",
            None,
            False,
        ),
        (
            "error-html-524",
            e.ServerError,
            524,
            None,
            "HTTP 524: example.test | 524: A timeout occurred",
            "8a1b2c3d4e5f-TST",
            True,
        ),
        ("error-html-no-title", e.ServerError, 502, None, "HTTP 502: Bad gateway", None, True),
        ("error-empty-body", e.ServerError, 503, None, "HTTP 503 with an empty body", None, True),
        ("error-7009-upstream", e.ServerError, 504, 7009, "Upstream service is away", None, True),
        ("error-5012-validation", e.BadRequestError, 422, 5012, "Invalid data", None, False),
        ("error-5012-inference", e.ServerError, 529, 5012, "Inference failed", None, True),
        (
            "error-5028-retired",
            e.ModelNotFoundError,
            410,
            5028,
            "This model was deprecated on 2026-05-30. Use another one",
            None,
            False,
        ),
        (
            "error-5023-schema-and-stream",
            e.BadRequestError,
            400,
            5023,
            "JSON schema with stream is not supported",
            None,
            False,
        ),
        ("error-3037-no-adapter", e.ModelNotFoundError, 400, 3037, "Finetune not found", None, False),
        ("error-3007-timeout", e.ServerError, 408, 3007, "The request timed out", None, True),
        ("error-3043-internal", e.ServerError, 500, 3043, "a model server fell over", "req-3043", True),
        ("error-2045-spend-limit", e.QuotaExceededError, 429, 2045, "Spend limit reached", None, False),
        (
            "error-2016-guardrail-prompt",
            e.ContentFilteredError,
            424,
            2016,
            "Prompt blocked by a guardrail",
            None,
            False,
        ),
        (
            "error-2017-guardrail-answer",
            e.ContentFilteredError,
            424,
            2017,
            "Answer blocked by a guardrail",
            None,
            False,
        ),
        ("error-2029-data-loss", e.ContentFilteredError, 400, 2029, "Prompt holds protected data", None, False),
        ("error-thrown-twice-prefixed", e.CapacityError, 429, 3040, "No capacity just now", None, True),
        (
            "error-free-plan-wording",
            e.PermissionDeniedError,
            404,
            7003,
            "Model @cf/example/big is not available on the Workers Free plan",
            None,
            False,
        ),
        ("error-429-without-code", e.RateLimitError, 429, None, "Slow down", None, True),
    ],
)
def test_a_shape_becomes_its_class_with_its_numbers(
    payload: Callable[[str], Any],
    name: str,
    kind: type[e.WorkersAIError],
    status: int,
    code: int | None,
    message: str,
    request_id: str | None,
    retryable: bool,
):
    reply = payload(name).reply
    error = diagnose(reply, model="@cf/example/model")
    assert type(error) is kind
    assert (error.status, error.code, error.message) == (status, code, message)
    assert (error.request_id, error.retryable, error.maybe_sent) == (request_id, retryable, True)
    assert (error.model, error.response) == ("@cf/example/model", reply)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("error-10000-authentication", "Workers AI Read and Edit"),
        ("error-9106-authentication", "Authorization header"),
        ("error-2009-status-differs", "CLOUDFLARE_GATEWAY_TOKEN"),
        ("error-2001-bare", "AI > AI Gateway"),
        ("error-4006-daily-allocation", "00:00 UTC"),
        ("error-3036-daily-allocation", "00:00 UTC"),
        ("error-3040-short", "busy"),
        ("error-2045-spend-limit", "spend limit"),
        ("error-2021-balance", "credits"),
        ("error-2029-data-loss", "system text"),
        ("error-2016-guardrail-prompt", "system text"),
        ("error-3010-context-window", "max_tokens"),
        ("error-3030-batch-too-long", "fewer or shorter texts"),
        ("error-3030-output-flagged", "may pass later"),
        ("error-5023-schema-and-stream", "without streaming"),
        ("error-3037-no-adapter", "after an upload"),
        ("error-5035-paid-plan", "Workers Paid"),
        ("error-free-plan-wording", "Workers Paid"),
        ("error-3030-tool-choice-text", "does not take tools"),
        ("error-none-type", "empty string instead of null"),
        ("error-5006-null-content", "empty string instead of null"),
        ("error-5006-content-list", "as text only"),
        ("error-7003-bad-route", "account_id and base_url"),
        ("error-json-mode-unmet", "simplify the schema"),
    ],
)
def test_a_hint_says_what_to_do(payload: Callable[[str], Any], name: str, words: str):
    error = diagnose(payload(name).reply)
    assert error.hint is not None
    assert words in error.hint
    assert error.hint in str(error)


@pytest.mark.parametrize(
    ("name", "tokens", "limit"),
    [
        ("error-3010-context-window", 41000, 32000),
        ("error-5021-text", 91520, 65536),
        ("error-vllm-context", 9001, 8192),
        ("error-requested-token-count", 12000, 8192),
        ("error-3030-batch-too-long", 70500, 60000),
        ("error-3030-sequence-too-long", 9000, 8192),
    ],
)
def test_a_context_error_tells_what_was_asked_for_and_what_is_allowed(
    payload: Callable[[str], Any], name: str, tokens: int, limit: int
):
    error = diagnose(payload(name).reply)
    assert isinstance(error, e.ContextLengthError)
    assert (error.tokens, error.limit) == (tokens, limit)


def test_a_context_error_without_numbers_has_none(payload: Callable[[str], Any]):
    error = diagnose(Reply(413, {}, b'{"errors":[{"code":5021,"message":"too much"}]}'))
    assert isinstance(error, e.ContextLengthError)
    assert (error.tokens, error.limit) == (None, None)


def test_a_retired_model_names_its_successor(payload: Callable[[str], Any]):
    error = diagnose(payload("error-5028-retired").reply, model=RETIRED)
    assert error.hint is not None
    assert SUCCESSOR in error.hint
    assert "2026-05-30" in error.message


def test_a_misspelt_model_names_its_neighbour(payload: Callable[[str], Any]):
    error = diagnose(payload("error-5007-no-such-model").reply, model="@cf/meta/llama-3.3-70b-instruct-fp8-fats")
    assert error.hint == "Did you mean @cf/meta/llama-3.3-70b-instruct-fp8-fast?"


def test_of_a_schema_s_wall_of_text_the_hint_names_the_first_mismatch_that_means_something(
    payload: Callable[[str], Any],
):
    error = diagnose(payload("error-5006-content-list").reply)
    assert error.hint is not None
    assert error.hint.startswith("First mismatch: Type mismatch of '/messages/0/content', 'array' not in 'string'.")
    top_k = diagnose(payload("error-5006-top-k").reply)
    assert top_k.hint == "First mismatch: '/top_k' must be <= 50"


@pytest.mark.parametrize(
    ("headers", "request_id"),
    [
        ({"cf-ai-req-id": "req-1", "cf-ray": "ray-1"}, "req-1"),
        ({"cf-ray": "ray-1"}, "ray-1"),
        ({}, UUID),
    ],
)
def test_the_request_id_of_the_headers_goes_before_the_one_in_the_message(
    payload: Callable[[str], Any], headers: dict[str, str], request_id: str
):
    body = payload("error-4006-daily-allocation").body
    assert diagnose(Reply(429, headers, body)).request_id == request_id


@pytest.mark.parametrize(
    ("status", "kind", "retryable"),
    [
        (400, e.BadRequestError, False),
        (401, e.AuthenticationError, False),
        (402, e.QuotaExceededError, False),
        (403, e.PermissionDeniedError, False),
        (404, e.BadRequestError, False),
        (405, e.BadRequestError, False),
        (408, e.ServerError, True),
        (409, e.ServerError, True),
        (413, e.BadRequestError, False),
        (429, e.RateLimitError, True),
        (500, e.ServerError, True),
        (502, e.ServerError, True),
        (503, e.ServerError, True),
        (504, e.ServerError, True),
        (520, e.ServerError, True),
        (524, e.ServerError, True),
        (529, e.ServerError, True),
        (301, e.InvalidResponseError, False),
        (302, e.InvalidResponseError, False),
    ],
)
@pytest.mark.parametrize(
    "body", [b"", b"<html></html>", b"[]", b"null", b"17", b"{}", b"\xff\xfe\x00", b'{"errors":[]}']
)
def test_a_body_that_says_nothing_leaves_the_word_to_the_status(
    status: int, kind: type[e.WorkersAIError], retryable: bool, body: bytes
):
    error = diagnose(Reply(status, {}, body))
    assert type(error) is kind
    assert (error.status, error.code, error.retryable) == (status, None, retryable)
    assert error.message.startswith(f"HTTP {status}")


@pytest.mark.parametrize(
    ("problem", "code"),
    [
        ({"code": 3040, "message": "full"}, 3040),
        ({"code": "3040", "message": "full"}, 3040),
        ({"code": True, "message": "full"}, None),
        ({"code": None, "message": "full"}, None),
        ({"code": "full", "message": "full"}, None),
        ({"message": "full"}, None),
        ({"message": "3040: full"}, 3040),
        ({"message": "AiError: AiError: 3040: full"}, 3040),
        ({"message": "Took 3040: full"}, None),
        ("AiError: 3040: full", 3040),
    ],
)
@pytest.mark.parametrize("wrap", [lambda p: {"errors": [p]}, lambda p: {"error": p}, lambda p: {"error": [p]}])
def test_a_code_is_a_number_a_text_or_the_first_word_of_the_message(
    problem: object, code: int | None, wrap: Callable[[object], object]
):
    error = diagnose(Reply(429, {}, json.dumps(wrap(problem)).encode()))
    assert error.code == code
    assert error.message in ("full", "Took 3040: full")


def test_a_frame_has_no_status_of_its_own_and_the_head_s_200_says_nothing(payload: Callable[[str], Any]):
    head = payload("stream-error-first").head
    error = diagnose(head, model="m", partial="so far", frame={"errors": [{"code": 3040, "message": "No capacity"}]})
    assert type(error) is e.CapacityError
    assert (error.status, error.code, error.retryable, error.partial) == (None, 3040, True, "so far")


@pytest.mark.parametrize(
    ("frame", "kind", "status", "retryable"),
    [
        ({"error": {"message": "busy", "code": 503}}, e.ServerError, 503, True),
        ({"error": {"message": "wrong", "code": 400}}, e.BadRequestError, 400, False),
        ({"message": "fell over", "internalCode": 3043, "httpCode": 500, "success": False}, e.ServerError, 500, True),
        ({"success": False}, e.ServerError, None, True),
        ({"error": "it broke"}, e.ServerError, None, True),
    ],
)
def test_a_frame_may_tell_its_status_inside(
    frame: dict[str, Any], kind: type[e.WorkersAIError], status: int | None, retryable: bool
):
    error = diagnose(Reply(200, {}), frame=frame)
    assert (type(error), error.status, error.retryable) == (kind, status, retryable)


@pytest.mark.parametrize(
    ("document", "refused"),
    [
        ({"errors": [{"code": 1}]}, True),
        ({"errors": {"code": 1}}, True),
        ({"error": {"code": 1}}, True),
        ({"error": "text"}, True),
        ({"success": False}, True),
        ({"success": True, "errors": [], "result": {}}, False),
        ({"success": None}, False),
        ({"response": "an error is what I make"}, False),
        ([], False),
        ("errors", False),
        (None, False),
    ],
)
def test_a_200_is_a_refusal_when_it_says_so(document: object, refused: bool):
    assert is_refusal(document) is refused


@pytest.mark.parametrize("name", [name for name in ALL if name != "error-cut-off-body"])  # that one is quoted as it is
def test_every_error_text_is_one_line_without_the_service_s_wrapping(payload: Callable[[str], Any], name: str):
    error = diagnose(payload(name).reply, model="@cf/example/model")
    text = str(error)
    assert "\n" not in text
    assert "AiError" not in text
    assert UUID not in error.message
    assert ".. " not in text


def test_a_message_of_several_lines_is_told_in_one():
    error = diagnose(Reply(400, {}, json.dumps({"error": {"message": "first\n\tsecond\r\nthird"}}).encode()))
    assert "\n" not in str(error)
    assert "\r" not in str(error)


def test_a_long_page_is_told_in_an_excerpt():
    error = diagnose(Reply(500, {}, b"<p>" + b"word " * 100_000))
    assert len(error.message) < 400


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["errors", "error", "message", "code", "internalCode", "httpCode", "success", "result", "x"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(document=JSON, status=st.integers(min_value=300, max_value=599))
def test_any_json_becomes_an_error_of_the_family(document: object, status: int):
    error = diagnose(Reply(status, {}, json.dumps(document).encode()))
    assert isinstance(error, e.WorkersAIError)
    assert error.message
    assert str(error)


@given(body=st.binary(max_size=200), status=st.integers(min_value=300, max_value=599))
def test_any_bytes_become_an_error_of_the_family(body: bytes, status: int):
    error = diagnose(Reply(status, {}, body))
    assert isinstance(error, e.WorkersAIError)
    assert "\n" not in str(error)


@pytest.mark.parametrize(
    "document",
    [
        {"errors": [{"code": "9" * 5000, "message": "No."}]},
        {"errors": [{"code": 10**4000, "message": "No."}]},
        {"error": f"This model's maximum context length is {'9' * 5000} tokens, not {'1,' * 3000}."},
    ],
    ids=["text", "number", "count"],
)
def test_a_number_of_thousands_of_digits_is_no_code_and_no_count(document: object):
    error = diagnose(Reply(500, {}, json.dumps(document).encode()))
    assert error.code is None
    assert str(error)


def test_a_message_of_many_spaces_is_read_in_no_time():
    """Its request id is looked for once from each bracket, not from each space."""
    started = time.perf_counter()
    error = diagnose(Reply(500, {}, json.dumps({"error": "No." + " " * 200_000 + "x"}).encode()))
    assert time.perf_counter() - started < 1
    assert error.message.startswith("No.")


@pytest.mark.parametrize(
    ("frame", "kind", "code", "status", "words"),
    [
        ({"error": 500}, e.ServerError, None, 500, "error 500"),
        ({"error": "3040"}, e.ServerError, None, None, "3040"),
        ({"error": 3040}, e.CapacityError, 3040, None, "error 3040"),
        ({"errors": [3040]}, e.CapacityError, 3040, None, "error 3040"),
        ({"error": 3040, "message": "Busy."}, e.CapacityError, 3040, None, "Busy"),
        ({"error": True}, e.ServerError, None, None, '{"error":true}'),
        ({"error": [[1]]}, e.ServerError, None, None, '{"error":[[1]]}'),
    ],
)
def test_an_error_that_is_a_bare_value_is_told(
    frame: object, kind: type[e.WorkersAIError], code: int | None, status: int | None, words: str
):
    error = diagnose(Reply(200, {}), frame=frame)
    assert (type(error), error.code, error.status) == (kind, code, status)
    assert words in error.message


def test_a_model_without_a_queue_shares_its_code_with_the_filter_and_not_its_meaning():
    """8007 is a refused prompt too; only the words tell them apart."""
    body = {"errors": [{"message": "AiError: This model does not support request queuing", "code": 8007}]}
    error = diagnose(Reply(400, {}, json.dumps(body).encode()), model="@cf/meta/llama-3.2-3b-instruct")
    assert type(error) is e.BadRequestError
    assert "batch queue" in str(error)


@pytest.mark.parametrize(
    ("name", "gateway", "told"),
    [
        ("error-2001-named", Gateway("docs"), "no gateway 'docs'"),
        ("error-2001-named", Gateway("docs", route="url"), "or it wants a token"),
        ("error-2009-status-differs", Gateway("docs"), "refused the key that gateway 'docs' has stored"),
        ("error-2009-status-differs", Gateway("docs", route="url"), "'docs' wants a token of its own"),
        ("error-10000-authentication", Gateway("docs", route="url"), "Workers AI behind it refused api_token"),
    ],
)
def test_the_hint_names_the_gateway_and_knows_the_way_to_it(payload: Any, name: str, gateway: Gateway, told: str):
    """One code means two things on the two hosts."""
    assert told in str(diagnose(payload(name).reply, gateway=gateway))
