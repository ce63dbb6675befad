"""The facts of the published recordings, checked over payloads of our own in the same shape.

The recordings stay outside this repository; each row names one, the payload that has its shape, and the facts that
hold for that shape. Left out, since they concern nothing that reads text, usage, streams, embeddings or errors:

- tools, whole answers: native-nonstream-tool-string-args, native-tool-call-hermes-flat (the tests of tool calls)
- rerank and batches: rerank-bge-reranker-base-with-usage, batch-complete-bge-m3-rerank, batch-queued-bge-m3
- decisions and extraction: clef-choice, clef-noul, clairic-list, clairic-list-number-text, clairic-list-text,
  clairic-number, clairic-number-text, clairic-text
- images: image-classification-resnet-50, image-flux-1-schnell-base64, image-to-text-llava,
  text-to-image-dreamshaper-binary, vision-llava-description
- other tasks: classification-distilbert, summarization-bart-large-cnn, translation-m2m100, whisper-basic
- the listing of models: models-search-entry-bge-small
"""

from __future__ import annotations

import inspect
import json
import re
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from workers_ai import errors as e
from workers_ai.answers import ChatDelta, Facts
from workers_ai.call import Call
from workers_ai.catalog import lookup
from workers_ai.cost import cost_of
from workers_ai.diagnosis import diagnose
from workers_ai.exchange import Reply
from workers_ai.tasks import chat, embeddings
from workers_ai.usage import Usage

Make = Callable[[str], Any]

PAYLOADS = Path(__file__).parents[1] / "payloads"
UUID = "3f6f2a10-9c4e-4d51-8b7a-0c2d4e6f8a90"


# Errors


@dataclass(frozen=True)
class Refusal:
    """One recorded refusal: class, status, code, message without its wrapping, request id, what the hint holds."""

    payload: str
    kind: type[e.WorkersAIError]
    status: int | None
    code: int | None
    message: str
    request_id: str | None = None
    hint: str = ""
    retryable: bool = False


