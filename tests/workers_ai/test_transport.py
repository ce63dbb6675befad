"""The only file that sends: attempts, refusals, streams, secrets; sync and async alike."""

from __future__ import annotations

import ast
import asyncio
import inspect
import json
import logging
import re
import socket
import textwrap
import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

import workers_ai
from workers_ai import errors as e
from workers_ai.answers import ChatAnswer, Choice, Facts
from workers_ai.attempt import MAX_ERROR_BODY
from workers_ai.call import Call
from workers_ai.diagnosis import diagnose
from workers_ai.exchange import Exchange, Request
from workers_ai.gateway import Gateway
from workers_ai.pool import SHARED, direct, network_key
from workers_ai.redaction import reveal
from workers_ai.retry import RetryPolicy
from workers_ai.settings import Settings, Timeouts
from workers_ai.tasks.embeddings import EmbeddingRequest
from workers_ai.tasks.embeddings import exchange as embedding_exchange
from workers_ai.transport import Transport

Make = Callable[..., Any]

OK = "answer-native-usage"
GOOD_STREAM = "stream-old-tail"
GATEWAY_TOKEN = "gw-Yy53-secret-Kk08"

QUICK = RetryPolicy(max_retries=2, base=0, capacity_base=0)


def hidden(headers: dict[str, str]) -> dict[str, SecretStr]:
    """Headers as settings hold them: their values count as secret."""
    return {name: SecretStr(value) for name, value in headers.items()}


# Sync and async are one


def _plain(source: str) -> str:
    """Source of an async method as its sync twin would have it."""
    for pattern, twin in (
        (r"\basync def a(\w+)", r"def \1"),
        (r"\basync def _a(\w+)", r"def _\1"),
        (r"\basync (with|for)\b", r"\1"),
        (r"\bawait ", ""),
        (r"\bself\._a(open|send|stream|close)\b", r"self._\1"),
        (r"\ba(send|stream|read|iter_bytes|close|token|client|acquire|hold)\b", r"\1"),
        (r"\bhttp_async_client\b", "http_client"),
        (r"\babounded\b", "bounded"),
        (r"\baclosing\b", "closing"),
        (r"\basyncio\.sleep\b", "time.sleep"),
        (r"\basynccontextmanager\b", "contextmanager"),
        (r"\bAsyncIterator\b", "Iterator"),
        (r"AsyncGenerator\[(\w+), None\]", r"Generator[\1, None, None]"),
        # Async generators know no `yield from`.
        (r"^( *)for delta in (.+):\n +yield delta$", r"\1yield from \2"),
    ):
        source = re.sub(pattern, twin, source, flags=re.MULTILINE)
    return source


def _lines(method: object) -> list[str]:
    """The lines of a method without its comments, each statement on its own however the formatter broke it."""
    return _plain(ast.unparse(ast.parse(textwrap.dedent(inspect.getsource(method))))).splitlines()  # type: ignore[arg-type]


TWINS = [name for name in ("send", "_send", "stream", "_stream", "_open") if hasattr(Transport, name)]


@pytest.mark.parametrize("plain", TWINS)
def test_the_async_twin_is_the_sync_method_line_for_line(plain: str):
    twin = f"_a{plain[1:]}" if plain.startswith("_") else f"a{plain}"
    ours, theirs = getattr(Transport, plain), getattr(Transport, twin)
    assert _lines(theirs) == _lines(ours)
    assert inspect.getdoc(theirs) == inspect.getdoc(ours)


# What is sent


def test_a_request_is_what_the_service_expects(way: Any, service: Make, account: str, token: str):
    fake = service(GOOD_STREAM if way.streams else OK)
    way(fake.transport())
    (request,) = fake.requests
    url = f"https://api.cloudflare.com/client/v4/accounts/{account}/ai/run/@cf/meta/llama-3.3-70b-instruct-fp8-fast"
    assert (request.method, str(request.url)) == ("POST", url)
    assert request.headers["authorization"] == f"Bearer {token}"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["accept"] == ("text/event-stream" if way.streams else "application/json")
    assert request.headers["user-agent"].startswith("workers-ai-python/")
    body = json.loads(request.content)
    assert body["messages"] == [{"role": "user", "content": "How is the tide?"}]
    assert body.get("stream", False) is way.streams


def test_headers_and_query_of_the_settings_go_with_every_request_and_never_displace_the_token(
    way: Any, service: Make, token: str
):
    fake = service(GOOD_STREAM if way.streams else OK)
    way(fake.transport(headers=hidden({"x-team": "reef", "authorization": "Bearer other"}), query={"tag": "a b"}))
    (request,) = fake.requests
    assert request.headers["x-team"] == "reef"
    assert request.headers.get_list("authorization") == [f"Bearer {token}"]
    assert request.url.params["tag"] == "a b"


def raw(**request: Any) -> Callable[..., Exchange[str, Any]]:
    """A question that is no chat: its answer is the body as it came."""
    return lambda **_: Exchange(Request(**request), lambda reply: ChatAnswer([Choice(reply.text)], Facts("m", "m"), {}))


