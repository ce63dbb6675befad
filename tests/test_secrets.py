"""No secret of any class stands where it could be read: views, dumps, traces, events, errors, tracebacks, logs.

The API token, the token of a gateway, the values of `default_headers` and the address of `rate_limit_store` are secret.
All hold the mark below, so that one search finds any of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import logging
import pickle
import pprint
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.documents import Document
from langchain_core.load import dumpd, dumps
from langchain_core.output_parsers import StrOutputParser
from langchain_core.tracers.run_collector import RunCollectorCallbackHandler
from llama_index.core.callbacks import CallbackManager
from llama_index.core.callbacks.base_handler import BaseCallbackHandler as LlamaIndexHandler
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.instrumentation.events import BaseEvent
from llama_index.core.schema import NodeWithScore, TextNode
from pydantic import SecretStr, ValidationError

import langchain_workers_ai
import llama_index_workers_ai
import workers_ai
import workers_ai.telemetry
from workers_ai import Client, Gateway, WorkersAIError

MARK = "S3CR3T"
TOKEN = f"api-{MARK}-0123456789abcdef"
GATEWAY_TOKEN = f"gateway-{MARK}-0123456789abcdef"
HEADER = f"header-{MARK}-0123456789abcdef"
STORE = f"store-{MARK}-0123456789abcdef"
ACCOUNT = "0123456789abcdef0123456789abcdef"
OURS = [str(Path(package.__file__).parent) for package in (workers_ai, langchain_workers_ai, llama_index_workers_ai)]


def has_secret(value: Any) -> bool:
    """Whether a text, bytes, or anything by its repr, holds the mark."""
    if isinstance(value, bytes):
        return MARK.encode() in value
    return MARK in (value if isinstance(value, str) else repr(value))


def given() -> str:
    return TOKEN


async def given_async() -> str:
    await asyncio.sleep(0)
    return TOKEN


TOKENS: dict[str, Any] = {
    "a text": TOKEN,
    "a SecretStr": SecretStr(TOKEN),
    "a function": given,
    "an async function": given_async,
    "the environment": None,
}


def completion(request: httpx.Request) -> httpx.Response:
    """A good answer to whatever was asked, with a secret among its headers, as the service sets cookies."""
    headers = {"set-cookie": f"__cf_bm={MARK}"}
    if "/logs" in request.url.path:
        entry = {"id": "l"}
        return httpx.Response(200, headers=headers, json={"result": [entry] if request.url.query else entry})
    asked = json.loads(request.content)
    if texts := asked.get("text") or asked.get("input"):
        return httpx.Response(200, headers=headers, json={"result": {"data": [[1.0]] * len(texts)}, "success": True})
    if texts := asked.get("contexts"):
        ranked = [{"id": place, "score": 0.5} for place in range(len(texts))]
        return httpx.Response(200, headers=headers, json={"result": {"response": ranked}, "success": True})
    if asked.get("stream"):
        frames = [{"choices": [{"delta": {"content": "Hi"}}]}, {"choices": [{"delta": {}, "finish_reason": "stop"}]}]
        body = "".join(f"data: {json.dumps(frame)}\n\n" for frame in frames) + "data: [DONE]\n\n"
        return httpx.Response(200, headers={"content-type": "text/event-stream", **headers}, text=body)
    choice = {"message": {"content": "Hi"}, "finish_reason": "stop"}
    return httpx.Response(200, headers=headers, json={"choices": [choice]})


def echo(status: int, *, streamed: bool = False) -> Callable[[httpx.Request], httpx.Response]:
    """A refusal that repeats every header it was sent."""

    def answer(request: httpx.Request) -> httpx.Response:
        told = " ".join(request.headers.values())
        body = {"success": False, "errors": [{"code": 5006, "message": f"Bad headers: {told}"}]}
        if streamed:
            text = f"data: {json.dumps(body)}\n\ndata: [DONE]\n\n"
            return httpx.Response(200, headers={"content-type": "text/event-stream", "x-echo": told}, text=text)
        return httpx.Response(status, headers={"x-echo": told}, json=body)

    return answer


def raises(kind: type[Exception]) -> Callable[[httpx.Request], httpx.Response]:
    def answer(request: httpx.Request) -> httpx.Response:
        raise kind("broken")

    return answer


CLASSES = {
    "Client": Client,
    "ChatWorkersAI": langchain_workers_ai.ChatWorkersAI,
    "LangChain's WorkersAI": langchain_workers_ai.WorkersAI,
    "WorkersAIEmbeddings": langchain_workers_ai.WorkersAIEmbeddings,
    "LangChain's WorkersAIRerank": langchain_workers_ai.WorkersAIRerank,
    "LlamaIndex's WorkersAI": llama_index_workers_ai.WorkersAI,
    "WorkersAIEmbedding": llama_index_workers_ai.WorkersAIEmbedding,
    "LlamaIndex's WorkersAIRerank": llama_index_workers_ai.WorkersAIRerank,
    "GatewayLogs": workers_ai.GatewayLogs,
}
EACH_CLASS = pytest.mark.parametrize("name", CLASSES)
EACH_TOKEN = pytest.mark.parametrize("token", TOKENS)


def test_every_public_class_is_walked_over():
    """A class that is added and takes the token must be added here."""
    walked = set(CLASSES.values())
    for package in (workers_ai, langchain_workers_ai, llama_index_workers_ai):
        for public in package.__all__:
            cls = getattr(package, public)
            if isinstance(cls, type) and "api_token" in getattr(cls, "model_fields", {}):
                assert cls in walked, f"{package.__name__}.{public}"


@pytest.fixture
def make(monkeypatch) -> Callable[..., Any]:
    """Makes an object of a class with every secret in it, that speaks with `answer`."""

    def made(name: str, answer: Any = completion, *, token: str = "a text", **arguments: Any) -> Any:
        if TOKENS[token] is None:
            monkeypatch.setenv("CLOUDFLARE_API_TOKEN", TOKEN)
        else:
            arguments = {"api_token": TOKENS[token], **arguments}
        return CLASSES[name](
            **{
                "account_id": ACCOUNT,
                "gateway": Gateway("docs", token=GATEWAY_TOKEN, route="url"),
                "default_headers": {"X-Api-Key": HEADER},
                "rate_limit_store": f"redis://:{STORE}@127.0.0.1:6379/0",
                "http_client": httpx.Client(transport=httpx.MockTransport(answer)),
                "http_async_client": httpx.AsyncClient(transport=httpx.MockTransport(answer)),
                "max_retries": 0,
                **arguments,
            }
        )

    return made


def uses(name: str, model: Any) -> dict[str, Callable[..., Any]]:
    """Each way to ask, as a function of a LangChain config."""
    match name:
        case "Client":
            return {
                "chat": lambda _: model.chat("Hi"),
                "achat": lambda _: asyncio.run(model.achat("Hi")),
                "stream": lambda _: list(model.stream_chat("Hi")),
                "astream": lambda _: asyncio.run(_all(model.astream_chat("Hi"))),
                "embed": lambda _: model.embed(["a"]),
                "rerank": lambda _: model.rerank("Which?", ["a", "b"]),
            }
        case "GatewayLogs":
            return {
                "get": lambda _: model.get("l"),
                "aget": lambda _: asyncio.run(model.aget("l")),
                "list": lambda _: list(model.list()),
                "alist": lambda _: asyncio.run(_all(model.alist())),
                "feedback": lambda _: model.feedback("l", 1),
                "afeedback": lambda _: asyncio.run(model.afeedback("l", 1)),
            }
        case "WorkersAIEmbeddings":
            return {
                "sync": lambda _: model.embed_documents(["a", "b"]),
                "async": lambda _: asyncio.run(model.aembed_documents(["a", "b"])),
            }
        case "WorkersAIEmbedding":
            return {
                "sync": lambda _: model.get_text_embedding_batch(["a", "b"]),
                "async": lambda _: asyncio.run(model.aget_text_embedding_batch(["a", "b"])),
            }
        case "LangChain's WorkersAIRerank":
            found = [Document(page_content=text) for text in ("a", "b")]
            return {
                "sync": lambda config: model.compress_documents(found, "Which?", **(config or {})),
                "async": lambda config: asyncio.run(model.acompress_documents(found, "Which?", **(config or {}))),
            }
        case "LlamaIndex's WorkersAIRerank":
            nodes = [NodeWithScore(node=TextNode(text=text), score=0.1) for text in ("a", "b")]
            return {
                "sync": lambda _: model.postprocess_nodes(nodes, query_str="Which?"),
                "async": lambda _: asyncio.run(model.apostprocess_nodes(nodes, query_str="Which?")),
            }
        case "LlamaIndex's WorkersAI":
            return {
                "sync": lambda _: model.complete("Hi"),
                "async": lambda _: asyncio.run(model.acomplete("Hi")),
                "stream": lambda _: list(model.stream_complete("Hi")),
                "astream": lambda _: asyncio.run(_all_of(model.astream_complete("Hi"))),
            }
    return {
        "sync": lambda config: model.invoke("Hi", config),
        "async": lambda config: asyncio.run(model.ainvoke("Hi", config)),
        "stream": lambda config: list(model.stream("Hi", config)),
        "astream": lambda config: asyncio.run(_all(model.astream("Hi", config))),
    }


async def _all(items: Any) -> list[Any]:
    return [item async for item in items]


async def _all_of(items: Any) -> list[Any]:
    return [item async for item in await items]


def attempt(use: Callable[..., Any], config: Any = None) -> Exception | None:
    """The error that a use ends with, None without one."""
    try:
        use(config)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is looked at
        return error
    return None


# Views and dumps


def views(model: Any) -> Iterator[tuple[str, Any]]:
    """Whatever shows an object, by its name."""
    yield "repr", repr(model)
    yield "str", str(model)
    yield "format", f"{model}"
    yield "pprint", pprint.pformat(model)
    yield "vars", repr(vars(model))
    yield "dict", repr(dict(model))
    yield "rich", repr(list(model.__rich_repr__()))
    yield "model_dump", repr(model.model_dump())
    yield "model_dump, all", repr(model.model_dump(exclude_unset=False, exclude_defaults=False, round_trip=True))
    yield "model_dump_json", model.model_dump_json()
    yield "its copy", repr(model.model_copy(deep=True))
    yield "its transport", repr(model._transport)
    yield "its settings", repr(model._transport.settings)
    yield "private", repr(model.__pydantic_private__)
    yield "pickled shape", repr(sorted(model.__getstate__()["__dict__"]))
    for method in ("to_json", "to_dict", "asdict", "to_payload"):
        if hasattr(model, method):
            yield method, repr(getattr(model, method)())
    if type(model).__module__.startswith("langchain"):
        yield "dumps", dumps(model)
        yield "dumpd", repr(dumpd(model))
    if hasattr(model, "bind"):
        yield "bound", repr(model.bind(stop=["a"]))
        yield "a chain", repr(model | StrOutputParser())
        yield "a chain, dumped", dumps(model | StrOutputParser())
        yield "its graph", repr(model.get_graph().to_json(with_schemas=True))
        yield "identifying", repr(model._identifying_params)
        yield "for LangSmith", repr(model._get_ls_params())
        yield "invocation", repr(model.asdict())
    if hasattr(model, "_get_llm_string"):
        yield "cache key", model._get_llm_string(stop=["a"], temperature=0.5)


@EACH_CLASS
@EACH_TOKEN
@pytest.mark.parametrize("used", [False, True], ids=["before use", "after use"])
def test_no_view_and_no_dump_holds_a_secret(make, name, token, used):
    model = make(name, token=token)
    if used:
        next(iter(uses(name, model).values()))(None)
    assert [view for view, shown in views(model) if has_secret(shown)] == []


@EACH_CLASS
def test_the_same_holds_for_secrets_put_in_later(make, name):
    """An attribute takes a plain text too; whatever looks at the object afterwards must not show it."""
    model = make(name)
    model.api_token = TOKEN
    model.default_headers = {"X-Api-Key": HEADER}
    held_as_given = {"vars", "dict"}  # Python's own views of an attribute that the user set
    assert {view for view, shown in views(model) if has_secret(shown)} <= held_as_given


def test_a_gateway_shows_no_token():
    gateway = Gateway("docs", token=GATEWAY_TOKEN, route="url")
    shown = [repr(gateway), str(gateway), repr(gateway.to_dict()), repr(gateway.headers()), pprint.pformat(gateway)]
    shown += [repr(dataclasses.asdict(gateway)), repr(gateway.replace(cache_ttl=60)), repr(gateway.merge({}))]
    assert not any(map(has_secret, shown))


# Traces


class Recorder(BaseCallbackHandler):
    """Keeps every event that LangChain tells, with all its arguments."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("on_"):
            return lambda *arguments, **options: self.events.append((name, arguments, options))
        return super().__getattribute__(name)