REFUSALS = {
    "aig-binding-error-thrown-2021": Refusal(
        "error-thrown-2021", e.QuotaExceededError, 402, 2021, "Credits of this gateway are used up", hint="credits"
    ),
    "aig-error-2001-as-classified": Refusal(
        "error-2001-named", e.GatewayError, 400, 2001, "Set up a gateway of this name first", hint="AI Gateway"
    ),
    "aig-error-2001-gateway-missing": Refusal(
        "error-2001-bare", e.GatewayError, 400, 2001, "Set up a gateway of this name first", hint="AI Gateway"
    ),
    "aig-error-2003-rate-limited": Refusal(
        "error-2003-rate-limited", e.RateLimitError, 429, 2003, "Too fast", hint="gateway", retryable=True
    ),
    "aig-error-2009-unauthorized": Refusal(
        "error-2009-status-differs", e.AuthenticationError, 401, 2009, "Not authorised", hint="route='url'"
    ),
    "aig-error-2021-no-credits": Refusal(
        "error-2021-balance",
        e.QuotaExceededError,
        402,
        2021,
        "The balance is too low; pay in or bring a key",
        hint="credits",
    ),
    "aig-error-2021-wholesale-native-route": Refusal(
        "error-2021-wholesale", e.QuotaExceededError, 402, 2021, "Wholesale credits are too low.", hint="credits"
    ),
    "aig-error-2040-byok-alias": Refusal(
        "error-2040-byok-alias",
        e.GatewayError,
        400,
        2040,
        "Provider 'example-ai' has no key named 'blue'. Known: 'green'",
        hint="provider keys",
    ),
    "aig-error-7003-invalid-body": Refusal(
        "error-7003-invalid-body",
        e.BadRequestError,
        400,
        7003,
        "Model execution failed (User Input Error): Invalid value at input: expected list, received number",
    ),
    "aig-error-7003-model-not-found": Refusal(
        "error-7003-model-not-found",
        e.ModelNotFoundError,
        404,
        7003,
        "Model not found: example/poet-9",
        hint="Check the id",
    ),
    "api-error-9106-authentication-failed": Refusal(
        "error-9106-authentication",
        e.AuthenticationError,
        400,
        9106,
        "Authentication failed (status: 400)",
        hint="api_token",
    ),
    "binding-aierror-validation-object": Refusal(
        "error-flat-aierror",
        e.BadRequestError,
        400,
        5006,
        "Bad input: Error: oneOf at '/' not met",
        request_id="r-77",
    ),
    "error-10000-authentication": Refusal(
        "error-10000-authentication",
        e.AuthenticationError,
        401,
        10000,
        "Authentication error",
        hint="Workers AI Read and Edit",
    ),
    "error-3010-context-window-413": Refusal(
        "error-3010-context-window",
        e.ContextLengthError,
        413,
        3010,
        "The estimated number of input and maximum output tokens (41000) exceeded this model context window limit"
        " (32000)",
        hint="max_tokens",
    ),
    "error-3030-image-input-not-in-model": Refusal(
        "error-3030-tensor-image",
        e.BadRequestError,
        400,
        3030,
        "Model input is not valid: input tensor `mask` is not present in the model",
    ),
    "error-3030-max-context-batch-embedding": Refusal(
        "error-3030-batch-too-long",
        e.ContextLengthError,
        400,
        3030,
        "Max context reached 70500 tokens but model supports only 60000",
        request_id="0badcafe",
        hint="fewer or shorter texts",
    ),
    "error-3030-output-flagged": Refusal(
        "error-3030-output-flagged",
        e.ContentFilteredError,
        400,
        3030,
        "Your output has been flagged. Try other words",
        request_id="00c0ffee",
        hint="may pass later",
    ),
    "error-3030-tool-choice-auto-llama-4": Refusal(
        "error-3030-tool-choice-text",
        e.BadRequestError,
        400,
        3030,
        '"auto" tool choice requires --a-switch and --another-switch to be set',
        hint="does not take tools",
    ),
    "error-3036-daily-allocation-documented": Refusal(
        "error-3036-daily-allocation",
        e.QuotaExceededError,
        429,
        3036,
        "The daily free allocation of 10,000 neurons is used up. Upgrade to go on.",
        hint="00:00 UTC",
    ),
    "error-3040-out-of-capacity": Refusal(
        "error-3040-short",
        e.CapacityError,
        429,
        3040,
        "No capacity just now, try again.",
        hint="busy",
        retryable=True,
    ),
    "error-3040-reject-if-busy": Refusal(
        "error-3040-reject-if-busy",
        e.CapacityError,
        429,
        3040,
        "No capacity just now, try again.",
        hint="busy",
        retryable=True,
    ),
    "error-400-invalid-prompt-responses-on-chat-model": Refusal(
        "error-invalid-prompt",
        e.BadRequestError,
        400,
        None,
        "Bad input: Error: oneOf at '/' not met, 0 matches: required properties at '/voice' are 'name', required"
        " properties at '/' are 'prompt', required properties at '/' are 'messages'",
        hint="First mismatch: required properties at '/voice' are 'name'",
    ),
    "error-4006-daily-allocation-a": Refusal(
        "error-4006-daily-allocation",
        e.QuotaExceededError,
        429,
        4006,
        "you have used up your daily free allocation of 10,000 neurons, please upgrade to go on.",
        request_id=UUID,
        hint="00:00 UTC",
    ),
    "error-5006-content-array-not-string": Refusal(
        "error-5006-content-list",
        e.BadRequestError,
        400,
        5006,
        "Bad input: Error: oneOf at '/' not met, 0 matches: required properties at '/' are 'prompt', Type mismatch of"
        " '/messages/0/content', 'array' not in 'string', required properties at '/messages/1' are 'role,content'",
        request_id=UUID,
        hint="message content as text only",
    ),
    "error-5006-multipart-required": Refusal(
        "error-5006-multipart",
        e.BadRequestError,
        400,
        5006,
        "Bad input: required properties at '/' are 'multipart'",
    ),
    "error-5006-null-content-assistant": Refusal(
        "error-5006-null-content",
        e.BadRequestError,
        400,
        5006,
        "Bad input: Error: oneOf at '/' not met, 0 matches: required properties at '/' are 'prompt', Type mismatch of"
        " '/messages/2/content', 'string' not in 'null', required properties at '/messages/2' are 'role,content'",
        hint="empty string instead of null",
    ),
    "error-5006-top-k-over-50": Refusal(
        "error-5006-top-k",
        e.BadRequestError,
        400,
        5006,
        "Bad input: Error: oneOf at '/' not met, 0 matches: '/top_k' must be <= 50",
        hint="First mismatch: '/top_k' must be <= 50",
    ),
    "error-5007-no-such-model": Refusal(
        "error-5007-no-such-model",
        e.ModelNotFoundError,
        400,
        5007,
        "No such model @cf/nobody/nothing-1b or task",
        hint="Check the id",
    ),
    "error-5021-context-window-binding": Refusal(
        "error-5021-text",
        e.ContextLengthError,
        413,
        5021,
        "The estimated number of input and maximum output tokens (91520) exceeded this model context window limit"
        " (65536).",
        hint="max_tokens",
    ),
    "error-5035-paid-plan-only": Refusal(
        "error-5035-paid-plan",
        e.PermissionDeniedError,
        403,
        5035,
        "This model requires the Workers Paid plan.",
        hint="Workers Paid",
    ),
    "error-7003-7000-bad-route": Refusal(
        "error-7003-bad-route",
        e.BadRequestError,
        404,
        7003,
        "Could not route to /accounts/nobody/ai/run, is the id right?",
        hint="account_id and base_url",
    ),
    "error-8001-tool-choice-any": Refusal("error-8001-text", e.BadRequestError, 400, 8001, "Invalid input"),
    "error-8007-nsfw-prompt": Refusal(
        "error-8007-prompt-refused",
        e.ContentFilteredError,
        400,
        8007,
        "Input prompt contains NSFW content.",
        request_id=UUID,
        hint="filter",
    ),
    "error-arguments-must-be-object": Refusal(
        "error-vllm-arguments", e.BadRequestError, 400, None, "Tool call arguments must be a JSON object."
    ),
    "error-input-tensor-temperature": Refusal(
        "error-cut-off-body",
        e.BadRequestError,
        400,
        None,
        'HTTP 400: {"errors":[{"message":"AiError: AiError: Model input is not valid: input tensor `warmth` is not',
    ),
    "error-model-context-32768-via-openrouter": Refusal(
        "error-nested-vendor", e.BadRequestError, 400, None, "The provider answered with an error"
    ),
    "json-mode-unmet": Refusal(
        "error-json-mode-unmet",
        e.StructuredOutputError,
        None,
        None,
        "JSON Mode couldn't be met",
        hint="simplify the schema",
    ),
}


