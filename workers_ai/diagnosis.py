"""Any error body, in any of the service's shapes, to one error of the family. Nothing else reads error bodies."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic_core import from_json, to_json

from workers_ai import errors as e
from workers_ai.exchange import Reply
from workers_ai.gateway import Gateway
from workers_ai.retry import TELLING, is_retryable

RESET_HINT = "The documented reset is 00:00 UTC; Workers Paid removes the limit. It is not retried"


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What a code or a wording means: the class to raise and what to do."""

    kind: type[e.WorkersAIError]
    hint: str | None = None


_TOKEN_HINT = (
    "Check the token: it needs the permissions Workers AI Read and Edit (My Profile > API Tokens),"
    " and must belong to this account"
)
_MODEL_HINT = "Check the id, e.g. @cf/google/gemma-4-26b-a4b-it; developers.cloudflare.com/workers-ai/models lists them"
_WINDOW_HINT = "Shorten the prompt or lower max_tokens: both together count"

# Codes: documented table and observations (quirks 75-87, 95, 100-104).
_BY_CODE: Mapping[int, _Verdict] = {
    10000: _Verdict(e.AuthenticationError, _TOKEN_HINT),
    9106: _Verdict(e.AuthenticationError, "The Authorization header is missing or malformed: check api_token"),
    2009: _Verdict(
        e.AuthenticationError,
        "This gateway wants a token of its own: Gateway(..., token=...) with route='url', or CLOUDFLARE_GATEWAY_TOKEN;"
        " on the REST host the model's provider refused the key that is stored for it",
    ),
    3003: _Verdict(e.BadRequestError),
    3006: _Verdict(e.BadRequestError, "The request is too large"),
    3023: _Verdict(e.PermissionDeniedError, "The account is blocked: ask Cloudflare's support"),
    3041: _Verdict(e.PermissionDeniedError, "This model is private"),
    5018: _Verdict(e.PermissionDeniedError, "This model is private"),
    5016: _Verdict(e.PermissionDeniedError, "Accept the model's terms once: send it the prompt 'agree'"),
    5035: _Verdict(e.PermissionDeniedError, "This model needs the Workers Paid plan"),
    5005: _Verdict(e.BadRequestError, "This model takes no LoRA adapter"),
    5006: _Verdict(e.BadRequestError),
    5007: _Verdict(e.ModelNotFoundError, _MODEL_HINT),
    3042: _Verdict(e.ModelNotFoundError, _MODEL_HINT),
    3037: _Verdict(e.ModelNotFoundError, "No such adapter: check its name; after an upload it takes a while"),
    3039: _Verdict(e.BadRequestError, "Upload both files of the adapter first"),
    5028: _Verdict(e.ModelNotFoundError, "This model has been retired"),
    5023: _Verdict(e.BadRequestError, "Ask for structured output without streaming"),
    8001: _Verdict(e.BadRequestError),
    8006: _Verdict(e.BadRequestError, "Raise max_tokens: a forced tool call did not fit"),
    8007: _Verdict(e.ContentFilteredError, "The prompt was refused by the service's filter"),
    3010: _Verdict(e.ContextLengthError, _WINDOW_HINT),
    5021: _Verdict(e.ContextLengthError, _WINDOW_HINT),
    3036: _Verdict(e.QuotaExceededError, RESET_HINT),
    4006: _Verdict(e.QuotaExceededError, RESET_HINT),
    3040: _Verdict(e.CapacityError, "The model is busy: try later, or another model"),
    3007: _Verdict(e.ServerError, "The service timed out"),
    3008: _Verdict(e.ServerError, "The service gave up the request"),
    2001: _Verdict(
        e.GatewayError,
        "No such gateway in this account, or it wants authentication: check its id under AI > AI Gateway",
    ),
    2003: _Verdict(e.RateLimitError, "The gateway's own rate limit: wait, or raise it in the gateway's settings"),
    2016: _Verdict(e.ContentFilteredError, "A guardrail blocked the prompt; it reads the system text too"),
    2017: _Verdict(
        e.ContentFilteredError,
        "A guardrail blocked the answer, or on /ai/run perhaps the prompt; it reads the system text too",
    ),
    2021: _Verdict(e.QuotaExceededError, "Add credits to the gateway, or use your own provider key"),
    2029: _Verdict(e.ContentFilteredError, "Data loss prevention blocked the prompt; it reads the system text too"),
    2030: _Verdict(e.ContentFilteredError, "Data loss prevention blocked the answer"),
    2040: _Verdict(e.GatewayError, "No stored key under this alias: see the gateway's provider keys"),
    2045: _Verdict(e.QuotaExceededError, "The gateway's spend limit is reached until its window ends"),
    7013: _Verdict(e.ServerError, "The gateway's guardrail scanner is down, and a rule says to block: try again later"),
}

