"""The chat model: what is sent, what comes back, and LangChain's ways to call it."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
import time

import httpx
import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import get_usage_metadata_callback
from langchain_core.messages import AIMessageChunk, HumanMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.rate_limiters import BaseRateLimiter
from langchain_core.runnables import ConfigurableField

from langchain_workers_ai import BadRequestError, ChatWorkersAI, Gateway, RateLimitError

GEMMA = "@cf/google/gemma-4-26b-a4b-it"
GPT_OSS = "@cf/openai/gpt-oss-20b"
LLAMA = "@cf/meta/llama-3.3-70b-instruct-fp8-fast"


def merged(chunks: list[AIMessageChunk]) -> AIMessageChunk:
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole += chunk
    return whole


async def every_way(model, question="Hi", **options) -> dict[str, str]:
    """The text of each of LangChain's ways to ask."""
    return {
        "invoke": model.invoke(question, **options).text,
        "ainvoke": (await model.ainvoke(question, **options)).text,
        "stream": "".join(chunk.text for chunk in model.stream(question, **options)),
        "astream": "".join([chunk.text async for chunk in model.astream(question, **options)]),
        "batch": model.batch([question], **options)[0].text,
        "abatch": (await model.abatch([question], **options))[0].text,
        "generate": model.generate([[HumanMessage(question)]], **options).generations[0][0].text,
        "agenerate": (await model.agenerate([[HumanMessage(question)]], **options)).generations[0][0].text,
    }


# The same answer in every way


@pytest.mark.parametrize("arguments", [{}, {"streaming": True}, {"streaming": False}, {"output_version": "v1"}])
async def test_every_way_to_ask_gives_the_same_text(service, arguments):
    told = await every_way(service.chat(**arguments))
    assert set(told.values()) == {"Hello there."}


@pytest.mark.parametrize("model", [GEMMA, GPT_OSS, LLAMA])
@pytest.mark.parametrize("api", ["auto", "native", "openai"])
async def test_every_family_gives_the_same_text_in_every_way(emulator, model, api):
    chat = ChatWorkersAI(
        model=model,
        api=api,
        account_id=emulator.account_id,
        api_token=emulator.api_token,
        base_url=emulator.base_url,
    )
    told = await every_way(chat, "Reply exactly with: 7 birds, 12 °C and 日本語")
    assert set(told.values()) == {"7 birds, 12 °C and 日本語"}


def test_an_answer_in_one_piece_is_one_request_without_a_stream(service):
    service.chat().invoke("Hi")
    assert len(service.requests) == 1
    assert "stream" not in service.body


def test_a_stream_asks_for_one_and_for_its_usage(service):
    list(service.chat().stream("Hi"))
    assert service.body["stream"] is True
    assert service.body["stream_options"] == {"include_usage": True}


def test_a_native_stream_has_no_stream_options(service):
    list(service.chat(api="native").stream("Hi"))
    assert "stream_options" not in service.body


@pytest.mark.parametrize(("streaming", "way", "streams"), [(True, "invoke", True), (False, "stream", False)])
def test_streaming_says_whether_a_stream_is_used_whatever_the_way(service, streaming, way, streams):
    model = service.chat(streaming=streaming)
    _ = model.invoke("Hi") if way == "invoke" else list(model.stream("Hi"))
    assert service.body.get("stream", False) is streams


def test_disable_streaming_keeps_a_stream_whole(service):
    assert len([c for c in service.chat(disable_streaming=True).stream("Hi") if c.text]) == 1
    assert "stream" not in service.body


def test_the_stream_argument_of_a_call_is_langchains_own(service):
    service.chat().invoke("Hi", stream=True)
    assert service.body["stream"] is True
    service.chat().invoke("Hi", stream=False)
    assert "stream" not in service.body


# Callbacks


async def test_callbacks_see_each_chunk_exactly_once(service, recorder):
    model = service.chat()
    chunks = list(model.stream("Hi", config={"callbacks": [recorder]}))
    assert recorder.tokens == [chunk.text for chunk in chunks]
    recorder.events.clear()
    chunks = [chunk async for chunk in model.astream("Hi", config={"callbacks": [recorder]})]
    assert recorder.tokens == [chunk.text for chunk in chunks]


@pytest.mark.parametrize("way", ["invoke", "ainvoke"])
async def test_an_invoke_that_streams_tells_each_token_once(service, recorder, way):
    model, config = service.chat(streaming=True), {"callbacks": [recorder]}
    _ = model.invoke("Hi", config) if way == "invoke" else await model.ainvoke("Hi", config)
    assert [token for token in recorder.tokens if token] == ["Hello ", "there."]
    assert len(recorder.named("on_llm_end")) == 1