@pytest.mark.parametrize(("recording", "told"), REFUSALS.items(), ids=REFUSALS)
def test_a_recorded_refusal_becomes_its_error(payload: Make, recording: str, told: Refusal):
    reply = payload(told.payload)
    assert reply.source == f"recording {recording}"
    error = diagnose(reply.reply)
    assert type(error) is told.kind
    assert (error.status, error.code, error.message) == (told.status, told.code, told.message)
    assert (error.request_id, error.retryable) == (told.request_id, told.retryable)
    assert told.hint in (error.hint or "")


# Answers and streams


@dataclass(frozen=True)
class Answer:
    """One recorded answer: text, reasoning, finish reason, tokens (in, out, total) and neurons."""

    payload: str
    model: str
    text: str
    finish_reason: str | None = "stop"
    tokens: tuple[int, int, int] | None = None
    neurons: float | None = None
    reasoning: str = ""
    answering_model: str | None = None
    id: str | None = None


GEMMA = "@cf/google/gemma-4-26b-a4b-it"
LLAMA = "@cf/meta/llama-3.3-70b-instruct-fp8-fast"
GLM = "@cf/zai-org/glm-4.7-flash"

WHOLE = {
    "binding-nonstream-gemma-4-26b": Answer(
        "answer-openai-in-run",
        GEMMA,
        "مساء الخير، أيها القارئ.",
        tokens=(90, 11, 101),
        neurons=1.1181827,
        answering_model=f"{GEMMA}-external",
        id="0f1e2d3c4b5a69788796a5b4c3d2e1f0",
    ),
    "json-mode-native-object-llama": Answer(
        "answer-native-object", LLAMA, '{"town":"Ödland","wells":["north","south"]}'
    ),
    "native-nonstream-usage-llama-3.3": Answer(
        "answer-native-usage", LLAMA, "Les mouettes crient.", tokens=(21, 6, 27)
    ),
    "openai-probe-glm-4.7-flash-1": Answer(
        "answer-content-null-length", GLM, "", finish_reason="length", tokens=(31, 48, 79)
    ),
    "openai-probe-glm-4.7-flash-c": Answer(
        "answer-json-as-text", GLM, '{"town": "Ödland", "wells": 2}', tokens=(16, 12, 28)
    ),
    "openai-reasoning-only-glm-5.2": Answer(
        "answer-reasoning-only",
        "@cf/zai-org/glm-5.2",
        "",
        finish_reason="length",
        tokens=(12, 20, 32),
        neurons=9.5272732,
        reasoning="First I weigh the question",
        id="id-1790000000123",
    ),
}