# 3030 is a bucket, 8007, 7003 and 5012 mean several things, and some refusals carry no code: the wording decides
# (quirk 78).
_BY_WORDING: tuple[tuple[re.Pattern[str], _Verdict], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), verdict)
    for pattern, verdict in (
        (r"daily free allocation", _Verdict(e.QuotaExceededError, RESET_HINT)),
        (
            r"exceeded this model context window|maximum context length|requested token count exceeds",
            _Verdict(e.ContextLengthError, _WINDOW_HINT),
        ),
        (
            r"max context reached|sequence too long|too many tokens",
            _Verdict(e.ContextLengthError, "Send fewer or shorter texts in one request"),
        ),
        (
            r"has been flagged|nsfw content",
            _Verdict(e.ContentFilteredError, "The service's filter is not steady: the same prompt may pass later"),
        ),
        (
            r"json mode couldn't be met",
            _Verdict(
                e.StructuredOutputError,
                "The model found no answer in the wanted form: simplify the schema, or try again",
            ),
        ),
        (
            r"not support request queuing",
            _Verdict(e.BadRequestError, "The model has no batch queue: ask it directly, or choose one that has"),
        ),
        (
            r"log not found",
            _Verdict(e.GatewayError, "An entry appears a moment after its answer; check its id, and the gateway's"),
        ),
        (r"was deprecated on", _Verdict(e.ModelNotFoundError, "This model has been retired")),
        (r"model not found|no such model", _Verdict(e.ModelNotFoundError, _MODEL_HINT)),
        (
            r"not available on the workers free plan|requires the workers paid plan",
            _Verdict(e.PermissionDeniedError, "This model needs the Workers Paid plan"),
        ),
        (
            r"could not route to",
            _Verdict(
                e.BadRequestError,
                "No such address: check account_id and base_url, which ends with /client/v4",
            ),
        ),
        (
            r"tool choice requires|does not support tools",
            _Verdict(e.BadRequestError, "This model does not take tools"),
        ),
        (
            r"'string' not in 'null'|'NoneType' object has no attribute",
            _Verdict(e.BadRequestError, "A message has no content: send an empty string instead of null"),
        ),
        (
            r"'array' not in 'string'",
            _Verdict(e.BadRequestError, "This model takes message content as text only"),
        ),
    )
)

_WRAPPING = re.compile(r"^(?:(?:AiError|InferenceUpstreamError|AiGatewayError|Error):\s*)+")
_LEADING_CODE = re.compile(r"^(\d{4,5}):\s*")
_REQUEST_ID = re.compile(r"\(([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{8})\)\s*$", re.IGNORECASE)
_MISMATCHES = re.compile(r",\s*(?=Type mismatch|required propert|'/)")
_DIGITS = 18  # of a number that can be a code or a count of tokens
_EXCERPT = 300  # characters of a body that is no JSON


# Hints that name the gateway; by the route a request took, where one code means two things (quirks 84, 89).
_GATEWAY_HINTS: Mapping[tuple[int, str], str] = {
    (2001, "header"): "This account has no gateway {id!r}: check the id under AI > AI Gateway, or use 'default'",
    (2001, "url"): "This account has no gateway {id!r}, or it wants a token: check the id under AI > AI Gateway, and"
    " Gateway(..., token=...) or CLOUDFLARE_GATEWAY_TOKEN",
    (2009, "header"): "The model's provider refused the key that gateway {id!r} has stored for it: replace it there",
    (2009, "url"): "Gateway {id!r} wants a token of its own: Gateway(..., token=...) or CLOUDFLARE_GATEWAY_TOKEN",
    (10000, "url"): "The gateway let the call pass; Workers AI behind it refused api_token. " + _TOKEN_HINT,
}


