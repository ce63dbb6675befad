"""`fallback` in both frameworks, on the emulator: the client tries the models, or the gateway at its own address."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from langchain_core.load import dumps, load
from llama_index.core.llms import ChatMessage

import langchain_workers_ai as langchain
import llama_index_workers_ai as llama_index
from workers_ai import Client, Gateway, NeuronMeter, errors
from workers_ai.local import Account, Guardrails, LocalServer
from workers_ai.local import Gateway as Emulated

GEMMA = "@cf/google/gemma-4-26b-a4b-it"  # OpenAI's form
LLAMA = "@cf/meta/llama-3.3-70b-instruct-fp8-fast"  # the native form
GPT_OSS = "@cf/openai/gpt-oss-20b"
TOKEN = "gateway-token"
BUSY = "3040*"

GATEWAYS = (
    Emulated("docs", token=TOKEN, routes={"support": [LLAMA]}),
    Emulated("calm", guardrails=Guardrails(prompt=["dynamite"])),
)


@pytest.fixture(scope="module")
def server() -> Iterator[LocalServer]:
    with LocalServer(account=Account(gateways=GATEWAYS, credits=1.0)) as running:
        yield running


@pytest.fixture(params=["no gateway", "header", "url"])
def connection(server: LocalServer, request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    server.clear()
    told: dict[str, Any] = {
        "account_id": server.account_id,
        "api_token": server.api_token,
        "base_url": server.base_url,
        "max_retries": 0,
    }
    if request.param != "no gateway":
        token = TOKEN if request.param == "url" else None
        told["gateway"] = Gateway("docs", route=request.param, token=token, base_url=server.gateway_url)
    yield told
    server.faults.clear()


def _text(item: Any) -> str:
    return str(item.text if hasattr(item, "text") else item.message.content)


def _facts(item: Any) -> dict[str, Any]:
    return dict(item.response_metadata if hasattr(item, "response_metadata") else item.additional_kwargs)


def _langchain(name: str) -> Callable[..., Any]:
    def call(text: str, connection: dict[str, Any], **options: Any) -> Any:
        model = langchain.ChatWorkersAI(**connection)

        async def collect() -> list[Any]:
            return [chunk async for chunk in model.astream(text, **options)]

        match name:
            case "invoke":
                return model.invoke(text, **options)
            case "ainvoke":
                return asyncio.run(model.ainvoke(text, **options))
        chunks = list(model.stream(text, **options)) if name == "stream" else asyncio.run(collect())
        whole = chunks[0]
        for chunk in chunks[1:]:
            whole += chunk
        return whole

    return call


def _llama_index(name: str) -> Callable[..., Any]:
    def call(text: str, connection: dict[str, Any], **options: Any) -> Any:
        model = llama_index.WorkersAI(**connection)
        messages = [ChatMessage(role="user", content=text)]

        async def last() -> Any:
            return [item async for item in await model.astream_chat(messages, **options)][-1]

        match name:
            case "chat":
                return model.chat(messages, **options)
            case "achat":
                return asyncio.run(model.achat(messages, **options))
            case "stream_chat":
                return list(model.stream_chat(messages, **options))[-1]
        return asyncio.run(last())

    return call


WAYS = {
    **{f"langchain-{name}": _langchain(name) for name in ("invoke", "ainvoke", "stream", "astream")},
    **{f"llama-index-{name}": _llama_index(name) for name in ("chat", "achat", "stream_chat", "astream_chat")},
}


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> Callable[..., Any]:
    return WAYS[request.param]


def by_url(connection: dict[str, Any]) -> bool:
    gateway = connection.get("gateway")
    return gateway is not None and gateway.route == "url"


def asked(server: LocalServer) -> list[str]:
    """The models that were asked, one by one or in one request."""
    found: list[str] = []
    for request in server.requests:
        if isinstance(request.json, list):
            found += [step["query"].get("model") or step["endpoint"] for step in request.json]
        else:
            found.append(request.model or "")
    return found


def test_the_second_model_answers_where_the_first_has_no_room(
    way: Callable[..., Any], connection: dict[str, Any], server: LocalServer
) -> None:
    """3040 of the first model; the other one speaks the other form. Step and answering model are told rightly."""
    server.faults.next(BUSY, model=GEMMA)
    with NeuronMeter() as meter:
        answer = way("How high is the Eiffel Tower?", {**connection, "model": GEMMA, "fallback": (LLAMA,)})
    facts = _facts(answer)
    assert _text(answer)
    assert (facts["model_requested"], facts["model_name"], facts["fallback_step"]) == (GEMMA, LLAMA, 1)
    if by_url(connection):
        assert len(server.requests) == 1
        assert facts["gateway"]["step"] == 1
    assert asked(server) == [GEMMA, LLAMA]
    assert list(meter.by_model) == [LLAMA]
    assert meter.calls == 1


def test_the_first_model_answers_where_it_can(
    way: Callable[..., Any], connection: dict[str, Any], server: LocalServer
) -> None:
    facts = _facts(way("How high is the Eiffel Tower?", {**connection, "model": LLAMA}, fallback=[GEMMA, GPT_OSS]))
    assert (facts["model_requested"], facts["model_name"], facts["fallback_step"]) == (LLAMA, LLAMA, 0)
    assert len(server.requests) == 1


def test_where_all_fail_the_last_error_is_raised(
    way: Callable[..., Any], connection: dict[str, Any], server: LocalServer
) -> None:
    server.faults.next(BUSY, model=GEMMA)
    server.faults.next("500*", model=LLAMA)
    with pytest.raises(errors.ServerError) as caught:
        way("Hello", {**connection, "model": GEMMA, "fallback": LLAMA})
    assert caught.value.model == LLAMA
    if by_url(connection):
        assert caught.value.gateway["step"] == 1
    else:
        assert [(each.model, each.code) for each in caught.value.attempts] == [(GEMMA, 3040)]


def test_tools_go_to_each_model_in_its_own_form(connection: dict[str, Any], server: LocalServer) -> None:
    def tide(place: str) -> str:
        """The tide at a place."""
        return place

    server.faults.next(BUSY, model=GEMMA)
    model = langchain.ChatWorkersAI(**connection, model=GEMMA, fallback=(LLAMA,))
    answer = model.bind_tools([tide], tool_choice="any").invoke("What is the tide at Brest?")
    assert [call["name"] for call in answer.tool_calls] == ["tide"]
    assert answer.response_metadata["model_name"] == LLAMA


def test_prompts_have_it_too(connection: dict[str, Any], server: LocalServer) -> None:
    server.faults.next(BUSY, model=GEMMA)
    told = langchain.WorkersAI(**connection, model=GEMMA, fallback=(LLAMA,)).generate(["Once"]).generations[0][0]
    assert (told.generation_info or {})["model_name"] == LLAMA
    response = llama_index.WorkersAI(**connection, model=GEMMA, fallback=(LLAMA,)).complete("Once", raw=True)
    assert response.additional_kwargs["fallback_step"] == 1
    client = Client(**connection)
    assert client.chat("Hello", model=GEMMA, fallback=(LLAMA,)).facts.answering_model == LLAMA
    deltas = list(client.stream_complete("Once", model=GEMMA, fallback=(LLAMA,)))
    assert deltas[-1].facts is not None
    assert deltas[-1].facts.answering_model == LLAMA


@pytest.fixture
def by_address(server: LocalServer) -> Iterator[dict[str, Any]]:
    """A connection through a gateway's own address."""
    server.clear()
    yield {
        "account_id": server.account_id,
        "api_token": server.api_token,
        "base_url": server.base_url,
        "gateway": Gateway("docs", route="url", token=TOKEN, base_url=server.gateway_url),
    }
    server.faults.clear()


