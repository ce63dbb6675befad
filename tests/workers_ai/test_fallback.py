"""Several models in turn, tried by the client: whose turn it is, what is kept of those that failed."""

from __future__ import annotations

import asyncio
import json
import logging
import pickle
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from workers_ai import Client, NeuronMeter, errors
from workers_ai.call import Call
from workers_ai.errors import WorkersAIError
from workers_ai.exchange import Exchange
from workers_ai.gateway import Gateway
from workers_ai.retry import RetryPolicy, another_model_may_help
from workers_ai.tasks.chat import ChatRequest
from workers_ai.tasks.chat import exchange as chat_exchange

FIRST = "@cf/google/gemma-4-26b-a4b-it"
SECOND = "@cf/meta/llama-3.3-70b-instruct-fp8-fast"
THIRD = "@cf/openai/gpt-oss-20b"
NO_TOOLS = "@cf/meta/llama-guard-3-8b"


def asking(*fallback: str, model: str = FIRST, gateway: Gateway | None = None, **told: Any) -> Callable[..., Any]:
    """A chat with models to ask next."""

    def ask(*, stream: bool) -> Exchange[Any, Any]:
        call = Call(model, fallback=fallback, gateway=gateway)
        return chat_exchange(
            ChatRequest(call, [{"role": "user", "content": "How is the tide?"}], **told), stream=stream
        )

    return ask


def asked(requests: list[httpx.Request]) -> list[str]:
    """The models that were asked, in their order."""
    found = []
    for request in requests:
        body = json.loads(request.content)
        found.append(body.get("model") or request.url.path.partition("/ai/run/")[2])
    return found


def answered(request: httpx.Request) -> httpx.Response:
    """A good answer, in the form that was asked for."""
    body = json.loads(request.content)
    body = body[0]["query"] if isinstance(body, list) else body
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "High."}}
    usage = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
    if not body.get("stream"):
        told = {"id": "x", "choices": [choice], "usage": usage}
        result = told if "/ai/run/" not in request.url.path else {"result": told, "success": True, "errors": []}
        return httpx.Response(200, json=result)
    frames = [
        {"choices": [{"index": 0, "delta": {"content": "High."}}]},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": usage},
    ]
    text = "".join(f"data: {json.dumps(frame)}\n\n" for frame in frames) + "data: [DONE]\n\n"
    return httpx.Response(200, headers={"content-type": "text/event-stream"}, text=text)


def test_the_next_model_answers_once_the_retries_of_the_first_are_over(service: Any, way: Any) -> None:
    """The whole of it, in all four ways to send."""
    busy = service("error-3040-short", "error-3040-short", "error-3040-short", answered)
    told = way(busy.transport(), asking(SECOND, THIRD))
    assert asked(busy.requests) == [FIRST, FIRST, FIRST, SECOND]
    assert told.text == "High."
    assert told.facts.metadata() | {} == {
        **told.facts.metadata(),
        "model_requested": FIRST,
        "model_name": SECOND,
        "fallback_step": 1,
    }


def test_the_model_itself_is_step_0_and_without_fallback_there_is_no_step(service: Any, way: Any) -> None:
    assert way(service(answered).transport(), asking(SECOND)).facts.fallback_step == 0
    assert way(service(answered).transport(), asking()).facts.fallback_step is None


def test_the_last_error_tells_of_all(service: Any, way: Any) -> None:
    """Each model failed by an error of its own, which outlives a pickle."""
    failing = service("error-3040-short", "error-5007-no-such-model", "error-3043-internal")
    with pytest.raises(errors.ServerError) as caught:
        way(failing.transport(retry=RetryPolicy(max_retries=0)), asking(SECOND, THIRD))
    error = pickle.loads(pickle.dumps(caught.value))
    assert [(type(each), each.model, each.code) for each in error.attempts] == [
        (errors.CapacityError, FIRST, 3040),
        (errors.ModelNotFoundError, SECOND, 5007),
    ]
    assert error.model == THIRD
    assert f"Other models failed too: {FIRST} (CapacityError 3040), {SECOND} (ModelNotFoundError 5007)" in str(error)
    assert all(each.__traceback__ is None for each in caught.value.attempts)


