"""Stand-ins for the service, entered by the front door: an httpx transport, and a loopback server that never ends."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any

import httpx
import pytest
from langchain_core.callbacks import BaseCallbackHandler

from langchain_workers_ai import ChatWorkersAI, WorkersAI, WorkersAIEmbeddings, WorkersAIRerank

ACCOUNT = "0123456789abcdef0123456789abcdef"
GEMMA = "@cf/google/gemma-4-26b-a4b-it"
LLAMA = "@cf/meta/llama-3.3-70b-instruct-fp8-fast"

Answer = Callable[[httpx.Request], httpx.Response]


class Service:
    """Answers requests in turn, the last answer for ever, and keeps what was asked. Says "Hello there." at first."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self._answers: list[Answer] = [self.says("Hello there.")]

    def answers(self, *answers: Answer) -> Service:
        """Sets the answers to come."""
        self._answers = list(answers)
        return self

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        place = min(len(self.requests), len(self._answers)) - 1
        return self._answers[place](request)

    @property
    def bodies(self) -> list[dict[str, Any]]:
        """The JSON of each request so far."""
        return [json.loads(request.content) for request in self.requests]

    @property
    def body(self) -> dict[str, Any]:
        """The JSON of the newest request."""
        return self.bodies[-1]

    @property
    def connection(self) -> dict[str, Any]:
        """The arguments that lead a model here."""
        return {
            "account_id": ACCOUNT,
            "api_token": "token-of-the-test",
            "http_client": httpx.Client(transport=httpx.MockTransport(self)),
            "http_async_client": httpx.AsyncClient(transport=httpx.MockTransport(self)),
            "max_retries": 0,
        }

    def chat(self, **arguments: Any) -> ChatWorkersAI:
        return ChatWorkersAI(**{**self.connection, "model": GEMMA, **arguments})

    def llm(self, **arguments: Any) -> WorkersAI:
        return WorkersAI(**{**self.connection, "model": GEMMA, **arguments})

    def embeddings(self, **arguments: Any) -> WorkersAIEmbeddings:
        return WorkersAIEmbeddings(**{**self.connection, **arguments})

    def reranker(self, **arguments: Any) -> WorkersAIRerank:
        return WorkersAIRerank(**{**self.connection, **arguments})

    @staticmethod
    def says(text: str = "", **facts: Any) -> Answer:
        """A good answer of `/ai/v1`, whole or streamed as the request asks; see `_message` and `_frames`."""

        def answer(request: httpx.Request) -> httpx.Response:
            asked = json.loads(request.content)
            told = {"model": asked.get("model", LLAMA), **facts}
            headers = {"cf-ray": "8f3a-FRA", "set-cookie": "__cf_bm=private", **told.pop("headers", {})}
            if asked.get("stream"):
                frames = _frames(text, asked, told)
                return httpx.Response(200, headers={"content-type": "text/event-stream", **headers}, content=frames)
            return httpx.Response(200, headers=headers, json=_message(text, told))

        return answer

    @staticmethod
    def refuses(status: int, body: Any, headers: Mapping[str, str] | None = None, *, streamed: bool = False) -> Answer:
        """A refusal. streamed: status 200 and the body as a frame of the stream."""

        def answer(request: httpx.Request) -> httpx.Response:
            if streamed:
                head = {"content-type": "text/event-stream", **(headers or {})}
                return httpx.Response(200, headers=head, content=_event(body) + b"data: [DONE]\n\n")
            return httpx.Response(status, headers=headers, json=body)

        return answer

    @staticmethod
    def fails(kind: type[Exception], *arguments: Any) -> Answer:
        """What httpx raises instead of an answer."""

        def answer(request: httpx.Request) -> httpx.Response:
            raise kind(*arguments)

        return answer

    @staticmethod
    def embeds(vector: Callable[[str], list[float]], *, lose: int = 0) -> Answer:
        """Vectors for the texts of a native request, without the last `lose` of them."""

        def answer(request: httpx.Request) -> httpx.Response:
            asked = json.loads(request.content)
            texts = asked.get("text") or asked.get("documents") or asked.get("queries")
            rows = [vector(text) for text in texts][: len(texts) - lose]
            return httpx.Response(200, json={"result": {"shape": [len(rows), 2], "data": rows}, "success": True})

        return answer

    @staticmethod
    def ranks(score: Callable[[str], float] = len) -> Answer:
        """The contexts of a native request by their scores, at most `top_k`."""

        def answer(request: httpx.Request) -> httpx.Response:
            asked = json.loads(request.content)
            texts = [held["text"] for held in asked["contexts"]]
            found = [{"id": place, "score": score(text)} for place, text in enumerate(texts)]
            best = sorted(found, key=lambda row: -row["score"])[: asked.get("top_k")]
            usage = {"prompt_tokens": 34, "total_tokens": 34, "neurons": 0.0096}
            return httpx.Response(200, json={"success": True, "result": {"response": best, "usage": usage}})

        return answer


