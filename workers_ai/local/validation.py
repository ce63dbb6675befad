"""What a model refuses: the body checked against its family's schema, refusals worded as the service words them."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

from . import errors, images, response_format
from .chat_request import ChatRequest
from .families import ChatFamily

_ROLES = frozenset({"system", "user", "assistant", "tool", "developer", "function"})
_JSON_TYPES = ((bool, "boolean"), (str, "string"), ((int, float), "number"), (list, "array"), (dict, "object"))


def check_chat(
    body: Mapping[str, Any], family: ChatFamily, *, openai: bool, quirks: frozenset[str] = frozenset()
) -> None:
    """Raise `ServiceError` unless `body` is a chat request of this family. `openai`: it came to `/ai/v1`."""
    if openai or not family.takes_prompt or "messages" in body:
        mismatches = list(_messages_mismatches(body, family, quirks))
    else:
        mismatches = list(_prompt_mismatches(body))
    mismatches += _option_mismatches(body, family)
    mismatches += response_format.mismatches(body.get("response_format"), family, openai=openai)
    if mismatches:
        _refuse(mismatches, family, openai=openai)
    _check_tools(body, family, quirks)
    _check_images(body, family)
    _check_history(body, quirks)
    _check_json_mode(body, family)


def _refuse(mismatches: list[str], family: ChatFamily, *, openai: bool) -> NoReturn:
    reason = f"Error: oneOf at '/' not met, 0 matches: {', '.join(mismatches)}"
    if openai and family.answer == "completion":
        # Seen on /ai/v1 from a newer model; the classic ones answer with the native envelope there too.
        raise errors.openai(400, "invalid_prompt", f"AiError: Bad input: {reason}")
    raise errors.bad_input(reason)


def _prompt_mismatches(body: Mapping[str, Any]) -> Iterator[str]:
    if "prompt" not in body:
        yield _required("/", "prompt")
        yield _required("/", "messages")
    elif not isinstance(body["prompt"], str):
        yield _mismatch("/prompt", body["prompt"], "string")
    elif not body["prompt"]:
        yield "Length of '/prompt' must be >= 1"


def _messages_mismatches(body: Mapping[str, Any], family: ChatFamily, quirks: frozenset[str]) -> Iterator[str]:
    messages = body.get("messages")
    if messages is None:
        if family.answer == "completion":
            yield _required("/audio", "voice,format")  # of a branch that nobody asked for: the service names it too
        yield from (_required("/", "prompt"), _required("/", "messages"))
    elif not isinstance(messages, list):
        yield _mismatch("/messages", messages, "array")
    elif not messages:
        yield "Length of '/messages' must be >= 1"
    else:
        found = [text for at, m in enumerate(messages) for text in _message_mismatches(at, m, family, quirks)]
        if found and not family.takes_parts:
            found = [_required("/", "prompt"), *found, *_echo_of_other_branch(messages)]
        yield from found


def _message_mismatches(at: int, message: Any, family: ChatFamily, quirks: frozenset[str]) -> Iterator[str]:
    path = f"/messages/{at}"
    if not isinstance(message, dict):
        yield _mismatch(path, message, "object")
        return
    if "role" not in message or ("content" not in message and not _may_lack_content(message, family)):
        yield _required(path, "role,content")
        return
    if message["role"] not in _ROLES:
        yield f"Value mismatch of '{path}/role', must be one of {', '.join(sorted(_ROLES))}"
    yield from _content_mismatches(f"{path}/content", message, family)
    if family.answer == "completion" and "object-history" not in quirks:
        yield from _call_mismatches(path, message)


def _call_mismatches(path: str, message: Mapping[str, Any]) -> Iterator[str]:
    """A tool's message says which call it answers; the arguments of earlier calls are text (quirk 46)."""
    if message["role"] == "tool" and not isinstance(message.get("tool_call_id"), str):
        yield _required(path, "tool_call_id")
    calls = message.get("tool_calls")
    for at, call in enumerate(calls if isinstance(calls, list) else ()):
        place = f"{path}/tool_calls/{at}"
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict) or not isinstance(call.get("id"), str):
            yield _required(place, "id,type,function")
        elif not isinstance(function.get("arguments"), str):
            yield _mismatch(f"{place}/function/arguments", function.get("arguments"), "string")


def _content_mismatches(path: str, message: Mapping[str, Any], family: ChatFamily) -> Iterator[str]:
    content = message.get("content")
    if content is None:
        if not _may_lack_content(message, family):
            # The other way round than every other mismatch: so the service words it (quirk 45).
            yield f"Type mismatch of '{path}', 'string' not in 'null'"
    elif isinstance(content, list):
        if not family.takes_parts:
            yield _mismatch(path, content, "string")
        elif not all(isinstance(part, dict) and "type" in part for part in content):
            yield _required(path, "type")
    elif not isinstance(content, str):
        yield _mismatch(path, content, "string")


def _may_lack_content(message: Mapping[str, Any], family: ChatFamily) -> bool:
    return family.takes_null and message["role"] == "assistant" and bool(message.get("tool_calls"))


