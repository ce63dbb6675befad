"""Anything may come from the network: what is no answer is an error of the family, and what is one is read as it was
written, wherever it was cut. `make fuzz` goes on for as long as it is told to."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import gzip
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.documents import Document
from langchain_core.exceptions import OutputParserException
from langchain_core.messages import AIMessageChunk
from llama_index.core.llms import ChatMessage
from llama_index.core.schema import NodeWithScore, TextNode

import langchain_workers_ai
import llama_index_workers_ai
from workers_ai import Client, GatewayLogs, WorkersAIError
from workers_ai.exchange import Reply
from workers_ai.wire.frame import stream_reader
from workers_ai.wire.reading import Reading

PAYLOADS = {
    path.stem: json.loads(path.read_text(encoding="utf-8"))
    for path in sorted((Path(__file__).parent / "payloads").iterdir())
}
DOCUMENTS = [told["json"] for told in PAYLOADS.values() if "json" in told]
STREAMS = [told["sse"] for told in PAYLOADS.values() if "sse" in told]
MODEL = "@cf/meta/llama-3.3-70b-instruct-fp8-fast"
THINKS = "@cf/deepseek-ai/deepseek-r1-distill-qwen-32b"

# What comes


class Pieces(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body, cut at these places."""

    def __init__(self, body: bytes, cuts: Sequence[int]) -> None:
        self._body, self._cuts = body, sorted({0, len(body), *(cut % (len(body) + 1) for cut in cuts)})

    def __iter__(self) -> Iterator[bytes]:
        for start, end in zip(self._cuts, self._cuts[1:], strict=False):
            yield self._body[start:end]

    async def __aiter__(self) -> Any:
        for piece in self:
            yield piece


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-2, 300)
    | st.sampled_from(
        [
            10**30,
            -(2**63),
            "MANY DIGITS",
            1e308,
            -0.0,
            0.5,
            "",
            "0",
            "null",
            "[]",
            '{"a": 1}',
            "</think>",
            "\0",
            "\ud800",
        ]
    )
    | st.text(max_size=6)
)
KEYS = st.sampled_from(
    "result success errors error message code choices delta content text response usage finish_reason id index name"
    " arguments function tool_calls logprobs reasoning reasoning_content refusal model created data embedding shape"
    " score prompt_tokens completion_tokens total_tokens neurons status request_id p".split()
)
ODD = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to each value inside `value`, itself included."""
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, held in inner:
        yield from places(held, (*path, key))


@st.composite
def changed(draw: st.DrawFn, documents: Sequence[Any]) -> Any:
    """One of these documents, with up to three of its values replaced by others, or gone."""
    held = {"": copy.deepcopy(draw(st.sampled_from(documents)))}
    for _ in range(draw(st.integers(0, 3))):
        *way, last = draw(st.sampled_from([path for path in places(held) if path]))
        inside = held
        for step in way:
            inside = inside[step]
        if isinstance(inside, dict) and last != "" and draw(st.booleans()):
            del inside[last]
        else:
            inside[last] = draw(ODD)
    return held[""]


def as_json(value: Any) -> bytes:
    """JSON with everything that parsers take: NaN, numbers of thousands of digits, lone surrogates as escapes."""
    return json.dumps(value).encode().replace(b'"MANY DIGITS"', b"1" * 5000)


@st.composite
def frames(draw: st.DrawFn) -> bytes:
    """A stream of the service's, some frames changed, doubled, left out or put elsewhere."""
    lines = [line for line in draw(st.sampled_from(STREAMS)) if line.startswith("data: {")]
    whole = draw(st.lists(changed([json.loads(line[6:]) for line in lines] or [{}]), max_size=8))
    ends = draw(st.sampled_from([b"data: [DONE]\n\n", b"[DONE]", b""]))
    names = draw(st.sampled_from([b"", b"", b"event: error\n", b"event: x\n", b": c\n"]))
    return b"".join(b"%sdata: %s\n\n" % (names, as_json(frame)) for frame in whole) + ends


@st.composite
def damaged(draw: st.DrawFn, bodies: st.SearchStrategy[bytes]) -> bytes:
    """A body with bytes put in, taken out or flipped."""
    body = bytearray(draw(bodies))
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(body)))
        length, instead = draw(st.sampled_from([0, 1, 2, 40])), draw(st.binary(max_size=4))
        body[start : start + length] = instead
    return bytes(body)


