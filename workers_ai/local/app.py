"""The routes: Cloudflare's REST API, and the AI Gateway host in front of it."""

import json
from collections.abc import Callable, Mapping, MutableSequence
from dataclasses import replace
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from . import account_api, errors, listing, vendors
from .account import AI_EDIT, AI_READ, GATEWAY_EDIT, GATEWAY_READ, Account
from .backend import Backend
from .brain import Brain
from .errors import ServiceError
from .families import ChatFamily
from .fault_door import FaultDoor
from .fault_rules import FaultRules
from .front_door import EMULATOR_VERSION, RECORDED, REQUEST_ID, FrontDoor, RecordedRequest
from .gateway import Gateway
from .log import Log, detail
from .reply import Reply, encode
from .routes import Choice
from .service import Call, Service
from .universal import Step, read_steps

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
    faults: FaultRules | None = None,
) -> Starlette:
    """The emulator as an ASGI app: for uvicorn, or for `httpx.ASGITransport` (which holds a stream until its end).

    account: the one it serves; a default one if None. backend: what generates; the built-in brain if None.
    record: a list that each request is added to. delay: seconds before each piece of a generation.
    faults: what goes wrong; without a port, where the server is no `LocalServer`, no connection can break.
    """
    account = account or Account()
    faults = faults or FaultRules()
    endpoints = _Endpoints(account, Service(account, backend or Brain(), delay=delay), faults)
    routes = [Route(_AI + path, getattr(endpoints, name), methods=[method]) for method, path, name in _ROUTES]
    routes += [Route(path, getattr(endpoints, name), methods=["GET"]) for path, name in _API_ROUTES]
    logs = _REST + "/accounts/{account_id}/ai-gateway/gateways/{gateway_id}/logs"
    routes.append(Route(logs, endpoints.logs, methods=["GET"]))
    routes.append(Route(logs + "/{log_id}", endpoints.log, methods=["GET", "PATCH"]))
    routes.append(Route(logs + "/{log_id}/{part}", endpoints.log_body, methods=["GET"]))
    routes.append(Route("/v1/{account_id}/{gateway_id}/{target:path}", endpoints.gateway_host, methods=["POST"]))
    routes.append(Route("/v1/{account_id}/{gateway_id}", endpoints.universal, methods=["POST"]))
    routes.append(Route("/", _about))
    return Starlette(
        routes=routes,
        middleware=[Middleware(FrontDoor, record=record), Middleware(FaultDoor, rules=faults)],
        exception_handlers={ServiceError: _refused, HTTPException: _lost},
    )


