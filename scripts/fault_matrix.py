"""Every fault of the emulator, on every call of both adapters: what comes of it, and after how many requests.

`python scripts/fault_matrix.py` prints the tables; `--write` puts them into docs/faults.md too. Nothing in them is
written down in advance: each cell is a call on a server of its own. The pauses between attempts are counted and not
slept, and silence is met with short time-outs, so a run takes seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import httpx
from langchain_core.documents import Document
from llama_index.core.llms import ChatMessage
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode

import langchain_workers_ai as langchain
import llama_index_workers_ai as llama_index
from workers_ai import WorkersAIError
from workers_ai.local import LocalServer
from workers_ai.local.faults import NAMES
from workers_ai.retry import RetryPolicy

PAGE = Path(__file__).parents[1] / "docs" / "faults.md"
BEGIN, END = "<!-- made by `make faults` -->", "<!-- end of what `make faults` made -->"

CALLS = ("invoke", "ainvoke", "stream", "astream", "embed", "aembed", "rerank")
FRAMEWORKS = ("LangChain", "LlamaIndex")
CHAT, EMBED, RERANK = "@cf/google/gemma-4-26b-a4b-it", "@cf/baai/bge-small-en-v1.5", "@cf/baai/bge-reranker-base"
QUESTION = "Reply exactly with: the tide turns at four"
TEXTS = ("tides", "ferries", "lamps")

# Nobody listens: that is no answer to a request, so it has no place among the named ones.
NOBODY = "nobody-listens"
# The number behind a name where its default would be too long or would not show.
NUMBERS = {"slow-first-byte": "0.02", "slow-drip": "0.001", "429": "2", "error-frame": "0"}
# Beside the named ones: the same with another number.
MORE = ("429=3600", "error-frame=2", "error-frame-busy=2", "cut=0", "cut=2")
# Left out: `status` is any refusal, and a port that is closed by the clock would make this depend on it.
LEFT_OUT = {"status", "refused"}
# Seconds without a byte, where silence is the fault; long enough for the half of an answer that comes before.
PATIENCE = {"silence": 0.6, "silence-inside": 1.0}


def rows() -> list[str]:
    """The faults in the order of the tables, with their numbers."""
    named = [f"{name}={NUMBERS[name]}" if name in NUMBERS else name for name in NAMES if name not in LEFT_OUT]
    return [NOBODY, *sorted({*named, *MORE}, key=_place)]


def _place(fault: str) -> tuple[int, float]:
    name, sign, number = fault.partition("=")
    return list(NAMES).index(name), float(number) if sign else -1


@dataclass(frozen=True)
class Unslept(RetryPolicy):
    """A policy that decides as any other and does not wait.

    pauses: what it would have waited, in seconds. on_pause: what happens meanwhile.
    """

    pauses: list[float] = field(default_factory=list)
    on_pause: list[Callable[[], None]] = field(default_factory=list)

    def delay(self, attempt: int, error: WorkersAIError, *, draw: float, now: float) -> float | None:
        pause = super().delay(attempt, error, draw=draw, now=now)
        if pause is None:
            return None
        self.pauses.append(pause)
        for happens in self.on_pause:
            happens()
        return 0.0


@dataclass(frozen=True)
class Outcome:
    """What came of one call.

    requests: that were made. pauses: what lay between them, in seconds, had they been slept. error: the class of the
    family, None where an answer came; `told` is the error itself. answer: how it compares to that of a call that meets
    no fault: "right", "right, no usage", "empty", or "WRONG".
    """

    requests: int
    pauses: tuple[float, ...] = ()
    error: str | None = None
    told: WorkersAIError | None = field(default=None, compare=False, repr=False)
    answer: str = ""

    def __str__(self) -> str:
        return (self.error or self.answer) + (f" ×{self.requests}" if self.requests != 1 else "")


@dataclass(frozen=True)
class Said:
    """An answer, as far as it can be compared: without ids and times."""

    content: Any
    usage: tuple[int, int] | None = (0, 0)


class Caller:
    """The calls of one framework. Each makes an object of its own, so nothing is left of the call before."""

    def __init__(self, server: LocalServer, *, timeout: float | None) -> None:
        self._options: dict[str, Any] = {
            "account_id": server.account_id,
            "api_token": server.api_token,
            "base_url": server.base_url,
            "timeout": httpx.Timeout(30) if timeout is None else httpx.Timeout(30, read=timeout),
        }
        self.policy = Unslept()

    def made(self, kind: Any, model: str) -> Any:
        """An object of a class, whose pauses are not slept."""
        made = kind(model=model, **self._options)
        made._transport.retry = self.policy
        return made

    def call(self, name: str) -> Said:
        """What the call of this name says."""
        found = getattr(self, name)()
        return found if isinstance(found, Said) else asyncio.run(found)


class LangChain(Caller):
    """The calls on LangChain's classes."""

    def invoke(self) -> Said:
        return self._said(self.made(langchain.ChatWorkersAI, CHAT).invoke(QUESTION))

    async def ainvoke(self) -> Said:
        return self._said(await self.made(langchain.ChatWorkersAI, CHAT).ainvoke(QUESTION))

    def stream(self) -> Said:
        chunks = list(self.made(langchain.ChatWorkersAI, CHAT).stream(QUESTION))
        return self._said(sum(chunks[1:], chunks[0]))

    async def astream(self) -> Said:
        chunks = [chunk async for chunk in self.made(langchain.ChatWorkersAI, CHAT).astream(QUESTION)]
        return self._said(sum(chunks[1:], chunks[0]))

    def embed(self) -> Said:
        return Said(self.made(langchain.WorkersAIEmbeddings, EMBED).embed_documents(list(TEXTS)))

    async def aembed(self) -> Said:
        return Said(await self.made(langchain.WorkersAIEmbeddings, EMBED).aembed_documents(list(TEXTS)))

    def rerank(self) -> Said:
        documents = [Document(text) for text in TEXTS]
        ranked = self.made(langchain.WorkersAIRerank, RERANK).compress_documents(documents, "ferries")
        return Said([document.page_content for document in ranked])

    @staticmethod
    def _said(message: Any) -> Said:
        usage = message.usage_metadata
        return Said(message.content, (usage["input_tokens"], usage["output_tokens"]) if usage else None)


