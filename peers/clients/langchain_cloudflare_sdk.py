"""langchain-cloudflare, natively or at `/ai/v1` (the first argument is its `endpoint_format`)."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import httpx
import requests
from langchain_cloudflare import (
    ChatCloudflareWorkersAI,
    CloudflareWorkersAIEmbeddings,
    CloudflareWorkersAIReranker,
)
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from pydantic import BaseModel
from report import (
    ACCOUNT_ID,
    ANSWER,
    API_TOKEN,
    BASE_URL,
    BUSY,
    CUT,
    EMBEDDER,
    FAILING,
    NEWER,
    NO_MODEL,
    PERSON,
    QUERY,
    QUESTION,
    RERANKER,
    RESULT,
    SPENT_BASE_URL,
    SUM,
    TEXTS,
    TOO_MANY,
    WEATHER,
    Otherwise,
    expect,
    for_each_model,
    refused,
    report,
)

FORMAT = sys.argv[1]


@tool
def get_weather(city: str) -> str:
    """The weather of a city."""
    return RESULT


class Person(BaseModel):
    """A person."""

    name: str
    age: int


def told(base_url: str = BASE_URL, api_token: str = API_TOKEN) -> dict[str, Any]:
    return {"account_id": ACCOUNT_ID, "api_token": api_token, "base_url": base_url}


def model_of(name: str, *, where: dict[str, Any] | None = None, **more: Any) -> ChatCloudflareWorkersAI:
    return ChatCloudflareWorkersAI(model=name, endpoint_format=FORMAT, timeout=30, **(where or told()), **more)


def elsewhere() -> dict[str, Any]:
    """What embeddings and reranker call the address: with the path of the accounts in it."""
    return {"account_id": ACCOUNT_ID, "api_token": API_TOKEN, "api_base_url": f"{BASE_URL}/accounts"}


def embedder() -> CloudflareWorkersAIEmbeddings:
    return CloudflareWorkersAIEmbeddings(model_name=EMBEDDER, batch_size=200, **elsewhere())


def added(name: str, text: str, *, bound: list[Any] | None = None) -> Any:
    """The chunks of a stream, added up."""
    model = model_of(name)
    chunks = list((model.bind_tools(bound) if bound else model).stream(text))
    full = chunks[0]
    for chunk in chunks[1:]:
        full = full + chunk
    return full


def chat(name: str) -> str:
    answer = model_of(name).invoke(QUESTION)
    expect(ANSWER in answer.text and answer.usage_metadata, answer)
    return answer.text


def stream(name: str) -> str:
    full = added(name, QUESTION)
    expect(ANSWER in full.text, full)
    return str(full.text)


def number_in_a_stream(name: str) -> str:
    full = added(name, SUM)
    expect("42" in full.text, full)
    return str(full.text)


def tokens_of_a_stream(name: str) -> str:
    full = added(name, QUESTION)
    expect(full.usage_metadata, f"usage_metadata is {full.usage_metadata}")
    return str(full.usage_metadata)


def tools(name: str) -> str:
    model = model_of(name).bind_tools([get_weather])
    first = model.invoke(WEATHER)
    expect(first.tool_calls and first.tool_calls[0]["args"] == {"city": "Lisbon"}, first)
    result = ToolMessage(RESULT, tool_call_id=first.tool_calls[0]["id"], name="get_weather")
    second = model.invoke([HumanMessage(WEATHER), first, result])
    expect("21" in second.text, second)
    return second.text


def streamed_tools(name: str) -> str:
    full = added(name, WEATHER, bound=[get_weather])
    expect(full.tool_calls, f"tool_calls is {full.tool_calls}, the text {full.text!r}")
    expect(full.tool_calls[0]["args"] == {"city": "Lisbon"}, full)
    return str(full.tool_calls)


def streamed_tools_async(name: str) -> str:
    async def ask() -> Any:
        chunks = [chunk async for chunk in model_of(name).bind_tools([get_weather]).astream(WEATHER)]
        full: Any = chunks[0]
        for chunk in chunks[1:]:
            full = full + chunk
        return full

    full = asyncio.run(ask())
    expect(full.tool_calls, f"tool_calls is {full.tool_calls}, the text {full.text!r}")
    return str(full.tool_calls)


def failing_stream(name: str) -> str:
    """What is raised of a stream that fails in the middle."""
    try:
        full = added(name, QUESTION)
    except Exception as error:  # noqa: BLE001 - none is documented
        return f"{type(error).__name__}: {error}"
    raise Otherwise(f"no error, the text {full.text!r}, metadata {full.response_metadata}")


def json_schema(name: str) -> str:
    found = model_of(name).with_structured_output(Person, method="json_schema").invoke(PERSON)
    expect(found == Person(name="Ada", age=36), found)
    return repr(found)


def embeddings() -> str:
    rows = embedder().embed_documents(TEXTS)
    expect([len(row) for row in rows] == [768, 768], len(rows))
    return "2 x 768"


def rerank() -> str:
    results = CloudflareWorkersAIReranker(model_name=RERANKER, **elsewhere()).rerank(
        QUERY, list(reversed(TEXTS)), top_k=2
    )
    expect(results[0].index == 1, results)
    return str(results)


def through_a_gateway() -> str:
    answer = model_of(NEWER, ai_gateway="default").invoke(QUESTION)
    expect(ANSWER in answer.text, answer)
    return answer.text


def body(error: Any) -> str:
    return str(error.response.text)


CHECKS = {
    **for_each_model(chat=chat, stream=stream, number_in_a_stream=number_in_a_stream),
    **for_each_model(tokens_of_a_stream=tokens_of_a_stream, tools=tools, streamed_tools=streamed_tools),
    **for_each_model(streamed_tools_async=streamed_tools_async, JSON_schema=json_schema),
    "embeddings": embeddings,
    "rerank": rerank,
    "through a gateway": through_a_gateway,
    "busy once": lambda: model_of(BUSY, max_retries=2).invoke(QUESTION).text,
    "error in a stream": lambda: failing_stream(FAILING),
    "cut stream": lambda: failing_stream(CUT),
    "wrong token": lambda: refused(
        lambda: model_of(NEWER, where=told(api_token="wrong")).invoke(QUESTION),
        httpx.HTTPStatusError,
        401,
        10000,
        body=body,
    ),
    "no such model": lambda: refused(
        lambda: model_of(NO_MODEL).invoke(QUESTION), httpx.HTTPStatusError, 400, 5007, body=body
    ),
    "too many texts": lambda: refused(
        lambda: embedder().embed_documents(TOO_MANY), requests.HTTPError, 400, 5006, body=body
    ),
    "daily quota": lambda: refused(
        lambda: model_of(NEWER, where=told(SPENT_BASE_URL)).invoke(QUESTION),
        httpx.HTTPStatusError,
        429,
        4006,
        body=body,
    ),
}

if __name__ == "__main__":
    report(CHECKS, ["langchain-cloudflare", "langchain-core"])
