"""The routes: Cloudflare's REST API, and the AI Gateway host in front of it."""

import json
from collections.abc import Awaitable, Callable, Mapping, MutableSequence
from dataclasses import replace
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from . import account_api, errors, listing
from .account import AI_EDIT, AI_READ, GATEWAY_READ, Account
from .backend import Backend
from .brain import Brain
from .errors import ServiceError
from .families import ChatFamily
from .front_door import EMULATOR_VERSION, REQUEST_ID, FrontDoor, RecordedRequest
from .gateway import Gateway
from .reply import Reply, encode
from .service import Call, Service

_REST = "/client/v4"
_AI = _REST + "/accounts/{account_id}/ai"
# Model ids stand in the path as they are, or percent-encoded: both arrive here decoded.
_ROUTES = (
    ("POST", "/run", "run_in_body"),
    ("POST", "/run/{model:path}", "run"),
    ("POST", "/v1/chat/completions", "chat_completions"),
    ("POST", "/v1/embeddings", "embeddings"),
    ("GET", "/models/search", "models_search"),
)

# Beside the models: what the API tells of the token and of a gateway.
_API_ROUTES = (
    (_REST + "/user/tokens/verify", "user_token"),
    (_REST + "/accounts/{account_id}/tokens/verify", "account_token"),
    (_REST + "/accounts/{account_id}/ai-gateway/gateways/{gateway_id}", "gateway_settings"),
)


def create_app(
    account: Account | None = None,
    backend: Backend | None = None,
    *,
    record: MutableSequence[RecordedRequest] | None = None,
    delay: float = 0.0,
) -> Starlette:
    """The emulator as an ASGI app: for uvicorn, or for `httpx.ASGITransport` (which holds a stream until its end).

    account: the one it serves; a default one if None. backend: what generates; the built-in brain if None.
    record: a list that each request is added to. delay: seconds before each piece of a generation.
    """
    account = account or Account()
    endpoints = _Endpoints(account, Service(account, backend or Brain(), delay=delay))
    routes = [Route(_AI + path, getattr(endpoints, name), methods=[method]) for method, path, name in _ROUTES]
    routes += [Route(path, getattr(endpoints, name), methods=["GET"]) for path, name in _API_ROUTES]
    routes.append(Route("/v1/{account_id}/{gateway_id}/{target:path}", endpoints.gateway_host, methods=["POST"]))
    routes.append(Route("/", _about))
    return Starlette(
        routes=routes,
        middleware=[Middleware(FrontDoor, record=record)],
        exception_handlers={ServiceError: _refused, HTTPException: _lost},
    )