def test_the_methods_tell_the_run_manager_each_delta_once(service, recorder):
    """Called as LangGraph does, with a run manager in hand."""
    from langchain_core.callbacks import CallbackManager

    manager = CallbackManager([recorder])
    (run,) = manager.on_chat_model_start({}, [[HumanMessage("Hi")]])
    chunks = list(service.chat()._stream([HumanMessage("Hi")], run_manager=run))
    assert recorder.tokens == [chunk.text for chunk in chunks]
    assert [options["chunk"] for _, options in recorder.named("on_llm_new_token")] == chunks


def test_a_failure_is_told_once(service, recorder):
    service.answers(service.refuses(429, {"errors": [{"code": 3040, "message": "busy"}]}))
    with pytest.raises(RateLimitError):
        service.chat().invoke("Hi", config={"callbacks": [recorder]})
    assert len(recorder.named("on_llm_error")) == 1
    assert recorder.named("on_llm_end") == []


# What a stream tells besides text


async def test_facts_stand_on_exactly_one_chunk(service):
    model = service.chat()
    for chunks in (list(model.stream("Hi")), [chunk async for chunk in model.astream("Hi")]):
        for key in ("model_name", "finish_reason", "id", "neurons", "cost_usd", "cost_source"):
            assert len([c for c in chunks if key in c.response_metadata]) == 1, key
        assert len([c for c in chunks if c.usage_metadata]) == 1
        assert chunks[-1].chunk_position == "last"


@pytest.mark.parametrize("headers", [{}, {"cf-aig-log-id": "l1", "cf-aig-cache-status": "MISS", "cf-aig-step": "0"}])
def test_a_stream_added_up_tells_what_a_whole_answer_tells(service, headers):
    service.answers(service.says("Hello there.", reasoning="Hmm, well.", headers=headers))
    model = service.chat()
    whole, stream = model.invoke("Hi"), merged(list(model.stream("Hi")))
    assert stream.text == whole.text
    assert stream.usage_metadata == whole.usage_metadata
    # LangChain itself copies `llm_output` into the metadata of an answer in one piece.
    assert stream.response_metadata | {"token_usage": whole.response_metadata["token_usage"]} == whole.response_metadata
    assert stream.additional_kwargs == whole.additional_kwargs


def test_the_metadata_has_the_public_keys(service):
    headers = {"cf-aig-log-id": "l1", "cf-aig-cache-status": "MISS", "cf-aig-event-id": "e1", "cf-aig-step": "1"}
    service.answers(service.says("Hi", model=f"{GEMMA}-external", headers=headers))
    told = service.chat(gateway="docs").invoke("Hi").response_metadata
    assert (
        told.items()
        >= {
            "model_name": f"{GEMMA}-external",
            "model_requested": GEMMA,
            "model_provider": "cloudflare-workers-ai",
            "finish_reason": "stop",
            "id": "chatcmpl-1",
            "request_id": "8f3a-FRA",
            "cost_source": "catalog",
            "gateway": {"log_id": "l1", "cache_status": "MISS", "event_id": "e1", "step": 1},
        }.items()
    )
    assert told["neurons"] > 0
    assert told["cost_usd"] > 0


def test_usage_holds_whole_numbers_only(service):
    details = {
        "prompt_tokens_details": {"cached_tokens": 4},
        "completion_tokens_details": {"reasoning_tokens": 1},
        "neurons": 0.25,
    }
    service.answers(service.says("Hi", details=details))
    for message in (service.chat().invoke("Hi"), merged(list(service.chat().stream("Hi")))):
        assert message.usage_metadata == {
            "input_tokens": 7,
            "output_tokens": 3,
            "total_tokens": 10,
            "input_token_details": {"cache_read": 4},
            "output_token_details": {"reasoning": 1},
        }
        assert message.response_metadata["neurons"] == 0.25
        assert message.response_metadata["cost_source"] == "service"


async def test_the_usage_callback_counts_invokes_and_streams(service):
    model = service.chat()
    with get_usage_metadata_callback() as counted:
        model.invoke("Hi")
        list(model.stream("Hi"))
        await model.ainvoke("Hi")
        async for _ in model.astream("Hi"):
            pass
        model.batch(["a", "b"])
    assert counted.usage_metadata == {GEMMA: {"input_tokens": 42, "output_tokens": 18, "total_tokens": 60}}


@pytest.mark.parametrize("given", ["to the object", "to the call", "bound"])
def test_a_stream_without_usage_neither_asks_for_it_nor_tells_it(service, given):
    model = service.chat(stream_usage=False) if given == "to the object" else service.chat()
    model = model.bind(stream_usage=False) if given == "bound" else model
    options = {"stream_usage": False} if given == "to the call" else {}
    chunks = list(model.stream("Hi", **options))
    assert "stream_options" not in service.body
    assert not any(chunk.usage_metadata for chunk in chunks)