def diagnose(
    reply: Reply,
    *,
    model: str | None = None,
    partial: str | None = None,
    frame: object = None,
    gateway: Gateway | None = None,
) -> e.WorkersAIError:
    """The error that a refusing reply means.

    reply: status, headers, and the body in any shape: a list or an object under `errors` or `error`, a flat
        object, nested JSON text, HTML, nothing.
    gateway: the one that the request passed; the hint names it.
    frame: an error frame of a stream, read instead of the body: then the HTTP status is 200 and says nothing.
    """
    document = _json(reply.body) if frame is None else frame
    found = _first_problem(document)
    status = None if reply.status < 300 else reply.status
    if found is None:
        seen = reply.body if frame is None else to_json(frame)
        return _by_status(reply, _excerpt(reply.status, seen), None, status, model)
    message, code, inner_status = found
    message, request_id = _unwrap(message)
    if (leading := _LEADING_CODE.match(message)) and code is None:
        code, message = int(leading[1]), message[leading.end() :]
    if status is None:
        status = inner_status
    if code is not None and 400 <= code < 600:  # OpenAI's shape and vLLM's repeat the HTTP status as their code
        status, code = status or code, None
    error = _by_code(reply, message, code, status, model)
    error.request_id = reply.request_id or request_id or _own_request_id(document)
    error.partial = partial
    if gateway is not None and (hint := _GATEWAY_HINTS.get((code or 0, gateway.route))):
        error.hint = hint.format(id=gateway.id)
    return error


def is_refusal(document: object) -> bool:
    """Whether a JSON value of a 200 reply, or a frame of a stream, is an error all the same (quirks 25, 55)."""
    if not isinstance(document, Mapping):
        return False
    return bool(document.get("errors") or document.get("error")) or document.get("success") is False


def _by_code(reply: Reply, message: str, code: int | None, status: int | None, model: str | None) -> e.WorkersAIError:
    verdict = next((verdict for pattern, verdict in _BY_WORDING if pattern.search(message)), None)
    if verdict is None or (code in _BY_CODE and code not in (3030, 3010, 5006, 8007)):
        verdict = _BY_CODE.get(code or 0, verdict)
    if verdict is None:
        return _by_status(reply, message, code, status, model)
    return _make(verdict, reply, message, code, status, model)


def _by_status(reply: Reply, message: str, code: int | None, status: int | None, model: str | None) -> e.WorkersAIError:
    return _make(_verdict_of(status), reply, message, code, status, model)


def _verdict_of(status: int | None) -> _Verdict:
    match status:
        case 401:
            return _Verdict(e.AuthenticationError, _TOKEN_HINT)
        case 402:
            return _Verdict(e.QuotaExceededError, "Payment is required: add credits")
        case 403:
            return _Verdict(e.PermissionDeniedError, "The account or the token may not do this")
        case 404:
            return _Verdict(
                e.BadRequestError,
                "No such address: check model, account_id and base_url, which ends with /client/v4",
            )
        case 408 | 409:
            return _Verdict(e.ServerError, "The service gave up the request: try again later")
        case 413:
            return _Verdict(e.BadRequestError, "The request is too large")
        case 429:
            return _Verdict(e.RateLimitError, "Too many requests: slow down")
        case None:
            return _Verdict(e.ServerError, "The service failed: try again later")
        case _ if status >= 500:
            return _Verdict(e.ServerError, "The service failed: try again later")
        case _ if status >= 400:
            return _Verdict(e.BadRequestError)
    return _Verdict(e.InvalidResponseError, "A redirect is not followed: check base_url")


def _make(
    verdict: _Verdict, reply: Reply, message: str, code: int | None, status: int | None, model: str | None
) -> e.WorkersAIError:
    error = verdict.kind(
        message or f"HTTP {reply.status} without a message",
        status=status,
        code=code,
        request_id=reply.request_id,
        model=model,
        hint=_hint(verdict, message, model),
        response=reply,
    )
    if status is not None or code in TELLING:  # else it came in a 200, and the class answers for itself
        error.retryable = is_retryable(status=status, code=code)
    if isinstance(error, e.ContextLengthError):
        error.tokens, error.limit = _numbers(message)
        error.of_one_text = "sequence too long" in message.lower()
    if isinstance(error, (e.QuotaExceededError, e.ModelNotFoundError, e.BadRequestError)):
        error.retryable = False
    return error


def _hint(verdict: _Verdict, message: str, model: str | None) -> str | None:
    hint = verdict.hint
    if verdict.kind is e.ModelNotFoundError and model:
        hint = _model_hint(model) or hint
    if "oneOf at '/' not met" in message and (first := _first_mismatch(message)):
        hint = f"{first}. {hint}" if hint else first
    return hint


def _model_hint(model: str) -> str | None:
    """The successor of a retired model, or the known model with the nearest name."""
    from workers_ai import catalog  # here, so that only a failing call loads the table

    info = catalog.lookup(model)
    if info.replacement:
        return f"This model has been retired; its successor is {info.replacement}"
    if info.known:
        return None
    nearest = catalog.suggest(model)
    return f"Did you mean {nearest}?" if nearest else None


