"""Agents: langchain's `create_agent` with each strategy and middleware, and loops built on LangGraph alone."""

from __future__ import annotations

import json
from typing import Any

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, ToolMessage
from pydantic import BaseModel
from typing_extensions import TypedDict  # pydantic takes typing's from 3.12 on only

pytest.importorskip("langchain", reason="langchain asks for a newer langchain-core than the oldest that we take")

from langchain.agents import create_agent
from langchain.agents.middleware import ModelFallbackMiddleware, ModelRetryMiddleware
from langchain.agents.structured_output import AutoStrategy, ProviderStrategy, StructuredOutputError, ToolStrategy
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition

from workers_ai import errors as e

LLAMA = "@cf/meta/llama-3.3-70b-instruct-fp8-fast"
GPT_OSS = "@cf/openai/gpt-oss-20b"
GEMMA = "@cf/google/gemma-4-26b-a4b-it"
SCOUT = "@cf/meta/llama-4-scout-17b-16e-instruct"
FAMILIES = [LLAMA, GPT_OSS, GEMMA, SCOUT]
APIS = ["native", "openai"]
WAYS = ["invoke", "ainvoke", "messages", "amessages", "updates"]

QUESTION = {"messages": [("user", "What is the weather in Paris and what is 3 + 4?")]}


def weather(city: str) -> str:
    """Weather in a city."""
    return f"sunny in {city}"


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


class Report(BaseModel):
    """A report of the weather in a city and of a total."""

    city: str
    total: int


class ReportDict(TypedDict):
    """A report of the weather in a city and of a total."""

    city: str
    total: int


async def state_of(agent: Any, way: str) -> dict[str, Any]:
    """The state in which the agent ends, however it is run."""
    if way == "invoke":
        return agent.invoke(QUESTION)
    if way == "ainvoke":
        return await agent.ainvoke(QUESTION)
    if way == "updates":
        messages: list[Any] = []
        state: dict[str, Any] = {}
        for update in agent.stream(QUESTION, stream_mode="updates"):
            for changed in update.values():
                messages += changed.get("messages", [])
                state |= changed
        return {**state, "messages": messages}
    mode: Any = ["messages", "values"]
    if way == "messages":
        parts = list(agent.stream(QUESTION, stream_mode=mode))
    else:
        parts = [part async for part in agent.astream(QUESTION, stream_mode=mode)]
    streamed = [told[0] for kind, told in parts if kind == "messages"]
    assert any(isinstance(each, AIMessageChunk) for each in streamed)
    return {**[told for kind, told in parts if kind == "values"][-1], "streamed": streamed}


def results(state: dict[str, Any]) -> dict[str, str]:
    """What each tool brought, by its name."""
    return {message.name: message.content for message in state["messages"] if isinstance(message, ToolMessage)}


BROUGHT = {"weather": "sunny in Paris", "add": "7"}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("model", FAMILIES)
async def test_two_tools_that_must_both_run_do(langchain_chat, model, api, way):
    state = await state_of(create_agent(langchain_chat(model, api=api), [weather, add]), way)
    assert results(state) == BROUGHT
    final = state["messages"][-1]
    assert isinstance(final, AIMessage)
    assert "sunny in Paris" in final.text
    assert "7" in final.text
    if "streamed" in state:
        text = "".join(each.text for each in state["streamed"] if isinstance(each, AIMessageChunk))
        assert text == final.text
        pieces = [piece for each in state["streamed"] for piece in getattr(each, "tool_call_chunks", [])]
        assert [piece["name"] for piece in pieces if piece["name"]] == ["weather", "add"]


@pytest.mark.parametrize(
    "quirks",
    [
        ("index-zero",),
        ("names-late",),
        ("no-ids",),
        ("interleaved",),
        ("null-sentinel",),
        ("two-per-delta",),
        ("whole-calls",),
        ("repeated-frame",),
        ("finish-stop",),
        ("text-before-calls", "reasoning-last"),
    ],
    ids=", ".join,
)
@pytest.mark.parametrize("model", [LLAMA, GEMMA])
async def test_an_agent_does_not_stop_in_silence_whatever_way_its_calls_are_streamed(langchain_chat, model, quirks):
    """Where langchain-cloudflare loses them, the graph ends after the first answer."""
    state = await state_of(create_agent(langchain_chat(model, *quirks), [weather, add]), "messages")
    assert results(state) == BROUGHT


@pytest.mark.parametrize("version", ["v1"])
@pytest.mark.parametrize("model", FAMILIES)
async def test_content_of_v1_goes_round_the_loop_too(langchain_chat, model, version):
    state = await state_of(create_agent(langchain_chat(model, output_version=version), [weather, add]), "messages")
    assert results(state) == BROUGHT