def test_a_call_can_ask_for_the_usage_that_the_object_leaves_out(service):
    chunks = list(service.chat(stream_usage=False).stream("Hi", stream_usage=True))
    assert any(chunk.usage_metadata for chunk in chunks)


@pytest.mark.parametrize("way", ["invoke", "ainvoke"])
async def test_stream_usage_is_understood_where_nothing_is_streamed(service, way):
    """A bound model is streamed here and invoked there."""
    model = service.chat().bind(stream_usage=False)
    answer = model.invoke("Hi") if way == "invoke" else await model.ainvoke("Hi")
    assert answer.usage_metadata, "only streams leave it out"


def test_headers_are_told_when_asked_for_and_never_secret_ones(service):
    model = service.chat(include_response_headers=True)
    for answer in (model.invoke("Hi"), merged(list(model.stream("Hi")))):
        assert answer.response_metadata["headers"]["cf-ray"] == "8f3a-FRA"
        assert "set-cookie" not in answer.response_metadata["headers"]
    assert "headers" not in service.chat().invoke("Hi").response_metadata


def test_log_probabilities_come_whole_and_streamed(service):
    told = {"content": [{"token": "Hi", "logprob": -0.5}]}
    service.answers(service.says("Hi there", logprobs=told))
    model = service.chat(logprobs=True, top_logprobs=2)
    assert model.invoke("Hi").response_metadata["logprobs"] == told
    assert service.body.items() >= {"logprobs": True, "top_logprobs": 2}.items()
    streamed = merged(list(model.stream("Hi"))).response_metadata["logprobs"]
    assert [entry["token"] for entry in streamed["content"]] == ["Hi ", "there"]


def test_several_answers_to_one_question(service):
    service.answers(service.says("Hi", n=3))
    result = service.chat(n=3).generate([[HumanMessage("Hi")]])
    assert [generation.text for generation in result.generations[0]] == ["Hi"] * 3
    assert service.body["n"] == 3
    assert result.llm_output["token_usage"] == {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}


@pytest.mark.parametrize(("model", "way"), [(LLAMA, "invoke"), (GEMMA, "stream")])
def test_several_answers_where_there_is_one_are_refused_and_not_lost(service, model, way):
    chat = service.chat(model=model, n=2)
    with pytest.raises(BadRequestError, match="n=2"):
        _ = chat.invoke("Hi") if way == "invoke" else list(chat.stream("Hi"))
    assert service.requests == []


def test_outputs_of_several_prompts_are_added_up(service):
    result = service.chat().generate([[HumanMessage("a")], [HumanMessage("b")]])
    assert result.llm_output == {
        "model_name": GEMMA,
        "token_usage": {"prompt_tokens": 14, "completion_tokens": 6, "total_tokens": 20},
    }


# Arguments, of the object and of a call

SENT = [
    ({"temperature": 0.0}, {"temperature": 0.0}),
    ({"max_tokens": 5}, {"max_tokens": 5}),
    ({"max_completion_tokens": 5}, {"max_tokens": 5}),
    ({"top_p": 0.5, "top_k": 3, "seed": 1}, {"top_p": 0.5, "top_k": 3, "seed": 1}),
    ({"stop": ["\n"]}, {"stop": ["\n"]}),
    ({"stop": "END"}, {"stop": ["END"]}),
    ({"stop_sequences": ["END"]}, {"stop": ["END"]}),
    ({"repetition_penalty": 1.1, "frequency_penalty": -1.0}, {"repetition_penalty": 1.1, "frequency_penalty": -1.0}),
    ({"presence_penalty": 1.0, "logit_bias": {"50256": -100}}, {"presence_penalty": 1.0}),
    ({"lora": "mine"}, {"lora": "mine"}),
    ({"reasoning_effort": "low"}, {"reasoning_effort": "low"}),
    ({"reasoning_effort": None}, {"reasoning_effort": None}),
    ({"chat_template_kwargs": {"enable_thinking": False}}, {"chat_template_kwargs": {"enable_thinking": False}}),
    ({"response_format": {"type": "json_object"}}, {"response_format": {"type": "json_object"}}),
    ({"extra_body": {"top_a": 1}}, {"top_a": 1}),
    ({"model_kwargs": {"top_a": 1}}, {"top_a": 1}),
    ({"reject_if_busy": True}, {"options": {"rejectIfBusy": True}}),
]


