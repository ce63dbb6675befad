"""Every class of both adapters through a gateway, on the emulator: what is sent, what is told, what is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from langchain_core.documents import Document
from langchain_core.messages import AIMessageChunk
from llama_index.core.schema import NodeWithScore, TextNode

import langchain_workers_ai as langchain
import llama_index_workers_ai as llama_index
from workers_ai import Client, Gateway, errors
from workers_ai.local import (
    Account,
    DataLossPrevention,
    Guardrails,
    LocalServer,
    RateLimit,
    SpendLimit,
)
from workers_ai.local import Gateway as Emulated

GEMMA = "@cf/google/gemma-4-26b-a4b-it"
LLAMA = "@cf/meta/llama-3.3-70b-instruct-fp8-fast"
TOKEN = "gateway-token"

GATEWAYS = (
    Emulated("docs"),
    Emulated("locked", token=TOKEN),
    Emulated("rated", rate_limit=RateLimit(0)),
    Emulated("spent", spend_limit=SpendLimit(0.0)),
    Emulated("unpaid", guardrails=Guardrails(scanner="credits")),
    Emulated("blind", guardrails=Guardrails(scanner="down")),
    Emulated("calm", guardrails=Guardrails(prompt=["dynamite"])),
    Emulated("mute", guardrails=Guardrails(answer=['"finish_reason"'])),
    Emulated("sealed", data_loss_prevention=DataLossPrevention(["dynamite"])),
    Emulated("closed", data_loss_prevention=DataLossPrevention(['"finish_reason"'])),
    Emulated("flagging", data_loss_prevention=DataLossPrevention(["dynamite"], action="FLAG")),
    Emulated("keyed", stored_keys=["default"], routes={"support": ["@cf/does/not-exist", LLAMA]}),
)


@pytest.fixture(scope="module")
def server() -> Iterator[LocalServer]:
    with LocalServer(account=Account(gateways=GATEWAYS, credits=1.0)) as running:
        yield running


@pytest.fixture
def connection(server: LocalServer) -> dict[str, Any]:
    server.clear()
    return {
        "account_id": server.account_id,
        "api_token": server.api_token,
        "base_url": server.base_url,
        "max_retries": 0,
    }


@dataclass(frozen=True)
class Told:
    """What a call gave: its text, and what it told of the gateway."""

    text: str
    gateway: dict[str, Any]
    metadata: dict[str, Any]


def _of_langchain(message: Any) -> Told:
    return Told(message.text, message.response_metadata.get("gateway", {}), message.response_metadata)


def _of_llama_index(response: Any) -> Told:
    told = response.additional_kwargs
    return Told(response.message.content, told.get("gateway", {}), told)


def _joined(chunks: list[AIMessageChunk]) -> Told:
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole += chunk
    assert sum("gateway" in chunk.response_metadata for chunk in chunks) <= 1
    return _of_langchain(whole)


Way = Callable[..., Told]


def _langchain(name: str) -> Way:
    def call(text: str, connection: dict[str, Any], **options: Any) -> Told:
        model = langchain.ChatWorkersAI(**connection)

        async def collect() -> list[AIMessageChunk]:
            return [chunk async for chunk in model.astream(text, **options)]

        match name:
            case "invoke":
                return _of_langchain(model.invoke(text, **options))
            case "ainvoke":
                return _of_langchain(asyncio.run(model.ainvoke(text, **options)))
            case "stream":
                return _joined(list(model.stream(text, **options)))
        return _joined(asyncio.run(collect()))

    return call


def _llama_index(name: str) -> Way:
    from llama_index.core.llms import ChatMessage

    def call(text: str, connection: dict[str, Any], **options: Any) -> Told:
        model = llama_index.WorkersAI(**connection)
        messages = [ChatMessage(role="user", content=text)]

        async def last() -> Any:
            return [item async for item in await model.astream_chat(messages, **options)][-1]

        match name:
            case "chat":
                return _of_llama_index(model.chat(messages, **options))
            case "achat":
                return _of_llama_index(asyncio.run(model.achat(messages, **options)))
            case "stream_chat":
                return _of_llama_index(list(model.stream_chat(messages, **options))[-1])
        return _of_llama_index(asyncio.run(last()))

    return call


WAYS = {
    **{f"langchain-{name}": _langchain(name) for name in ("invoke", "ainvoke", "stream", "astream")},
    **{f"llama-index-{name}": _llama_index(name) for name in ("chat", "achat", "stream_chat", "astream_chat")},
}


@pytest.fixture(params=WAYS.values(), ids=WAYS.keys())
def way(request: pytest.FixtureRequest) -> Way:
    """Each of the eight ways to ask."""
    found: Way = request.param
    return found


@dataclass(frozen=True)
class Refusal:
    """What a gateway refuses, and as what it comes out."""

    code: int
    status: int
    gateway: Gateway
    kind: type[errors.WorkersAIError]
    hint: str
    logged: bool = True
    retryable: bool = False


def url(id: str, **options: Any) -> Gateway:
    return Gateway(id, route="url", **options)


REFUSALS = [
    Refusal(2001, 400, Gateway("absent"), errors.GatewayError, "no gateway 'absent'", logged=False),
    Refusal(2001, 400, url("absent"), errors.GatewayError, "CLOUDFLARE_GATEWAY_TOKEN", logged=False),
    Refusal(2003, 429, Gateway("rated"), errors.RateLimitError, "own rate limit", retryable=True),
    Refusal(2009, 401, url("locked"), errors.AuthenticationError, "'locked' wants a token", logged=False),
    Refusal(2016, 424, url("calm"), errors.ContentFilteredError, "the system text too"),
    Refusal(2016, 424, Gateway("calm"), errors.ContentFilteredError, "guardrail blocked the prompt"),
    Refusal(2017, 424, url("mute"), errors.ContentFilteredError, "guardrail blocked the answer"),
    Refusal(2021, 402, Gateway("unpaid"), errors.QuotaExceededError, "Add credits", logged=False),
    Refusal(2029, 400, Gateway("sealed"), errors.ContentFilteredError, "loss prevention blocked the prompt"),
    Refusal(2030, 400, url("closed"), errors.ContentFilteredError, "loss prevention blocked the answer"),
    Refusal(2040, 400, url("keyed", byok_alias="blue"), errors.GatewayError, "No stored key under this alias"),
    Refusal(2045, 429, Gateway("spent"), errors.QuotaExceededError, "spend limit"),
    Refusal(7013, 503, Gateway("blind"), errors.ServerError, "scanner is down", retryable=True),
]


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda each: f"{each.code}-{each.gateway.route}")
def test_each_refusal_of_a_gateway_is_its_class_with_its_hint_in_every_way(
    refusal: Refusal, way: Way, server: LocalServer, connection: dict[str, Any]
):
    gateway = refusal.gateway.replace(base_url=server.gateway_url)
    with pytest.raises(refusal.kind) as caught:
        way("Tell me of dynamite.", connection | {"gateway": gateway})
    error = caught.value
    assert (error.code, error.status, error.retryable) == (refusal.code, refusal.status, refusal.retryable)
    assert refusal.hint in str(error)
    assert len(server.requests) == 1
    passed = refusal.code not in (2001, 2009)
    assert ("event_id" in error.gateway) is passed
    assert ("log_id" in error.gateway) is refusal.logged


@pytest.mark.parametrize("api", ["native", "openai"])
def test_on_the_rest_host_the_run_api_words_a_guardrail_its_own_way(api: str, connection: dict[str, Any]):
    client = Client(**connection, gateway="calm")
    with pytest.raises(errors.ContentFilteredError) as caught:
        client.chat("dynamite", api=api)
    assert (caught.value.code, caught.value.status) == ((2017, 422) if api == "native" else (2016, 424))


def test_a_guarded_stream_that_comes_in_one_piece_is_read_as_such(
    way: Way, server: LocalServer, connection: dict[str, Any]
):
    """The gateway's own host holds the answer back until it has read it."""
    told = way("Say hello.", connection | {"gateway": url("calm", base_url=server.gateway_url)})
    assert told.text
    assert told.gateway["log_id"]
    assert told.metadata["neurons"] > 0