@pytest.mark.parametrize("model", [LLAMA, GEMMA])
async def test_a_call_that_broke_off_is_not_run(langchain_chat, model):
    """LangChain would complete its arguments and run the tool with half of them."""
    ran: list[dict[str, Any]] = []

    def delete(path: str, recursive: bool = False) -> str:
        """Delete a path."""
        ran.append({"path": path})
        return "gone"

    chat = langchain_chat(model, "invalid-arguments")
    for way in ("invoke", "stream"):
        agent, question = create_agent(chat, [delete]), {"messages": [("user", 'Delete the path "notes/old"')]}
        if way == "invoke":
            agent.invoke(question)
        else:
            list(agent.stream(question, stream_mode="messages"))
    assert ran == []


# Strategies of structured output


def test_the_plain_schema_is_a_provider_strategy(langchain_chat, emulator):
    """The profile says that the model has structured output, so AutoStrategy takes it."""
    create_agent(langchain_chat(GEMMA), [weather, add], response_format=Report).invoke(QUESTION)
    assert emulator.requests[-1].json["response_format"]["type"] == "json_schema"


@pytest.mark.parametrize("way", ["ainvoke", "messages"])
@pytest.mark.parametrize(
    ("strategy", "schema"),
    [(None, Report), (AutoStrategy, Report), (ProviderStrategy, Report), (ToolStrategy, Report), (None, ReportDict)],
    ids=["plain", "Auto", "Provider", "Tool", "TypedDict"],
)
@pytest.mark.parametrize("model", FAMILIES)
async def test_every_strategy_ends_in_the_schema_after_both_tools_ran(langchain_chat, model, strategy, schema, way):
    for api in APIS:
        chat = langchain_chat(model, api=api)
        told = strategy(schema) if strategy else schema
        state = await state_of(create_agent(chat, [weather, add], response_format=told), way)
        found = state["structured_response"]
        assert (found.model_dump() if isinstance(found, BaseModel) else found) == {"city": "Paris", "total": 7}
        assert BROUGHT.items() <= results(state).items()


@pytest.mark.parametrize("strategy", [ProviderStrategy, ToolStrategy])
@pytest.mark.parametrize("model", FAMILIES)
def test_a_strategy_needs_no_tools(langchain_chat, model, strategy):
    state = create_agent(langchain_chat(model), [], response_format=strategy(Report)).invoke(
        {"messages": [("user", "Report: the city is Paris, the total is 7.")]}
    )
    assert state["structured_response"] == Report(city="Paris", total=7)


@pytest.mark.parametrize("model", [LLAMA, GEMMA])
def test_a_strategy_by_tool_goes_out_by_name_where_it_is_the_only_one(langchain_chat, emulator, model):
    """`any` of one tool: the named form is enforced by the service (quirk 41)."""
    create_agent(langchain_chat(model), [], response_format=ToolStrategy(Report)).invoke(
        {"messages": [("user", "Report: the city is Paris, the total is 7.")]}
    )
    assert emulator.requests[-1].json["tool_choice"] == {"type": "function", "function": {"name": "Report"}}


# LangGraph's own loop


def graph(model: Any, tools: list[Any]) -> Any:
    bound = model.bind_tools(tools)

    def ask(state: MessagesState) -> dict[str, Any]:
        return {"messages": [bound.invoke(state["messages"])]}

    async def aask(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await bound.ainvoke(state["messages"])]}

    from langchain_core.runnables import RunnableLambda

    built = StateGraph(MessagesState)
    built.add_node("model", RunnableLambda(ask, afunc=aask))
    built.add_node("tools", ToolNode(tools))
    built.add_edge(START, "model")
    built.add_conditional_edges("model", tools_condition, {"tools": "tools", END: END})
    built.add_edge("tools", "model")
    return built.compile()


@pytest.mark.parametrize("way", ["invoke", "ainvoke", "messages", "amessages"])
@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("model", FAMILIES)
async def test_langgraphs_own_loop_runs_both_tools(langchain_chat, model, api, way):
    state = await state_of(graph(langchain_chat(model, api=api), [weather, add]), way)
    assert results(state) == BROUGHT
    assert "7" in state["messages"][-1].text


async def test_a_failing_tool_is_told_to_the_model(langchain_chat, emulator):
    def add(a: int, b: int) -> int:
        """Add two numbers."""
        raise ValueError("no sums today")

    built = StateGraph(MessagesState)
    bound = langchain_chat(GEMMA).bind_tools([add])
    built.add_node("model", lambda state: {"messages": [bound.invoke(state["messages"])]})
    built.add_node("tools", ToolNode([add], handle_tool_errors=True))
    built.add_edge(START, "model")
    built.add_edge("model", "tools")
    built.add_edge("tools", END)
    state = built.compile().invoke({"messages": [("user", "What is 3 + 4?")]})
    result = state["messages"][-1]
    assert result.status == "error"
    bound.invoke(state["messages"])
    assert "no sums today" in json.dumps(emulator.requests[-1].json["messages"][-1])


