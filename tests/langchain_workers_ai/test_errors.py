"""Errors: each is the package's own and LangChain's, whichever way it was met."""

from __future__ import annotations

import copy
import pickle

import httpx
import pytest
from langchain_core import exceptions as langchain

import workers_ai.errors as ours
from langchain_workers_ai import errors as both


def envelope(code: int, message: str) -> dict:
    return {"success": False, "result": {}, "messages": [], "errors": [{"code": code, "message": message}]}


# status, body, our class, LangChain's class, whether the same request can succeed later
MEANINGS = [
    (401, envelope(10000, "Authentication error"), ours.AuthenticationError, langchain.ModelAuthenticationError, False),
    (400, envelope(9106, "Missing header"), ours.AuthenticationError, langchain.ModelAuthenticationError, False),
    (
        403,
        envelope(5035, "Needs the paid plan"),
        ours.PermissionDeniedError,
        langchain.ModelPermissionDeniedError,
        False,
    ),
    (403, {}, ours.PermissionDeniedError, langchain.ModelPermissionDeniedError, False),
    (400, envelope(5006, "Bad input"), ours.BadRequestError, langchain.ModelInvalidRequestError, False),
    (413, envelope(3006, "too large"), ours.BadRequestError, langchain.ModelInvalidRequestError, False),
    (422, envelope(5012, "validation failed"), ours.BadRequestError, langchain.ModelInvalidRequestError, False),
    (413, envelope(5021, "9000 exceeded 8192"), ours.ContextLengthError, langchain.ContextOverflowError, False),
    (400, envelope(8007, "NSFW"), ours.ContentFilteredError, langchain.ModelInvalidRequestError, False),
    (400, envelope(5007, "No such model"), ours.ModelNotFoundError, langchain.ModelNotFoundError, False),
    (410, envelope(5028, "was deprecated on 2026-01-01"), ours.ModelNotFoundError, langchain.ModelNotFoundError, False),
    (429, envelope(3036, "used up"), ours.QuotaExceededError, langchain.ModelRateLimitError, False),
    (429, envelope(4006, "daily free allocation"), ours.QuotaExceededError, langchain.ModelRateLimitError, False),
    (402, {}, ours.QuotaExceededError, langchain.ModelRateLimitError, False),
    (429, envelope(2045, "spend limit"), ours.QuotaExceededError, langchain.ModelRateLimitError, False),
    (429, {}, ours.RateLimitError, langchain.ModelRateLimitError, True),
    (429, envelope(2003, "rate limited"), ours.RateLimitError, langchain.ModelRateLimitError, True),
    (429, envelope(3040, "no capacity"), ours.CapacityError, langchain.ModelRateLimitError, True),
    (408, envelope(3007, "timeout"), ours.ServerError, langchain.ModelAPIError, True),
    (500, {}, ours.ServerError, langchain.ModelAPIError, True),
    (503, "<html><title>down</title></html>", ours.ServerError, langchain.ModelAPIError, True),
    (529, envelope(5012, "inference failed"), ours.ServerError, langchain.ModelAPIError, True),
    (400, envelope(2001, "no such gateway"), ours.GatewayError, langchain.ModelInvalidRequestError, False),
    (200, {"success": True, "result": {}}, ours.InvalidResponseError, langchain.ModelAPIError, False),
    (200, envelope(5006, "Bad input"), ours.BadRequestError, langchain.ModelInvalidRequestError, False),
    (302, {}, ours.InvalidResponseError, langchain.ModelAPIError, False),
]
WAYS = ("invoke", "ainvoke", "stream", "astream")


async def asked(model, way: str):
    match way:
        case "invoke":
            return model.invoke("Hi")
        case "ainvoke":
            return await model.ainvoke("Hi")
        case "stream":
            return list(model.stream("Hi"))
        case _:
            return [chunk async for chunk in model.astream("Hi")]


async def failure(model, way: str) -> Exception:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - what kind it is, is the question
        await asked(model, way)
    return caught.value