def _first_mismatch(message: str) -> str | None:
    """Of a schema's wall of text the first mismatch that means something: "required 'prompt'" never does (quirk 51)."""
    _, _, listed = message.partition("matches:")
    parts = [part.strip() for part in _MISMATCHES.split(listed) if part.strip() and "'prompt'" not in part]
    return f"First mismatch: {parts[0]}" if parts else None


def _numbers(message: str) -> tuple[int | None, int | None]:
    """The two token counts of a context message: asked for and allowed, whichever way round they stand."""
    numbers = [number for text in re.findall(r"\b\d[\d,]*\b", message) if (number := _integer(text)) is not None]
    counts = [number for number in numbers if number >= 100][:2]
    return (max(counts), min(counts)) if len(counts) == 2 else (None, None)


def _first_problem(document: object) -> tuple[str, int | None, int | None] | None:
    """Message, code and inner status of the first problem of an error document, None where there is none."""
    if not isinstance(document, Mapping):
        return None
    for key in ("errors", "error"):
        problem = _first(document.get(key))
        if isinstance(problem, Mapping):
            code = _code(problem.get("code")) or _code(document.get("internalCode"))
            text = problem.get("message") or problem.get("error") or document.get("message")
            return _nested(str(text or ""), code)
        if isinstance(problem, str) and problem:
            return _nested(problem, _code(document.get("code")))
    if "message" in document or "internalCode" in document:
        code = _code(document.get("internalCode")) or _code(document.get("code")) or _code(document.get("error"))
        text = document.get("message") or document.get("description") or ""
        return str(text), code, _code(document.get("httpCode"))
    if (number := _code(_first(document.get("errors"))) or _code(document.get("error"))) is not None:
        return f"The service reported error {number}", number, None
    if document.get("success") is False:
        return "The service reported a failure without saying which", None, None
    return None


def _first(held: object) -> object:
    return held[0] if isinstance(held, list) and held else held


def _nested(text: str, code: int | None) -> tuple[str, int | None, int | None]:
    """Unpacks a message that is itself a JSON error (vLLM's, after one or two "AiError: ", quirk 81)."""
    start = text.find("{")
    inner = _json(text[start:].rpartition("}")[0].encode() + b"}") if start >= 0 else None
    if isinstance(inner, Mapping) and (isinstance(inner.get("message"), str) or "error" in inner or "errors" in inner):
        deeper = _first_problem(inner)
        if deeper is not None:
            tail = text[text.rfind("}") + 1 :]  # the request id stands behind the JSON
            small = deeper[1] if deeper[1] and deeper[1] >= 1000 else None  # vLLM repeats the HTTP status as its code
            return deeper[0] + tail, code if code and code >= 1000 else small or code, deeper[2]
    return text, code, None


def _unwrap(message: str) -> tuple[str, str | None]:
    """A message without its "AiError: AiError: " and its trailing request id, and that id (quirk 81)."""
    found = _REQUEST_ID.search(message)
    if found:
        message = message[: found.start()].rstrip()
    return _WRAPPING.sub("", message).strip(), found[1] if found else None


def _own_request_id(document: object) -> str | None:
    """The id in a flat error object."""
    found = document.get("requestId") if isinstance(document, Mapping) else None
    return found if isinstance(found, str) and found else None


def _code(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value if abs(value) < 10**_DIGITS else None
    return _integer(value) if isinstance(value, str) and value.isdecimal() else None


def _integer(digits: str) -> int | None:
    """The number that digits and commas mean; None for one so long that it is none of ours (Python refuses it too)."""
    plain = digits.replace(",", "")
    return int(plain) if len(plain) <= _DIGITS else None


def _json(body: bytes) -> object:
    try:
        return from_json(body)
    except ValueError:
        return None


def _excerpt(status: int, body: bytes) -> str:
    """What to say of a body that is no JSON: an HTML page's title, or its first words (quirk 85)."""
    text = body[:4096].decode("utf-8", "replace")
    title = re.search(r"<title[^>]*>(.*?)</title>", text, re.IGNORECASE | re.DOTALL)
    words = title[1] if title else re.sub(r"<[^>]*>", " ", text)
    words = " ".join(words.split())[:_EXCERPT]
    return f"HTTP {status}: {words}" if words else f"HTTP {status} with an empty body"