def test_a_finding_that_is_only_flagged_stands_among_the_facts(way: Way, connection: dict[str, Any]):
    told = way("Tell me of dynamite.", connection | {"gateway": "flagging"})
    assert told.gateway["dlp"]["action"] == "FLAG"
    assert told.gateway["dlp"]["findings"][0]["check"] == "REQUEST"


# Facts, cache


def test_every_answer_tells_the_facts_of_its_passage(way: Way, connection: dict[str, Any], server: LocalServer):
    told = way("Hello.", connection | {"gateway": Gateway("docs", event_id="ev-7", metadata={"team": "docs"})})
    facts = told.gateway
    assert (facts["event_id"], facts["cache_status"], facts["step"]) == ("ev-7", "MISS", 0)
    assert facts["log_id"] in {entry["id"] for entry in server.account.gateway("docs").logs}


def test_a_miss_then_a_hit_then_a_fresh_answer(way: Way, connection: dict[str, Any], request: pytest.FixtureRequest):
    text = f"Say only: {request.node.name}"  # its own entry of the cache
    gateway = connection | {"gateway": Gateway("docs", cache_ttl=60)}
    first, again = way(text, gateway), way(text, gateway)
    assert [told.gateway["cache_status"] for told in (first, again)] == ["MISS", "HIT"]
    assert again.text == first.text
    assert (again.metadata["neurons"], again.metadata["cost_usd"]) == (0, 0)
    fresh = way(text, gateway, gateway={"skip_cache": True})
    assert fresh.gateway["cache_status"] == "MISS"
    assert fresh.metadata["neurons"] > 0