def middleware_would_retry(error: Exception) -> bool:
    """As `ModelRetryMiddleware` decides: any error that is not LangChain's is tried again."""
    return error.is_retryable if isinstance(error, langchain.ModelError) else True


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("status", "body", "own", "frameworks", "retryable"),
    MEANINGS,
    ids=[f"{row[0]} {row[1]['errors'][0]['code'] if 'errors' in row[1] else ''}".strip() for row in MEANINGS],
)
async def test_a_refusal_is_an_error_of_both_families(service, way, status, body, own, frameworks, retryable):
    service.answers(service.refuses(status, body))
    error = await failure(service.chat(), way)
    assert isinstance(error, own)
    assert isinstance(error, frameworks)
    assert isinstance(error, langchain.ModelError)
    assert (error.retryable, error.is_retryable, middleware_would_retry(error)) == (retryable,) * 3
    assert error.model == "@cf/google/gemma-4-26b-a4b-it"


@pytest.mark.parametrize("kind", ["chat", "llm"])
@pytest.mark.parametrize("way", ["stream", "astream"])
async def test_an_error_frame_in_a_stream_is_the_error_it_carries(service, kind, way):
    service.answers(service.refuses(200, envelope(3040, "no capacity"), streamed=True))
    error = await failure(getattr(service, kind)(), way)
    assert isinstance(error, both.WorkersAICapacityError)


BREAKS = [
    (httpx.ConnectError, ours.APIConnectionError, langchain.ModelConnectionError, ConnectionError, False),
    (httpx.ReadError, ours.APIConnectionError, langchain.ModelConnectionError, ConnectionError, True),
    (httpx.RemoteProtocolError, ours.APIConnectionError, langchain.ModelConnectionError, ConnectionError, True),
    (httpx.ConnectTimeout, ours.APITimeoutError, langchain.ModelTimeoutError, TimeoutError, False),
    (httpx.ReadTimeout, ours.APITimeoutError, langchain.ModelTimeoutError, TimeoutError, True),
]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("raised", "own", "frameworks", "builtin", "maybe_sent"), BREAKS)
async def test_a_broken_connection_is_an_error_of_both_families(
    service, way, raised, own, frameworks, builtin, maybe_sent
):
    service.answers(service.fails(raised, "broken"))
    error = await failure(service.chat(), way)
    assert isinstance(error, own)
    assert isinstance(error, frameworks)
    assert isinstance(error, builtin), "code that knows neither catches it too"
    assert error.is_retryable is True
    assert error.maybe_sent is maybe_sent
    assert isinstance(error.__cause__, raised)


@pytest.mark.parametrize("way", ["stream", "astream"])
async def test_a_stream_cut_short_is_an_error_that_holds_what_had_arrived(service, way):
    def cut(request: httpx.Request) -> httpx.Response:
        whole = service.says("Hello there.")(request)
        return httpx.Response(
            200, headers=whole.headers, content=whole.content.partition(b'"finish_reason": "stop"')[0]
        )

    service.answers(cut)
    error = await failure(service.chat(stream_usage=False), way)
    assert isinstance(error, ours.WorkersAIError)
    assert isinstance(error, langchain.ModelError)
    assert error.partial == "Hello there."
    assert error.is_retryable is False, "what was generated would be paid for twice"


WRONG_CALLS = [
    ("no credentials", {"api_token": None}, {}, ours.AuthenticationError),
    ("a model id that is none", {"model": "not an id"}, {}, ours.BadRequestError),
    ("a model id that is none, of a call", {}, {"model": "not an id"}, ours.BadRequestError),
    ("a token with a space", {"api_token": "a token"}, {}, ours.BadRequestError),
    ("several answers of a stream", {"n": 2, "streaming": True}, {}, ours.BadRequestError),
    ("a value that JSON cannot hold", {"extra_body": {"x": object()}}, {}, ours.BadRequestError),
    ("a gateway that is none", {}, {"gateway": "not an id!"}, ours.BadRequestError),
    ("an unknown option of a gateway", {"gateway": "docs"}, {"gateway": {"ttl": 60}}, ours.BadRequestError),
]


@pytest.mark.parametrize("kind", ["chat", "llm"])
@pytest.mark.parametrize("way", ["invoke", "ainvoke"])
@pytest.mark.parametrize(("given", "call", "own"), [row[1:] for row in WRONG_CALLS], ids=[r[0] for r in WRONG_CALLS])
async def test_what_is_refused_here_is_an_error_of_both_families_too(service, kind, way, given, call, own):
    """So that retry middleware, which tries again whatever is not LangChain's, lets it go."""
    model = getattr(service, kind)(**given)
    with pytest.raises(own) as caught:
        _ = model.invoke("Hi", **call) if way == "invoke" else await model.ainvoke("Hi", **call)
    assert isinstance(caught.value, langchain.ModelError)
    assert not caught.value.is_retryable
    assert caught.value.maybe_sent is False
    assert service.requests == []