def shown(value: Any) -> Iterator[tuple[str, Any]]:
    """A collected trace in the forms in which it leaves the process."""
    yield "repr", repr(value)
    yield "pickle", pickle.dumps(value)
    yield "JSON", json.dumps(value, default=lambda held: getattr(held, "model_dump", lambda: repr(held))())


GOOD_AND_BAD = pytest.mark.parametrize("answer", [completion, echo(400)], ids=["answered", "refused"])


@pytest.mark.parametrize("name", ["ChatWorkersAI", "LangChain's WorkersAI", "LangChain's WorkersAIRerank"])
@EACH_TOKEN
@GOOD_AND_BAD
def test_no_event_of_langchain_holds_a_secret(make, name, token, answer):
    model = make(name, answer, token=token)
    for way, use in uses(name, model).items():
        recorder, collector = Recorder(), RunCollectorCallbackHandler()
        attempt(use, {"callbacks": [recorder, collector]})
        assert len(recorder.events) >= 2, way
        assert [form for form, told in shown(recorder.events) if has_secret(told)] == [], way
        (run,) = collector.traced_runs
        runs = [repr(run), repr(vars(run)), pickle.dumps({**vars(run), "child_runs": []})]
        assert not any(map(has_secret, runs)), way


@pytest.mark.parametrize("name", ["ChatWorkersAI", "LangChain's WorkersAI"])
def test_a_gateway_with_a_token_given_to_a_call_is_refused_or_kept_out_of_traces(make, name):
    """Arguments of a call stand in traces, and a trace is pickled to be sent."""
    model, recorder = make(name), Recorder()
    gateway = Gateway("docs", token=GATEWAY_TOKEN, route="url")
    attempt(lambda config: model.invoke("Hi", config, gateway=gateway), {"callbacks": [recorder]})
    assert [form for form, told in shown(recorder.events) if has_secret(told)] == []