@pytest.mark.parametrize(
    "refusal",
    ["error-5006-null-content", "error-10000-authentication", "error-8007-prompt-refused", "error-3010-context-window"],
)
def test_what_is_the_callers_own_goes_to_no_other_model(service: Any, way: Any, refusal: str) -> None:
    refusing = service(refusal, answered)
    with pytest.raises(WorkersAIError) as caught:
        way(refusing.transport(), asking(SECOND))
    assert asked(refusing.requests) == [FIRST]
    assert caught.value.attempts == ()


def error_of(kind: type[WorkersAIError], **told: Any) -> WorkersAIError:
    return kind("x", **told)


@pytest.mark.parametrize(
    ("error", "helps"),
    [
        (error_of(errors.CapacityError, code=3040), True),
        (error_of(errors.RateLimitError), True),
        (error_of(errors.RateLimitError, code=2003), False),
        (error_of(errors.ServerError, status=500), True),
        (error_of(errors.ServerError, code=7013), False),
        (error_of(errors.ModelNotFoundError, code=5007), True),
        (error_of(errors.ModelNotFoundError, code=5028), True),
        (error_of(errors.ModelNotFoundError, code=3037), False),
        (error_of(errors.PermissionDeniedError, code=5035), True),
        (error_of(errors.PermissionDeniedError, code=3023), False),
        (error_of(errors.QuotaExceededError, code=2045), True),
        (error_of(errors.QuotaExceededError, code=2021), True),
        (error_of(errors.QuotaExceededError, code=3036), False),
        (error_of(errors.EmptyAnswerError), True),
        (error_of(errors.StreamInterruptedError), True),
        (error_of(errors.StructuredOutputError), True),
        (error_of(errors.APITimeoutError), True),
        (error_of(errors.APIConnectionError), True),
        (error_of(errors.APIConnectionError, maybe_sent=False), False),
        (error_of(errors.APITimeoutError, maybe_sent=False), False),
        (error_of(errors.BadRequestError), False),
        (error_of(errors.ContextLengthError), False),
        (error_of(errors.ContentFilteredError), False),
        (error_of(errors.AuthenticationError), False),
        (error_of(errors.BudgetExceededError), False),
        (error_of(errors.GatewayError), False),
    ],
    ids=lambda value: f"{type(value).__name__}-{value.code}" if isinstance(value, WorkersAIError) else str(value),
)
def test_which_failures_another_model_may_help(error: WorkersAIError, helps: bool) -> None:
    assert another_model_may_help(error, SECOND) is helps


def test_a_day_without_neurons_leaves_only_another_vendors_models(service: Any) -> None:
    """They are asked at once: no other model of Workers AI would answer."""
    spent = service("error-3036-daily-allocation", answered)
    answer = spent.transport().send(asking(SECOND, "openai/gpt-5-mini")(stream=False))
    assert asked(spent.requests) == [FIRST, "openai/gpt-5-mini"]
    assert answer.facts.fallback_step == 2


def test_a_stream_changes_only_before_its_first_piece(service: Any, steps: Any) -> None:
    begun = b'data: {"choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\n'
    broken = service(steps.streamed(begun, httpx.ReadError("gone")), answered)
    seen = []
    with pytest.raises(errors.StreamInterruptedError):
        seen.extend(broken.transport().stream(asking(SECOND)(stream=True)))
    assert "".join(delta.text for delta in seen) == "Hi"
    assert asked(broken.requests) == [FIRST]


def test_a_model_that_cannot_be_asked_is_passed_over_and_kept(service: Any, way: Any) -> None:
    """Each model's request is its own: one that takes no tools is not asked with tools."""
    tool = {"type": "function", "function": {"name": "tide", "parameters": {"type": "object", "properties": {}}}}
    busy = service("error-3040-short", answered)
    told = way(busy.transport(retry=RetryPolicy(max_retries=0)), asking(NO_TOOLS, THIRD, tools=[tool]))
    assert asked(busy.requests) == [FIRST, THIRD]
    assert told.facts.fallback_step == 2
    failing = service("error-3040-short")
    with pytest.raises(errors.CapacityError) as caught:
        way(failing.transport(retry=RetryPolicy(max_retries=0)), asking(NO_TOOLS, tools=[tool]))
    assert [each.model for each in caught.value.attempts] == [NO_TOOLS]
    assert caught.value.attempts[0].maybe_sent is False