@pytest.mark.parametrize(("arguments", "sent"), SENT, ids=[" ".join(row[0]) for row in SENT])
@pytest.mark.parametrize("given", ["to the object", "to the call", "bound"])
def test_an_argument_is_sent(service, arguments, sent, given):
    model = service.chat(**arguments) if given == "to the object" else service.chat()
    model = model.bind(**arguments) if given == "bound" else model
    model.invoke("Hi", **(arguments if given == "to the call" else {}))
    assert service.body.items() >= sent.items()


def test_what_was_not_set_is_not_sent(service):
    service.chat().invoke("Hi")
    assert set(service.body) == {"model", "messages"}


@pytest.mark.parametrize("name", ["temperature", "max_tokens", "top_p", "seed", "stop", "n", "response_format"])
def test_none_for_a_call_takes_the_objects_own_away(service, name):
    values = {"stop": ["END"], "response_format": {"type": "json_object"}, "temperature": 0.5, "top_p": 0.5}
    service.chat(**{name: values.get(name, 1)}).invoke("Hi", **({} if name == "stop" else {name: None}))
    assert (name in service.body) is (name == "stop"), "core hands stop=None when none is given"


@pytest.mark.parametrize("given", ["to the object", "to the call"])
def test_the_default_reasoning_effort_is_not_sent(service, given):
    """`"default"` leaves it to the model, wherever it is said."""
    model = service.chat(**({"reasoning_effort": "default"} if given == "to the object" else {}))
    model.invoke("Hi", **({"reasoning_effort": "default"} if given == "to the call" else {}))
    assert "reasoning_effort" not in service.body


def test_a_call_goes_before_the_object(service):
    model = service.chat(temperature=0.1, max_tokens=5, extra_body={"a": 1, "b": 1})
    model.invoke("Hi", temperature=0.9, extra_body={"b": 2})
    assert service.body.items() >= {"temperature": 0.9, "max_tokens": 5, "a": 1, "b": 2}.items()


@pytest.mark.parametrize("name", ["model", "model_name"])
async def test_a_call_can_choose_the_model(service, name):
    model = service.chat()
    answers = [
        model.invoke("Hi", **{name: GPT_OSS}),
        await model.ainvoke("Hi", **{name: GPT_OSS}),
        merged(list(model.stream("Hi", **{name: GPT_OSS}))),
        merged([chunk async for chunk in model.astream("Hi", **{name: GPT_OSS})]),
    ]
    assert [body["model"] for body in service.bodies] == [GPT_OSS] * 4
    assert [answer.response_metadata["model_name"] for answer in answers] == [GPT_OSS] * 4
    assert model.model == GEMMA


def test_a_call_can_choose_the_api(service):
    service.chat().invoke("Hi", api="native")
    assert service.requests[-1].url.path.endswith(f"/ai/run/{GEMMA}")
    service.chat().invoke("Hi", api="openai")
    assert service.requests[-1].url.path.endswith("/ai/v1/chat/completions")


def test_a_call_changes_single_options_of_the_gateway(service):
    model = service.chat(gateway=Gateway("docs", cache_ttl=3600))
    model.invoke("Hi", gateway={"skip_cache": True})
    headers = service.requests[-1].headers
    assert headers["cf-aig-gateway-id"] == "docs"
    assert headers["cf-aig-cache-ttl"] == "3600"
    assert headers["cf-aig-skip-cache"] == "true"


def test_a_call_can_name_a_gateway_where_the_object_has_none(service):
    service.chat().invoke("Hi", gateway="docs")
    assert service.requests[-1].headers["cf-aig-gateway-id"] == "docs"


@pytest.mark.parametrize(
    "gateway",
    [{"token": "secret-of-the-gateway"}, {"route": "url"}, {"base_url": "https://example.org"}],
    ids=["token", "route", "base_url"],
)
@pytest.mark.parametrize("own", [None, "docs"], ids=["without a gateway of its own", "with one"])
def test_a_call_cannot_change_where_the_gateway_is(service, gateway, own):
    """Arguments of a call stand in traces. Refused as a bad request, so that retry middleware does not try it again."""
    given = gateway if own else {"id": "docs", **gateway}
    with pytest.raises(BadRequestError, match=next(iter(gateway))):
        service.chat(gateway=own).invoke("Hi", gateway=given)
    assert service.requests == []


def test_session_affinity_is_a_header(service):
    service.chat(session_affinity="s1").invoke("Hi")
    service.chat().invoke("Hi", session_affinity="s2")
    assert [request.headers["x-session-affinity"] for request in service.requests] == ["s1", "s2"]