class LlamaIndexEvents(BaseEventHandler):
    events: list[Any]

    def handle(self, event: BaseEvent, **_: Any) -> None:
        self.events.append(event)


class LlamaIndexPayloads(LlamaIndexHandler):
    def __init__(self) -> None:
        super().__init__([], [])
        self.payloads: list[Any] = []

    def on_event_start(self, event_type: Any, payload: Any = None, **_: Any) -> str:
        self.payloads.append(payload)
        return ""

    def on_event_end(self, event_type: Any, payload: Any = None, **_: Any) -> None:
        self.payloads.append(payload)

    def start_trace(self, trace_id: str | None = None) -> None: ...

    def end_trace(self, trace_id: str | None = None, trace_map: Any = None) -> None: ...


@contextlib.contextmanager
def collecting() -> Iterator[list[Any]]:
    dispatcher, handler = get_dispatcher(), LlamaIndexEvents(events=[])
    dispatcher.add_event_handler(handler)
    try:
        yield handler.events
    finally:
        dispatcher.event_handlers.remove(handler)


@pytest.mark.parametrize("name", ["LlamaIndex's WorkersAI", "WorkersAIEmbedding", "LlamaIndex's WorkersAIRerank"])
@EACH_TOKEN
@GOOD_AND_BAD
def test_no_event_of_llama_index_holds_a_secret(make, name, token, answer):
    payloads = LlamaIndexPayloads()
    model = make(name, answer, token=token, callback_manager=CallbackManager([payloads]))
    for way, use in uses(name, model).items():
        with collecting() as events:
            attempt(use)
        assert events, way
        assert payloads.payloads, way
        told = [repr(events), *(repr(event.model_dump()) for event in events), *map(repr, payloads.payloads)]
        told += [pickle.dumps([event.model_dump() for event in events])]
        assert not any(map(has_secret, told)), way