def test_a_request_is_made_only_when_its_model_has_its_turn() -> None:
    exchange = asking(SECOND, THIRD)(stream=False)
    assert [other.model for other in exchange.others] == [SECOND, THIRD]
    assert exchange.others[0].build().request.model == SECOND


def test_the_same_model_is_not_asked_twice(service: Any) -> None:
    busy = service("error-3040-short")
    with pytest.raises(errors.CapacityError):
        busy.transport(retry=RetryPolicy(max_retries=0)).send(asking(FIRST, SECOND, SECOND)(stream=False))
    assert asked(busy.requests) == [FIRST, SECOND]


def test_a_meter_counts_the_model_that_answered(service: Any, way: Any) -> None:
    busy = service("error-3040-short", answered)
    with NeuronMeter() as meter:
        way(busy.transport(retry=RetryPolicy(max_retries=0)), asking(SECOND))
    assert meter.calls == 1
    assert list(meter.by_model) == [SECOND]


def test_a_name_that_nobody_knows_is_told_as_the_model_that_was_asked(service: Any) -> None:
    """The service names some models by what runs behind them: the answer must be put down to the right one."""

    def alias(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={**answered(request).json(), "model": "zai/glm-internal-7"})

    busy = service("error-3040-short", alias)
    with NeuronMeter() as meter:
        answer = busy.transport(retry=RetryPolicy(max_retries=0)).send(asking(THIRD)(stream=False))
    assert answer.facts.answering_model == THIRD
    assert list(meter.by_model) == [THIRD]


def test_a_spent_budget_goes_to_no_other_model(service: Any) -> None:
    with NeuronMeter(budget_neurons=0.0) as _, pytest.raises(errors.BudgetExceededError) as caught:
        service(answered).transport().send(asking(SECOND)(stream=False))
    assert caught.value.attempts == ()


def test_each_change_is_logged(service: Any, caplog: pytest.LogCaptureFixture) -> None:
    busy = service("error-3040-short", answered)
    with caplog.at_level(logging.INFO, "workers_ai.transport"):
        busy.transport(retry=RetryPolicy(max_retries=0)).send(asking(SECOND)(stream=False))
    (record,) = caplog.records
    assert record.getMessage() == f"{FIRST} failed (CapacityError), the next model is {SECOND}"
    assert (record.model, record.next_model, record.code) == (FIRST, SECOND, 3040)  # type: ignore[attr-defined]