def test_the_query_of_a_request_goes_over_the_settings_own(whole_way: Any, service: Make, account: str):
    fake = service(lambda _: httpx.Response(200, text="ok"))
    ask = raw(path="ai/models/search", method="GET", query={"search": "a&b", "page": "2"})
    whole_way(fake.transport(query={"page": "1", "tag": "x"}), ask)
    (request,) = fake.requests
    assert (request.method, request.url.path) == ("GET", f"/client/v4/accounts/{account}/ai/models/search")
    assert dict(request.url.params) == {"search": "a&b", "page": "2", "tag": "x"}


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_a_request_without_a_body_names_no_content_type(whole_way: Any, service: Make, method: str, token: str):
    fake = service(lambda _: httpx.Response(200, text="ok"))
    assert whole_way(fake.transport(), raw(path="ai/x", method=method)).text == "ok"
    (request,) = fake.requests
    assert "content-type" not in request.headers
    assert (request.content, request.headers["authorization"]) == (b"", f"Bearer {token}")


def test_a_content_type_of_its_own_takes_the_usual_one_s_place(whole_way: Any, service: Make):
    fake = service(lambda _: httpx.Response(200, text="ok"))
    ask = raw(path="ai/tomarkdown", body=b"--x--", headers={"content-type": "multipart/form-data; boundary=x"})
    whole_way(fake.transport(), ask)
    assert fake.requests[0].headers.get_list("content-type") == ["multipart/form-data; boundary=x"]


def token_in_body(authorization: SecretStr) -> bytes:
    """A body as a gateway's universal request has it: the token stands in it."""
    return json.dumps({"authorization": authorization}, default=reveal).encode()


def test_a_body_that_needs_the_token_is_made_anew_for_each_attempt(whole_way: Any, service: Make):
    fake = service("error-3040-short", lambda _: httpx.Response(200, text="ok"))
    tokens = iter(["first", "second"])
    whole_way(fake.transport(api_token=lambda: next(tokens)), raw(path="ai/x", body=token_in_body))
    sent = [json.loads(request.content) for request in fake.requests]
    assert sent == [{"authorization": "Bearer first"}, {"authorization": "Bearer second"}]


@pytest.mark.parametrize("step", [httpx.ReadError("broken"), "error-5006-top-k", ZeroDivisionError("a bug")])
def test_no_traceback_shows_a_body_that_held_the_token(whole_way: Any, service: Make, token: str, step: Any):
    fake = service(step)
    with pytest.raises((e.WorkersAIError, ZeroDivisionError)) as raised:
        whole_way(fake.transport(), raw(path="ai/x", body=token_in_body))
    shown, ours = [], str(Path(workers_ai.__file__).parent)
    for error in (raised.value, raised.value.__cause__):
        frames = traceback.walk_tb(error.__traceback__) if error else ()
        shown += [repr(f.f_locals) for f, _ in frames if f.f_code.co_filename.startswith(ours)]
    assert shown
    assert not any(token in told for told in shown)


def test_a_gateway_url_carries_the_gateway_s_token_and_the_account_s(whole_way: Any, service: Make, token: str):
    fake = service(OK)
    gateway = Gateway("docs", route="url", token=GATEWAY_TOKEN, base_url="http://127.0.0.1:9/v1")

    def ask(*, stream: bool) -> Any:
        from workers_ai.tasks.chat import ChatRequest, exchange

        call = Call("@cf/meta/llama-3.2-3b-instruct", gateway=gateway)
        return exchange(ChatRequest(call, [{"role": "user", "content": "x"}]))

    whole_way(fake.transport(), ask)
    (request,) = fake.requests
    assert request.url.path.endswith("/docs/workers-ai/run/@cf/meta/llama-3.2-3b-instruct")
    assert request.headers["authorization"] == f"Bearer {token}"
    assert request.headers["cf-aig-authorization"] == f"Bearer {GATEWAY_TOKEN}"


@pytest.mark.parametrize(
    ("timeouts", "whole", "streaming"),
    [
        (Timeouts(), 300.0, 60.0),
        (Timeouts.coerce(7), 7, 7),
        (Timeouts.coerce(httpx.Timeout(9, read=None)), None, None),
    ],
)
def test_time_outs_are_per_answer_and_per_event(
    way: Any, service: Make, timeouts: Timeouts, whole: float | None, streaming: float | None
):
    fake = service(GOOD_STREAM if way.streams else OK)
    way(fake.transport(timeouts=timeouts))
    told = fake.requests[0].extensions["timeout"]
    assert told["read"] == (streaming if way.streams else whole)
    assert told["connect"] == timeouts.connect


# How often


SCRIPTS = [
    pytest.param("error-3040-short", e.CapacityError, True, id="no capacity"),
    pytest.param("error-2003-rate-limited", e.RateLimitError, True, id="gateway rate"),
    pytest.param("error-3043-internal", e.ServerError, True, id="500"),
    pytest.param("error-html-524", e.ServerError, True, id="524 page"),
    pytest.param("error-3007-timeout", e.ServerError, True, id="408"),
    pytest.param("error-5012-inference", e.ServerError, True, id="529"),
    pytest.param("error-4006-daily-allocation", e.QuotaExceededError, False, id="day's quota"),
    pytest.param("error-3036-daily-allocation", e.QuotaExceededError, False, id="day's quota, documented"),
    pytest.param("error-2045-spend-limit", e.QuotaExceededError, False, id="spend limit"),
    pytest.param("error-2021-balance", e.QuotaExceededError, False, id="no credits"),
    pytest.param("error-10000-authentication", e.AuthenticationError, False, id="401"),
    pytest.param("error-3010-context-window", e.ContextLengthError, False, id="window"),
    pytest.param("error-5007-no-such-model", e.ModelNotFoundError, False, id="no such model"),
    pytest.param("error-json-mode-unmet", e.StructuredOutputError, False, id="200 with success false"),
    pytest.param(httpx.ConnectError("refused"), e.APIConnectionError, True, id="no connection"),
    pytest.param(httpx.RemoteProtocolError("went away"), e.APIConnectionError, True, id="disconnected"),
    pytest.param(httpx.ReadTimeout("slow"), e.APITimeoutError, True, id="time-out"),
    pytest.param(httpx.ConnectTimeout("slow"), e.APITimeoutError, True, id="connect time-out"),
    pytest.param(httpx.UnsupportedProtocol("ftp"), e.BadRequestError, False, id="no protocol of ours"),
]


