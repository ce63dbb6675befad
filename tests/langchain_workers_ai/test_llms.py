"""The plain text model."""

from __future__ import annotations

import asyncio
import json

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.runnables import ConfigurableField

from langchain_workers_ai import BadRequestError, CapacityError, Gateway, WorkersAI

GEMMA = "@cf/google/gemma-4-26b-a4b-it"
GPT_OSS = "@cf/openai/gpt-oss-20b"
LLAMA = "@cf/meta/llama-3.3-70b-instruct-fp8-fast"


async def every_way(llm, prompt="Hi", **options) -> dict[str, str]:
    return {
        "invoke": llm.invoke(prompt, **options),
        "ainvoke": await llm.ainvoke(prompt, **options),
        "stream": "".join(llm.stream(prompt, **options)),
        "astream": "".join([text async for text in llm.astream(prompt, **options)]),
        "batch": llm.batch([prompt], **options)[0],
        "abatch": (await llm.abatch([prompt], **options))[0],
        "generate": llm.generate([prompt], **options).generations[0][0].text,
        "agenerate": (await llm.agenerate([prompt], **options)).generations[0][0].text,
    }


@pytest.mark.parametrize("arguments", [{}, {"streaming": True}, {"streaming": False}])
async def test_every_way_to_ask_gives_the_same_text(service, arguments):
    assert set((await every_way(service.llm(**arguments))).values()) == {"Hello there."}


@pytest.mark.parametrize("model", [GEMMA, GPT_OSS, LLAMA])
@pytest.mark.parametrize("api", ["auto", "native", "openai"])
async def test_every_family_gives_the_same_text_in_every_way(emulator, model, api):
    llm = WorkersAI(
        model=model,
        api=api,
        account_id=emulator.account_id,
        api_token=emulator.api_token,
        base_url=emulator.base_url,
    )
    assert set((await every_way(llm, "Reply exactly with: 7 birds and 日本語")).values()) == {"7 birds and 日本語"}


def test_a_prompt_goes_in_the_form_that_the_model_has(service):
    service.llm(model=LLAMA).invoke("Once")
    assert service.body == {"prompt": "Once"}
    service.llm(model=GEMMA).invoke("Once")
    assert service.body == {"model": GEMMA, "messages": [{"role": "user", "content": "Once"}]}


def test_raw_leaves_out_the_chat_template(service):
    service.llm(model=LLAMA, raw=True).invoke("Once")
    assert service.body == {"prompt": "Once", "raw": True}


def repeats(service):
    """An answer that is the prompt itself."""
    return lambda request: service.says(json.loads(request.content)["messages"][0]["content"])(request)


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("way", ["generate", "agenerate"])
async def test_several_prompts_are_answered_in_order_and_their_tokens_added_up(service, way, streaming):
    service.answers(repeats(service))
    llm = service.llm(streaming=streaming)
    prompts = [f"question {place}" for place in range(12)]
    result = llm.generate(prompts) if way == "generate" else await llm.agenerate(prompts)
    assert [generations[0].text for generations in result.generations] == prompts
    assert result.llm_output == {
        "model_name": GEMMA,
        "token_usage": {"prompt_tokens": 84, "completion_tokens": 36, "total_tokens": 120},
    }


def test_each_prompt_tells_its_own_facts(service):
    (generations,) = service.llm().generate(["Hi"]).generations
    assert (generations[0].generation_info or {}).items() >= {
        "model_name": GEMMA,
        "model_requested": GEMMA,
        "model_provider": "cloudflare-workers-ai",
        "finish_reason": "stop",
        "request_id": "8f3a-FRA",
    }.items()


def test_several_answers_to_one_prompt(service):
    service.answers(service.says("Hi", n=2))
    first, second = service.llm(n=2).generate(["Hi"]).generations[0]
    assert (first.text, second.text) == ("Hi", "Hi")
    assert "neurons" in first.generation_info
    assert "neurons" not in second.generation_info, "the cost is that of both together"


async def test_one_failure_among_many_prompts_ends_the_others(service):
    """What is not answered yet is cancelled: nobody would read it, and it would be paid for."""
    service.answers(service.refuses(429, {"errors": [{"code": 3040, "message": "busy"}]}))
    before = asyncio.all_tasks()
    with pytest.raises(CapacityError):
        await service.llm().agenerate([f"question {place}" for place in range(20)])
    assert asyncio.all_tasks() == before


async def test_callbacks_see_each_piece_exactly_once(service, recorder):
    llm = service.llm()
    pieces = list(llm.stream("Hi", config={"callbacks": [recorder]}))
    assert recorder.tokens == pieces == ["Hello ", "there.", ""]
    recorder.events.clear()
    assert [piece async for piece in llm.astream("Hi", config={"callbacks": [recorder]})] == recorder.tokens


@pytest.mark.parametrize("way", ["invoke", "ainvoke"])
async def test_streaming_tells_each_piece_once_although_the_answer_comes_whole(service, recorder, way):
    llm, config = service.llm(streaming=True), {"callbacks": [recorder]}
    _ = llm.invoke("Hi", config) if way == "invoke" else await llm.ainvoke("Hi", config)
    assert recorder.tokens == ["Hello ", "there.", ""]
    assert len(recorder.named("on_llm_end")) == 1
    assert service.body["stream"] is True