def _message(text: str, told: dict[str, Any]) -> dict[str, Any]:
    """reasoning, refusal, finish, n, logprobs, usage: what the answer holds beside its text."""
    message: dict[str, Any] = {"role": "assistant", "content": text}
    message |= {"reasoning_content": told["reasoning"]} if "reasoning" in told else {}
    message |= {"refusal": told["refusal"]} if "refusal" in told else {}
    choice = {"message": message, "finish_reason": told.get("finish", "stop"), "logprobs": told.get("logprobs")}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_790_000_000,
        "model": told["model"],
        "choices": [{"index": place, **choice} for place in range(told.get("n", 1))],
        "usage": _usage(told),
    }


def _usage(told: Mapping[str, Any]) -> dict[str, Any]:
    prompt, completion = told.get("usage", (7, 3))
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        **told.get("details", {}),
    }


def _frames(text: str, asked: Mapping[str, Any], told: Mapping[str, Any]) -> bytes:
    """A stream, word by word: role, reasoning, text, finish reason, usage if asked for, the end mark."""
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_790_000_000, "model": told["model"]}
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    deltas += [{"reasoning_content": word} for word in _words(told.get("reasoning", ""))]
    deltas += [{"content": word} for word in _words(text)]
    deltas += [{"refusal": word} for word in _words(told.get("refusal", ""))]
    frames = [{**head, "choices": [_choice(delta, told)]} for delta in deltas]
    frames.append({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": told.get("finish", "stop")}]})
    if (asked.get("stream_options") or {}).get("include_usage"):
        frames.append({**head, "choices": [], "usage": _usage(told)})
    return b"".join(map(_event, frames)) + b"data: [DONE]\n\n"


def _choice(delta: Mapping[str, Any], told: Mapping[str, Any]) -> dict[str, Any]:
    logprobs = {"content": [{"token": delta["content"], "logprob": -0.5}]} if delta.get("content") else None
    return {
        "index": 0,
        "delta": delta,
        "finish_reason": None,
        "logprobs": logprobs if "logprobs" in told else None,
    }


def _words(text: str) -> list[str]:
    return [word + " " for word in text.split(" ")[:-1]] + text.split(" ")[-1:] if text else []


def _event(frame: Any) -> bytes:
    return b"data: " + json.dumps(frame).encode() + b"\n\n"


@pytest.fixture
def service() -> Service:
    """A stand-in for the service."""
    return Service()


class Recorder(BaseCallbackHandler):
    """Keeps every event of a run: its name and all its arguments."""

    def __init__(self) -> None:
        self.events: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []

    def named(self, name: str) -> list[tuple[tuple[Any, ...], dict[str, Any]]]:
        """Arguments of the events of one name."""
        return [(arguments, options) for event, arguments, options in self.events if event == name]

    @property
    def tokens(self) -> list[str]:
        """What `on_llm_new_token` was told, in order."""
        return [arguments[0] if arguments else told["token"] for arguments, told in self.named("on_llm_new_token")]

    def on_chat_model_start(self, *arguments: Any, **options: Any) -> None:
        self.events.append(("on_chat_model_start", arguments, options))

    def on_llm_start(self, *arguments: Any, **options: Any) -> None:
        self.events.append(("on_llm_start", arguments, options))

    def on_llm_new_token(self, *arguments: Any, **options: Any) -> None:
        self.events.append(("on_llm_new_token", arguments, options))

    def on_llm_end(self, *arguments: Any, **options: Any) -> None:
        self.events.append(("on_llm_end", arguments, options))

    def on_llm_error(self, *arguments: Any, **options: Any) -> None:
        self.events.append(("on_llm_error", arguments, options))


@pytest.fixture
def recorder() -> Recorder:
    """A callback handler that keeps all it is told."""
    return Recorder()


class Tap:
    """A loopback server whose streams never end by themselves. `open` counts those that run just now."""

    def __init__(self) -> None:
        self.open = 0
        self.url = ""
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> Tap:
        self._thread.start()
        assert self._ready.wait(5)
        return self

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def chat(self, **arguments: Any) -> ChatWorkersAI:
        return ChatWorkersAI(account_id=ACCOUNT, api_token="token-of-the-test", base_url=self.url, **arguments)

    def llm(self, **arguments: Any) -> WorkersAI:
        return WorkersAI(account_id=ACCOUNT, api_token="token-of-the-test", base_url=self.url, **arguments)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/client/v4"
        self._ready.set()
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.run_until_complete(asyncio.sleep(0.01))
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        self.open += 1
        running = asyncio.ensure_future(self._run_water(writer))
        try:
            while await reader.read(65536):  # until the other side closes
                pass
        except ConnectionError:
            pass
        finally:
            self.open -= 1
            running.cancel()
            writer.close()

    async def _run_water(self, writer: asyncio.StreamWriter) -> None:
        async for frame in self._water():
            writer.write(b"%x\r\n%s\r\n" % (len(frame), frame))

    async def _water(self) -> AsyncIterator[bytes]:
        while True:
            yield _event({"choices": [{"index": 0, "delta": {"content": "drop "}}]})
            await asyncio.sleep(0.01)


@pytest.fixture(scope="session")
def tap() -> Iterator[Tap]:
    """A server whose streams never end."""
    running = Tap().start()
    yield running
    running.stop()