# Errors


REFUSALS = {
    "a refusal": echo(400),
    "a wrong token": echo(401),
    "too many": echo(429),
    "a failure": echo(500),
    "a refusal with status 200": echo(200),
    "a refusal in a stream": echo(200, streamed=True),
    "a redirect": echo(302),
    "no connection": raises(httpx.ConnectError),
    "a broken one": raises(httpx.ReadError),
    "no answer in time": raises(httpx.ReadTimeout),
    "no JSON": lambda request: httpx.Response(200, text=" ".join(request.headers.values())),
    "an empty result": lambda request: httpx.Response(
        200, json={"success": True, "result": {}, "messages": list(request.headers.values())}
    ),
}


def told_by(error: BaseException) -> Iterator[tuple[str, Any]]:
    """All that can be read off an error, and off those that led to it."""
    seen: BaseException | None = error
    while seen is not None:
        yield "str", str(seen)
        yield "repr", repr(seen)
        yield "args", repr(seen.args)
        yield "vars", repr(vars(seen))
        if isinstance(seen, WorkersAIError):
            yield "fields", repr(seen.fields())
            yield "pickle", pickle.dumps(seen)
            if seen.response is not None:
                yield "its text", seen.response.text
                yield "its headers", repr(dict(seen.response.headers))
        seen = seen.__cause__ or seen.__context__
    yield "traceback", "".join(traceback.format_exception(error))


