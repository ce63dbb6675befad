"""Refusals, in each of the service's envelopes (quirk 75)."""

from collections.abc import Mapping
from typing import Any


class ServiceError(Exception):
    """A refusal with its HTTP status and JSON body, raised anywhere and sent by the app.

    `signed`: the id of the request is put behind the message in parentheses, as the inference side does (quirk 81).
    """

    def __init__(self, status: int, body: dict[str, Any], *, signed: bool = False) -> None:
        super().__init__(status, body)
        self.status = status
        self.body = body
        self.signed = signed

    @property
    def code(self) -> int | None:
        """The gateway's code; None in the other envelopes."""
        code = self.body.get("internalCode")
        return code if isinstance(code, int) else None

    def body_for(self, request_id: str) -> dict[str, Any]:
        """The body as it goes out for this request."""
        if not self.signed:
            return self.body
        errors = [{**error, "message": f"{error['message']} ({request_id})"} for error in self.body["errors"]]
        return {**self.body, "errors": errors}


def native(status: int, code: int, message: str, *, signed: bool = False) -> ServiceError:
    """The inference side's envelope: message before code, `result` an empty object."""
    errors = [{"message": message, "code": code}]
    return ServiceError(status, {"errors": errors, "success": False, "result": {}, "messages": []}, signed=signed)


def front_door(status: int, errors: Mapping[int, str]) -> ServiceError:
    """The API's own envelope, before any model is reached: code before message, `result` null."""
    listed = [{"code": code, "message": message} for code, message in errors.items()]
    return ServiceError(status, {"result": None, "success": False, "errors": listed, "messages": []})


def gateway(status: int, code: int, message: str) -> ServiceError:
    """AI Gateway's envelope: the key is `error`, singular, and holds a list; the facts stand again at the top level."""
    body = {
        "success": False,
        "result": [],
        "messages": [],
        "error": [{"code": code, "message": message}],
        "name": "AiGatewayError",
        "httpCode": status,
        "internalCode": code,
        "message": message,
        "description": message,
    }
    return ServiceError(status, body)


def openai(status: int, code: str, message: str) -> ServiceError:
    """OpenAI's form, seen on `/ai/v1` from the newer models: one object, its code a word."""
    return ServiceError(status, {"error": {"code": code, "message": message}})


def missing_token() -> ServiceError:
    """No Authorization header, or a malformed one: an auth problem with status 400 (quirk 84)."""
    return front_door(400, {9106: "Authentication failed (status: 400)"})


def wrong_token() -> ServiceError:
    """A token the account does not know."""
    return front_door(401, {10000: "Authentication error"})


def not_permitted() -> ServiceError:
    """A good token that lacks the permission: the words of a wrong one, with another status."""
    return front_door(403, {10000: "Authentication error"})


def invalid_token() -> ServiceError:
    """What the two `tokens/verify` say of a token that is none of theirs: each knows the other's kind not at all."""
    return front_door(401, {1000: "Invalid API Token"})


def no_gateway() -> ServiceError:
    """The API's answer for the settings of a gateway that is not there."""
    return front_door(404, {7002: "Not Found"})


def retired(day: str) -> ServiceError:
    """A model that is gone (quirk 103)."""
    return native(410, 5028, f"This model was deprecated on {day}. Please use an alternative model")


def no_route(path: str) -> ServiceError:
    """A path or an account that leads nowhere: two errors in one list. `path`: below `/client/v4`."""
    first = f"Could not route to {path}, perhaps your object identifier is invalid?"
    return front_door(404, {7003: first, 7000: "No route for that URI"})


def no_such_model(model: str) -> ServiceError:
    """The id names no model of Workers AI."""
    return native(400, 5007, f"No such model {model} or task")


def allocation_used(neurons: float) -> ServiceError:
    """The free allocation of the day is spent: documented as 3036, seen as 4006 (quirk 76)."""
    told = f"you have used up your daily free allocation of {neurons:,.0f} neurons"
    plea = "please upgrade to Cloudflare's Workers Paid plan if you would like to continue usage."
    return native(429, 4006, f"AiError: AiError: {told}, {plea}", signed=True)


def bad_input(reason: str) -> ServiceError:
    """The body does not fit the model's schema."""
    return native(400, 5006, f"AiError: Bad input: {reason}", signed=True)


def upstream_refusal(reason: str) -> ServiceError:
    """The model's own server refused: code 3030, prefix twice (quirks 78, 81)."""
    return native(400, 3030, f"AiError: AiError: {reason}", signed=True)


def body_too_large(limit: int) -> ServiceError:
    """More than `limit` bytes of body."""
    return native(413, 3006, f"Request is too large: the limit is {limit} bytes")


def upstream_unavailable(reason: str) -> ServiceError:
    """What stands behind the service does not answer (quirk 85)."""
    return native(504, 7009, f"Upstream service unavailable: {reason}")