# Middleware


@pytest.mark.parametrize("way", ["invoke", "ainvoke"])
async def test_the_retry_middleware_does_not_repeat_what_the_service_calls_wrong(langchain_chat, emulator, way):
    """A 400 stays a 400: ours are typed, and tell that no retry helps."""
    chat = langchain_chat(GEMMA, max_retries=0, extra_body={"temperature": 99})
    agent = create_agent(
        chat, [add], middleware=[ModelRetryMiddleware(max_retries=3, initial_delay=0, on_failure="error")]
    )
    before = len(emulator.requests)
    with pytest.raises(e.BadRequestError):
        await state_of(agent, way)
    assert len(emulator.requests) == before + 1


def test_the_retry_middleware_repeats_what_may_pass(service_that_is_busy):
    chat, asked = service_that_is_busy
    agent = create_agent(
        chat, [add], middleware=[ModelRetryMiddleware(max_retries=2, initial_delay=0, on_failure="error")]
    )
    assert agent.invoke({"messages": [("user", "Hi")]})["messages"][-1].text == "Here I am."
    assert len(asked) == 2


@pytest.fixture
def service_that_is_busy() -> Any:
    """A model whose first request finds no capacity, and the requests so far."""
    import httpx

    from langchain_workers_ai import ChatWorkersAI

    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        if len(asked) == 1:
            return httpx.Response(429, json={"errors": [{"code": 3040, "message": "Capacity exceeded"}]})
        return httpx.Response(200, json={"choices": [{"message": {"content": "Here I am."}}]})

    client = httpx.Client(transport=httpx.MockTransport(answer))
    return ChatWorkersAI(
        model=GEMMA, account_id="0" * 32, api_token="token-of-the-test", http_client=client, max_retries=0
    ), asked


@pytest.mark.parametrize("way", ["invoke", "ainvoke", "messages"])
async def test_the_fallback_middleware_asks_the_next_model(langchain_chat, emulator, way):
    wrong = langchain_chat("@cf/nobody/knows-this-one", max_retries=0, extra_body={"temperature": 99})
    agent = create_agent(wrong, [weather, add], middleware=[ModelFallbackMiddleware(langchain_chat(LLAMA))])
    before = len(emulator.requests)
    state = await state_of(agent, way)
    assert results(state) == BROUGHT
    assert len(emulator.requests) == before + 4  # each of the two turns asks both


# Refusals (12)

REFUSAL = "I'm sorry, but I can't help with that."

try:
    from langchain.agents.middleware import ModelRefusalMiddleware
    from langchain_core.exceptions import ModelRefusalError
except ImportError:  # langchain before 1.5, langchain-core before 1.7.5
    HAS_REFUSALS = False
else:
    HAS_REFUSALS = True

needs_refusals = pytest.mark.skipif(not HAS_REFUSALS, reason="this langchain has no refusals")


def test_a_provider_strategy_that_meets_a_refusal_ends_in_an_error(langchain_chat):
    agent = create_agent(langchain_chat(GEMMA, "refusal"), [add], response_format=ProviderStrategy(Report))
    with pytest.raises(StructuredOutputError):
        agent.invoke(QUESTION)


@needs_refusals
@pytest.mark.parametrize("response_format", [None, ProviderStrategy(Report)], ids=["words", "schema"])
@pytest.mark.parametrize("way", ["invoke", "ainvoke", "messages", "amessages"])
async def test_the_refusal_middleware_raises_the_whole_refusal(langchain_chat, way, response_format):
    agent = create_agent(
        langchain_chat(GEMMA, "refusal"), [add], response_format=response_format, middleware=[ModelRefusalMiddleware()]
    )
    with pytest.raises(ModelRefusalError, match=REFUSAL):
        await state_of(agent, way)


@needs_refusals
def test_another_model_takes_over_after_a_refusal(langchain_chat):
    agent = create_agent(
        langchain_chat(GEMMA, "refusal"),
        [weather, add],
        response_format=ProviderStrategy(Report),
        middleware=[ModelFallbackMiddleware(langchain_chat(GPT_OSS)), ModelRefusalMiddleware()],
    )
    assert agent.invoke(QUESTION)["structured_response"] == Report(city="Paris", total=7)


@needs_refusals
def test_a_refusal_is_not_asked_for_again(langchain_chat, emulator):
    agent = create_agent(
        langchain_chat(GEMMA, "refusal"),
        [add],
        middleware=[
            ModelRetryMiddleware(max_retries=3, initial_delay=0, on_failure="error"),
            ModelRefusalMiddleware(),
        ],
    )
    before = len(emulator.requests)
    with pytest.raises(ModelRefusalError):
        agent.invoke(QUESTION)
    assert len(emulator.requests) == before + 1