@pytest.mark.parametrize("max_retries", [0, 1, 3])
@pytest.mark.parametrize(("step", "kind", "again"), SCRIPTS)
def test_a_lasting_failure_costs_exactly_one_request_and_the_retries(
    way: Any, service: Make, step: Any, kind: type[e.WorkersAIError], again: bool, max_retries: int
):
    fake = service(step)
    with pytest.raises(kind) as caught:
        way(fake.transport(retry=replace(QUICK, max_retries=max_retries)))
    assert type(caught.value) is kind
    assert len(fake.requests) == (1 + max_retries if again else 1)
    assert caught.value.model == "@cf/meta/llama-3.3-70b-instruct-fp8-fast"


@pytest.mark.parametrize(("step", "kind", "again"), [script for script in SCRIPTS if script.values[2]])
def test_a_passing_failure_is_not_seen(way: Any, service: Make, step: Any, kind: Any, again: bool):
    fake = service(step, step, GOOD_STREAM if way.streams else OK)
    assert way(fake.transport(retry=QUICK)).text == ("  Good day!" if way.streams else "Les mouettes crient.")
    assert len(fake.requests) == 3


def test_the_token_is_asked_for_at_each_attempt(way: Any, service: Make):
    tokens = iter(["tok-first-00", "tok-second-00", "tok-third-00"])
    fake = service("error-3040-short", "error-3040-short", GOOD_STREAM if way.streams else OK)
    way(fake.transport(retry=QUICK, api_token=lambda: next(tokens)))
    assert [request.headers["authorization"] for request in fake.requests] == [
        "Bearer tok-first-00",
        "Bearer tok-second-00",
        "Bearer tok-third-00",
    ]


@pytest.mark.parametrize(
    ("raised", "maybe_sent"),
    [
        (httpx.ConnectError("x"), False),
        (httpx.ConnectTimeout("x"), False),
        (httpx.PoolTimeout("x"), False),
        (httpx.ProxyError("x"), False),
        (httpx.UnsupportedProtocol("x"), False),
        (httpx.ReadTimeout("x"), True),
        (httpx.WriteError("x"), True),
        (httpx.ReadError("x"), True),
        (httpx.RemoteProtocolError("x"), True),
    ],
)
def test_an_error_tells_whether_the_service_can_have_seen_the_request(
    way: Any, service: Make, raised: Exception, maybe_sent: bool
):
    fake = service(raised)
    with pytest.raises(e.WorkersAIError) as caught:
        way(fake.transport())
    assert caught.value.maybe_sent is maybe_sent
    assert caught.value.__cause__ is raised


def test_an_error_of_the_caller_s_own_passes_as_it_is(way: Any, service: Make):
    def vault() -> str:
        raise LookupError("no such secret")

    fake = service(OK)
    with pytest.raises(LookupError, match="no such secret"):
        way(fake.transport(api_token=vault))
    assert fake.requests == []


def test_missing_credentials_are_told_before_anything_is_sent(way: Any, service: Make):
    fake = service(OK)
    with pytest.raises(e.AuthenticationError) as caught:
        way(fake.transport(account_id=None, api_token=None))
    assert fake.requests == []
    assert caught.value.maybe_sent is False
    assert "CLOUDFLARE_ACCOUNT_ID" in str(caught.value)
    assert "CLOUDFLARE_API_TOKEN" in str(caught.value)


def test_a_gateway_address_that_would_send_the_token_unencrypted_is_refused_as_one_of_our_errors(
    whole_way: Any, service: Make
):
    fake = service(OK)
    gateway = Gateway("docs", route="url", base_url="http://example.com/v1")

    def ask(*, stream: bool) -> Any:
        return embedding_exchange(EmbeddingRequest(Call("@cf/baai/bge-m3", gateway=gateway), ["x"]))

    with pytest.raises(e.BadRequestError, match="unencrypted"):
        whole_way(fake.transport(), ask)
    assert fake.requests == []


# An answer that breaks off halfway was made, and billed


def test_half_a_text_is_not_asked_for_again(whole_way: Any, service: Make, steps: Any):
    fake = service(steps.cut_short(b'{"result":', httpx.ReadError("gone")), OK)
    with pytest.raises(e.APIConnectionError) as caught:
        whole_way(fake.transport())
    assert len(fake.requests) == 1
    assert caught.value.retryable is False


def test_half_an_embedding_is(whole_way: Any, service: Make, steps: Any):
    def ask(*, stream: bool) -> Any:
        return embedding_exchange(EmbeddingRequest(Call("@cf/baai/bge-m3"), ["x"]))

    fake = service(steps.cut_short(b'{"result":', httpx.ReadError("gone")), "vectors-null-response-meta")
    transport = fake.transport()
    if whole_way.name == "send":
        assert transport.send(ask(stream=False)).rows == [[0.5, 0.5]]
    else:
        assert asyncio.run(transport.asend(ask(stream=False))).rows == [[0.5, 0.5]]
    assert len(fake.requests) == 2