def test_a_key_of_ones_own_gives_the_same_answer_whatever_is_asked(
    way: Way, connection: dict[str, Any], request: pytest.FixtureRequest
):
    gateway = connection | {"gateway": Gateway("docs", cache_key=request.node.name)}
    first, other = way("Say only: one", gateway), way("Say only: two", gateway)
    assert other.gateway["cache_status"] == "HIT"
    assert other.text == first.text


def test_a_gateway_that_wants_a_token_takes_it(way: Way, connection: dict[str, Any], server: LocalServer):
    gateway = url("locked", base_url=server.gateway_url, token=TOKEN)
    assert way("Hello.", connection | {"gateway": gateway}).text
    assert server.requests[-1].headers["cf-aig-authorization"] == f"Bearer {TOKEN}"
    assert way("Hello.", connection | {"gateway": "locked"}).text
    assert "cf-aig-authorization" not in server.requests[-1].headers


# Every class, per object, per call, from the environment


async def _stream_of(model: Any) -> list[Any]:
    return [item async for item in model.astream_complete("Hello")]


CALLS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "langchain chat": lambda c: langchain.ChatWorkersAI(**c).invoke("Hello"),
    "langchain llm": lambda c: langchain.WorkersAI(**c).invoke("Hello"),
    "langchain llm stream": lambda c: list(langchain.WorkersAI(**c).stream("Hello")),
    "langchain embeddings": lambda c: langchain.WorkersAIEmbeddings(**c).embed_query("Hello"),
    "langchain aembeddings": lambda c: asyncio.run(langchain.WorkersAIEmbeddings(**c).aembed_documents(["Hello"])),
    "llama-index llm": lambda c: llama_index.WorkersAI(**c).complete("Hello"),
    "llama-index llm stream": lambda c: list(llama_index.WorkersAI(**c).stream_complete("Hello")),
    "llama-index embedding": lambda c: llama_index.WorkersAIEmbedding(**c).get_text_embedding("Hello"),
    "llama-index aembedding": lambda c: asyncio.run(llama_index.WorkersAIEmbedding(**c).aget_query_embedding("Hello")),
    "client chat": lambda c: Client(**c).chat("Hello"),
    "client stream": lambda c: list(Client(**c).stream_chat("Hello")),
    "client completion": lambda c: Client(**c).complete("Hello"),
    "client completion stream": lambda c: asyncio.run(_stream_of(Client(**c))),
    "client embeddings": lambda c: Client(**c).embed(["Hello"]),
    "client rerank": lambda c: Client(**c).rerank("Which?", ["one", "two"]),
    "langchain rerank": lambda c: langchain.WorkersAIRerank(**c).compress_documents([Document("one")], "Which?"),
    "llama-index rerank": lambda c: llama_index.WorkersAIRerank(**c).postprocess_nodes(
        [NodeWithScore(node=TextNode(text="one"))], query_str="Which?"
    ),
}


@pytest.fixture(params=CALLS.values(), ids=CALLS.keys())
def call(request: pytest.FixtureRequest) -> Callable[[dict[str, Any]], Any]:
    """One call of each class."""
    found: Callable[[dict[str, Any]], Any] = request.param
    return found


def _options(server: LocalServer) -> dict[str, str]:
    """The gateway's headers of the newest request."""
    return {name: value for name, value in server.requests[-1].headers.items() if name.startswith("cf-aig-")}


def test_every_class_passes_by_header(
    call: Callable[[dict[str, Any]], Any], connection: dict[str, Any], server: LocalServer
):
    call(connection | {"gateway": Gateway("docs", metadata={"n": 1})})
    assert _options(server) == {"cf-aig-gateway-id": "docs", "cf-aig-metadata": '{"n":1}'}
    assert server.requests[-1].path.startswith("/client/v4/")