WHOLE = changed(DOCUMENTS).map(as_json) | ODD.map(as_json)
BODIES = damaged(WHOLE) | damaged(frames()) | WHOLE | frames() | st.binary(max_size=200)
CUTS = st.lists(st.integers(0, 5000), max_size=6)
STATUSES = st.sampled_from([200, 200, 200, 201, 202, 204, 302, 400, 401, 404, 408, 413, 424, 429, 500, 503, 529, 599])
HEADERS = st.fixed_dictionaries(
    {"content-type": st.sampled_from(["application/json", "text/event-stream", "text/html", "", "a/b; charset=nope"])},
    optional={
        name: st.sampled_from(["", "0", "-1", "1e999", "nan", "9" * 5000, "{", "HIT", "gzip", "²", "Wed, 25 Nov 2026"])
        for name in (
            "retry-after",
            "cf-ai-neurons",
            "cf-aig-step",
            "cf-aig-cache-status",
            "cf-aig-dlp",
            "cf-aig-model",
            "cf-ray",
            "content-encoding",
        )
    },
)

# What is asked

NODES = [NodeWithScore(node=TextNode(text=text)) for text in "ab"]
LC, LI = langchain_workers_ai, llama_index_workers_ai


async def _all(items: Any) -> list[Any]:
    return [item async for item in (await items if asyncio.iscoroutine(items) else items)]


def tide(port: str) -> str:
    """The tide at a port."""
    return port


Ask = Callable[[dict[str, Any]], Any]
ASKED: dict[str, Ask] = {
    "chat": lambda c: Client(**c).chat("x", model=MODEL),
    "stream_chat": lambda c: list(Client(**c).stream_chat("x", model=MODEL)),
    "a thinking stream": lambda c: list(Client(**c).stream_chat("x", model=THINKS)),
    "embed": lambda c: Client(**c).embed(["a", "b"]),
    "rerank": lambda c: Client(**c).rerank("q", ["a", "b"]),
    "models": lambda c: Client(**c).models.list(),
    "queue": lambda c: Client(**c).queue.submit(["a", "b"], model="@cf/baai/bge-m3"),
    "logs": lambda c: list(GatewayLogs("docs", **c).list()),
    "LangChain invoke": lambda c: LC.ChatWorkersAI(model=MODEL, **c).bind_tools([tide], tool_choice="any").invoke("x"),
    "LangChain stream": lambda c: list(LC.ChatWorkersAI(model=MODEL, **c).bind_tools([tide]).stream("x")),
    "LangChain astream": lambda c: asyncio.run(_all(LC.ChatWorkersAI(model=THINKS, logprobs=True, **c).astream("x"))),
    "LangChain completion": lambda c: LC.WorkersAI(model=MODEL, **c).invoke("x"),
    "LangChain embeddings": lambda c: LC.WorkersAIEmbeddings(**c).embed_documents(["a", "b"]),
    "LangChain rerank": lambda c: LC.WorkersAIRerank(**c).compress_documents([Document("a"), Document("b")], "q"),
    "LlamaIndex chat": lambda c: LI.WorkersAI(model=MODEL, **c).chat([ChatMessage("x")], tools=[_tool()]),
    "LlamaIndex stream": lambda c: list(LI.WorkersAI(model=MODEL, **c).stream_chat([ChatMessage("x")])),
    "LlamaIndex astream": lambda c: asyncio.run(_all(LI.WorkersAI(model=THINKS, **c).astream_chat([ChatMessage("x")]))),
    "LlamaIndex embedding": lambda c: LI.WorkersAIEmbedding(**c).get_text_embedding_batch(["a", "b"]),
    "LlamaIndex rerank": lambda c: LI.WorkersAIRerank(**c).postprocess_nodes(NODES, query_str="q"),
}
OWN = (WorkersAIError, OutputParserException)
"""The family; and LangChain's own word for a parser that found nothing."""


def _tool() -> Any:
    from llama_index.core.tools import FunctionTool

    return FunctionTool.from_defaults(tide)


def asked(ask: Ask, status: int, headers: dict[str, str], body: bytes, cuts: Sequence[int]) -> Any:
    """What a way of asking makes of this reply."""

    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(status, headers={k: v.encode() for k, v in headers.items()}, stream=Pieces(body, cuts))

    transport = httpx.MockTransport(answer)
    clients = {
        "http_client": httpx.Client(transport=transport, trust_env=False),
        "http_async_client": httpx.AsyncClient(transport=transport, trust_env=False),
    }
    return ask({"account_id": "0" * 32, "api_token": "tok", "max_retries": 0, **clients})


@pytest.mark.filterwarnings("ignore::workers_ai.wire.cut_off.AnswerCutWarning")
@pytest.mark.parametrize("way", ASKED)
@given(status=STATUSES, headers=HEADERS, body=BODIES, cuts=CUTS)
def test_any_reply_is_an_answer_or_an_error_of_the_family(way, status, headers, body, cuts):
    with contextlib.suppress(*OWN):
        str(asked(ASKED[way], status, headers, body, cuts))


# What is well-formed gives its text back