def test_a_deadline_around_the_call_ends_it_whatever_model_is_asked(service: Any) -> None:
    """The second model never answers; nobody goes on to the third."""
    requests = []

    async def serve(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        if len(requests) > 1:
            await asyncio.sleep(60)
        return service("error-3040-short").script[0].response()

    async def ask() -> None:
        transport = service(answered).transport(retry=RetryPolicy(max_retries=0))
        transport.http_async_client = httpx.AsyncClient(transport=httpx.MockTransport(serve))
        async with asyncio.timeout(0.2):
            await transport.asend(asking(SECOND, THIRD)(stream=False))

    with pytest.raises(TimeoutError):
        asyncio.run(ask())
    assert asked(requests) == [FIRST, SECOND]


def test_the_client_takes_it_per_call_and_for_texts_alone(service: Any) -> None:
    busy = service("error-3040-short", answered)
    client = Client(account_id="0" * 32, api_token="token", http_client=busy.client(), max_retries=0)
    answer = client.chat("Hello", model=FIRST, fallback=SECOND)
    assert (answer.facts.model, answer.facts.answering_model) == (FIRST, SECOND)
    with pytest.raises(errors.BadRequestError, match="fallback: model 'a b' cannot be a model id"):
        client.complete("Hello", fallback=["a b"])
    with pytest.raises(TypeError, match="fallback"):
        client.embed(["x"], fallback=SECOND)


def universal(*fallback: str, stream: bool = False, **options: Any) -> Exchange[Any, Any]:
    return asking(*fallback, gateway=Gateway("docs", route="url", **options))(stream=stream)


def test_by_the_gateways_address_all_go_out_in_one_request(service: Any) -> None:
    """A step for each model, in its own form, each with the Authorization that Workers AI wants."""
    serving = service(answered)
    transport = serving.transport()
    transport.send(universal(NO_TOOLS, "openai/gpt-5-mini", cache_ttl=60))
    (request,) = serving.requests
    assert request.url == f"https://gateway.ai.cloudflare.com/v1/{transport.settings.account_id}/docs"
    assert request.headers["cf-aig-cache-ttl"] == "60"
    steps = json.loads(request.content)
    assert [(step["provider"], step["endpoint"], step["query"].get("model")) for step in steps] == [
        ("workers-ai", "v1/chat/completions", FIRST),
        ("workers-ai", NO_TOOLS, None),
        ("compat", "chat/completions", "openai/gpt-5-mini"),
    ]
    token = request.headers["authorization"]
    assert {step["headers"]["Authorization"] for step in steps} == {token}
    assert {step["headers"]["Content-Type"] for step in steps} == {"application/json"}


def test_an_answer_is_read_by_the_step_that_gave_it(service: Any, way: Any) -> None:
    """The second model speaks the native form, the first OpenAI's."""

    def second(request: httpx.Request) -> httpx.Response:
        if not way.streams:
            native = {"result": {"response": "High."}, "success": True, "errors": []}
            return httpx.Response(200, headers={"cf-aig-step": "1"}, json=native)
        text = 'data: {"response":"High."}\n\ndata: {"response":"","usage":{"total_tokens":7}}\n\ndata: [DONE]\n\n'
        return httpx.Response(200, headers={"cf-aig-step": "1", "content-type": "text/event-stream"}, text=text)

    told = way(service(second).transport(), lambda stream: universal(NO_TOOLS, stream=stream))
    assert told.text == "High."
    assert (told.facts.model, told.facts.answering_model, told.facts.fallback_step) == (FIRST, NO_TOOLS, 1)
    assert told.facts.gateway["step"] == 1


def test_what_a_gateway_tried_with_several_models_is_not_tried_again_unasked(service: Any, way: Any) -> None:
    """Its attempts and the client's would multiply; who sets max_retries asks for it."""
    busy = service("error-3040-short")
    with pytest.raises(errors.CapacityError):
        way(busy.transport(), lambda stream: universal(SECOND, stream=stream))
    assert len(busy.requests) == 1
    policy = RetryPolicy(max_retries=1, over_gateway=True, base=0, capacity_base=0)
    with pytest.raises(errors.CapacityError):
        way(busy.transport(retry=policy), lambda stream: universal(SECOND, stream=stream))
    assert len(busy.requests) == 3


def test_an_error_of_the_gateway_names_the_model_of_its_step(service: Any) -> None:
    def refused(_: httpx.Request) -> httpx.Response:
        response = service("error-3040-short").script[0].response()
        response.headers["cf-aig-step"] = "1"
        return response

    with pytest.raises(errors.CapacityError) as caught:
        service(refused).transport().send(universal(SECOND))
    assert caught.value.model == SECOND
    assert caught.value.gateway["step"] == 1


def test_a_model_that_cannot_be_asked_is_left_out_of_the_gateways_list(service: Any) -> None:
    tool = {"type": "function", "function": {"name": "tide", "parameters": {"type": "object", "properties": {}}}}
    gateway = Gateway("docs", route="url")
    exchange = asking(NO_TOOLS, SECOND, tools=[tool], gateway=gateway)(stream=False)
    assert [step.model for step in exchange.request.steps] == [FIRST, SECOND]
    alone = asking(NO_TOOLS, tools=[tool], gateway=gateway)(stream=False)
    assert alone.request.steps == ()
    assert alone.request.path == "ai/v1/chat/completions"


def test_no_secret_is_kept_with_the_request_that_holds_it(service: Any) -> None:
    exchange = universal(SECOND)
    serving = service(answered)
    transport = serving.transport()
    transport.send(exchange)
    token = serving.requests[0].headers["authorization"].removeprefix("Bearer ")
    assert token in serving.requests[0].content.decode()
    assert token not in repr(exchange)
    assert all(isinstance(step.body, bytes) and token.encode() not in step.body for step in exchange.request.steps)