def test_a_stream_asks_for_its_usage_unless_told_not_to(service):
    list(service.llm().stream("Hi"))
    assert service.body["stream_options"] == {"include_usage": True}
    list(service.llm(stream_usage=False).stream("Hi"))
    assert "stream_options" not in service.body
    list(service.llm().stream("Hi", stream_usage=False))
    assert "stream_options" not in service.body


def test_the_last_piece_of_a_stream_tells_the_facts(service, recorder):
    list(service.llm().stream("Hi", config={"callbacks": [recorder]}))
    ((arguments, _),) = recorder.named("on_llm_end")
    (generation,) = arguments[0].generations[0]
    assert generation.text == "Hello there."
    assert generation.generation_info["token_usage"] == {
        "prompt_tokens": 7,
        "completion_tokens": 3,
        "total_tokens": 10,
    }
    assert generation.generation_info["model_name"] == GEMMA


@pytest.mark.parametrize("given", ["to the object", "to the call", "bound"])
@pytest.mark.parametrize(
    ("arguments", "sent"),
    [
        ({"temperature": 0.0, "max_tokens": 5}, {"temperature": 0.0, "max_tokens": 5}),
        ({"max_completion_tokens": 5}, {"max_tokens": 5}),
        ({"model": GPT_OSS}, {"model": GPT_OSS}),
        ({"extra_body": {"top_a": 1}}, {"top_a": 1}),
        ({"stop": ["END"]}, {"stop": ["END"]}),
    ],
)
def test_an_argument_is_sent(service, arguments, sent, given):
    llm = service.llm(**arguments) if given == "to the object" else service.llm()
    llm = llm.bind(**arguments) if given == "bound" else llm
    llm.invoke("Hi", **(arguments if given == "to the call" else {}))
    assert service.body.items() >= sent.items()


def test_a_gateway_is_passed(service):
    service.llm(gateway=Gateway("docs")).invoke("Hi", gateway={"cache_ttl": 60})
    assert service.requests[-1].headers["cf-aig-gateway-id"] == "docs"
    assert service.requests[-1].headers["cf-aig-cache-ttl"] == "60"


def test_an_unknown_argument_of_a_call_is_an_error_that_names_the_nearest(service):
    with pytest.raises(TypeError, match=r"'temprature'.*temperature"):
        service.llm().invoke("Hi", temprature=0.5)
    assert service.requests == []


def test_an_empty_prompt_is_an_error_before_anything_is_sent(service):
    with pytest.raises(BadRequestError, match=r"prompt"):
        service.llm().invoke("")
    assert service.requests == []


@pytest.mark.parametrize("way", ["generate", "agenerate"])
async def test_an_empty_prompt_among_others_is_found_before_any_is_sent(service, way):
    llm = service.llm()
    with pytest.raises(BadRequestError, match=r"prompt"):
        _ = llm.generate(["a", ""]) if way == "generate" else await llm.agenerate(["a", ""])
    await asyncio.sleep(0)
    assert service.requests == []


@pytest.mark.parametrize(
    "other",
    [{"model": GPT_OSS}, {"temperature": 1.5}, {"api": "native"}, {"gateway": "docs"}, {"extra_body": {"a": 1}}],
)
def test_two_models_never_share_a_cached_answer(service, other):
    service.answers(service.says("first"), service.says("second"))
    cache = InMemoryCache()
    one, two = service.llm(cache=cache), service.llm(cache=cache, **other)
    assert (one.invoke("Hi"), two.invoke("Hi")) == ("first", "second")
    assert (one.invoke("Hi"), two.invoke("Hi")) == ("first", "second")
    assert len(service.requests) == 2


def test_a_configured_model_is_asked(service):
    llm = service.llm().configurable_fields(model=ConfigurableField(id="m"))
    llm.with_config(configurable={"m": GPT_OSS}).invoke("Hi")
    assert service.body["model"] == GPT_OSS


def test_one_model_serves_three_loops_in_a_row(emulator):
    llm = WorkersAI(
        model=LLAMA, account_id=emulator.account_id, api_token=emulator.api_token, base_url=emulator.base_url
    )

    async def ask() -> str:
        return await llm.ainvoke("Count to 3") + "".join([text async for text in llm.astream("Count to 3")])

    assert [asyncio.run(ask()) for _ in range(3)] == ["1, 2, 31, 2, 3"] * 3


def test_a_change_takes_effect(service):
    llm = service.llm()
    llm.invoke("Hi")
    llm.temperature = 0.9
    llm.invoke("Hi")
    assert service.body["temperature"] == 0.9
    llm.model_copy(update={"model": GPT_OSS}).invoke("Hi")
    assert service.body["model"] == GPT_OSS


def test_the_identity_of_a_model_is_told_under_both_names(service):
    llm = service.llm()
    assert (llm.model, llm.model_name, llm._llm_type) == (GEMMA, GEMMA, "workers-ai")