def test_headers_and_query_go_with_every_request(service):
    service.chat(default_headers={"X-Team": "blue"}, default_query={"trace": "1"}).invoke("Hi")
    assert service.requests[-1].headers["x-team"] == "blue"
    assert service.requests[-1].url.params["trace"] == "1"


WAYS = {
    "invoke": lambda model, **options: model.invoke("Hi", **options),
    "ainvoke": lambda model, **options: asyncio.run(model.ainvoke("Hi", **options)),
    "stream": lambda model, **options: list(model.stream("Hi", **options)),
    "astream": lambda model, **options: asyncio.run(anext(model.astream("Hi", **options))),
}


@pytest.mark.parametrize("way", WAYS)
def test_an_unknown_argument_of_a_call_is_an_error_that_names_the_nearest(service, way):
    model = service.chat()
    with pytest.raises(TypeError, match=r"'temprature'.*temperature.*extra_body"):
        WAYS[way](model, temprature=0.5)
    assert service.requests == []


def test_an_unknown_argument_without_a_near_name_is_told_in_whole_sentences(service):
    with pytest.raises(TypeError, match=r"'zzz'\. What else"):
        service.chat().invoke("Hi", zzz=1)


def test_an_unknown_argument_of_the_object_is_an_error_that_names_the_nearest():
    with pytest.raises(TypeError, match=r"'temprature'.*temperature"):
        ChatWorkersAI(temprature=0.5)


@pytest.mark.parametrize("timeout", ["5", (5, 10), True, 0, -1], ids=repr)
def test_a_timeout_that_is_none_is_refused_by_its_name(timeout):
    with pytest.raises(ValueError, match="timeout"):
        ChatWorkersAI(timeout=timeout)


@pytest.mark.parametrize(
    ("disabled", "call", "sent"),
    [
        ({"temperature": None}, {"temperature": 0.5}, False),
        ({"temperature": [0.5]}, {"temperature": 0.5}, False),
        ({"temperature": [0.5]}, {"temperature": 0.6}, True),
        ({"seed": None}, {"temperature": 0.5}, True),
        (None, {"temperature": 0.5}, True),
    ],
)
def test_disabled_params_are_not_sent(service, disabled, call, sent):
    service.chat(disabled_params=disabled).invoke("Hi", **call)
    assert ("temperature" in service.body) is sent


def test_a_stop_text_is_kept_where_the_model_itself_takes_none(service):
    """Classic models have no `stop`: it is kept to here, whole and streamed."""
    service.answers(service.says("one two END three"))
    model = service.chat(model=LLAMA, stop=["END"])
    assert model.invoke("Hi").text == "one two "
    assert "".join(chunk.text for chunk in model.stream("Hi")) == "one two "
    assert "stop" not in service.body


def test_no_message_is_an_error_before_anything_is_sent(service):
    with pytest.raises(BadRequestError, match="messages"):
        service.chat().invoke([])
    assert service.requests == []


# LangChain's ways around a model


def test_with_config_names_the_run(service, recorder):
    service.chat().with_config(tags=["blue"], run_name="asking", callbacks=[recorder]).invoke("Hi")
    ((_, options),) = recorder.named("on_chat_model_start")
    assert (options["name"], options["tags"]) == ("asking", ["blue"])


def test_fields_can_be_configured_at_run_time(service):
    model = service.chat(temperature=0.1, gateway="docs", timeout=5).configurable_fields(
        temperature=ConfigurableField(id="t"), model=ConfigurableField(id="m")
    )
    model.with_config(configurable={"t": 0.9, "m": GPT_OSS}).invoke("Hi")
    assert (service.body["temperature"], service.body["model"]) == (0.9, GPT_OSS)
    assert service.requests[-1].headers["cf-aig-gateway-id"] == "docs"
    model.invoke("Hi")
    assert (service.body["temperature"], service.body["model"]) == (0.1, GEMMA)


def test_a_configured_model_still_streams(service):
    """LangChain makes the configured one anew with every field given: `streaming` must not read as "do not"."""
    model = service.chat().configurable_fields(temperature=ConfigurableField(id="t"))
    chunks = list(model.with_config(configurable={"t": 0.9}).stream("Hi"))
    assert service.body["stream"] is True
    assert len([chunk for chunk in chunks if chunk.text]) == 2


def test_an_alternative_takes_over(service):
    model = service.chat().configurable_alternatives(ConfigurableField(id="which"), oss=service.chat(model=GPT_OSS))
    model.with_config(configurable={"which": "oss"}).invoke("Hi")
    assert service.body["model"] == GPT_OSS


def test_with_retry_asks_again(service):
    service.answers(service.refuses(429, {"errors": [{"code": 3040, "message": "busy"}]}), service.says("Hi"))
    model = service.chat().with_retry(retry_if_exception_type=(RateLimitError,), wait_exponential_jitter=False)
    assert model.invoke("Hi").text == "Hi"
    assert len(service.requests) == 2