@pytest.mark.parametrize("way", ["sync", "async"])
@pytest.mark.parametrize("model", ["not an id", ""])
async def test_the_same_holds_for_embeddings(service, way, model):
    embeddings = service.embeddings(model=model)
    with pytest.raises(ours.BadRequestError, match="model") as caught:
        _ = embeddings.embed_query("a") if way == "sync" else await embeddings.aembed_query("a")
    assert isinstance(caught.value, langchain.ModelInvalidRequestError)


@pytest.mark.parametrize(("status", "body", "own"), [row[:3] for row in MEANINGS[:1] + MEANINGS[8:9] + MEANINGS[17:18]])
@pytest.mark.parametrize("way", ["sync", "async"])
async def test_embeddings_raise_the_same_errors(service, status, body, own, way):
    service.answers(service.refuses(status, body))
    model = service.embeddings()
    with pytest.raises(own) as caught:
        _ = model.embed_query("a") if way == "sync" else await model.aembed_query("a")
    assert isinstance(caught.value, langchain.ModelError)


# What an error tells


def test_an_error_tells_its_numbers_and_what_to_do(service):
    service.answers(
        service.refuses(429, envelope(3036, "you have used up your daily free allocation"), {"cf-ray": "r1"})
    )
    with pytest.raises(ours.QuotaExceededError) as caught:
        service.chat().invoke("Hi")
    assert (caught.value.status, caught.value.code, caught.value.request_id) == (429, 3036, "r1")
    assert caught.value.status_code == 429
    for told in ("3036", "429", "r1", "gemma-4", "00:00 UTC"):
        assert told in str(caught.value)


def test_traces_get_the_refusal_as_it_came(service, recorder):
    """LangChain reads `error.response` as httpx has it: json(), headers, status_code."""
    body = envelope(3040, "no capacity")
    service.answers(service.refuses(429, body, {"cf-ray": "r1", "set-cookie": "__cf_bm=private"}))
    with pytest.raises(ours.CapacityError) as caught:
        service.chat().invoke("Hi", config={"callbacks": [recorder]})
    response = caught.value.response
    assert (response.json(), response.status_code, response.headers["cf-ray"]) == (body, 429, "r1")
    ((_, options),) = recorder.named("on_llm_error")
    metadata = options["response"].generations[0][0].message.response_metadata
    assert metadata["body"] == body
    assert metadata["status_code"] == 429
    assert metadata["headers"]["cf-ray"] == "r1"
    assert metadata["request_id"] == "r1"
    assert "private" not in repr(metadata)


def test_traces_get_the_text_of_a_refusal_that_is_no_json(service, recorder):
    service.answers(lambda request: httpx.Response(502, html="<title>Bad gateway</title>"))
    with pytest.raises(ours.ServerError, match="Bad gateway"):
        service.chat().invoke("Hi", config={"callbacks": [recorder]})
    ((_, options),) = recorder.named("on_llm_error")
    assert options["response"].generations[0][0].message.response_metadata["body"] == "<title>Bad gateway</title>"


# The table of classes

FAMILY = [
    cls
    for cls in vars(ours).values()
    if isinstance(cls, type) and issubclass(cls, ours.WorkersAIError) and cls is not ours.WorkersAIError
]


@pytest.mark.parametrize("own", FAMILY, ids=lambda cls: cls.__name__)
def test_every_class_of_the_family_has_a_twin_that_is_langchains_too(own):
    twin = both.ERROR_CLASSES[own]
    assert issubclass(twin, own)
    assert issubclass(twin, langchain.LangChainException)
    assert twin.__module__ == "langchain_workers_ai.errors"


@pytest.mark.parametrize("own", FAMILY, ids=lambda cls: cls.__name__)
@pytest.mark.parametrize("way", [lambda e: pickle.loads(pickle.dumps(e)), copy.copy, copy.deepcopy])
def test_a_twin_survives_a_copy(own, way):
    error = both.ERROR_CLASSES[own]("busy", status=429, code=3040, request_id="r1", model="@cf/a/b", hint="Wait")
    twin = way(error)
    assert type(twin) is type(error)
    assert twin.fields() == error.fields()
    assert str(twin) == str(error)
    assert twin.is_retryable == error.is_retryable