STREAMED = {
    "aig-compat-stream-text-llama-3.1-8b": Answer(
        "stream-total-then-zeros",
        "@cf/meta/llama-3.1-8b-instruct",
        "Ahoy!",
        tokens=(38, 3, 41),
        id="id-1790000000777",
    ),
    "aisearch-stream-llama-3.3-70b": Answer("stream-named-event", LLAMA, " The reef is near", id="id-1790000000777"),
    "binding-stream-gemma-4-26b-incremental-usage": Answer(
        "stream-increments-then-total",
        GEMMA,
        "نعم!",
        tokens=(120, 4, 124),
        neurons=1.2,
        answering_model=f"{GEMMA}-external",
        id="a0b1c2d3e4f5061728394a5b6c7d8e9f",
    ),
    "native-openai-sse-dual-format": Answer("stream-dual-format", LLAMA, "Salt and wind"),
    "native-openai-sse-leaked-tool-call-gpt-oss": Answer(
        "stream-leaked-call", "@cf/openai/gpt-oss-120b", '{"name":"tide","port":"Hull"}'
    ),
    "native-openai-sse-reasoning-content": Answer(
        "stream-running-totals",
        "@cf/example/thinker",
        "Row **on**",
        tokens=(17, 306, 323),
        reasoning="Hm, a boat",
        answering_model="@cf/qwen/qwq-32b",
        id="chatcmpl-one",
    ),
    "native-stream-final-usage-with-neurons": Answer(
        "stream-no-blank-lines", LLAMA, "Oh", tokens=(10, 20, 30), neurons=2.5
    ),
    "native-stream-p-padding-hello": Answer("stream-padding", LLAMA, "Moin!"),
    "native-stream-tail-llama-2": Answer("stream-old-tail", "@cf/meta/llama-2-7b-chat-fp16", "  Good day!"),
    "native-stream-tool-calls-empty-with-p": Answer("stream-frame-without-text", LLAMA, "One piece"),
    "openai-stream-numeric-content-llama-3.3-70b": Answer(
        "stream-numeric-token", LLAMA, "Pier 9 or 3.5true", tokens=(11, 5, 16), id="id-1790000000777"
    ),
    "openai-stream-tools-gpt-oss-20b": Answer(
        "stream-gpt-oss-tools",
        "@cf/openai/gpt-oss-20b",
        "",
        finish_reason="tool_calls",
        tokens=(99, 21, 120),
        reasoning="They want the tide.",
        id="id-1790000000777",
    ),
}


