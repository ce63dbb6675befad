"""Make the cassettes anew: `make record`.

    python scripts/record.py [--only NAME] [--list] [--emulator] [--force] [--into FOLDER]

With CLOUDFLARE_ACCOUNT_ID and CLOUDFLARE_API_TOKEN set, the exchanges are recorded against Cloudflare; without them,
or with --emulator, against the package's own emulator, which then answers in the place of api.cloudflare.com: the
addresses in the cassettes are the same. Each cassette says at its head what it was recorded against and on which day.
One that was recorded against Cloudflare is replaced by an emulator's only with --force, and one that a new recording
only repeats stays as it is.

Those named `stream-time-...` are for langchain-tests' `test_stream_time` and stand in tests/conformance/cassettes; the
others in tests/cassettes.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime
import sys
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import vcr  # type: ignore[import-untyped]
from vcr.persisters.filesystem import CassetteNotFoundError  # type: ignore[import-untyped]
from vcr.record_mode import RecordMode  # type: ignore[import-untyped]
from vcr.serialize import serialize  # type: ignore[import-untyped]

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

from cassette import CLOUDFLARE, EMULATOR, Heading, Json, gist, text_of  # noqa: E402

from workers_ai import Client, WorkersAIError  # noqa: E402
from workers_ai.answers import ChatAnswer, ChatDelta  # noqa: E402
from workers_ai.local import LocalServer  # noqa: E402
from workers_ai.settings import (  # noqa: E402
    BASE_URL,
    account_from_environment,
    base_url_from_environment,
    token_from_environment,
)
from workers_ai.testing import vcr_config  # noqa: E402
from workers_ai.usage import Usage  # noqa: E402
from workers_ai.wire.message import WireMessage  # noqa: E402

CASSETTES = ROOT / "tests" / "cassettes"
OF_THE_SUITES = ROOT / "tests" / "conformance" / "cassettes"

LLAMA = "@cf/meta/llama-3.3-70b-instruct-fp8-fast"
GPT_OSS = "@cf/openai/gpt-oss-20b"
GEMMA = "@cf/google/gemma-4-26b-a4b-it"
SCOUT = "@cf/meta/llama-4-scout-17b-16e-instruct"
BGE_M3 = "@cf/baai/bge-m3"
QWEN3 = "@cf/qwen/qwen3-embedding-0.6b"
NO_MODEL = "@cf/does/not-exist"

# With a context to quote from the emulator answers to the point, and briefly.
MESSAGES: list[WireMessage] = [
    {"role": "system", "content": "Answer from this context.\n\nContext: The Orlec lighthouse was built in 1874."},
    {"role": "user", "content": "When was the Orlec lighthouse built?"},
]
TEXTS = ["The tide comes in twice a day."]
MAX_TOKENS = 64


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request by name, sent plain or async: the cassette is the same, and replays both ways.

    send, asend: make the request with a client and tell what came of it. by_async: which of the two records it.
    fails: an error is what it is for. folder: where its cassette stands.
    """

    name: str
    send: Callable[[Client], Json]
    asend: Callable[[Client], Coroutine[None, None, Json]]
    by_async: bool = False
    fails: bool = False
    folder: Path = CASSETTES

    def run(self, client: Client, *, by_async: bool | None = None) -> Json:
        """What came of it: the answer, or the error that it is for. Any other error is raised."""
        try:
            by_async = self.by_async if by_async is None else by_async
            return asyncio.run(self.asend(client)) if by_async else self.send(client)
        except WorkersAIError as error:
            if not self.fails:
                raise
            return {"error": type(error).__name__, "status": error.status, "code": error.code}


def chat(name: str, model: str, api: str) -> Exchange:
    """A chat whose answer comes whole."""
    options: Json = {"model": model, "api": api, "max_tokens": MAX_TOKENS}

    async def asend(client: Client) -> Json:
        return _answer(await client.achat(MESSAGES, **options))

    return Exchange(f"chat-{api}-{name}", lambda client: _answer(client.chat(MESSAGES, **options)), asend)