@EACH_CLASS
@pytest.mark.parametrize("kind", REFUSALS)
def test_no_error_holds_a_secret_even_where_the_service_repeats_what_it_was_sent(make, name, kind):
    for way, use in uses(name, make(name, REFUSALS[kind])).items():
        error = attempt(use)
        # There is no JSON in an answer that is no stream; feedback wants no result.
        assert error is not None or kind == "a refusal in a stream" or "feedback" in way, way
        if error is not None:
            assert [where for where, told in told_by(error) if has_secret(told)] == [], way


def locals_of_our_frames(error: BaseException) -> Iterator[tuple[str, str]]:
    """Function and local name -> what an error reporter would show of it (Sentry, `capture_locals`, pytest -l)."""
    seen: BaseException | None = error
    while seen is not None:
        for frame, _ in traceback.walk_tb(seen.__traceback__):
            if any(frame.f_code.co_filename.startswith(folder) for folder in OURS):
                for local, value in frame.f_locals.items():
                    yield f"{frame.f_code.co_name}: {local}", repr(value)
        seen = seen.__cause__ or seen.__context__


def token_of_two_lines() -> str:
    return f"{TOKEN}\n{TOKEN}"


def refuses(status: int) -> Callable[[httpx.Request], httpx.Response]:
    return lambda request: httpx.Response(status, json={"errors": [{"code": 5006, "message": "Bad input"}]})


BROKEN_CALLS = {
    "a refusal": {"answer": refuses(400)},
    "a failure": {"answer": refuses(500)},
    "a refusal with status 200": {"answer": refuses(200)},
    "no connection": {"answer": raises(httpx.ConnectError)},
    "no answer in time": {"answer": raises(httpx.ReadTimeout)},
    "no JSON": {"answer": lambda request: httpx.Response(200, text="no JSON")},
    "a bug of ours or the client's": {"answer": raises(ZeroDivisionError)},
    "a malformed token": {"arguments": {"api_token": f"{TOKEN} {TOKEN}"}},
    "a function's malformed token": {"arguments": {"api_token": token_of_two_lines}},
    "a bad model id": {"arguments": {"model": "not an id"}},
    "a header that cannot be sent": {"arguments": {"default_headers": {"X-Api-Key": f"{HEADER}\n"}}},
}