# Streams


def test_an_error_frame_as_the_first_event_is_retried(stream_way: Any, service: Make):
    fake = service("stream-error-first", "stream-error-first", GOOD_STREAM)
    assert stream_way(fake.transport(retry=QUICK)).text == "  Good day!"
    assert len(fake.requests) == 3


@pytest.mark.parametrize("code", [3043, 7009, 99999])
def test_so_is_one_with_a_code_that_says_nothing_more(stream_way: Any, service: Make, steps: Any, code: int):
    """It came in a 200, so no status says that it is the service's failure."""
    frame = steps.streamed(b'data: {"errors":[{"message":"fell over","code":%d}]}\n\n' % code)
    assert stream_way(service(frame, GOOD_STREAM).transport()).text == "  Good day!"


def test_an_error_frame_that_lasts_costs_one_request_and_the_retries(stream_way: Any, service: Make):
    fake = service("stream-error-first")
    with pytest.raises(e.CapacityError):
        stream_way(fake.transport(retry=QUICK))
    assert len(fake.requests) == 3


@pytest.mark.parametrize("body", [b"", b": comment\n\n", b"null\n"])
def test_a_stream_that_ends_with_nothing_is_retried(stream_way: Any, service: Make, steps: Any, body: bytes):
    fake = service(steps.streamed(body), GOOD_STREAM)
    assert stream_way(fake.transport()).text == "  Good day!"
    assert len(fake.requests) == 2


def test_a_connection_that_breaks_before_the_first_event_is_retried(stream_way: Any, service: Make, steps: Any):
    fake = service(steps.streamed(httpx.ReadError("gone")), GOOD_STREAM)
    assert stream_way(fake.transport()).text == "  Good day!"
    assert len(fake.requests) == 2


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        (httpx.ReadError("gone"), e.StreamInterruptedError),
        (httpx.RemoteProtocolError("gone"), e.StreamInterruptedError),
        (httpx.ReadTimeout("slow"), e.APITimeoutError),
        (b'data: {"errors":[{"code":3040,"message":"full"}]}\n\n', e.CapacityError),
        (b"data: {\n\n", e.InvalidResponseError),
        (b"", e.StreamInterruptedError),
    ],
)
def test_after_the_first_event_nothing_is_retried_and_the_error_tells_what_had_arrived(
    stream_way: Any, service: Make, steps: Any, raised: Any, kind: type[e.WorkersAIError]
):
    fake = service(steps.streamed(b'data: {"response":"So "}\n\n', b'data: {"response":"far"}\n\n', raised))
    with pytest.raises(kind) as caught:
        stream_way(fake.transport())
    assert len(fake.requests) == 1
    assert (caught.value.partial, caught.value.retryable) == ("So far", False)
    assert caught.value.model == "@cf/meta/llama-3.3-70b-instruct-fp8-fast"


def test_deltas_come_before_the_failure(service: Make, steps: Any, ask_chat: Make):
    fake = service(steps.streamed(b'data: {"response":"So far"}\n\n', httpx.ReadError("gone")))
    deltas = fake.transport().stream(ask_chat(stream=True))
    assert next(deltas).text == "So far"
    with pytest.raises(e.StreamInterruptedError):
        next(deltas)


def test_a_json_answer_to_a_stream_is_told_in_one_delta(stream_way: Any, service: Make):
    fake = service(OK)
    told = stream_way(fake.transport())
    assert (told.text, len(told.deltas), len(fake.requests)) == ("Les mouettes crient.", 2, 1)
    assert told.facts is not None
    assert told.facts.usage is not None


def test_an_empty_answer_to_a_stream_is_asked_for_once_more_unstreamed(stream_way: Any, service: Make):
    fake = service("answer-empty-result", OK)
    assert stream_way(fake.transport()).text == "Les mouettes crient."
    streamed = [json.loads(request.content).get("stream", False) for request in fake.requests]
    assert streamed == [True, False]


def test_an_empty_answer_both_ways_is_an_error(stream_way: Any, service: Make):
    fake = service("answer-empty-result")
    with pytest.raises(e.InvalidResponseError):
        stream_way(fake.transport())
    assert len(fake.requests) == 2


@pytest.mark.parametrize("max_retries", [0, 1, 2])
def test_the_unstreamed_request_does_not_multiply_the_attempts(stream_way: Any, service: Make, max_retries: int):
    fake = service("answer-empty-result", "error-3043-internal")
    with pytest.raises(e.ServerError if max_retries else e.EmptyAnswerError):
        stream_way(fake.transport(retry=replace(QUICK, max_retries=max_retries)))
    # The stream, and then unstreamed requests only: each is one of the attempts that the policy grants.
    assert len(fake.requests) == 1 + max_retries


def test_a_refusal_in_json_to_a_stream_is_retried_as_any_other(stream_way: Any, service: Make, steps: Any):
    refusal = steps.cut_short(b'{"success":false,"errors":[{"code":3040,"message":"full"}]}')
    fake = service(refusal, GOOD_STREAM)
    assert stream_way(fake.transport()).text == "  Good day!"


