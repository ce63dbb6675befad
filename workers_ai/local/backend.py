"""Where the words come from: the built-in brain, or any server that speaks OpenAI's chat completions."""

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from . import errors

if TYPE_CHECKING:
    import httpx

    from .chat_request import ChatRequest
    from .message import Message


@dataclass(frozen=True, slots=True)
class CallPiece:
    """A piece of a tool call: the first of its `index` opens it, the texts of all joined are its arguments (JSON)."""

    index: int
    name: str
    arguments: str = ""


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of the answer, of the reasoning, of a call, or of a refusal; one of these."""

    text: str = ""
    reasoning: str = ""
    call: CallPiece | None = None
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class End:
    """The end of an answer: "stop", "length" or "tool_calls"; `stopped_by` is the stop text that ended it."""

    finish_reason: str
    stopped_by: str | None = None


class Backend(Protocol):
    """What generates. The emulator dresses the pieces in the form of the model's family."""

    def generate(self, request: "ChatRequest") -> AsyncIterator[Delta | End]:
        """The pieces of the answer in order, then one `End`. May raise `errors.ServiceError` before the first."""
        ...


class OpenAIBackend:
    """Hands generation to `{url}/chat/completions`: Ollama, vLLM, llama.cpp and the like.

    url: up to and including the version, for example `http://127.0.0.1:11434/v1`.
    model: the name there; None asks `{url}/models` once and takes the first.
    api_key: sent as a bearer token when given.
    timeout: seconds to wait for the next byte.
    transport: for tests; None speaks HTTP.
    """

    def __init__(
        self,
        url: str,
        *,
        model: str | None = None,
        api_key: str | None = None,
        timeout: float = 300.0,
        transport: "httpx.AsyncBaseTransport | None" = None,
    ) -> None:
        self._url = url.rstrip("/")
        self._model = model
        self._headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
        self._timeout = timeout
        self._transport = transport

    async def generate(self, request: "ChatRequest") -> AsyncIterator[Delta | End]:
        """The server's own pieces. What keeps it from answering becomes 504 with code 7009."""
        import httpx  # not needed unless a backend is used

        # A client for each call: the emulator's event loop may be another one the next time.
        try:
            async with httpx.AsyncClient(
                headers=self._headers, timeout=self._timeout, transport=self._transport, trust_env=False
            ) as client:
                body = _body(request, await self._model_name(client, request.model))
                async with client.stream("POST", f"{self._url}/chat/completions", json=body) as response:
                    await _check(response)
                    async for piece in _pieces(response):
                        yield piece
        except httpx.HTTPError as error:
            raise errors.upstream_unavailable(f"{self._url}: {type(error).__name__} {error}") from error

    async def _model_name(self, client: "httpx.AsyncClient", asked: str) -> str:
        if self._model is None:
            response = await client.get(f"{self._url}/models")
            listed = response.json().get("data") if response.is_success else None
            self._model = str(listed[0]["id"]) if listed else asked
        return self._model


async def _check(response: "httpx.Response") -> None:
    if not response.is_success:
        text = (await response.aread()).decode("utf-8", "replace")
        raise errors.upstream_unavailable(f"HTTP {response.status_code}: {text[:300]}")


def _body(request: "ChatRequest", model: str) -> dict[str, Any]:
    messages = [_message(message) for message in request.messages]
    body: dict[str, Any] = {"model": model, "messages": messages, "stream": True, "max_tokens": request.max_tokens}
    if request.stop:
        body["stop"] = list(request.stop)
    if request.tools:
        body["tools"] = [tool.to_openai() for tool in request.tools]
    if request.schema is not None:
        wrapper = {"name": "answer", "schema": request.schema}
        wanted = {"type": "json_schema", "json_schema": wrapper} if request.schema else {"type": "json_object"}
        body["response_format"] = wanted
    return {**body, **request.options}


def _message(message: "Message") -> dict[str, Any]:
    """A message in OpenAI's form; images are left out, the text of the others is whole."""
    made: dict[str, Any] = {"role": message.role, "content": message.text}
    if message.calls:
        made["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.text}}
            for call in message.calls
        ]
    if message.is_result:
        made |= {"role": "tool", "tool_call_id": message.call_id}
    return made


async def _pieces(response: "httpx.Response") -> AsyncIterator[Delta | End]:
    finish = "stop"
    names: dict[int, str] = {}
    # Bytes cut at LF only: iter_lines would also cut at U+2028, which is legal inside JSON text (quirk 23).
    async for line in _lines(response.aiter_bytes()):
        data = line.removeprefix(b"data:").strip()
        if not line.startswith(b"data:") or data == b"[DONE]":
            continue
        frame = json.loads(data)
        for choice in frame.get("choices") or ():
            finish = choice.get("finish_reason") or finish
            delta = choice.get("delta") or {}
            if piece := _piece(delta):
                yield piece
            for call in delta.get("tool_calls") or ():
                yield Delta(call=_call_piece(call, names))
    yield End("length" if finish == "length" else "tool_calls" if names else "stop")


async def _lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    rest = b""
    async for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line.strip()
    if rest.strip():
        yield rest.strip()


def _call_piece(call: Mapping[str, Any], names: dict[int, str]) -> CallPiece:
    """A piece of a call; `names` keeps the name of each, which only its first piece has."""
    index, function = int(call.get("index") or 0), call.get("function") or {}
    names[index] = names.get(index) or str(function.get("name") or "")
    return CallPiece(index, names[index], str(function.get("arguments") or ""))


def _piece(delta: Mapping[str, Any]) -> Delta | None:
    if text := delta.get("content"):
        return Delta(text=str(text))
    if reasoning := delta.get("reasoning_content") or delta.get("reasoning"):
        return Delta(reasoning=str(reasoning))
    return None