def broken_calls() -> Iterator[tuple[str, str, str]]:
    """Kind, class and token: a wrong argument once, all else for each way to give a token."""
    for kind, broken in BROKEN_CALLS.items():
        arguments = broken.get("arguments", {})
        for name in CLASSES:
            if not ("model" in arguments and "model" not in CLASSES[name].model_fields | CLASSES[name].aliases):
                yield from ((kind, name, token) for token in (["a text"] if arguments else TOKENS))


@pytest.mark.parametrize(("kind", "name", "token"), list(broken_calls()))
def test_no_local_of_our_frames_in_a_traceback_shows_a_secret(make, name, token, kind):
    broken = BROKEN_CALLS[kind]
    arguments = broken.get("arguments", {})
    model = make(name, broken.get("answer", completion), token=token, **arguments)
    for way, use in uses(name, model).items():
        error = attempt(use)
        if error is not None:
            assert {where for where, told in locals_of_our_frames(error) if has_secret(told)} == set(), way


# What is refused when an object is made

WRONG: dict[str, dict[str, Any]] = {
    "account id": {"account_id": "no account"},
    "account id and token": {"account_id": "no account", "api_token": TOKEN},
    "range": {"max_retries": -1},
    "a number for a token": {"api_token": 5},
    "bytes for a token": {"api_token": TOKEN.encode()},
    "a list for a token": {"api_token": [TOKEN]},
    "a mapping for a token": {"api_token": {"token": TOKEN}},
    "unknown name": {"api_tokn": TOKEN},
    "two names": {"api_key": TOKEN, "auth_token": TOKEN},
    "insecure address": {"base_url": "http://example.org"},
    "gateway option": {"gateway": {"id": "docs", "token": GATEWAY_TOKEN, "cache_ttl": 1}},
    "gateway without id": {"gateway": {"token": GATEWAY_TOKEN}},
    "gateway's unknown name": {"gateway": {"id": "docs", "tokn": GATEWAY_TOKEN}},
    "gateway of another type": {"gateway": [GATEWAY_TOKEN]},
    "headers as a text": {"default_headers": f"X-Api-Key: {HEADER}"},
    "headers as lists": {"default_headers": {"X-Api-Key": [HEADER]}},
    "headers as bytes": {"default_headers": {"X-Api-Key": HEADER.encode(), "X-Other": 5}},
    "timeout": {"timeout": -1},
    "query": {"default_query": "a=1"},
}


@EACH_CLASS
@pytest.mark.parametrize("wrong", WRONG)
def test_no_refusal_of_an_argument_repeats_a_secret(make, name, wrong):
    error = attempt(lambda _: make(name, **WRONG[wrong]))
    assert error is not None
    told = [*told_by(error)]
    if isinstance(error, ValidationError):
        told += [("errors()", repr(error.errors())), ("json()", error.json())]
    assert [where for where, text in told if has_secret(text)] == []


def test_a_note_about_an_old_name_does_not_repeat_its_value():
    with pytest.warns(DeprecationWarning, match="cf_api_token") as notes:
        langchain_workers_ai.ChatWorkersAI(cf_api_token=TOKEN)
    assert not has_secret([str(note.message) for note in notes])


# Logs


@EACH_CLASS
@EACH_TOKEN
def test_no_log_holds_a_secret(make, emulator, caplog, name, token):
    """On a real connection, with every logger at DEBUG: httpx and httpcore tell what they send."""
    caplog.set_level(logging.DEBUG)
    model = make(name, token=token, base_url=emulator.base_url, gateway=None, http_client=None, http_async_client=None)
    for use in uses(name, model).values():
        attempt(use)  # refused: the emulator does not know this token
    assert caplog.records
    assert not has_secret(caplog.text)
    assert not any(has_secret(vars(record)) for record in caplog.records)