def test_a_page_in_place_of_an_answer_is_an_error(way: Any, service: Make):
    page = httpx.Response(200, headers={"content-type": "text/html"}, content=b"<html>Sign in</html>")
    fake = service(lambda _: httpx.Response(200, headers=page.headers, content=page.content))
    with pytest.raises((e.InvalidResponseError, e.StreamInterruptedError)):
        way(fake.transport())
    assert len(fake.requests) == 1


# What comes after the answer, or with it


def test_a_reset_after_the_end_of_an_answer_changes_nothing(stream_way: Any, service: Make, steps: Any, payload: Make):
    """DONE is the end: what the connection does then is no failure of the answer."""
    body = payload(GOOD_STREAM).body + b"\n\n"
    fake = service(steps.streamed(body, httpx.ReadError("reset")))
    assert stream_way(fake.transport()).text == "  Good day!"
    assert len(fake.requests) == 1


def test_events_that_say_nothing_yet_are_a_begun_answer(stream_way: Any, service: Make, steps: Any):
    """A frame held back, for it may be the start of a tag, was made and is paid for: it is not asked for again."""
    held = b'data: {"response":"<thi"}\n\n'
    fake = service(steps.streamed(held, httpx.ReadError("reset")))
    with pytest.raises(e.StreamInterruptedError):
        stream_way(fake.transport(), model="@cf/deepseek-ai/deepseek-r1-distill-qwen-32b")
    assert len(fake.requests) == 1


def test_an_attempt_that_was_sent_is_remembered_over_one_that_was_not(whole_way: Any, service: Make):
    fake = service(httpx.ReadError("reset"), httpx.ConnectError("nobody there"))
    with pytest.raises(e.APIConnectionError) as caught:
        whole_way(fake.transport(retry=replace(QUICK, max_retries=1)))
    assert caught.value.maybe_sent


def test_no_field_of_an_error_repeats_the_token(way: Any, service: Make, token: str):
    """The service's text reaches message, hint, code and body: wherever a secret stands, it is masked."""
    body = json.dumps({"errors": [{"code": 5007, "message": f"No such model {token} or task"}]}).encode()
    fake = service(lambda _: httpx.Response(400, content=body, headers={"content-type": "application/json"}))
    with pytest.raises(e.WorkersAIError) as caught:
        way(fake.transport(retry=replace(QUICK, max_retries=0)))
    assert token not in f"{caught.value!s}{caught.value!r}{caught.value.fields()}"


def test_what_a_gateway_header_says_is_not_masked_in_errors(service: Make):
    """Only secrets are: a gateway named `o` must not riddle every message."""
    from workers_ai.tasks.chat import ChatRequest, exchange

    body = json.dumps({"errors": [{"code": 7003, "message": "Could not route"}]}).encode()
    fake = service(lambda _: httpx.Response(400, content=body, headers={"content-type": "application/json"}))
    call = Call("@cf/meta/llama-3.2-3b-instruct", gateway=Gateway("o"))
    with pytest.raises(e.WorkersAIError, match="Could not route"):
        fake.transport().send(exchange(ChatRequest(call, [{"role": "user", "content": "x"}])))


def test_a_stream_that_a_loop_s_end_cuts_off_leaves_no_complaint(
    listen: Make, acts: Any, ask_chat: Make, caplog: pytest.LogCaptureFixture
):
    server = listen(lambda *_: [*acts.chunked(b'data: {"response":"one"}\n\n', end=False), 5.0])
    streams: list[Any] = []

    async def leave_early() -> None:
        stream = Transport(server.settings()).astream(ask_chat(stream=True))
        streams.append(stream)
        await anext(stream)

    asyncio.run(leave_early())
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


# Refusals


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("follow", [False, True])
def test_a_redirect_is_not_followed_and_the_token_goes_nowhere_else(way: Any, service: Make, status: int, follow: bool):
    fake = service(lambda _: httpx.Response(status, headers={"location": "https://elsewhere.example/"}))
    transport = replace(
        fake.transport(),
        http_client=fake.client(follow_redirects=follow),
        http_async_client=fake.aclient(follow_redirects=follow),
    )
    with pytest.raises(e.InvalidResponseError, match="redirect") as caught:
        way(transport)
    assert {request.url.host for request in fake.requests} == {"api.cloudflare.com"}
    assert (len(fake.requests), caught.value.status) == (1, status)