async def test_with_fallbacks_asks_another_model(service):
    def answer(request):
        busy = GEMMA.encode() in request.content
        refused = service.refuses(429, {"errors": [{"code": 3040, "message": "busy"}]})
        return refused(request) if busy else service.says("From the other.")(request)

    service.answers(answer)
    model = service.chat().with_fallbacks([service.chat(model=GPT_OSS)], exceptions_to_handle=(RateLimitError,))
    told = [
        model.invoke("Hi").text,
        (await model.ainvoke("Hi")).text,
        "".join(chunk.text for chunk in model.stream("Hi")),
        "".join([chunk.text async for chunk in model.astream("Hi")]),
    ]
    assert told == ["From the other."] * 4


def test_a_chain_streams_through(service):
    chain = ChatPromptTemplate.from_messages([("system", "Be brief."), ("human", "{q}")]) | service.chat()
    assert list((chain | StrOutputParser()).stream({"q": "Hi"})) == ["Hello ", "there.", ""]


def test_batches_keep_their_order(service):
    def answer(request):
        question = request.content.decode()
        time.sleep(0.02 if "a" in question.split('"content":')[1][:3] else 0.0)
        return service.says(question.split('"content":"')[1].split('"')[0])(request)

    service.answers(answer)
    assert [message.text for message in service.chat().batch(["a", "b", "c"])] == ["a", "b", "c"]


def test_batches_give_back_what_failed_in_its_place(service):
    def answer(request):
        failing = b'"b"' in request.content
        return (service.refuses(400, {"errors": [{"code": 5006, "message": "no"}]}) if failing else service.says("ok"))(
            request
        )

    service.answers(answer)
    told = service.chat().batch(["a", "b", "c"], return_exceptions=True)
    assert [type(one).__name__ for one in told] == ["AIMessage", "WorkersAIBadRequestError", "AIMessage"]


class CountingLimiter(BaseRateLimiter):
    def __init__(self) -> None:
        self.asked: list[str] = []

    def acquire(self, *, blocking: bool = True) -> bool:
        self.asked.append("sync")
        return True

    async def aacquire(self, *, blocking: bool = True) -> bool:
        self.asked.append("async")
        return True


async def test_the_rate_limiter_is_asked_before_each_call(service):
    limiter = CountingLimiter()
    model = service.chat(rate_limiter=limiter)
    model.invoke("Hi")
    list(model.stream("Hi"))
    await model.ainvoke("Hi")
    _ = [chunk async for chunk in model.astream("Hi")]
    assert limiter.asked == ["sync", "sync", "async", "async"]


# LangChain's cache

DIFFERENT = [
    {"model": GPT_OSS},
    {"temperature": 1.5},
    {"max_tokens": 9},
    {"stop": ["END"]},
    {"seed": 7},
    {"api": "native"},
    {"gateway": "docs"},
    {"extra_body": {"top_a": 1}},
    {"account_id": "f" * 32},
    {"base_url": "https://example.org/client/v4"},
    {"reasoning_effort": "low"},
    {"model_kwargs": {"top_a": 1}},
    {"response_format": {"type": "json_object"}},
]


@pytest.mark.parametrize("other", DIFFERENT, ids=[" ".join(each) for each in DIFFERENT])
def test_two_models_never_share_a_cached_answer(service, other):
    service.answers(service.says("first"), service.says("second"))
    cache = InMemoryCache()
    one, two = service.chat(cache=cache), service.chat(cache=cache, **other)
    assert (one.invoke("Hi").text, two.invoke("Hi").text) == ("first", "second")
    assert (one.invoke("Hi").text, two.invoke("Hi").text) == ("first", "second")
    assert len(service.requests) == 2


@pytest.mark.parametrize("other", [{"model": GPT_OSS}, {"temperature": 1.5}, {"stop": ["END"]}, {"gateway": "docs"}])
def test_two_calls_of_one_model_never_share_one_either(service, other):
    service.answers(service.says("first"), service.says("second"))
    model = service.chat(cache=InMemoryCache())
    assert (model.invoke("Hi").text, model.invoke("Hi", **other).text) == ("first", "second")


async def test_the_same_model_meets_its_cached_answer_again(service):
    cache = InMemoryCache()
    assert service.chat(cache=cache).invoke("Hi").text == "Hello there."
    assert (await service.chat(cache=cache).ainvoke("Hi")).text == "Hello there."
    assert len(service.requests) == 1