def exchange(model: str, *, stream: bool) -> Any:
    return chat.exchange(chat.ChatRequest(Call(model), [{"role": "user", "content": "x"}]), stream=stream)


def read_stream(model: str, told: Any) -> list[ChatDelta]:
    reader = exchange(model, stream=True).reader(told.head)
    return [*reader.feed(told.body), *reader.close()]


def check(told: Answer, text: str, reasoning: str, facts: Facts | None) -> None:
    assert facts is not None
    usage = facts.usage
    assert (text, reasoning, facts.finish_reason) == (told.text, told.reasoning, told.finish_reason)
    assert (usage and (usage.input_tokens, usage.output_tokens, usage.total_tokens)) == told.tokens
    if told.neurons is not None:
        assert usage is not None
        assert facts.cost is not None
        assert (usage.neurons, facts.cost.neurons) == (pytest.approx(told.neurons), pytest.approx(told.neurons))
        assert facts.cost.source == "service"
    assert facts.model == told.model
    assert facts.id == told.id
    if told.answering_model:
        assert facts.answering_model == told.answering_model


@pytest.mark.parametrize(("recording", "told"), WHOLE.items(), ids=WHOLE)
def test_a_recorded_answer_is_read(payload: Make, recording: str, told: Answer):
    found = payload(told.payload)
    assert found.source == f"recording {recording}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of an answer that its token limit left empty
        answer = exchange(told.model, stream=False).read(found.reply)
    check(told, answer.text, answer.reasoning, answer.facts)


def test_the_object_of_json_mode_is_kept(payload: Make):
    answer = exchange(LLAMA, stream=False).read(payload("answer-native-object").reply)
    assert answer.choices[0].parsed == {"town": "Ödland", "wells": ["north", "south"]}


@pytest.mark.parametrize(("recording", "told"), STREAMED.items(), ids=STREAMED)
def test_a_recorded_stream_is_read(payload: Make, recording: str, told: Answer):
    found = payload(told.payload)
    assert found.source == f"recording {recording}"
    deltas = read_stream(told.model, found)
    text, reasoning = "".join(delta.text for delta in deltas), "".join(delta.reasoning for delta in deltas)
    check(told, text, reasoning, deltas[-1].facts)
    assert sum(delta.facts is not None for delta in deltas) == 1


def test_a_flat_call_in_a_stream_is_no_text_and_no_error(payload: Make):
    found = payload("stream-flat-tool-call")
    assert found.source == "recording native-stream-tools-flat-object"
    deltas = read_stream(LLAMA, found)
    assert [delta.text for delta in deltas if delta.text] == []
    assert deltas[-1].facts is not None


# Streams that end in an error


@dataclass(frozen=True)
class Broken:
    """One recorded stream that gives no answer: the error's class, its code, and what had arrived."""

    payload: str
    kind: type[e.WorkersAIError]
    code: int | None = None
    partial: str | None = None


BROKEN = {
    "native-stream-truncated-no-done": Broken("stream-truncated", e.StreamInterruptedError, partial="half an ans"),
    "stream-error-first-event": Broken("stream-error-first", e.CapacityError, code=3040, partial=""),
    "vision-moondream-stream": Broken("stream-moondream", e.InvalidResponseError),
}