def _echo_of_other_branch(messages: list[Any]) -> Iterator[str]:
    """The text names every branch of the schema that failed, so the one for lists blames a plain string (quirk 51)."""
    for at, message in enumerate(messages):
        if isinstance(message, dict) and isinstance(message.get("content"), str):
            if any(isinstance(m, dict) and isinstance(m.get("content"), list) for m in messages):
                yield _mismatch(f"/messages/{at}/content", message["content"], "array")
            yield _required(f"/messages/{at}", "role,content")
            return


def _option_mismatches(body: Mapping[str, Any], family: ChatFamily) -> Iterator[str]:
    for name, allowed in family.limits.items():
        if name not in body or (family.takes_null and body[name] is None):
            continue
        value = body[name]
        if isinstance(value, bool) or not isinstance(value, int | float):
            yield _mismatch(f"/{name}", value, "number")
        elif value > allowed.high:
            yield f"'/{name}' must be <= {allowed.high:.12g}"
        elif value < allowed.low:
            yield f"'/{name}' must be >= {allowed.low:.12g}"
    for name, kind in (("stream_options", dict), ("chat_template_kwargs", dict), ("tools", list)):
        if body.get(name) is not None and not isinstance(body[name], kind):
            yield _mismatch(f"/{name}", body[name], "object" if kind is dict else "array")


def _check_tools(body: Mapping[str, Any], family: ChatFamily, quirks: frozenset[str]) -> None:
    """The two slips that bring 8001 and no explanation (quirks 41, 43), and what only a quirk brings."""
    tools = [tool for tool in body.get("tools") or () if isinstance(tool, dict)]
    functions = [tool.get("function", tool) for tool in tools]
    described = all(isinstance(f, dict) and isinstance(f.get("description", ""), str) for f in functions)
    if body.get("tool_choice") == "any" or len(tools) < len(body.get("tools") or ()) or not described:
        raise errors.native(400, 8001, "Invalid input")
    if tools and "no-tool-parser" in quirks:
        reason = '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'
        raise errors.upstream_refusal(reason)
    if "strict-tools" in quirks and family.answer == "response":
        found = [text for at, tool in enumerate(functions) for text in _tool_mismatches(f"/tools/{at}", tool)]
        if found:
            raise errors.bad_input(f"Error: oneOf at '/' not met, 0 matches: {', '.join(found)}")


def _tool_mismatches(path: str, tool: Mapping[str, Any]) -> Iterator[str]:
    """What the older schema, taken at its word, says against a tool (http-api 2.1)."""
    if missing := [key for key in ("name", "description", "parameters") if key not in tool]:
        yield _required(path, ",".join(missing))
    parameters = tool.get("parameters") or {}
    if missing := [key for key in ("type", "properties") if key not in parameters]:
        yield _required(f"{path}/parameters", ",".join(missing))
    for name, facts in (parameters.get("properties") or {}).items():
        if missing := [key for key in ("type", "description") if key not in facts]:
            yield _required(f"{path}/parameters/properties/{name}", ",".join(missing))


def _check_images(body: Mapping[str, Any], family: ChatFamily) -> None:
    """Models without eyes, and the one that takes no addresses. Their wordings are vLLM's, not recorded here."""
    for message in body.get("messages") or ():
        for url in images.urls_in(message.get("content")):
            if family.images == "none":
                raise errors.upstream_refusal(f"{family.name} is not a multimodal model")
            if family.images == "data" and not url.startswith("data:"):
                raise errors.upstream_refusal("Only data: URLs are supported for images")


def _check_history(body: Mapping[str, Any], quirks: frozenset[str]) -> None:
    if "object-history" not in quirks:
        return
    for message in body.get("messages") or ():
        for call in message.get("tool_calls") or ():
            if isinstance((call.get("function") or call).get("arguments"), str):
                text = "Assistant tool call function.arguments must be a JSON object."
                detail = {"object": "error", "message": text, "type": "BadRequest", "param": None, "code": 400}
                raise errors.native(400, 400, f"AiError: AiError: {json.dumps(detail)}")


def _check_json_mode(body: Mapping[str, Any], family: ChatFamily) -> None:
    wanted = response_format.asks_json(body.get("response_format"))
    if wanted and family.answer == "response" and body.get("stream") is True:
        raise errors.native(400, 5023, "JSON Schema is not supported with stream")


def check_window(request: ChatRequest, window: int | None) -> None:
    """Raise `ServiceError` (413) when prompt and longest completion together pass the context window (quirk 80)."""
    total = request.prompt_tokens + (request.max_tokens if request.limited else 0)
    if window is not None and total > window:
        raise errors.native(
            413,
            5021,
            f"AiError: The estimated number of input and maximum output tokens ({total}) "
            f"exceeded this model context window limit ({window})",
        )


def _required(path: str, names: str) -> str:
    return f"required properties at '{path}' are '{names}'"


def _mismatch(path: str, value: Any, wanted: str) -> str:
    return f"Type mismatch of '{path}', '{json_type(value)}' not in '{wanted}'"


def json_type(value: Any) -> str:
    """The JSON name of a value's type."""
    return next((name for kind, name in _JSON_TYPES if isinstance(value, kind)), "null")