def test_a_key_that_was_rotated_meets_the_same_cached_answers(service):
    cache = InMemoryCache()
    service.chat(cache=cache, api_token="old-token-of-the-test").invoke("Hi")
    service.chat(cache=cache, api_token="new-token-of-the-test").invoke("Hi")
    assert len(service.requests) == 1


# Changing an object

CHANGES = [
    ("temperature", 0.9, lambda request, body: body["temperature"] == 0.9),
    ("model", GPT_OSS, lambda request, body: body["model"] == GPT_OSS),
    ("api_token", "new-token-of-the-test", lambda r, b: r.headers["authorization"] == "Bearer new-token-of-the-test"),
    ("base_url", "https://example.org/client/v4", lambda request, body: request.url.host == "example.org"),
    ("account_id", "f" * 32, lambda request, body: "f" * 32 in request.url.path),
    ("default_headers", {"X-Team": "red"}, lambda request, body: request.headers["x-team"] == "red"),
    ("default_query", {"a": "1"}, lambda request, body: request.url.params["a"] == "1"),
    ("timeout", 7.0, lambda request, body: request.extensions["timeout"]["read"] == 7.0),
    ("gateway", Gateway("docs"), lambda request, body: request.headers["cf-aig-gateway-id"] == "docs"),
    ("gateway", "docs", lambda request, body: request.headers["cf-aig-gateway-id"] == "docs"),
    ("extra_body", {"a": 1}, lambda request, body: body["a"] == 1),
    ("stop", "END", lambda request, body: body["stop"] == ["END"]),
]


@pytest.mark.parametrize(("name", "value", "took_effect"), CHANGES, ids=[f"{row[0]} {row[1]!r}" for row in CHANGES])
@pytest.mark.parametrize("how", ["assigned", "copied"])
@pytest.mark.parametrize("used", [False, True], ids=["before use", "after use"])
def test_a_change_takes_effect(service, name, value, took_effect, how, used):
    model = service.chat()
    if used:
        model.invoke("Hi")
    if how == "assigned":
        setattr(model, name, value)
        changed = model
    else:
        changed = model.model_copy(update={name: value})
    changed.invoke("Hi")
    assert took_effect(service.requests[-1], service.body)


def test_a_copy_leaves_the_first_one_as_it_was(service):
    model = service.chat()
    model.invoke("Hi")
    model.model_copy(update={"base_url": "https://example.org/client/v4"}).invoke("Hi")
    model.invoke("Hi")
    assert [request.url.host for request in service.requests] == [
        "api.cloudflare.com",
        "example.org",
        "api.cloudflare.com",
    ]


def test_max_retries_can_be_changed(service):
    service.answers(service.refuses(500, {}, {"retry-after": "0"}))
    model = service.chat(max_retries=0)
    with pytest.raises(Exception, match="HTTP 500"):
        model.invoke("Hi")
    model.max_retries = 2
    with pytest.raises(Exception, match="HTTP 500"):
        model.invoke("Hi")
    assert len(service.requests) == 1 + 3


def test_the_service_is_found_through_the_client_put_in_later(service):
    model = ChatWorkersAI(account_id="f" * 32, api_token="token-of-the-test")
    model.http_client = httpx.Client(transport=httpx.MockTransport(service))
    assert model.invoke("Hi").text == "Hello there."


# Loops, threads, and streams that are left early


@pytest.fixture
def on_the_emulator(emulator) -> ChatWorkersAI:
    return ChatWorkersAI(
        model=LLAMA, account_id=emulator.account_id, api_token=emulator.api_token, base_url=emulator.base_url
    )


def test_one_model_serves_three_loops_in_a_row(on_the_emulator):
    async def ask() -> tuple[str, str]:
        streamed = "".join([chunk.text async for chunk in on_the_emulator.astream("Count to 3")])
        return (await on_the_emulator.ainvoke("Count to 3")).text, streamed

    assert [asyncio.run(ask()) for _ in range(3)] == [("1, 2, 3", "1, 2, 3")] * 3