class LlamaIndex(Caller):
    """The calls on LlamaIndex's classes."""

    def invoke(self) -> Said:
        return self._said(self._llm().chat([ChatMessage(QUESTION)]))

    async def ainvoke(self) -> Said:
        return self._said(await self._llm().achat([ChatMessage(QUESTION)]))

    def stream(self) -> Said:
        return self._said(list(self._llm().stream_chat([ChatMessage(QUESTION)]))[-1])

    async def astream(self) -> Said:
        stream = await self._llm().astream_chat([ChatMessage(QUESTION)])
        return self._said([response async for response in stream][-1])

    def embed(self) -> Said:
        return Said(self.made(llama_index.WorkersAIEmbedding, EMBED).get_text_embedding_batch(list(TEXTS)))

    async def aembed(self) -> Said:
        return Said(await self.made(llama_index.WorkersAIEmbedding, EMBED).aget_text_embedding_batch(list(TEXTS)))

    def rerank(self) -> Said:
        nodes = [NodeWithScore(node=TextNode(text=text)) for text in TEXTS]
        reranker = self.made(llama_index.WorkersAIRerank, RERANK)
        ranked = reranker.postprocess_nodes(nodes, query_bundle=QueryBundle("ferries"))
        return Said([node.text for node in ranked])

    def _llm(self) -> Any:
        return self.made(llama_index.WorkersAI, CHAT)

    @staticmethod
    def _said(response: Any) -> Said:
        told = response.additional_kwargs
        usage = (told["prompt_tokens"], told["completion_tokens"]) if "prompt_tokens" in told else None
        return Said(response.message.content, usage)


CALLERS: Mapping[str, type[Caller]] = {"LangChain": LangChain, "LlamaIndex": LlamaIndex}


def outcome(server: LocalServer, framework: str, call: str, fault: str, *, lasting: bool) -> Outcome:
    """What comes of one call that meets `fault`, once or each time."""
    server.faults.clear()
    server.clear()
    caller = CALLERS[framework](server, timeout=PATIENCE.get(fault))
    with ExitStack() as stack:
        if fault == NOBODY:
            away = stack.enter_context(ExitStack())
            away.enter_context(server.refusing())
            if not lasting:
                caller.policy.on_pause.append(away.close)
        else:
            server.faults.next(f"{fault}*" if lasting else fault)
        try:
            said = caller.call(call)
        except WorkersAIError as error:
            return replace(_counted(server, caller, fault), error=_family(error), told=error)
    return replace(_counted(server, caller, fault), answer=_compared(said, unharmed(framework, call)))


def _counted(server: LocalServer, caller: Caller, fault: str) -> Outcome:
    pauses = tuple(caller.policy.pauses)
    # Of requests that nobody took only the pauses between them tell.
    return Outcome(len(pauses) + 1 if fault == NOBODY else len(server.requests), pauses)


