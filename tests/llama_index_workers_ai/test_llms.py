"""The LLM class: eight endpoints, their arguments, their errors, and what they leave open (nothing)."""

from __future__ import annotations

import asyncio
import gc
import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing

import httpx
import pytest
from llama_index.core.base.llms.types import ChatMessage, ImageBlock, MessageRole, TextBlock, ThinkingBlock

from llama_index_workers_ai import (
    AuthenticationError,
    BadRequestError,
    StreamInterruptedError,
    WorkersAI,
    WorkersAIError,
)

FAMILIES = ["@cf/meta/llama-3.3-70b-instruct-fp8-fast", "@cf/openai/gpt-oss-20b", "@cf/google/gemma-4-26b-a4b-it"]
QUESTION = "-----\nThe tower is 324 metres high.\n-----\nQuery: How high is the tower?\nAnswer: "
MESSAGES = [ChatMessage(role="user", content=QUESTION)]
ENDPOINTS = ["chat", "complete", "stream_chat", "stream_complete"]
ENDPOINTS += [f"a{name}" for name in ENDPOINTS]

ANSWER = {
    "id": "chatcmpl-1",
    "model": "the-model",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Paris."}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18},
}
FRAMES = [
    {"id": "chatcmpl-1", "model": "the-model", "choices": [{"index": 0, "delta": {"content": "Par"}}]},
    {"choices": [{"index": 0, "delta": {"content": "is."}}]},
    {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
    {"choices": [], "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}},
]


def text_of(response):
    return response.text if hasattr(response, "text") else response.message.content


async def call(llm, endpoint, **kwargs):
    """The response of one endpoint; of a stream the last item."""
    asked = MESSAGES if endpoint.endswith("chat") else QUESTION
    response = getattr(llm, endpoint)(asked, **kwargs)
    if endpoint.startswith("a"):
        response = await response
    if endpoint.startswith("stream"):
        return list(response)[-1]
    if endpoint.startswith("astream"):
        return [item async for item in response][-1]
    return response


@pytest.mark.parametrize("api", ["native", "openai"])
@pytest.mark.parametrize("model", FAMILIES)
async def test_all_eight_endpoints_give_the_same_text(connection, model, api):
    llm = WorkersAI(model=model, api=api, **connection)
    texts = {text_of(await call(llm, endpoint)) for endpoint in ENDPOINTS}
    assert len(texts) == 1
    assert "324" in texts.pop()


async def test_every_item_holds_the_text_so_far_and_its_own_piece(fake):
    llm = WorkersAI(**fake(FRAMES).arguments)
    for items in (
        list(llm.stream_chat(MESSAGES)),
        [item async for item in await llm.astream_chat(MESSAGES)],
        list(llm.stream_complete(QUESTION)),
        [item async for item in await llm.astream_complete(QUESTION)],
    ):
        assert [item.delta for item in items] == ["Par", "is.", ""]
        assert [text_of(item) for item in items] == ["Par", "Paris.", "Paris."]


def test_streamed_text_stays_one_block(llm):
    """LlamaIndex joins several with line breaks."""
    for item in llm.stream_chat(MESSAGES):
        assert [type(block) for block in item.message.blocks] == [TextBlock]
        assert item.message.role == MessageRole.ASSISTANT


@pytest.mark.parametrize("endpoint", ENDPOINTS)
async def test_usage_stands_where_llamaindex_looks_for_it(fake, endpoint):
    counts = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
    response = await call(WorkersAI(**fake(FRAMES if "stream" in endpoint else ANSWER).arguments), endpoint)
    assert type(response.raw) is dict
    assert response.raw["usage"] == counts
    assert counts.items() <= response.additional_kwargs.items()


@pytest.mark.parametrize("endpoint", ENDPOINTS)
async def test_an_answer_tells_model_finish_reason_ids_cost_and_gateway(connection, endpoint):
    llm = WorkersAI(gateway="default", **connection)
    told = (await call(llm, endpoint)).additional_kwargs
    assert told["model_requested"] == llm.model
    assert told["model_provider"] == "cloudflare-workers-ai"
    assert told["finish_reason"] == "stop"
    assert told["cost_source"] == "service"
    assert told["neurons"] > 0
    assert told["request_id"]
    assert told["gateway"]["log_id"]


def test_only_the_last_item_tells_the_facts(llm):
    *items, last = llm.stream_chat(MESSAGES)
    assert all(item.raw is None and item.additional_kwargs == {} for item in items)
    assert last.additional_kwargs["finish_reason"] == "stop"


def test_an_answer_without_token_counts_claims_none(fake):
    response = WorkersAI(**fake({"result": {"response": "Hi"}, "success": True}).arguments).chat(MESSAGES)
    assert "prompt_tokens" not in response.additional_kwargs
    assert "usage" not in response.raw


@pytest.mark.parametrize("key", ["reasoning", "reasoning_content"])
async def test_reasoning_is_a_block_of_its_own_and_a_delta_of_its_own(fake, key):
    message = {"role": "assistant", "content": "4", key: "2+2"}
    whole = {"choices": [{"message": message, "finish_reason": "stop"}]}
    frames = [
        {"choices": [{"delta": {key: "2"}}]},
        {"choices": [{"delta": {key: "+2", "content": None}}]},
        {"choices": [{"delta": {"content": "4"}, "finish_reason": "stop"}]},
    ]
    blocks = [("thinking", "2+2"), ("text", "4")]
    assert shown(WorkersAI(**fake(whole).arguments).chat(MESSAGES)) == blocks
    llm = WorkersAI(**fake(frames).arguments)
    for items in (list(llm.stream_chat(MESSAGES)), [item async for item in await llm.astream_chat(MESSAGES)]):
        assert [item.additional_kwargs.get("thinking_delta") for item in items] == ["2", "+2", None, None]
        assert [item.delta for item in items] == ["", "", "4", ""]
        assert shown(items[-1]) == blocks


def shown(response):
    return [
        ("thinking", block.content) if isinstance(block, ThinkingBlock) else ("text", block.text)
        for block in response.message.blocks
    ]


def test_reasoning_is_never_sent_back(fake):
    service = fake(ANSWER)
    history = [ChatMessage(role="assistant", blocks=[ThinkingBlock(content="2+2"), TextBlock(text="4")]), *MESSAGES]
    WorkersAI(**service.arguments).chat(history)
    assert service.requests[0]["messages"][0] == {"role": "assistant", "content": "4"}


def test_log_probabilities_are_told_token_by_token(fake):
    token = {"token": "Paris", "logprob": -0.1, "bytes": [80]}
    tokens = [{**token, "top_logprobs": [token, {"token": "Lyon", "logprob": -3.0}]}, {**token, "top_logprobs": []}]
    answer = json.loads(json.dumps(ANSWER))
    answer["choices"][0]["logprobs"] = {"content": tokens}
    found = WorkersAI(logprobs=True, top_logprobs=2, **fake(answer).arguments).chat(MESSAGES).logprobs
    assert [[(entry.token, entry.logprob) for entry in each] for each in found] == [
        [("Paris", -0.1), ("Lyon", -3.0)],
        [("Paris", -0.1)],
    ]


# Arguments


@pytest.mark.parametrize("endpoint", ENDPOINTS)
async def test_arguments_of_a_call_go_before_the_objects(fake, endpoint):
    service = fake(FRAMES if "stream" in endpoint else ANSWER)
    llm = WorkersAI(temperature=0.5, top_p=0.9, additional_kwargs={"seed": 1, "max_tokens": 5}, **service.arguments)
    await call(llm, endpoint, temperature=0.1, max_completion_tokens=7, model="@cf/openai/gpt-oss-20b")
    body = service.requests[0]
    assert (body["temperature"], body["top_p"], body["seed"], body["max_tokens"]) == (0.1, 0.9, 1, 7)
    assert body["model"] == "@cf/openai/gpt-oss-20b"


def test_what_is_not_set_is_not_sent(fake):
    service = fake(ANSWER)
    WorkersAI(**service.arguments).chat(MESSAGES)
    assert service.requests[0].keys() == {"model", "messages"}


def test_a_gateway_option_of_one_call_goes_over_the_objects(connection, server):
    llm = WorkersAI(gateway="default", **connection)
    llm.chat(MESSAGES, gateway={"cache_ttl": 60})
    llm.chat(MESSAGES)
    headers = [request.headers for request in server.requests]
    assert [each["cf-aig-gateway-id"] for each in headers] == ["default", "default"]
    assert [each.get("cf-aig-cache-ttl") for each in headers] == ["60", None]


@pytest.mark.parametrize("endpoint", ENDPOINTS)
async def test_an_unknown_argument_is_an_error_with_the_nearest_name(endpoint):
    with pytest.raises(TypeError, match="temperature"):
        await call(WorkersAI(), endpoint, temprature=1)


@pytest.mark.parametrize("arguments", [{"temprature": 1}, {"additional_kwargs": {"temprature": 1}}])
def test_an_unknown_argument_of_the_object_is_an_error_at_once(arguments):
    with pytest.raises(TypeError, match="temperature"):
        WorkersAI(**arguments)


def test_other_spellings_mean_the_same():
    llm = WorkersAI(api_key="k", api_base="http://127.0.0.1:1/client/v4", max_new_tokens=9, stop_sequences=["\n"])
    assert (llm.base_url, llm.max_tokens, llm.stop) == ("http://127.0.0.1:1/client/v4", 9, ["\n"])
    assert llm.api_token.get_secret_value() == "k"


def test_arguments_of_openai_like_are_taken():
    client = httpx.AsyncClient()
    llm = WorkersAI(async_http_client=client, reuse_client=False, tokenizer="any/name", additional_kwargs=None)
    assert llm.http_async_client is client


async def test_another_services_header_is_left_out_and_any_other_refused(fake):
    """LlamaIndex's DocumentContextExtractor sends Anthropic's to every model."""
    service = fake(ANSWER)
    llm = WorkersAI(**service.arguments)
    await llm.achat(MESSAGES, max_tokens=5, extra_headers={"anthropic-beta": "prompt-caching-2024-07-31"})
    assert service.requests[0].keys() == {"model", "messages", "max_tokens"}
    with pytest.raises(TypeError, match="extra_headers"):
        await llm.achat(MESSAGES, extra_headers={"x-mine": "1"})


def test_a_completion_is_one_users_message(fake):
    service = fake(ANSWER)
    WorkersAI(**service.arguments).complete("Hi")
    assert service.requests[0]["messages"] == [{"role": "user", "content": "Hi"}]


@pytest.mark.parametrize(("at_the_object", "at_the_call"), [({"raw": True}, {}), ({}, {"raw": True})])
def test_a_raw_completion_is_a_prompt(fake, at_the_object, at_the_call):
    service = fake({"result": {"response": "Hi"}, "success": True})
    llm = WorkersAI(model="@cf/meta/llama-3.1-8b-instruct", **at_the_object, **service.arguments)
    assert llm.complete("Hi", **at_the_call).text == "Hi"
    assert service.requests[0] == {"prompt": "Hi", "raw": True}


def test_a_model_that_is_no_chat_model_gets_prompts(fake):
    service = fake({"result": {"response": "Hi"}, "success": True})
    WorkersAI(model="@cf/meta/llama-3.1-8b-instruct", is_chat_model=False, **service.arguments).complete("Hi")
    assert service.requests[0] == {"prompt": "Hi"}


@pytest.mark.parametrize(("formatted", "prompt"), [(False, "<<Hi>>"), (True, "Hi")])
def test_completion_to_prompt_is_applied_once(fake, formatted, prompt):
    service = fake(ANSWER)
    WorkersAI(completion_to_prompt=lambda text: f"<<{text}>>", **service.arguments).complete("Hi", formatted)
    assert service.requests[0]["messages"][0]["content"] == prompt


def test_an_image_is_refused_before_anything_is_sent(fake):
    service = fake(ANSWER)
    message = ChatMessage(role="user", blocks=[ImageBlock(url="https://example.com/a.png")])
    with pytest.raises(BadRequestError, match="text only, not pictures") as caught:
        WorkersAI(**service.arguments).chat([message], model="@cf/openai/gpt-oss-20b")
    assert caught.value.model == "@cf/openai/gpt-oss-20b"
    assert service.requests == []


# Errors


@pytest.mark.parametrize("endpoint", ENDPOINTS)
async def test_an_error_tells_code_status_request_and_model(fake, endpoint):
    refusal = {"success": False, "errors": [{"code": 10000, "message": "Authentication error"}], "result": None}
    service = fake(refusal, status=401, headers={"cf-ray": "ray-1"})
    with pytest.raises(AuthenticationError) as caught:
        await call(WorkersAI(**service.arguments), endpoint)
    error = caught.value
    assert (error.code, error.status, error.request_id) == (10000, 401, "ray-1")
    assert error.model == "@cf/google/gemma-4-26b-a4b-it"
    assert isinstance(error, WorkersAIError)


@pytest.mark.parametrize("endpoint", ENDPOINTS)
async def test_missing_credentials_are_an_error_of_the_first_call(endpoint):
    with pytest.raises(AuthenticationError, match="CLOUDFLARE_API_TOKEN"):
        await call(WorkersAI(), endpoint)


async def test_a_stream_that_is_cut_short_is_an_error_with_what_had_arrived(fake):
    def cut():
        return httpx.Response(200, text=f"data: {json.dumps(FRAMES[0])}\n\n", headers=kind)

    kind = {"content-type": "text/event-stream"}
    service = fake(FRAMES)
    service.replies[:] = [cut()]
    llm = WorkersAI(**service.arguments)
    with pytest.raises(StreamInterruptedError) as caught:
        list(llm.stream_chat(MESSAGES))
    assert caught.value.partial == "Par"
    with pytest.raises(StreamInterruptedError):
        [item async for item in await llm.astream_chat(MESSAGES)]


# Loops and threads


def test_one_object_serves_three_event_loops_in_a_row(llm):
    async def both():
        items = [item async for item in await llm.astream_chat(MESSAGES)]
        answers = await asyncio.gather(*(llm.achat(MESSAGES) for _ in range(4)))
        return {text_of(each) for each in (items[-1], *answers)}

    assert len({text for _ in range(3) for text in asyncio.run(both())}) == 1


def test_one_object_serves_eight_threads(llm):
    with ThreadPoolExecutor(8) as pool:
        texts = list(pool.map(lambda _: llm.chat(MESSAGES).message.content, range(24)))
    assert len(set(texts)) == 1


async def test_a_sync_call_inside_a_running_loop_works(llm):
    assert llm.chat(MESSAGES).message.content == (await llm.achat(MESSAGES)).message.content


# Streams that end early


@pytest.fixture
def no_garbage_collection():
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_garbage_collection")
@pytest.mark.parametrize("method", ["stream_chat", "stream_complete"])
def test_closing_a_stream_hangs_up(talker, method):
    stream = getattr(WorkersAI(**talker.arguments), method)(MESSAGES if method == "stream_chat" else QUESTION)
    next(stream)
    stream.close()
    assert talker.left.wait(0.5)


@pytest.mark.usefixtures("no_garbage_collection")
def test_leaving_the_loop_over_a_stream_hangs_up(talker):
    for _ in WorkersAI(**talker.arguments).stream_chat(MESSAGES):
        break
    assert talker.left.wait(0.5)


@pytest.mark.usefixtures("no_garbage_collection")
@pytest.mark.parametrize("method", ["astream_chat", "astream_complete"])
async def test_closing_an_async_stream_hangs_up(talker, method):
    """The framework's own wrapper would leave it to the garbage collector."""
    asked = MESSAGES if method == "astream_chat" else QUESTION
    stream = await getattr(WorkersAI(**talker.arguments), method)(asked)
    async with aclosing(stream):
        await anext(stream)
    assert await hung_up(talker)


@pytest.mark.usefixtures("no_garbage_collection")
async def test_leaving_the_loop_over_an_async_stream_hangs_up(talker):
    async for _ in await WorkersAI(**talker.arguments).astream_chat(MESSAGES):
        break
    assert await hung_up(talker)


@pytest.mark.usefixtures("no_garbage_collection")
async def test_cancelling_a_task_hangs_up(talker):
    async def read():
        async for _ in await WorkersAI(**talker.arguments).astream_chat(MESSAGES):
            started.set()

    started = asyncio.Event()
    task = asyncio.ensure_future(read())
    await asyncio.wait_for(started.wait(), 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await hung_up(talker)


async def hung_up(talker) -> bool:
    """Whether the server sees within half a second that its reader has gone; the loop runs meanwhile."""
    return await asyncio.to_thread(talker.left.wait, 0.5)


def test_a_stream_that_nobody_reads_asks_nothing(fake):
    service = fake(FRAMES)
    WorkersAI(**service.arguments).stream_chat(MESSAGES).close()
    assert service.requests == []