def stream(name: str, model: str, api: str) -> Exchange:
    """A chat that is streamed. Recorded by the async client, so that both ways of sending are recorded."""
    return _streaming(f"stream-{api}-{name}", MESSAGES, {"model": model, "api": api, "max_tokens": MAX_TOKENS})


def stream_time(name: str, model: str, api: str) -> Exchange:
    """What langchain-tests' `test_stream_time` asks."""
    asked: list[WireMessage] = [{"role": "user", "content": "Write a story about a cat."}]
    return replace(_streaming(f"stream-time-{api}-{name}", asked, {"model": model, "api": api}), folder=OF_THE_SUITES)


def _streaming(name: str, messages: list[WireMessage], options: Json) -> Exchange:
    async def asend(client: Client) -> Json:
        return _streamed([delta async for delta in client.astream_chat(messages, **options)])

    def send(client: Client) -> Json:
        return _streamed(list(client.stream_chat(messages, **options)))

    return Exchange(name, send, asend, by_async=True)


def embedding(name: str, model: str, *, by_async: bool) -> Exchange:
    """A text embedded. Of the vector its length and its first numbers are told."""

    async def asend(client: Client) -> Json:
        return _vectors(await client.aembed(TEXTS, model=model))

    return Exchange(
        f"embed-{name}", lambda client: _vectors(client.embed(TEXTS, model=model)), asend, by_async=by_async
    )


EXCHANGES: dict[str, Exchange] = {
    exchange.name: exchange
    for exchange in [
        *(
            kind(name, model, api)
            for name, model in [("llama", LLAMA), ("gpt-oss", GPT_OSS), ("gemma", GEMMA)]
            for api in ["native", "openai"]
            for kind in [chat, stream]
        ),
        embedding("bge-m3", BGE_M3, by_async=False),
        embedding("qwen3", QWEN3, by_async=True),
        replace(chat("no-model", NO_MODEL, "native"), name="error-no-such-model", fails=True),
    ]
}
"""By name; a cassette has the name of its exchange."""

STREAM_TIME: dict[str, Exchange] = {
    exchange.name: exchange
    for exchange in [
        stream_time(name, model, api)
        for name, model in [("llama", LLAMA), ("gpt-oss", GPT_OSS), ("gemma", GEMMA), ("scout", SCOUT)]
        for api in ["native", "openai"]
    ]
}
"""As above, for the suites of tests/conformance."""


@dataclass(frozen=True, slots=True)
class Source:
    """What is recorded: the service or the emulator, and a client that speaks to it.

    Its client passes no gateway, whatever the environment names: one may answer from its cache.
    """

    name: str
    client: Client
    secrets: tuple[str, ...]


@contextmanager
def emulator() -> Iterator[Source]:
    """The emulator in the place of api.cloudflare.com."""
    with LocalServer() as server, httpx.Client(trust_env=False) as forward:

        def answer(request: httpx.Request) -> httpx.Response:
            told = forward.request(
                request.method,
                str(request.url).replace(BASE_URL, server.base_url),
                content=request.content,
                headers={name: value for name, value in request.headers.items() if name != "host"},
            )
            return httpx.Response(told.status_code, headers=told.headers.multi_items(), content=told.content)

        # vcrpy records what passes httpx's own transports, this one among them, with the address it was asked for; the
        # request that it makes on to the emulator is one to this machine, and is ignored.
        mounted = httpx.MockTransport(answer)
        with httpx.Client(transport=mounted) as client:
            yield Source(
                EMULATOR,
                Client(
                    account_id=server.account_id,
                    api_token=server.api_token,
                    base_url=BASE_URL,
                    gateway=None,
                    http_client=client,
                    http_async_client=httpx.AsyncClient(transport=mounted),
                ),
                (server.api_token,),
            )


@contextmanager
def cloudflare() -> Iterator[Source]:
    """The service, with the account that the environment holds."""
    token, account = token_from_environment(), account_from_environment()
    assert token is not None
    assert account is not None
    # Nothing that vcrpy cannot unpack; and no second attempt: a replay would wait for it too.
    client = Client(base_url=BASE_URL, gateway=None, max_retries=0, default_headers={"accept-encoding": "gzip"})
    yield Source(CLOUDFLARE, client, (token.get_secret_value(), account))