class _Endpoints:
    """One method for each route."""

    def __init__(self, account: Account, service: Service) -> None:
        self._account = account
        self._service = service

    async def run(self, request: Request) -> Response:
        """The native form with the model in the path: the body is the model's input."""
        self._admit(request)
        model, body = request.path_params["model"], await _body_of(request)
        return await self._answer(request, Call("run", model, body, request.headers, queued=_is_queued(request)))

    async def run_in_body(self, request: Request) -> Response:
        """The native form with `{model, input}` in the body."""
        self._admit(request)
        body = await _body_of(request)
        if not isinstance(body.get("model"), str) or not isinstance(body.get("input"), dict):
            raise errors.bad_input("required properties at '/' are 'model,input'")
        return await self._answer(request, Call("run", body["model"], body["input"], request.headers))

    async def chat_completions(self, request: Request) -> Response:
        """OpenAI's chat completions."""
        self._admit(request)
        body = await _body_of(request)
        return await self._answer(request, Call("chat/completions", _model_in(body), body, request.headers))

    async def embeddings(self, request: Request) -> Response:
        """OpenAI's embeddings."""
        self._admit(request)
        body = await _body_of(request)
        return await self._answer(request, Call("embeddings", _model_in(body), body))

    async def models_search(self, request: Request) -> Response:
        """The list of models."""
        self._admit(request)
        self._account.check_permission(AI_READ)
        return JSONResponse(listing.search(request.query_params))

    async def user_token(self, request: Request) -> Response:
        """Whether the token is good; only a user's are known here."""
        self._account.verify_token(request.headers, account_id=None)
        return JSONResponse(account_api.token())

    async def account_token(self, request: Request) -> Response:
        """The same for the tokens that an account owns."""
        self._account.verify_token(request.headers, account_id=request.path_params["account_id"])
        return JSONResponse(account_api.token())

    async def gateway_settings(self, request: Request) -> Response:
        """The settings of one gateway."""
        self._admit(request)
        self._account.check_permission(GATEWAY_READ)
        found = self._account.gateways.get(request.path_params["gateway_id"])
        if found is None:
            raise errors.no_gateway()
        return JSONResponse(account_api.gateway_settings(found))

    async def gateway_host(self, request: Request) -> Response:
        """All that the gateway's own host serves, the provider in the path."""
        params = request.path_params
        gateway = self._account.admit_to_gateway(request.headers, params["account_id"], params["gateway_id"])
        call = _call_behind_gateway(params["target"], await _body_of(request), request.headers)
        if call is not None and call.endpoint == "run":
            call = replace(call, queued=_is_queued(request))
        if call is None:
            # A provider nobody knows, e.g. `/ai/run/...`, is answered like a gateway nobody knows (quirk 91).
            raise errors.gateway(400, 2001, "Please configure AI Gateway in the Cloudflare dashboard")

        async def behind() -> Reply:
            self._account.admit_to_models(request.headers)
            return await self._reply(call, through_gateway=True)

        return await self._through(gateway, request, call, behind)

    def _admit(self, request: Request) -> None:
        path = request.url.path.removeprefix(_REST)
        self._account.admit(request.headers, request.path_params["account_id"], path)

    async def _answer(self, request: Request, call: Call) -> Response:
        """The answer of the REST host: straight from the model, or through the gateway that a header names."""
        gateway_id = request.headers.get("cf-aig-gateway-id")
        if gateway_id is None:
            return (await self._reply(call, through_gateway=False)).to_response()
        gateway = self._account.gateway(gateway_id)
        return await self._through(gateway, request, call, lambda: self._reply(call, through_gateway=True))

    async def _through(
        self, gateway: Gateway, request: Request, call: Call, run: Callable[[], Awaitable[Reply]]
    ) -> Response:
        passage = gateway.enter(
            request.headers,
            request_id=request.scope[REQUEST_ID],
            path=request.url.path,
            endpoint=call.endpoint,
            model=call.model,
            body=call.body,
            # Text answers only: embeddings and scores are not cached.
            cacheable=isinstance(call.family, ChatFamily),
        )
        return (await gateway.through(passage, run)).to_response()

    async def _reply(self, call: Call, *, through_gateway: bool) -> Reply:
        self._account.check_permission(AI_EDIT)
        self._account.check_model(call.model, through_gateway=through_gateway)
        return await self._service.answer(call)


def _call_behind_gateway(target: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> Call | None:
    """The call that a path behind the gateway's slug means; None if it leads nowhere (quirk 91)."""
    if target == "workers-ai/v1/chat/completions":
        return Call("chat/completions", _model_in(body), body, headers)
    if target == "workers-ai/v1/embeddings":
        return Call("embeddings", _model_in(body), body)
    if target == "compat/chat/completions":
        # Here the provider stands before the model; without it, it is a model of another provider.
        return Call("chat/completions", _model_in(body).removeprefix("workers-ai/"), body, headers)
    provider, _, model = target.partition("/")
    model = model.removeprefix("run/")
    return Call("run", model, body, headers) if provider == "workers-ai" and model.startswith("@") else None


def _is_queued(request: Request) -> bool:
    return request.query_params.get("queueRequest", "").lower() == "true"


def _model_in(body: Mapping[str, Any]) -> str:
    model = body.get("model")
    if not isinstance(model, str):
        raise errors.bad_input("required properties at '/' are 'model'")
    return model


async def _body_of(request: Request) -> dict[str, Any]:
    """The JSON object of a request; `ServiceError` for anything else."""
    text = await request.body()
    if not text:
        raise errors.native(400, 3003, "Incomplete request: the body is missing")
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise errors.bad_input("the Content-Type must be application/json")
    try:
        body = json.loads(text)
    except ValueError as error:
        raise errors.bad_input(f"the body is not JSON: {error}") from None
    if not isinstance(body, dict):
        raise errors.bad_input("the body is not a JSON object")
    return body


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, ServiceError)
    body = encode(error.body_for(request.scope[REQUEST_ID]))
    return Response(body, error.status, {"content-type": "application/json"})


async def _lost(request: Request, error: Exception) -> Response:
    """No such path, or not with this method: the API's own two-fold refusal."""
    assert isinstance(error, HTTPException)
    refusal = errors.no_route(request.url.path.removeprefix(_REST))
    status = error.status_code if error.status_code != 404 else refusal.status
    return Response(encode(refusal.body), status, {"content-type": "application/json", **(error.headers or {})})


async def _about(request: Request) -> Response:
    """The root says what this is."""
    url = str(request.base_url).rstrip("/")
    return JSONResponse(
        {
            "emulator": "a local emulator of Cloudflare Workers AI and AI Gateway",
            "version": EMULATOR_VERSION,
            "CLOUDFLARE_BASE_URL": url + _REST,
            "gateway": f"{url}/v1",
        }
    )