def _compared(said: Said, plain: Said) -> str:
    if said.content == plain.content:
        return "right" if said.usage == plain.usage else "right, no usage" if said.usage is None else "WRONG usage"
    return "WRONG" if said.content else "empty"


@cache
def unharmed(framework: str, call: str) -> Said:
    """What the call says that meets no fault."""
    with LocalServer() as server:
        return CALLERS[framework](server, timeout=None).call(call)


def _family(error: WorkersAIError) -> str:
    """The name of the class that the family has for it; the adapters' own are its subclasses."""
    return next(kind.__name__ for kind in type(error).__mro__ if kind.__module__ == "workers_ai.errors")


Row = Mapping[tuple[str, str], Outcome]
"""Outcomes by framework and call."""


def row(fault: str, *, lasting: bool) -> Row:
    """The outcomes of all calls in both frameworks; the calls that wait, all at once."""

    def alone(place: tuple[str, str]) -> Outcome:
        with LocalServer() as own:
            return outcome(own, *place, fault, lasting=lasting)

    places = [(framework, call) for call in CALLS for framework in FRAMEWORKS]
    if fault in PATIENCE:
        with ThreadPoolExecutor(len(places)) as pool:
            return dict(zip(places, pool.map(alone, places), strict=True))
    with LocalServer() as server:
        return {place: outcome(server, *place, fault, lasting=lasting) for place in places}


def table(*, lasting: bool) -> list[tuple[str, Row]]:
    """All rows in their order. Several are at work at a time: many of them wait."""
    with ThreadPoolExecutor(4) as pool:
        return list(zip(rows(), pool.map(lambda fault: row(fault, lasting=lasting), rows()), strict=True))


def cells(found: Row) -> list[str]:
    """One text a call; where the frameworks differ, both."""
    return [" / ".join(dict.fromkeys(str(found[framework, call]) for framework in FRAMEWORKS)) for call in CALLS]


def facts(found: Row) -> str:
    """Status and code of the errors in a row, as far as the service told any."""
    told = [each.told for each in found.values() if each.told is not None]
    numbers = {f"{error.status or '-'}, {error.code or '-'}" for error in told}
    return "; ".join(sorted(numbers - {"-, -"})) or ""


def document(tables: Mapping[bool, list[tuple[str, Row]]]) -> str:
    """The tables in Markdown."""
    parts = []
    for lasting, title in ((True, "A fault that lasts"), (False, "A fault that passes: the next request is answered")):
        lines = [f"### {title}", "", f"| fault | status, code | {' | '.join(CALLS)} |", "|" + "---|" * (len(CALLS) + 2)]
        lines += [f"| `{fault}` | {facts(found)} | {' | '.join(cells(found))} |" for fault, found in tables[lasting]]
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def plain(tables: Mapping[bool, list[tuple[str, Row]]]) -> str:
    """The tables for a terminal."""
    parts = []
    for lasting, title in ((True, "A fault that lasts"), (False, "A fault that passes")):
        lines = [["fault", "status, code", *CALLS]]
        lines += [[fault, facts(found), *cells(found)] for fault, found in tables[lasting]]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        shown = ["  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)) for line in lines]
        parts.append("\n".join([title, "", *(line.rstrip() for line in shown)]))
    return "\n\n".join(parts)


def names() -> str:
    """The list of the faults, in Markdown."""
    lines = ["| name | number | what happens |", "|---|---|---|"]
    lines += [f"| `{name}` | {fault.number or ''} | {fault.told} |" for name, fault in NAMES.items()]
    return "\n".join(lines)


def put_into(text: str, made: str) -> str:
    """The page with its made part exchanged."""
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n\n{made}\n\n{END}{tail}"


def main() -> int:
    """Exit code 1 where an answer was wrong, or the frameworks do not agree."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--write", action="store_true", help="put the tables into docs/faults.md")
    wanted = parser.parse_args()
    tables = {lasting: table(lasting=lasting) for lasting in (True, False)}
    print(plain(tables))
    if wanted.write:
        made = f"## Names\n\n{names()}\n\n## Outcomes\n\n{document(tables)}"
        PAGE.write_text(put_into(PAGE.read_text(encoding="utf-8"), made), encoding="utf-8")
    odd = [
        fault
        for each in tables.values()
        for fault, found in each
        if any("WRONG" in c or " / " in c for c in cells(found))
    ]
    if odd:
        print(f"\nNot as it should be: {', '.join(dict.fromkeys(odd))}", file=sys.stderr)
    return 1 if odd else 0


if __name__ == "__main__":
    raise SystemExit(main())