def has_account() -> bool:
    """Whether the environment leads to Cloudflare: account and token are set, and no other address (an emulator's)."""
    account = account_from_environment() and token_from_environment()
    return bool(account) and base_url_from_environment() == BASE_URL


def record(exchange: Exchange, source: Source) -> str:
    """The text of a new cassette."""
    tape = _Tape()
    recorder = vcr.VCR(ignore_localhost=True, record_mode=RecordMode.ALL, **vcr_config(source.secrets))
    recorder.register_persister(tape)
    with recorder.use_cassette(exchange.name):
        answer = exchange.run(source.client)
    today = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    return text_of(Heading(source.name, today, answer), tape.recorded)


class _Tape:
    """Where vcrpy puts a recording: here, not into a file, since the heading is known only at the end."""

    def __init__(self) -> None:
        self.recorded: Json = {}

    def load_cassette(self, path: str, serializer: object) -> tuple[list[Any], list[Any]]:
        """There is never an old one."""
        raise CassetteNotFoundError(path)

    def save_cassette(self, path: str, interactions: Json, serializer: object) -> None:
        """Takes the recording, as vcrpy would have written it."""
        self.recorded = serialize(interactions, self)

    def serialize(self, tape: Json) -> Json:
        """What vcrpy would have turned into text."""
        return tape


def keep(path: Path, text: str, *, force: bool = False) -> str:
    """Writes a new recording unless the old one is to stay. What was done, in words."""
    if path.exists():
        old, new = path.read_text(encoding="utf-8"), text
        was, now = Heading.read(old).recorded_against, Heading.read(new).recorded_against
        if (was, now) == (CLOUDFLARE, EMULATOR) and not force:
            return "kept: it was recorded against Cloudflare (--force replaces it)"
        if gist(old) == gist(new) and not force:
            return "unchanged"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")
    return "recorded"


def arguments(command: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", metavar="NAME", choices=EXCHANGES | STREAM_TIME, help="one exchange")
    parser.add_argument("--list", action="store_true", help="tell the exchanges, and record nothing")
    parser.add_argument("--emulator", action="store_true", help="the emulator, even if an account is set")
    parser.add_argument("--force", action="store_true", help="replace any cassette")
    parser.add_argument("--into", type=Path, metavar="FOLDER", help="where to, in place of their own folders")
    return parser.parse_args(command)


def main(command: Sequence[str] | None = None) -> None:
    """Record what the command line asks for."""
    options = arguments(command)
    exchanges = EXCHANGES | STREAM_TIME
    if options.list:
        print(*exchanges, sep="\n")
        return
    real = has_account() and not options.emulator
    with cloudflare() if real else emulator() as source:
        print(f"Recording against {'Cloudflare' if real else 'the emulator: no request goes to Cloudflare'}")
        for name in [options.only] if options.only else exchanges:
            path = (options.into or exchanges[name].folder) / f"{name}.yaml"
            done = keep(path, record(exchanges[name], source), force=options.force)
            print(f"  {name}: {done}")


def _answer(answer: ChatAnswer) -> Json:
    told = {"text": answer.text, "reasoning": answer.reasoning, "finish_reason": answer.finish_reason}
    return {**told, **_usage(answer.usage)}


def _streamed(deltas: list[ChatDelta]) -> Json:
    facts = deltas[-1].facts
    assert facts is not None
    return {
        "text": "".join(delta.text for delta in deltas),
        "reasoning": "".join(delta.reasoning for delta in deltas),
        "finish_reason": facts.finish_reason,
        **_usage(facts.usage),
    }


def _usage(usage: Usage | None) -> Json:
    if usage is None:
        return {"usage": None}
    told = {"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens, "neurons": usage.neurons}
    return {"usage": told}


def _vectors(rows: list[list[float]]) -> Json:
    return {"vectors": [{"dimensions": len(row), "begins": row[:4]} for row in rows]}


if __name__ == "__main__":
    main()