def test_a_route_can_be_the_other_model(by_address: dict[str, Any], server: LocalServer) -> None:
    server.faults.next(BUSY, model=GEMMA)
    answer = Client(**by_address).chat("Hello", model=GEMMA, fallback="dynamic/support")
    assert (answer.facts.answering_model, answer.facts.fallback_step) == (LLAMA, 1)


def test_the_gateway_logs_each_step(by_address: dict[str, Any], server: LocalServer) -> None:
    server.faults.next(BUSY, model=GEMMA)
    before = len(server.account.gateways["docs"].logs)
    Client(**by_address).chat("Hello", model=GEMMA, fallback=LLAMA)
    entries = list(server.account.gateways["docs"].logs)[before:]
    assert [(entry["model"], entry["step"], entry["status_code"]) for entry in entries] == [
        (GEMMA, 0, 429),
        (LLAMA, 1, 200),
    ]


def test_a_guarded_stream_comes_in_one_piece_from_the_step_that_answered(
    by_address: dict[str, Any], server: LocalServer
) -> None:
    server.faults.next(BUSY, model=GEMMA)
    gateway = Gateway("calm", route="url", base_url=server.gateway_url)
    deltas = list(Client(**{**by_address, "gateway": gateway}).stream_chat("Hello", model=GEMMA, fallback=LLAMA))
    assert "".join(delta.text for delta in deltas)
    assert deltas[-1].facts is not None
    assert deltas[-1].facts.answering_model == LLAMA


