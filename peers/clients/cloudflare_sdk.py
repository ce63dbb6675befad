"""The `cloudflare` SDK: `client.ai.run`, as its readme and Cloudflare's model pages call it."""

from __future__ import annotations

import json
from typing import Any

import cloudflare
from report import (
    ACCOUNT_ID,
    ANSWER,
    API_TOKEN,
    BASE_URL,
    BUSY,
    EMBEDDER,
    NEWER,
    NO_MODEL,
    PARAMETERS,
    PERSON,
    PERSON_SCHEMA,
    QUERY,
    QUESTION,
    RERANKER,
    RESULT,
    SPENT_BASE_URL,
    TEXTS,
    TOO_MANY,
    WEATHER,
    expect,
    for_each_model,
    refused,
    report,
)


def client(base_url: str = BASE_URL, api_token: str = API_TOKEN) -> cloudflare.Cloudflare:
    return cloudflare.Cloudflare(base_url=base_url, api_token=api_token, timeout=30)


here = client()


def run(model: str, messages: list[Any], **more: Any) -> Any:
    return here.ai.run(model, account_id=ACCOUNT_ID, messages=messages, **more)


def said(text: str) -> list[Any]:
    return [{"role": "user", "content": text}]


def message(result: Any) -> dict[str, Any]:
    """Both shapes of an answer as one: newer models answer with `choices`."""
    if "choices" in result:
        return dict(result["choices"][0]["message"])
    return {"role": "assistant", "content": result["response"], "tool_calls": result["tool_calls"]}


def chat(model: str) -> str:
    result = run(model, said(QUESTION))
    expect(ANSWER in message(result)["content"] and result["usage"]["total_tokens"] > 0, result)
    return str(message(result)["content"])


def stream(model: str) -> str:
    return str(run(model, said(QUESTION), stream=True))


def raw_stream(model: str) -> str:
    streaming = here.ai.with_streaming_response
    with streaming.run(model, account_id=ACCOUNT_ID, messages=said(QUESTION), stream=True) as reply:
        lines = [line for line in reply.iter_lines() if line]
    expect(len(lines) > 2 and lines[-1] == "data: [DONE]", lines)
    return f"{len(lines)} lines"


def tools(model: str) -> str:
    """The typed form: name, description and parameters side by side."""
    tool = {"name": "get_weather", "description": "The weather of a city.", "parameters": PARAMETERS}
    first = message(run(model, said(WEATHER), tools=[tool]))
    call = first["tool_calls"][0]
    arguments = call["function"]["arguments"] if "function" in call else call["arguments"]
    expect((json.loads(arguments) if isinstance(arguments, str) else arguments) == {"city": "Lisbon"}, first)
    result = {"role": "tool", "name": "get_weather", "content": RESULT, "tool_call_id": call.get("id", "call_1")}
    second = message(run(model, [*said(WEATHER), {**first, "content": first["content"] or ""}, result], tools=[tool]))
    expect("21" in second["content"], second)
    return str(second["content"])


def json_schema(model: str) -> str:
    wanted: Any = {"type": "json_schema", "json_schema": PERSON_SCHEMA}
    content = message(run(model, said(PERSON), response_format=wanted))["content"]
    found = json.loads(content) if isinstance(content, str) else content
    expect(found == {"name": "Ada", "age": 36}, content)
    return str(content)


def embeddings() -> str:
    result: Any = here.ai.run(EMBEDDER, account_id=ACCOUNT_ID, text=TEXTS)
    expect(result["shape"] == [2, 768] and len(result["data"][1]) == 768, result)
    return "2 x 768"


def rerank() -> str:
    """No typed form is a ranking; the body goes as the model's page shows it."""
    body = {"query": QUERY, "contexts": [{"text": text} for text in reversed(TEXTS)]}
    result: Any = here.ai.run(RERANKER, account_id=ACCOUNT_ID, extra_body=body)
    expect(result["response"][0]["id"] == 1, result)
    return str(result["response"])


def model_list() -> str:
    found = list(here.ai.models.list(account_id=ACCOUNT_ID))
    names = {entry["name"] for entry in found}
    expect({NEWER, EMBEDDER, RERANKER} <= names, names)
    return f"{len(names)} models"


def token_and_gateway() -> str:
    gateway: Any = here.ai_gateway.get("default", account_id=ACCOUNT_ID)
    token: Any = here.user.tokens.verify()
    expect(gateway.id == "default" and token.status == "active", (gateway, token))
    return f"token {token.status}"


def through_a_gateway() -> str:
    """By the header of the REST host; then the gateway's log has the call."""
    run(NEWER, said(QUESTION), extra_headers={"cf-aig-gateway-id": "default"})
    entries: Any = here.ai_gateway.logs.list("default", account_id=ACCOUNT_ID).result
    expect(entries and entries[0].model == NEWER, entries)
    return str(entries[0].id)


def body(error: Any) -> str:
    return " ".join(f"{each.code} {each.message}" for each in error.errors)


CHECKS = {
    **for_each_model(chat=chat, stream=stream, raw_stream=raw_stream, tools=tools, JSON_schema=json_schema),
    "embeddings": embeddings,
    "rerank": rerank,
    "through a gateway": through_a_gateway,
    "list of models": model_list,
    "token and gateway told": token_and_gateway,
    "busy once": lambda: chat(BUSY),
    "wrong token": lambda: refused(
        lambda: client(api_token="wrong").ai.run(NEWER, account_id=ACCOUNT_ID, messages=said(QUESTION)),
        cloudflare.AuthenticationError,
        401,
        10000,
        body=body,
    ),
    "no such model": lambda: refused(
        lambda: run(NO_MODEL, said(QUESTION)), cloudflare.BadRequestError, 400, 5007, body=body
    ),
    "too many texts": lambda: refused(
        lambda: here.ai.run(EMBEDDER, account_id=ACCOUNT_ID, text=TOO_MANY),
        cloudflare.BadRequestError,
        400,
        5006,
        body=body,
    ),
    "daily quota": lambda: refused(
        lambda: client(SPENT_BASE_URL).ai.run(NEWER, account_id=ACCOUNT_ID, messages=said(QUESTION)),
        cloudflare.RateLimitError,
        429,
        4006,
        body=body,
    ),
}

if __name__ == "__main__":
    report(CHECKS, ["cloudflare"])