def test_every_class_passes_by_url(
    call: Callable[[dict[str, Any]], Any], connection: dict[str, Any], server: LocalServer
):
    call(connection | {"gateway": url("locked", base_url=server.gateway_url, token=TOKEN, event_id="e")})
    assert _options(server) == {"cf-aig-authorization": f"Bearer {TOKEN}", "cf-aig-event-id": "e"}
    assert server.requests[-1].path.startswith(f"/v1/{server.account_id}/locked/workers-ai/")


def test_every_class_takes_the_gateway_of_the_environment(
    call: Callable[[dict[str, Any]], Any],
    connection: dict[str, Any],
    server: LocalServer,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("CLOUDFLARE_AI_GATEWAY", "docs")
    call(connection)
    assert _options(server) == {"cf-aig-gateway-id": "docs"}
    call(connection | {"gateway": False})
    assert _options(server) == {}


def test_without_a_gateway_nothing_of_it_is_sent(
    call: Callable[[dict[str, Any]], Any], connection: dict[str, Any], server: LocalServer
):
    call(connection)
    assert _options(server) == {}


@pytest.mark.parametrize(
    ("own", "change", "sent"),
    [
        (None, "docs", {"cf-aig-gateway-id": "docs"}),
        (None, {"id": "docs", "skip_cache": True}, {"cf-aig-gateway-id": "docs", "cf-aig-skip-cache": "true"}),
        ("docs", {"skip_cache": True}, {"cf-aig-gateway-id": "docs", "cf-aig-skip-cache": "true"}),
        (Gateway("docs", zdr=True), {"zdr": None}, {"cf-aig-gateway-id": "docs"}),
        (Gateway("docs", zdr=True), Gateway("keyed"), {"cf-aig-gateway-id": "keyed"}),
        (Gateway("docs", zdr=True), False, {}),
        ("docs", None, {"cf-aig-gateway-id": "docs"}),
    ],
)
def test_one_call_changes_its_gateway_or_leaves_it_out(
    way: Way, connection: dict[str, Any], server: LocalServer, own: Any, change: Any, sent: dict[str, str]
):
    way("Hello", connection | {"gateway": own}, gateway=change)
    assert _options(server) == sent


def test_bound_options_are_those_of_the_call(connection: dict[str, Any], server: LocalServer):
    model = langchain.ChatWorkersAI(**connection, gateway="docs")
    model.bind(gateway={"cache_key": "k"}).invoke("Hello")
    assert _options(server) == {"cf-aig-gateway-id": "docs", "cf-aig-cache-key": "k"}
    model.bind(gateway=False).invoke("Hello")
    assert _options(server) == {}


def test_what_cannot_be_a_gateway_is_refused_before_anything_is_sent(
    way: Way, connection: dict[str, Any], server: LocalServer
):
    for wrong in ({"cache_ttl": 1}, {"token": "t"}, {"skip_cash": True}, "no id", 7, True):
        with pytest.raises(errors.BadRequestError, match="gateway") as caught:
            way("Hello", connection | {"gateway": "docs"}, gateway=wrong)
        assert caught.value.maybe_sent is False
    assert not server.requests


# The gateway's own attempts


@pytest.mark.parametrize(
    ("gateway", "retries", "requests"),
    [
        (Gateway("docs"), None, 3),
        (Gateway("docs", max_attempts=1), None, 3),
        (Gateway("docs", max_attempts=3), None, 1),
        (Gateway("docs", max_attempts=3), 1, 2),
        (Gateway("rated", max_attempts=3), None, 3),
    ],
)
def test_retries_of_the_gateway_and_of_the_client_do_not_multiply_unasked(
    gateway: Gateway, retries: int | None, requests: int, connection: dict[str, Any]
):
    """What the gateway refuses by itself, it has not tried."""
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        code = 2003 if request.headers["cf-aig-gateway-id"] == "rated" else 3043
        refusal = {"errors": [{"code": code, "message": "no"}]}
        return httpx.Response(429 if code == 2003 else 500, headers={"retry-after": "0"}, json=refusal)

    told = connection | {"gateway": gateway, "http_client": httpx.Client(transport=httpx.MockTransport(answer))}
    told.pop("max_retries")
    with pytest.raises(errors.WorkersAIError):
        Client(**told, **({} if retries is None else {"max_retries": retries})).chat("Hello")
    assert len(seen) == requests


# Routes, the Auto Router, other vendors' models


@pytest.fixture(params=["header", "url"])
def keyed(request: pytest.FixtureRequest, server: LocalServer) -> Gateway:
    """The gateway with routes, by both ways."""
    return Gateway("keyed", route=request.param, base_url=server.gateway_url)


def test_a_dynamic_route_tells_the_model_that_answered_and_its_step(
    way: Way, connection: dict[str, Any], keyed: Gateway
):
    told = way("Say hello.", connection | {"gateway": keyed}, model="dynamic/support")
    assert (told.gateway["model"], told.gateway["provider"], told.gateway["step"]) == (LLAMA, "workers-ai", 1)
    assert told.metadata["model_requested"] == "dynamic/support"
    assert told.metadata["model_name"] == LLAMA


def test_an_unknown_route_is_an_unknown_model(way: Way, connection: dict[str, Any], keyed: Gateway):
    with pytest.raises(errors.ModelNotFoundError):
        way("Hello", connection | {"gateway": keyed}, model="dynamic/nowhere")


@pytest.mark.parametrize(
    ("options", "routed", "reason"),
    [
        ({}, "openai/gpt-5-mini", "cost_optimal_within_pool"),
        ({"allowed_models": ["anthropic/*"]}, "anthropic/claude-haiku-4.5", "cost_optimal_within_pool"),
        ({"allowed_providers": "google"}, "google/gemini-3-flash", "forced_by_candidate_pool"),
        ({"allowed_models": [LLAMA]}, LLAMA, "forced_by_candidate_pool"),
    ],
)
def test_the_auto_router_tells_what_it_chose(
    connection: dict[str, Any], keyed: Gateway, options: dict[str, Any], routed: str, reason: str
):
    answer = Client(**connection, gateway=keyed.replace(**options)).chat("Say hello.", model="cloudflare/auto")
    facts = answer.facts.gateway
    assert (facts["routed_model"], facts["routing_reason"], facts["model"]) == (routed, reason, routed)
    assert answer.text
    assert facts["routing_decision_id"]


def test_a_pool_that_holds_nothing_is_refused(connection: dict[str, Any], keyed: Gateway):
    with pytest.raises(errors.BadRequestError):
        Client(**connection, gateway=keyed.replace(allowed_models=["no/such"])).chat("Hello", model="cloudflare/auto")


@pytest.mark.parametrize(
    ("model", "gateway"),
    [("openai/gpt-5.5", None), ("anthropic/claude-haiku-4.5", "docs"), ("google/gemini-3-flash", "url")],
)
def test_another_vendors_model_answers_unbilled_in_neurons(
    way: Way, connection: dict[str, Any], server: LocalServer, model: str, gateway: str | None
):
    """With the same token; what it costs only the service could tell."""
    before = server.account.credits
    through = url("docs", base_url=server.gateway_url) if gateway == "url" else gateway
    told = way("Say hello.", connection | {"gateway": through}, model=model)
    assert told.text
    assert not {"neurons", "cost_usd", "cost_source"} & told.metadata.keys()
    assert told.gateway["log_id"]  # it passes the gateway `default` where none is named
    assert server.account.credits < before


@pytest.mark.parametrize("stream", [False, True])
def test_another_vendors_model_answers_natively_too(connection: dict[str, Any], server: LocalServer, stream: bool):
    client = Client(**connection)
    if stream:
        text = "".join(delta.text for delta in client.stream_chat("Hello", model="openai/gpt-5.5", api="native"))
    else:
        text = client.chat("Hello", model="openai/gpt-5.5", api="native").text
    assert text
    assert server.requests[-1].path.endswith("/ai/run")
    assert server.requests[-1].json["model"] == "openai/gpt-5.5"


def test_without_credits_another_vendors_model_says_what_to_do(way: Way, connection: dict[str, Any]):
    with LocalServer() as poor:
        told = connection | {"base_url": poor.base_url, "account_id": poor.account_id, "api_token": poor.api_token}
        with pytest.raises(errors.QuotaExceededError, match="Add credits") as caught:
            way("Hello", told, model="openai/gpt-5.5")
    assert (caught.value.code, caught.value.retryable) == (2021, False)


def test_the_compat_spelling_of_a_model_is_known_everywhere(way: Way, connection: dict[str, Any], keyed: Gateway):
    for gateway in (keyed, None):
        told = way("Say hello.", connection | {"gateway": gateway}, model=f"workers-ai/{LLAMA}")
        assert told.text
        assert told.metadata["neurons"] > 0