@pytest.mark.parametrize("body", [{}, [], [1], [{"provider": "workers-ai"}], [{"provider": "x", "endpoint": "y"}]])
def test_the_emulator_refuses_what_is_no_list_of_requests(by_address: dict[str, Any], body: Any) -> None:
    import httpx

    address = f"{by_address['gateway'].base_url}/{by_address['account_id']}/docs"
    refused = httpx.post(address, json=body, headers={"cf-aig-authorization": f"Bearer {TOKEN}"})
    assert refused.status_code == 400
    assert refused.json()["internalCode"] == 7003


def test_a_step_needs_an_authorization_of_its_own(by_address: dict[str, Any]) -> None:
    import httpx

    address = f"{by_address['gateway'].base_url}/{by_address['account_id']}/docs"
    bearer = f"Bearer {by_address['api_token']}"
    step = {"provider": "workers-ai", "endpoint": LLAMA, "query": {"prompt": "Hello"}}
    headers = {"cf-aig-authorization": f"Bearer {TOKEN}", "authorization": bearer}
    assert httpx.post(address, json=[step], headers=headers).status_code == 401
    good = httpx.post(address, json=[{**step, "headers": {"Authorization": bearer}}], headers=headers)
    assert (good.status_code, good.headers["cf-aig-step"]) == (200, "0")


@pytest.mark.filterwarnings("ignore::langchain_core._api.beta_decorator.LangChainBetaWarning")
def test_it_is_kept_in_dumps_and_tells_two_models_apart() -> None:
    model = langchain.ChatWorkersAI(model=GEMMA, fallback=[LLAMA], account_id="0" * 32, api_token="x")
    assert model._identifying_params["fallback"] == [LLAMA]
    again = load(
        json.loads(dumps(model)),
        allowed_objects=[langchain.ChatWorkersAI],
        valid_namespaces=["langchain_workers_ai"],
        secrets_map={"CLOUDFLARE_API_TOKEN": "x"},
    )
    assert again.fallback == (LLAMA,)
    assert "fallback" not in langchain.ChatWorkersAI(model=GEMMA)._identifying_params
    other = llama_index.WorkersAI(model=GEMMA, fallback=LLAMA, account_id="0" * 32, api_token="x")
    assert llama_index.WorkersAI.from_dict(other.to_dict()).fallback == (LLAMA,)


@pytest.mark.parametrize("wrong", ["", "a b", 5, ["@cf/x/y", ""]])
def test_what_is_no_model_id_is_refused_before_anything_is_sent(server: LocalServer, wrong: Any) -> None:
    server.clear()
    model = langchain.ChatWorkersAI(account_id=server.account_id, api_token="x", base_url=server.base_url)
    with pytest.raises(errors.BadRequestError, match="fallback"):
        model.invoke("Hello", fallback=wrong)
    assert server.requests == []