@pytest.mark.parametrize(("recording", "told"), BROKEN.items(), ids=BROKEN)
def test_a_recorded_stream_without_an_answer_is_an_error(payload: Make, recording: str, told: Broken):
    found = payload(told.payload)
    assert found.source == f"recording {recording}"
    with pytest.raises(told.kind) as caught:
        read_stream(LLAMA, found)
    assert caught.value.code == told.code
    if told.partial is not None:
        assert caught.value.partial == told.partial


def test_an_empty_json_answer_to_a_stream_is_an_error_that_can_be_asked_for_unstreamed(payload: Make):
    found = payload("answer-empty-result")
    assert found.source == "recording native-stream-request-answered-with-json"
    asked = exchange("@cf/openai/gpt-oss-20b", stream=True)
    assert found.reply.is_json
    with pytest.raises(e.InvalidResponseError):
        asked.read(found.reply)
    assert json.loads(asked.unstreamed().request.body).get("stream", False) is False


# Embeddings


@pytest.mark.parametrize(
    ("recording", "name", "model", "rows"),
    [
        (
            "embedding-bge-small-notebook",
            "vectors-native-shape",
            "@cf/baai/bge-small-en-v1.5",
            [[0.125, -0.25, 0.5], [0.0, 1.0, -0.75]],
        ),
        (
            "embedding-qwen3-0.6b-openai-no-usage",
            "vectors-openai",
            "@cf/qwen/qwen3-embedding-0.6b",
            [[0.75, -0.125], [0.5, 0.25]],
        ),
    ],
)
def test_recorded_vectors_are_read(payload: Make, recording: str, name: str, model: str, rows: list[list[float]]):
    found = payload(name)
    assert found.source == f"recording {recording}"
    asked = embeddings.exchange(embeddings.EmbeddingRequest(Call(model), ["x"] * len(rows)))
    vectors = asked.read(found.reply)
    assert (vectors.rows, vectors.usage, vectors.cost) == (rows, None, None)


# The gateway's log


def test_the_cost_in_the_gateway_s_log_is_ours(payload: Make):
    found = payload("answer-gateway-log")
    assert found.source == "recording aig-log-entry-nonstream-llama-3.2-3b"
    told = found.reply.json()
    usage = Usage.read(told["usage"])
    cost = cost_of(usage, lookup("@cf/meta/llama-3.2-3b-instruct"))
    assert usage is not None
    assert cost is not None
    assert (usage.input_tokens, usage.output_tokens) == (told["log"]["tokens_in"], told["log"]["tokens_out"])
    assert cost.usd == pytest.approx(told["log"]["cost"])
    listed = cost_of(Usage(40, 3, 43), lookup("@cf/meta/llama-3.2-3b-instruct"))
    assert listed is not None
    assert listed.usd == pytest.approx(told["log"]["cost"])  # and so is the list price


# Coverage


def test_every_recording_is_covered_or_left_out_with_its_reason():
    source = inspect.getsource(sys.modules[__name__])
    covered = {*REFUSALS, *WHOLE, *STREAMED, *BROKEN, *re.findall(r'== "recording ([a-z0-9.-]+)"', source)}
    covered |= set(re.findall(r'"(embedding-[a-z0-9.-]+)"', source))
    left_out = set(re.findall(r"[a-z0-9]+(?:-[a-z0-9.]+)+", (__doc__ or "").partition("Left out")[2]))
    assert len(covered) == 63
    assert len(left_out) == 23
    assert not covered & left_out


def test_every_payload_names_its_source_and_what_it_shows():
    for path in sorted(PAYLOADS.glob("*.json")):
        told = json.loads(path.read_text(encoding="utf-8"))
        assert told["source"].startswith(("recording ", "quirk", "http-api")), path.name
        assert told["shows"], path.name
        assert len({"json", "sse", "text"} & told.keys()) == 1, path.name


def test_a_reply_without_a_body_is_no_answer():
    with pytest.raises(e.InvalidResponseError):
        exchange(LLAMA, stream=False).read(Reply(200, {}))