TEXTS = st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=6)
FORMS: dict[str, Callable[[str], Any]] = {
    "native": lambda text: {"response": text},
    "native, padded": lambda text: {"response": text, "p": "abcdef"},
    "OpenAI's": lambda text: {"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]},
    "both in one": lambda text: {"response": text, "choices": [{"index": 0, "delta": {"content": text}}]},
    "as a completion": lambda text: {"choices": [{"index": 0, "text": text}]},
}
NOISE = st.sampled_from(
    [
        "",
        ": a comment",
        "id: 7",
        "retry: 10",
        "event: chunks\ndata: {}\n",
        'data: {"response": "", "p": "abc"}\n',
        'data: {"choices": []}\n',
        'data: {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}}\n',
        'data: {"choices": [{"index": 0, "delta": {"role": "assistant", "content": null}}]}\n',
        'data: {"tool_calls": [], "p": "x"}\n',
    ]
)
WIDE = st.booleans()
"""Whether JSON is written in ASCII or with every character as it is: U+2028 and U+0085 end no line."""


@st.composite
def told(draw: st.DrawFn) -> tuple[str, bytes]:
    """A text, and a stream that tells it."""
    texts, wide, end = draw(TEXTS), draw(WIDE), draw(st.sampled_from(["\n", "\r", "\r\n"]))
    lines: list[str] = []
    for text in texts:
        frame = json.dumps(FORMS[draw(st.sampled_from(sorted(FORMS)))](text), ensure_ascii=not wide)
        lines += [*draw(NOISE).split("\n"), "data:" + " " * draw(st.integers(0, 1)) + frame, ""]
    lines += draw(
        st.sampled_from([["data: [DONE]", "", ""], ["data: [DONE]"], ["[DONE]", ""], ["data: [DONE]", "", "x"]])
    )
    bom = draw(st.sampled_from([b"", b"\xef\xbb\xbf"]))
    return "".join(texts), bom + end.join(lines).encode()


def text_of_deltas(found: Any) -> str:
    return "".join(delta.text for delta in found)


def text_of_chunks(found: Any) -> str:
    whole = sum(found[1:], found[0])
    assert isinstance(whole, AIMessageChunk)
    return whole.text


TEXT_OF: dict[str, Callable[[Any], str]] = {
    "stream_chat": text_of_deltas,
    "LangChain stream": text_of_chunks,
    "LangChain astream": text_of_chunks,
    "LlamaIndex stream": lambda found: found[-1].message.content,
    "LlamaIndex astream": lambda found: "".join(item.delta for item in found),
}
STREAMED = {"content-type": "text/event-stream"}


def plainly(way: str) -> Ask:
    """A way to ask a model that says what it thinks apart: its tags would be no text."""
    return {
        "LangChain astream": lambda c: asyncio.run(_all(LC.ChatWorkersAI(model=MODEL, **c).astream("x"))),
        "LlamaIndex astream": lambda c: asyncio.run(
            _all(LI.WorkersAI(model=MODEL, **c).astream_chat([ChatMessage("x")]))
        ),
    }.get(way, ASKED[way])


@pytest.mark.parametrize("way", TEXT_OF)
@given(stream=told(), cuts=CUTS)
def test_a_stream_gives_the_text_that_was_put_in_wherever_it_is_cut(way, stream, cuts):
    text, body = stream
    assert TEXT_OF[way](asked(plainly(way), 200, STREAMED, body, cuts)) == text


@given(stream=told())
def test_and_cut_at_each_of_its_bytes(stream):
    text, body = stream
    for cut in range(1, len(body)):
        reader = stream_reader(Reading(MODEL))(Reply(200, STREAMED))
        deltas = [*reader.feed(body[:cut]), *reader.feed(body[cut:]), *reader.close()]
        assert text_of_deltas(deltas) == text


@given(stream=told(), cuts=CUTS)
def test_and_packed(stream, cuts):
    text, body = stream
    packed = {**STREAMED, "content-encoding": "gzip"}
    assert text_of_deltas(asked(ASKED["stream_chat"], 200, packed, gzip.compress(body), cuts)) == text


@given(text=st.text(min_size=1), wide=WIDE, form=st.sampled_from(["native", "OpenAI's"]), cuts=CUTS)
def test_an_answer_in_one_piece_gives_its_text(text, wide, form, cuts):
    native = {"success": True, "result": {"response": text}}
    document = native if form == "native" else {"choices": [{"message": {"content": text}, "finish_reason": "stop"}]}
    body = json.dumps(document, ensure_ascii=not wide).encode()
    found = asked(ASKED["chat"], 200, {"content-type": "application/json"}, body, cuts)
    assert found.text == text


@given(
    rows=st.lists(
        st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=3, max_size=3), min_size=2, max_size=2
    ),
    cuts=CUTS,
)
def test_vectors_come_as_they_were_sent(rows, cuts):
    body = json.dumps({"success": True, "result": {"shape": [2, 3], "data": rows}}).encode()
    assert asked(ASKED["embed"], 200, {"content-type": "application/json"}, body, cuts) == rows
