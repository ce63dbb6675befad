"""The `openai` SDK at `/ai/v1`, as Cloudflare's page on OpenAI-compatible endpoints sets it up."""

from __future__ import annotations

import json
from typing import Any

import openai
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
    PERSON_SCHEMA,
    QUESTION,
    RESULT,
    SPENT_BASE_URL,
    SUM,
    TEXTS,
    TOO_MANY,
    TOOL,
    WEATHER,
    Otherwise,
    expect,
    for_each_model,
    refused,
    report,
)


def client(base_url: str = BASE_URL, api_key: str = API_TOKEN, **more: Any) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{base_url}/accounts/{ACCOUNT_ID}/ai/v1", api_key=api_key, timeout=30, **more)


here = client()


def said(text: str) -> list[Any]:
    return [{"role": "user", "content": text}]


def chat(model: str) -> str:
    answer = here.chat.completions.create(model=model, messages=said(QUESTION))
    text = answer.choices[0].message.content or ""
    expect(ANSWER in text and answer.usage is not None and answer.usage.total_tokens > 0, answer)
    return text


def stream(model: str) -> str:
    pieces = here.chat.completions.create(model=model, messages=said(QUESTION), stream=True)
    texts = [chunk.choices[0].delta.content or "" for chunk in pieces if chunk.choices]
    expect(ANSWER in "".join(texts) and len(texts) > 1, texts)
    return "".join(texts)


def number_in_a_stream(model: str) -> str:
    pieces = here.chat.completions.create(model=model, messages=said(SUM), stream=True)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in pieces if chunk.choices)
    expect("42" in text, text)
    return text


def tokens_of_a_stream(model: str) -> str:
    """As documented: with `include_usage` the last chunk has no choices and the totals."""
    pieces = here.chat.completions.create(
        model=model, messages=said(QUESTION), stream=True, stream_options={"include_usage": True}
    )
    told = [chunk.usage for chunk in pieces if chunk.usage]
    totals = [usage.total_tokens for usage in told]
    expect(totals and totals[-1] > 10, totals)
    expect(len(totals) == 1, f"{len(totals)} chunks tell usage, the last {totals[-1]} tokens, the first {totals[0]}")
    return str(totals)


def tools(model: str) -> str:
    first = here.chat.completions.create(model=model, messages=said(WEATHER), tools=[TOOL])
    message = first.choices[0].message
    expect(message.tool_calls, first)
    call = message.tool_calls[0]
    expect(json.loads(call.function.arguments) == {"city": "Lisbon"}, call)
    result = {"role": "tool", "tool_call_id": call.id, "content": RESULT}
    history: list[Any] = [*said(WEATHER), message, result]
    second = here.chat.completions.create(model=model, messages=history, tools=[TOOL])
    expect("21" in (second.choices[0].message.content or ""), second)
    return second.choices[0].message.content or ""


def streamed_tools(model: str) -> str:
    pieces = here.chat.completions.create(model=model, messages=said(WEATHER), tools=[TOOL], stream=True)
    name, arguments = "", ""
    for chunk in pieces:
        for call in (chunk.choices[0].delta.tool_calls or []) if chunk.choices else []:
            name += (call.function and call.function.name) or ""
            arguments += (call.function and call.function.arguments) or ""
    expect(name == "get_weather" and json.loads(arguments) == {"city": "Lisbon"}, (name, arguments))
    return arguments


def json_schema(model: str) -> str:
    wanted: Any = {"type": "json_schema", "json_schema": {"name": "person", "schema": PERSON_SCHEMA}}
    answer = here.chat.completions.create(model=model, messages=said(PERSON), response_format=wanted)
    text = answer.choices[0].message.content
    expect(isinstance(text, str) and json.loads(text) == {"name": "Ada", "age": 36}, text)
    return str(text)


def error_in_a_stream() -> str:
    pieces = here.chat.completions.create(model=FAILING, messages=said(QUESTION), stream=True)
    try:
        texts = [chunk.choices[0].delta.content or "" for chunk in pieces if chunk.choices]
    except openai.APIError as error:
        return str(error)
    raise Otherwise(f"no error after {texts}")


def cut_stream() -> str:
    pieces = here.chat.completions.create(model=CUT, messages=said(QUESTION), stream=True)
    try:
        reasons = [chunk.choices[0].finish_reason for chunk in pieces if chunk.choices]
    except openai.APIError as error:
        return str(error)
    raise Otherwise(f"no error, finish_reason {reasons[-1]}")


def embeddings() -> str:
    found = here.embeddings.create(model=EMBEDDER, input=TEXTS)
    expect([len(row.embedding) for row in found.data] == [768, 768], found)
    return "2 x 768"


def through_a_gateway() -> str:
    behind = client(default_headers={"cf-aig-gateway-id": "default"})
    answer = behind.chat.completions.with_raw_response.create(model=NEWER, messages=said(QUESTION))
    expect(answer.headers.get("cf-aig-log-id"), dict(answer.headers))
    return str(answer.headers["cf-aig-log-id"])


def model_list() -> str:
    return str(len(list(here.models.list())))


def responses() -> str:
    """Documented for the gpt-oss models, not streamed."""
    return here.responses.create(model="@cf/openai/gpt-oss-20b", input=QUESTION).output_text


def body(error: openai.APIStatusError) -> str:
    return json.dumps(error.body)


CHECKS = {
    **for_each_model(chat=chat, stream=stream, number_in_a_stream=number_in_a_stream),
    **for_each_model(tokens_of_a_stream=tokens_of_a_stream, tools=tools, streamed_tools=streamed_tools),
    **for_each_model(JSON_schema=json_schema),
    "embeddings": embeddings,
    "through a gateway": through_a_gateway,
    "list of models": model_list,
    "Responses API": responses,
    "busy once": lambda: chat(BUSY),
    "error in a stream": error_in_a_stream,
    "cut stream": cut_stream,
    "wrong token": lambda: refused(
        lambda: client(api_key="wrong").chat.completions.create(model=NEWER, messages=said(QUESTION)),
        openai.AuthenticationError,
        401,
        10000,
        body=body,
    ),
    "no such model": lambda: refused(
        lambda: here.chat.completions.create(model=NO_MODEL, messages=said(QUESTION)),
        openai.BadRequestError,
        400,
        5007,
        body=body,
    ),
    "too many texts": lambda: refused(
        lambda: here.embeddings.create(model=EMBEDDER, input=TOO_MANY), openai.BadRequestError, 400, 5006, body=body
    ),
    "daily quota": lambda: refused(
        lambda: client(SPENT_BASE_URL).chat.completions.create(model=NEWER, messages=said(QUESTION)),
        openai.RateLimitError,
        429,
        4006,
        body=body,
    ),
}

if __name__ == "__main__":
    report(CHECKS, ["openai"])