def test_of_an_endless_error_page_a_bounded_part_is_read(way: Any, service: Make):
    read = 0

    class Endless(httpx.SyncByteStream, httpx.AsyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            nonlocal read
            while True:
                read += 16_384
                yield b"x" * 16_384

        async def __aiter__(self) -> Any:
            for piece in self:
                yield piece

    fake = service(lambda _: httpx.Response(400, headers={"content-type": "text/html"}, stream=Endless()))
    with pytest.raises(e.BadRequestError) as caught:
        way(fake.transport())
    assert caught.value.response is not None
    assert len(caught.value.response.body) == MAX_ERROR_BODY
    assert read <= MAX_ERROR_BODY + 2 * 16_384
    assert len(str(caught.value)) < 600


def test_a_refusal_keeps_the_reply_without_its_cookies(way: Any, service: Make):
    def refuse(_: httpx.Request) -> httpx.Response:
        return httpx.Response(403, headers={"set-cookie": "session=abc", "x-seen": "1"}, content=b"{}")

    with pytest.raises(e.PermissionDeniedError) as caught:
        way(service(refuse).transport())
    assert caught.value.response is not None
    assert caught.value.response.status_code == 403
    assert caught.value.response.headers["x-seen"] == "1"
    assert "set-cookie" not in caught.value.response.headers


class OtherCapacity(e.CapacityError):
    """A framework's own class for it."""


class OtherTimeout(e.APITimeoutError):
    """A framework's own class for it."""


OTHER_CLASSES = {e.CapacityError: OtherCapacity, e.APITimeoutError: OtherTimeout}


def test_errors_are_raised_as_the_classes_handed_in(way: Any, service: Make):
    with pytest.raises(OtherCapacity) as refused:
        way(service("error-3040-short").transport(errors=OTHER_CLASSES))
    assert refused.value.code == 3040
    slow = httpx.ReadTimeout("slow")
    with pytest.raises(OtherTimeout) as late:
        way(service(slow).transport(errors=OTHER_CLASSES))
    assert late.value.__cause__ is slow
    with pytest.raises(e.AuthenticationError) as other:
        way(service("error-10000-authentication").transport(errors=OTHER_CLASSES))
    assert type(other.value) is e.AuthenticationError


# Secrets


def _echo(request: httpx.Request) -> httpx.Response:
    told = " ".join(f"{name}={value}" for name, value in request.headers.items())
    return httpx.Response(401, json={"errors": [{"code": 10000, "message": f"bad request: {told}"}]})


def _echo_200(request: httpx.Request) -> httpx.Response:
    told = request.headers["authorization"]
    return httpx.Response(200, json={"success": False, "errors": [{"code": 10000, "message": f"bad token {told}"}]})


def _echo_unreadable(request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, text=f"you sent {request.headers['authorization']}")


def _echo_frame(request: httpx.Request) -> httpx.Response:
    told = json.dumps({"errors": [{"code": 10000, "message": f"bad token {request.headers['authorization']}"}]})
    return httpx.Response(200, headers={"content-type": "text/event-stream"}, content=f"data: {told}\n\n".encode())


def _echo_header(request: httpx.Request) -> httpx.Response:
    return httpx.Response(401, headers={"x-you-sent": request.headers["authorization"]}, content=b"{}")


def _broken(_: httpx.Request) -> httpx.Response:
    raise httpx.ReadError("gone")


def _told(error: e.WorkersAIError) -> str:
    """What an error shows: its text, its fields, its reply."""
    reply = error.response.text + repr(error.response) if error.response else ""
    return "\n".join([str(error), repr(error), repr(vars(error)), repr(error.fields()), reply])


def _variables(error: BaseException | None) -> str:
    """The variables of our own frames in an error's traceback and in that of its causes: error trackers show them."""
    shown = []
    while error is not None:
        told = traceback.TracebackException.from_exception(error, capture_locals=True)
        ours = [frame for frame in told.stack if "/workers_ai/" in frame.filename and "/tests/" not in frame.filename]
        shown += [f"{frame.name}: {name} = {value}" for frame in ours for name, value in (frame.locals or {}).items()]
        error = error.__cause__
    return "\n".join(shown)


ECHOES = [_echo, _echo_200, _echo_unreadable, _echo_frame, _echo_header]
PLAIN = ["error-10000-authentication", "error-empty-body", _broken]
SOURCES = ["plain", "secret"]


@pytest.mark.parametrize("answer", [*PLAIN, *ECHOES])
@pytest.mark.parametrize("source", SOURCES)
def test_the_token_is_in_no_error_even_when_the_service_repeats_it(
    way: Any, service: Make, token: str, answer: Any, source: str
):
    told = (lambda: token) if source == "plain" else SecretStr(token)
    with pytest.raises(e.WorkersAIError) as caught:
        way(service(answer).transport(api_token=told))
    assert token not in _told(caught.value)
    assert token not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("answer", PLAIN)
@pytest.mark.parametrize("source", SOURCES)
def test_the_token_is_in_no_variable_of_the_traceback(way: Any, service: Make, token: str, answer: Any, source: str):
    told = (lambda: token) if source == "plain" else SecretStr(token)
    with pytest.raises(e.WorkersAIError) as caught:
        way(service(answer).transport(api_token=told))
    assert token not in _variables(caught.value)


def _through_the_gateway(answer: Any, service: Make, way: Any) -> e.WorkersAIError:
    gateway = Gateway("docs", route="url", token=GATEWAY_TOKEN, base_url="http://127.0.0.1:9/v1")

    def ask(*, stream: bool) -> Any:
        return embedding_exchange(EmbeddingRequest(Call("@cf/baai/bge-m3", gateway=gateway), ["x"]))

    with pytest.raises(e.WorkersAIError) as caught:
        way(service(answer).transport(headers=hidden({"x-key": "hdr-Pp66-secret"})), ask)
    return caught.value


@pytest.mark.parametrize("answer", [_echo, _broken])
def test_nor_are_the_gateway_s_token_and_the_headers_of_the_settings(whole_way: Any, service: Make, answer: Any):
    told = _told(_through_the_gateway(answer, service, whole_way))
    assert GATEWAY_TOKEN not in told
    assert "hdr-Pp66-secret" not in told


def test_nor_do_these_stand_in_a_variable_of_the_traceback(whole_way: Any, service: Make):
    told = _variables(_through_the_gateway(_broken, service, whole_way))
    assert GATEWAY_TOKEN not in told
    assert "hdr-Pp66-secret" not in told


@pytest.mark.parametrize(
    "bad", ["tok-\x00-Zx81", "tok-\x1b-Zx81", "tok-\x7f-Zx81", "tok-\n-Zx81", "tok- -Zx81", "tok-é-Zx81"]
)
def test_a_token_that_no_header_can_hold_is_refused_without_being_shown(
    listen: Make, bad: str, ask_chat: Make, acts: Any
):
    server = listen(lambda *_: [acts.http(b"{}")])
    transport = Transport(server.settings(api_token=SecretStr(bad)), retry=QUICK)
    with pytest.raises(e.BadRequestError) as caught:
        transport.send(ask_chat(stream=False))
    assert caught.value.maybe_sent is False
    assert "Zx81" not in "".join(traceback.format_exception(caught.value))
    assert server.requests == []


def _send_through(server: Any, bad: str) -> None:
    gateway = Gateway("docs", route="url", token=bad, base_url=server.base_url)
    exchange = embedding_exchange(EmbeddingRequest(Call("@cf/baai/bge-m3", gateway=gateway), ["x"]))
    Transport(server.settings(), retry=QUICK).send(exchange)


def _send_with_header(server: Any, bad: str) -> None:
    exchange = embedding_exchange(EmbeddingRequest(Call("@cf/baai/bge-m3"), ["x"]))
    Transport(server.settings(headers=hidden({"x-key": bad})), retry=QUICK).send(exchange)


@pytest.mark.parametrize("bad", ["gw\n-Zx81", "gw\x00-Zx81"])
@pytest.mark.parametrize("send", [_send_through, _send_with_header])
def test_nor_is_such_a_gateway_token_or_header(listen: Make, acts: Any, bad: str, send: Callable[[Any, str], None]):
    server = listen(lambda *_: [acts.http(b"{}")])
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - where it is refused does not matter
        send(server, bad)
    assert "Zx81" not in "".join(traceback.format_exception(caught.value))
    assert server.requests == []


def test_a_transport_shows_no_secret(service: Make, token: str):
    gateway = Gateway("docs", token=GATEWAY_TOKEN)
    transport = service(OK).transport(api_token=SecretStr(token), headers=hidden({"x-key": "hdr-Pp66"}))
    shown = f"{transport!r} {transport} {transport.settings!r} {gateway!r}"
    assert token not in shown
    assert GATEWAY_TOKEN not in shown
    assert "hdr-Pp66" not in shown


def test_the_log_tells_attempts_and_no_secret(
    listen: Make, acts: Any, ask_chat: Make, payload: Make, token: str, caplog: pytest.LogCaptureFixture
):
    replies = [acts.http(payload("error-3040-short").body, status=429), acts.http(payload(OK).body)]
    server = listen(lambda number, _: [replies[number]])
    with caplog.at_level(logging.DEBUG):
        Transport(server.settings(headers=hidden({"x-key": "hdr-Pp66"})), retry=QUICK).send(ask_chat(stream=False))
    ours = [
        record.getMessage()
        for record in caplog.records
        if record.name.startswith("workers_ai") and record.levelno == logging.INFO
    ]
    assert ours == ["attempt 1 failed (CapacityError), next in 0.0 s"]
    assert token not in caplog.text
    assert "hdr-Pp66" not in caplog.text


# On a socket


def test_a_retry_after_is_waited_for(listen: Make, acts: Any, payload: Make, ask_chat: Make):
    replies = [
        acts.http(payload("error-429-without-code").body, status=429, headers={"retry-after": "0.05"}),
        acts.http(payload(OK).body),
    ]
    server = listen(lambda number, _: [replies[number]])
    assert Transport(server.settings()).send(ask_chat(stream=False)).text == "Les mouettes crient."
    assert len(server.requests) == 2


def test_of_a_retry_after_that_is_too_long_the_longest_pause_is_waited(
    listen: Make, acts: Any, payload: Make, ask_chat: Make
):
    body = payload("error-429-without-code").body
    server = listen(lambda *_: [acts.http(body, status=429, headers={"retry-after": "3600"})])
    with pytest.raises(e.RateLimitError):
        Transport(server.settings(), retry=RetryPolicy(longest_retry_after=0.01)).send(ask_chat(stream=False))
    assert len(server.requests) == 3


def test_a_reset_in_the_middle_of_a_stream_is_an_interruption(stream_way: Any, listen: Make, acts: Any):
    piece = b'data: {"response":"So far"}\n\n'
    server = listen(lambda *_: [*acts.chunked(piece, end=False), 0.05, acts.RESET])
    with pytest.raises(e.StreamInterruptedError) as caught:
        stream_way(Transport(server.settings(), retry=QUICK))
    assert (caught.value.partial, len(server.requests)) == ("So far", 1)


def test_a_connection_that_ends_within_a_stream_is_an_interruption(stream_way: Any, listen: Make, acts: Any):
    piece = b'data: {"response":"So far"}\n\n'
    server = listen(lambda *_: [*acts.chunked(piece, end=False), acts.CUT])
    with pytest.raises(e.StreamInterruptedError) as caught:
        stream_way(Transport(server.settings(), retry=QUICK))
    assert (caught.value.partial, len(server.requests)) == ("So far", 1)


def test_a_connection_closed_without_an_answer_is_tried_again(way: Any, listen: Make, acts: Any, payload: Make):
    good = acts.chunked(payload(GOOD_STREAM).body) if way.streams else [acts.http(payload(OK).body)]
    server = listen(lambda number, _: good if number == 2 else [acts.RESET])
    assert way(Transport(server.settings(), retry=QUICK)).text
    assert len(server.requests) == 3


def test_silence_between_two_events_is_a_time_out_with_what_had_arrived(stream_way: Any, listen: Make, acts: Any):
    piece = b'data: {"response":"So far"}\n\n'
    server = listen(lambda *_: [*acts.chunked(piece, end=False), 1.0, acts.CUT])
    settings = server.settings(timeouts=Timeouts(event=0.1))
    with pytest.raises(e.APITimeoutError) as caught:
        stream_way(Transport(settings, retry=QUICK))
    assert (caught.value.partial, caught.value.maybe_sent) == ("So far", True)
    assert isinstance(caught.value, TimeoutError)


def test_silence_in_place_of_an_answer_is_a_time_out(whole_way: Any, listen: Make, acts: Any):
    server = listen(lambda *_: [1.0, acts.CUT])
    settings = server.settings(timeouts=Timeouts(answer=0.1))
    with pytest.raises(e.APITimeoutError) as caught:
        whole_way(Transport(settings, retry=replace(QUICK, max_retries=0)))
    assert caught.value.maybe_sent is True
    assert "Raise `timeout`" in str(caught.value)


def test_nobody_there_is_an_error_that_was_never_sent(way: Any, account: str, token: str):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    settings = Settings(account_id=account, api_token=lambda: token, base_url=f"http://127.0.0.1:{port}/client/v4")
    with pytest.raises(e.APIConnectionError) as caught:
        way(Transport(settings, retry=QUICK))
    assert caught.value.maybe_sent is False
    assert isinstance(caught.value, ConnectionError)


def test_a_stream_left_early_gives_its_connection_back(listen: Make, acts: Any, ask_chat: Make):
    piece = b'data: {"response":"x"}\n\n'
    server = listen(lambda *_: [*acts.chunked(*[piece] * 3, end=False), 0.2, acts.CUT])
    deltas = Transport(server.settings()).stream(ask_chat(stream=True))
    assert next(deltas).text == "x"
    deltas.close()
    assert server.wait_for_open(0) == 0


async def test_an_async_stream_left_early_gives_its_connection_back(listen: Make, acts: Any, ask_chat: Make):
    piece = b'data: {"response":"x"}\n\n'
    server = listen(lambda *_: [*acts.chunked(*[piece] * 3, end=False), 0.2, acts.CUT])
    deltas = Transport(server.settings()).astream(ask_chat(stream=True))
    assert (await anext(deltas)).text == "x"
    await deltas.aclose()
    assert await asyncio.to_thread(server.wait_for_open, 0) == 0


async def test_a_cancelled_call_gives_its_connection_back(listen: Make, acts: Any, ask_chat: Make):
    server = listen(lambda *_: [2.0, acts.CUT])
    call = asyncio.create_task(Transport(server.settings()).asend(ask_chat(stream=False)))
    await asyncio.to_thread(server.wait_for_open, 1)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert len(server.requests) <= 1


def test_a_user_s_client_keeps_its_own_time_outs_and_the_shared_one_ours(listen: Make, acts: Any, payload: Make):
    """A client given for one kind of call only must not leave the other kind with httpx's five seconds."""
    seen: list[Any] = []
    server = listen(lambda *_: [acts.http(payload(OK).body)])
    user = httpx.Client(timeout=1.5, event_hooks={"request": [lambda r: seen.append(r.extensions["timeout"]["read"])]})
    transport = Transport(server.settings(), http_client=user, client_timeouts=True)

    async def shared() -> None:
        async def note(request: httpx.Request) -> None:
            seen.append(request.extensions["timeout"]["read"])

        (await SHARED.aclient(direct(network_key()))).event_hooks = {"request": [note]}
        await transport.asend(_small_chat())

    transport.send(_small_chat())
    asyncio.run(shared())
    user.close()
    assert seen == [1.5, 300.0]


def _small_chat() -> Any:
    from workers_ai.tasks.chat import ChatRequest, exchange

    return exchange(ChatRequest(Call("@cf/meta/llama-3.2-3b-instruct"), [{"role": "user", "content": "x"}]))


def test_httpx2_clients_are_used_as_httpx_ones(way: Any, service: Make, payload: Make):
    httpx2 = pytest.importorskip("httpx2")
    good, bad = payload(GOOD_STREAM if way.streams else OK), payload("error-3040-short")
    script: list[Any] = [httpx2.ReadError("gone"), bad, good]

    def answer(_: Any) -> Any:
        step = script.pop(0)
        if isinstance(step, Exception):
            raise step
        return httpx2.Response(step.status, headers=dict(step.headers), content=step.body)

    transport = replace(
        service(OK).transport(retry=QUICK),
        http_client=httpx2.Client(transport=httpx2.MockTransport(answer)),
        http_async_client=httpx2.AsyncClient(transport=httpx2.MockTransport(answer)),
    )
    assert way(transport).text == ("  Good day!" if way.streams else "Les mouettes crient.")
    assert script == []


def test_diagnosis_and_transport_agree_on_the_class(way: Any, service: Make, payload: Make):
    reply = payload("error-5028-retired").reply
    with pytest.raises(e.ModelNotFoundError) as caught:
        way(service("error-5028-retired").transport())
    assert str(caught.value) == str(diagnose(reply, model="@cf/meta/llama-3.3-70b-instruct-fp8-fast"))