@EACH_CLASS
@pytest.mark.parametrize("answer", [completion, echo(400), echo(200, streamed=True)], ids=["good", "refused", "stream"])
def test_no_log_of_bodies_holds_a_secret(make, caplog, name, answer):
    """Requests and replies in full, as they are told on request; a reply may repeat what it was sent."""
    caplog.set_level(logging.DEBUG)
    workers_ai.telemetry.log_bodies()
    try:
        for use in uses(name, make(name, answer)).values():
            attempt(use)
    finally:
        workers_ai.telemetry.log_bodies(on=False)
    assert [record for record in caplog.records if record.name == "workers_ai.bodies"]
    assert not has_secret(caplog.text)
    assert not any(has_secret(vars(record)) for record in caplog.records)


@EACH_CLASS
def test_no_log_of_attempts_holds_a_secret(make, caplog, name):
    def busy(request: httpx.Request) -> httpx.Response:
        told = " ".join(request.headers.values())
        return httpx.Response(500, headers={"retry-after": "0"}, json={"errors": [{"message": told}]})

    caplog.set_level(logging.DEBUG)
    for use in uses(name, make(name, busy, max_retries=2)).values():
        attempt(use)
    assert any("attempt" in record.message for record in caplog.records)
    assert not has_secret(caplog.text)


# Several models in turn


OTHER = "@cf/meta/llama-3.3-70b-instruct-fp8-fast"
IN_TURN = {
    "by the client": None,
    "by the gateway": Gateway("docs", token=GATEWAY_TOKEN, route="url"),
}
TEXT_CLASSES = ["ChatWorkersAI", "LangChain's WorkersAI", "LlamaIndex's WorkersAI"]


def echo_all(status: int) -> Callable[[httpx.Request], httpx.Response]:
    """A refusal that repeats headers and body: one that holds several requests has the token in its body too."""

    def answer(request: httpx.Request) -> httpx.Response:
        told = f"{' '.join(request.headers.values())} {request.content.decode()}"
        return httpx.Response(status, headers={"x-echo": "-"}, json={"errors": [{"code": 3043, "message": told}]})

    return answer


@pytest.mark.parametrize("gateway", IN_TURN.values(), ids=IN_TURN)
@pytest.mark.parametrize("name", TEXT_CLASSES)
def test_neither_the_last_error_nor_those_before_it_hold_a_secret(make, caplog, name, gateway):
    """Of several models in turn: all that failed is kept on the error, and told in the log."""
    caplog.set_level(logging.DEBUG)
    workers_ai.telemetry.log_bodies()
    try:
        for way, use in uses(name, make(name, echo_all(500), gateway=gateway, fallback=OTHER)).items():
            error = attempt(use)
            assert isinstance(error, WorkersAIError), way
            assert len(error.attempts) == (0 if gateway else 1), way
            for each in (error, *error.attempts):
                assert [where for where, told in told_by(each) if has_secret(told)] == [], way
    finally:
        workers_ai.telemetry.log_bodies(on=False)
    assert not has_secret(caplog.text)
    assert not any(has_secret(vars(record)) for record in caplog.records)


@pytest.mark.parametrize("gateway", IN_TURN.values(), ids=IN_TURN)
@pytest.mark.parametrize("kind", ["a failure", "no connection", "no answer in time", "a bug of ours or the client's"])
@pytest.mark.parametrize("name", TEXT_CLASSES)
def test_no_local_of_our_frames_shows_the_token_that_a_body_holds(make, name, kind, gateway):
    model = make(name, BROKEN_CALLS[kind]["answer"], gateway=gateway, fallback=OTHER)
    for way, use in uses(name, model).items():
        error = attempt(use)
        assert error is not None, way
        assert {where for where, told in locals_of_our_frames(error) if has_secret(told)} == set(), way
        assert [where for where, told in told_by(error) if has_secret(told)] == [], way