def test_one_model_serves_eight_threads(on_the_emulator):
    told: list[str] = []

    def ask(limit: int) -> None:
        told.append(on_the_emulator.invoke(f"Count to {limit}").text.split(", ")[-1])
        told.append("".join(chunk.text for chunk in on_the_emulator.stream(f"Count to {limit}")).split(", ")[-1])

    threads = [threading.Thread(target=ask, args=(limit,)) for limit in range(2, 10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(map(int, told)) == sorted([*range(2, 10)] * 2)


async def test_a_sync_call_works_inside_a_running_loop(on_the_emulator):
    assert on_the_emulator.invoke("Count to 3").text == "1, 2, 3"
    assert "".join(chunk.text for chunk in on_the_emulator.stream("Count to 3")) == "1, 2, 3"


async def test_many_async_calls_at_once(on_the_emulator):
    told = await asyncio.gather(*(on_the_emulator.ainvoke(f"Count to {n}") for n in range(2, 22)))
    assert [message.text.split(", ")[-1] for message in told] == [str(n) for n in range(2, 22)]


RELEASED_WITHIN = 0.5  # seconds


def released(tap) -> bool:
    """Whether every stream of the tap ends in time. It blocks: for what is closed when the call returns."""
    end = time.monotonic() + RELEASED_WITHIN
    while tap.open and time.monotonic() < end:
        time.sleep(0.005)
    return tap.open == 0


async def areleased(tap) -> bool:
    """The same without blocking the loop."""
    return await asyncio.to_thread(released, tap)


@pytest.mark.parametrize("kind", ["chat", "llm"])
class TestAStreamLeftEarly:
    """It lets go of its connection within half a second, so that the service stops generating, and charging."""

    def test_closed(self, tap, kind):
        stream = getattr(tap, kind)().stream("Hi")
        next(stream)
        assert tap.open == 1
        stream.close()
        assert released(tap)

    def test_broken_out_of(self, tap, kind):
        for _ in getattr(tap, kind)().stream("Hi"):
            assert tap.open == 1
            break
        assert released(tap)

    def test_broken_out_of_by_an_error_of_the_caller(self, tap, kind):
        with contextlib.suppress(ZeroDivisionError):
            for _ in getattr(tap, kind)().stream("Hi"):
                1 / 0  # noqa: B018
        assert released(tap)

    async def test_closed_async(self, tap, kind):
        stream = getattr(tap, kind)().astream("Hi")
        await anext(stream)
        assert tap.open == 1
        await stream.aclose()
        assert await areleased(tap)

    async def test_broken_out_of_async(self, tap, kind):
        async for _ in getattr(tap, kind)().astream("Hi"):
            assert tap.open == 1
            break
        gc.collect()
        assert await areleased(tap)

    async def test_broken_out_of_and_closed_async(self, tap, kind):
        stream = getattr(tap, kind)().astream("Hi")
        async for _ in stream:
            break
        await stream.aclose()
        assert await areleased(tap)

    async def test_its_task_cancelled(self, tap, kind):
        begun = asyncio.Event()

        async def read() -> None:
            async for _ in getattr(tap, kind)().astream("Hi"):
                begun.set()

        task = asyncio.create_task(read())
        await asyncio.wait_for(begun.wait(), 10)
        assert tap.open == 1
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await areleased(tap)

    async def test_its_time_run_out(self, tap, kind):
        async def read() -> None:
            async for _ in getattr(tap, kind)().astream("Hi"):
                pass

        with pytest.raises(TimeoutError):
            await asyncio.wait_for(read(), 0.1)
        assert await areleased(tap)

    async def test_an_invoke_that_streams_cancelled(self, tap, kind):
        task = asyncio.create_task(getattr(tap, kind)(streaming=True).ainvoke("Hi"))
        await asyncio.sleep(0.1)
        assert tap.open == 1
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await areleased(tap)


def test_the_identity_of_a_model_is_told_under_both_names(service):
    model = service.chat(temperature=0.5)
    assert (model.model, model.model_name) == (GEMMA, GEMMA)
    assert model._llm_type == "workers-ai-chat"
    assert model._identifying_params.items() >= {"model": GEMMA, "temperature": 0.5}.items()
    assert ChatWorkersAI(model_name=GPT_OSS).model == GPT_OSS


def test_a_spelling_given_twice_is_an_error():
    with pytest.raises(TypeError, match="given twice"):
        ChatWorkersAI(model=GEMMA, model_name=GPT_OSS)
    with pytest.raises(TypeError, match="given twice"):
        ChatWorkersAI(max_tokens=1, max_completion_tokens=2)


@pytest.mark.parametrize(
    ("old", "new"),
    [("cf_api_token", "api_token"), ("cf_account_id", "account_id"), ("ai_gateway", "gateway")],
)
def test_the_names_of_langchain_cloudflare_are_taken_with_a_note(old, new):
    value = "f" * 32
    with pytest.warns(DeprecationWarning, match=f"{old}= is now {new}="):
        model = ChatWorkersAI(**{old: value})
    assert getattr(model, new) is not None


def test_nothing_is_needed_until_the_first_call():
    model = ChatWorkersAI()
    with pytest.raises(Exception, match="CLOUDFLARE_API_TOKEN") as caught:
        model.invoke("Hi")
    assert "CLOUDFLARE_ACCOUNT_ID" in str(caught.value)