class _Endpoints:
    """One method for each route."""

    def __init__(self, account: Account, service: Service, faults: FaultRules) -> None:
        self._account = account
        self._service = service
        self._faults = faults

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
            raise _unknown_provider()

        def admit() -> None:
            self._account.admit_to_models(request.headers)

        return (await self._through(gateway, request, _held_back(call, gateway), admit)).to_response()

    async def universal(self, request: Request) -> Response:
        """The gateway's own address: a list of requests, tried in turn until one succeeds."""
        params = request.path_params
        gateway = self._account.admit_to_gateway(request.headers, params["account_id"], params["gateway_id"])
        reply = Reply(400)
        for step in read_steps(await request.body(), request.headers):
            try:
                reply = await self._step(gateway, request, step)
            except ServiceError as refused:  # before it was the gateway's to log: no such provider, no such route
                reply = Reply(refused.status, encode(refused.body))
            reply.headers["cf-aig-step"] = str(step.number)  # before the step of a route within
            if reply.status < 400:
                break
        return reply.to_response()

    async def _step(self, gateway: Gateway, request: Request, step: Step) -> Reply:
        """The reply to one of the requests; each passes the gateway by itself, and stands in its log by itself."""

        def admit() -> Reply | None:
            if (fault := self._faults.take(step.recorded(request.scope[RECORDED]))) is not None:
                return step.failing(fault)
            self._account.admit_to_models(step.headers)
            return None

        call = _call_behind_gateway(step.target, step.query, step.headers)
        if call is None:
            raise _unknown_provider()
        call = _held_back(call, gateway)
        return await self._through(gateway, request, call, admit, headers=step.headers, step=step.number)

    async def logs(self, request: Request) -> Response:
        """A page of a gateway's log."""
        return JSONResponse(self._log_of(request).page(request.query_params))

    async def log(self, request: Request) -> Response:
        """One entry of the log; or feedback, score and metadata put on it."""
        entries, log_id = self._log_of(request), request.path_params["log_id"]
        if request.method == "PATCH":
            entries.patch(log_id, await _body_of(request))
            return JSONResponse({"success": True, "result": {}})
        return JSONResponse({"success": True, "result": detail(entries.find(log_id))})

    async def log_body(self, request: Request) -> Response:
        """What was sent, or answered, as the log has kept it."""
        entry, part = self._log_of(request).find(request.path_params["log_id"]), request.path_params["part"]
        if part not in ("request", "response"):
            raise errors.no_route(request.url.path.removeprefix(_REST))
        kind = entry["response_content_type"] if part == "response" else "application/json"
        return Response(entry[f"{part}_body"] or "", 200, {"content-type": kind})

    def _log_of(self, request: Request) -> Log:
        self._admit(request)
        self._account.check_permission(GATEWAY_READ if request.method == "GET" else GATEWAY_EDIT)
        return self._account.gateway(request.path_params["gateway_id"]).log

    def _admit(self, request: Request) -> None:
        path = request.url.path.removeprefix(_REST)
        self._account.admit(request.headers, request.path_params["account_id"], path)

    async def _answer(self, request: Request, call: Call) -> Response:
        """The answer of the REST host: straight from the model, or through the gateway that a header names."""
        gateway_id = request.headers.get("cf-aig-gateway-id")
        if gateway_id is None and not _is_elsewhere(call.model):
            self._account.check_permission(AI_EDIT)
            self._account.check_model(call.model)
            self._account.check_allocation(call.model)
            return (await self._service.answer(call)).to_response()
        # Other vendors' models pass the gateway `default` where none is named.
        gateway = self._account.gateway(gateway_id or "default")
        return (await self._through(gateway, request, call, lambda: None)).to_response()

    async def _through(
        self,
        gateway: Gateway,
        request: Request,
        call: Call,
        admit: Callable[[], Reply | None],
        *,
        headers: Mapping[str, str] | None = None,
        step: int = 0,
    ) -> Reply:
        """admit: behind the gateway's own checks; a reply of its own takes the model's place.

        headers: of one of several requests, `step` in their order.
        """
        headers = request.headers if headers is None else headers
        choice = gateway.choose(call.model, headers)

        async def run() -> Reply:
            if (instead := admit()) is not None:
                return instead
            return await (self._paid(call, gateway) if choice is None else self._routed(call, choice, gateway))

        passage = gateway.enter(
            headers,
            request_id=request.scope[REQUEST_ID],
            path=request.url.path,
            endpoint=call.endpoint,
            model=call.model,
            body=call.body,
            # Text answers only: embeddings and scores are not cached.
            cacheable=isinstance(call.family, ChatFamily),
            routed={"cf-aig-step": str(step), **(choice.headers if choice else {})},
        )
        return await gateway.through(passage, run)

    async def _routed(self, call: Call, choice: Choice, gateway: Gateway) -> Reply:
        """The answer of the first model of a route that gives one; the headers tell which, and at which step."""
        for step, model in enumerate(choice.models):
            try:
                reply = await self._paid(replace(call, model=model), gateway)
            except ServiceError:
                if step + 1 == len(choice.models):
                    raise
            else:
                told = {"cf-aig-model": model, "cf-aig-provider": vendors.vendor_of(model), "cf-aig-step": str(step)}
                reply.headers |= told
                return reply
        raise AssertionError("a route has a model")

    async def _paid(self, call: Call, gateway: Gateway) -> Reply:
        """The answer of one model; of another vendor's model it is paid from the credits, unless a key is stored."""
        self._account.check_permission(AI_EDIT)
        self._account.check_model(call.model, gateway)
        self._account.check_allocation(call.model)
        return await self._service.answer(replace(call, own_key=bool(gateway.stored_keys)))


def _unknown_provider() -> ServiceError:
    """A provider nobody knows, e.g. `/ai/run/...`, is answered like a gateway nobody knows (quirk 91)."""
    return errors.gateway(400, 2001, "Please configure AI Gateway in the Cloudflare dashboard")


def _held_back(call: Call, gateway: Gateway) -> Call:
    """A guarded stream comes in one piece."""
    held = gateway.buffers and call.body.get("stream")
    return replace(call, body={**call.body, "stream": False}) if held else call


def _is_elsewhere(model: str) -> bool:
    """Whether an id is no model of Workers AI: a vendor's, a route's, the Auto Router's."""
    return "/" in model and not model.startswith("@")


def _call_behind_gateway(target: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> Call | None:
    """The call that a path behind the gateway's slug means; None if it leads nowhere (quirk 91)."""
    if target == "workers-ai/v1/chat/completions":
        return Call("chat/completions", _model_in(body), body, headers)
    if target == "workers-ai/v1/embeddings":
        return Call("embeddings", _model_in(body), body)
    if target == "compat/chat/completions":
        # Here the provider stands before the model; without it, it is a model of another provider.
        model = _model_in(body).removeprefix("workers-ai/")
        return Call("chat/completions", vendors.known(model) or model, body, headers)
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
