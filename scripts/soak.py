"""Many calls in one process, and what they leave behind: `make soak`.

    python scripts/soak.py [CALLS] [--warm-up CALLS] [--looks NUMBER] [--growth MIB]

Chats, streams read to their end and streams left early, embeddings and rankings, plain from eight threads and async
from eight tasks, by the core and by both frameworks, each with one object for all its calls. They go to the emulator
in another process, where one request in twenty meets a fault. After the warm-up the process holds a number of file
descriptors, threads and tasks; whenever all is quiet afterwards it must hold as many, and at most 5 MiB more of memory.
Every request that was made must have been seen by the emulator, and no other. Ends with 1 where any of this is not so.

Descriptors and memory are read from /proc: elsewhere they are not looked at.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import gc
import itertools
import logging
import multiprocessing
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, closing, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from langchain_core.documents import Document
from llama_index.core.llms import ChatMessage
from llama_index.core.schema import NodeWithScore, TextNode

import langchain_workers_ai
import llama_index_workers_ai
import workers_ai.pool
from workers_ai import Client, WorkersAIError
from workers_ai.local import LocalServer

CALLS, WARM_UP = 20_000, 2_000
LOOKS, GROWTH = 4, 5.0
"""How often it is looked after the warm-up, and the MiB of memory that may have come to it."""

AT_ONCE = 8
"""Threads, and tasks."""

FAULTS = "429=0 3040=0 500 502 reset-before close-before reset-inside half-body cut cut-reset error-frame split".split()
ONE_IN = 20
MODEL = "@cf/meta/llama-3.2-3b-instruct"
ASKED, TEXTS = "Count to 12", [f"harbour {number}" for number in range(8)]
MESSAGES = [ChatMessage(ASKED)]
NODES = [NodeWithScore(node=TextNode(text=text)) for text in TEXTS]
DOCUMENTS = [Document(text) for text in TEXTS]
PROC = Path("/proc/self")
PATIENCE = 60.0

# The emulator


def emulate(pipe: Connection) -> None:
    """The emulator in a process of its own: tells where it is, and, when asked, how many requests it has seen."""
    faults = [f"{name}/{ONE_IN * len(FAULTS)}" for name in FAULTS]
    logging.getLogger("asyncio").setLevel(logging.ERROR)  # it tells of readers that have gone
    with LocalServer(faults=faults) as server:
        pipe.send({"account_id": server.account_id, "api_token": server.api_token, "base_url": server.base_url})
        seen = 0
        while pipe.recv() is not None:
            seen += len(server.requests)
            server.clear()
            pipe.send(seen)


@dataclass(frozen=True)
class Emulator:
    """The other process, and the way to it."""

    process: Any
    pipe: Any

    @classmethod
    def start(cls) -> Emulator:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=emulate, args=(theirs,), daemon=True)
        process.start()
        theirs.close()
        return cls(process, ours)

    def told(self) -> Any:
        if not self.pipe.poll(PATIENCE):
            raise TimeoutError("the emulator does not answer")
        return self.pipe.recv()

    def seen(self) -> int:
        """Requests that have reached it."""
        self.pipe.send("seen")
        return int(self.told())

    def stop(self) -> None:
        self.pipe.send(None)
        self.process.join(PATIENCE)
        self.pipe.close()


# The calls


def left(items: Any) -> None:
    with closing(items):
        next(iter(items))


async def aleft(items: Any) -> None:
    async with aclosing(await items if asyncio.iscoroutine(items) else items) as opened:
        await anext(opened)


def dropped(items: Any) -> None:
    for _ in items:
        break


async def adropped(items: Any) -> None:
    async for _ in await items if asyncio.iscoroutine(items) else items:
        break


async def read(items: Any) -> None:
    async for _ in await items if asyncio.iscoroutine(items) else items:
        pass


async def cancelled(items: Any) -> None:
    """Read by a task that is cancelled in the midst of it."""
    begun = asyncio.Event()

    async def reading() -> None:
        async for _ in await items if asyncio.iscoroutine(items) else items:
            begun.set()

    task = asyncio.ensure_future(reading())
    waiting = asyncio.ensure_future(begun.wait())
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    task.cancel()
    found = (await asyncio.gather(task, waiting, return_exceptions=True))[0]
    if isinstance(found, Exception):
        raise found


def calls_of(where: dict[str, Any]) -> tuple[list[Callable[[], Any]], list[Callable[[], Awaitable[Any]]]]:
    """What is asked, plain and async. One object of each class serves all."""
    client = Client(**where)
    chat = langchain_workers_ai.ChatWorkersAI(model=MODEL, **where)
    completion = langchain_workers_ai.WorkersAI(model=MODEL, **where)
    embeddings = langchain_workers_ai.WorkersAIEmbeddings(**where)
    rerank = langchain_workers_ai.WorkersAIRerank(**where)
    llm = llama_index_workers_ai.WorkersAI(model=MODEL, **where)
    embedding = llama_index_workers_ai.WorkersAIEmbedding(**where)
    postprocessor = llama_index_workers_ai.WorkersAIRerank(**where)
    plain = [
        lambda: client.chat(ASKED, model=MODEL),
        lambda: list(client.stream_chat(ASKED, model=MODEL)),
        lambda: left(client.stream_chat(ASKED, model=MODEL)),
        lambda: client.embed(TEXTS),
        lambda: client.rerank("Which?", TEXTS),
        lambda: chat.invoke(ASKED),
        lambda: list(chat.stream(ASKED)),
        lambda: left(chat.stream(ASKED)),
        lambda: dropped(chat.stream(ASKED)),
        lambda: completion.invoke(ASKED),
        lambda: embeddings.embed_documents(TEXTS),
        lambda: rerank.compress_documents(DOCUMENTS, "Which?"),
        lambda: llm.chat(MESSAGES),
        lambda: list(llm.stream_chat(MESSAGES)),
        lambda: left(llm.stream_chat(MESSAGES)),
        lambda: dropped(llm.stream_complete(ASKED)),
        lambda: embedding.get_text_embedding_batch(TEXTS),
        lambda: postprocessor.postprocess_nodes(NODES, query_str="Which?"),
        lambda: asyncio.run(read(client.astream_chat(ASKED, model=MODEL))),  # a loop of its own
        lambda: asyncio.run(adropped(llm.astream_chat(MESSAGES))),
    ]
    later: list[Callable[[], Awaitable[Any]]] = [
        lambda: client.achat(ASKED, model=MODEL),
        lambda: read(client.astream_chat(ASKED, model=MODEL)),
        lambda: aleft(client.astream_chat(ASKED, model=MODEL)),
        lambda: cancelled(client.astream_chat(ASKED, model=MODEL)),
        lambda: client.aembed(TEXTS),
        lambda: client.arerank("Which?", TEXTS),
        lambda: chat.ainvoke(ASKED),
        lambda: read(chat.astream(ASKED)),
        lambda: aleft(chat.astream(ASKED)),
        lambda: adropped(chat.astream(ASKED)),
        lambda: cancelled(chat.astream(ASKED)),
        lambda: embeddings.aembed_documents(TEXTS),
        lambda: rerank.acompress_documents(DOCUMENTS, "Which?"),
        lambda: llm.achat(MESSAGES),
        lambda: read(llm.astream_chat(MESSAGES)),
        lambda: aleft(llm.astream_chat(MESSAGES)),
        lambda: adropped(llm.astream_complete(ASKED)),
        lambda: cancelled(llm.astream_chat(MESSAGES)),
        lambda: embedding.aget_text_embedding_batch(TEXTS),
        lambda: postprocessor.apostprocess_nodes(NODES, query_str="Which?"),
    ]
    return plain, later


class Requests(logging.Handler):
    """Counts the requests that were made: one record of the log for each."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.made = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.made += hasattr(record, "duration")  # under the handler's lock


# What is held


@dataclass(frozen=True)
class Held:
    """What the process holds while all is quiet. None: not known on this system."""

    descriptors: int | None
    threads: int
    tasks: int
    memory: int | None

    @classmethod
    def now(cls, loop: asyncio.AbstractEventLoop) -> Held:
        gc.collect()
        _trim()
        known = (PROC / "statm").exists()
        pages = int((PROC / "statm").read_text().split()[1]) if known else 0
        return cls(
            descriptors=len(os.listdir(PROC / "fd")) if known else None,
            threads=threading.active_count(),
            tasks=len(asyncio.all_tasks(loop)),
            memory=pages * os.sysconf("SC_PAGE_SIZE") if known else None,
        )

    def __str__(self) -> str:
        memory = "" if self.memory is None else f", {self.memory / 2**20:.1f} MiB"
        return f"{self.descriptors} descriptors, {self.threads} threads, {self.tasks} tasks{memory}"


def _trim() -> None:
    """Has the C library give back what it keeps of freed memory: it keeps some for each thread, more with time."""
    with suppress(AttributeError, OSError):  # glibc's own
        ctypes.CDLL(None).malloc_trim(0)


class Soak:
    """The process that makes the calls. Its threads and its event loop live from the first call to the last."""

    def __init__(self, where: dict[str, Any]) -> None:
        self.outcomes: Counter[str] = Counter()
        self.broken: list[BaseException] = []
        self._plain, self._later = (itertools.cycle(calls) for calls in calls_of(where))
        self._threads = ThreadPoolExecutor(AT_ONCE)
        self._loop = asyncio.new_event_loop()
        self._runner = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._runner.start()
        self._client = Client(**where, max_retries=5)

    def call(self, count: int) -> None:
        """Makes so many calls, half of them async, and waits until none is under way."""
        plain = list(itertools.islice(self._plain, count // 2))
        later = itertools.islice(self._later, count - count // 2)
        running = asyncio.run_coroutine_threadsafe(self._all(later), self._loop)
        list(self._threads.map(self._plainly, plain))
        running.result()

    def quiet(self) -> Held:
        """What is held once idle connections are over their time, and one of each kind is left."""
        time.sleep(workers_ai.pool.KEEP_ALIVE_SECONDS * 2)
        self._client.embed(["a"])  # the pools look at idle connections when they are used
        asyncio.run_coroutine_threadsafe(self._client.aembed(["a"]), self._loop).result(PATIENCE)
        time.sleep(0.2)
        return Held.now(self._loop)

    def close(self) -> None:
        workers_ai.close_all()
        asyncio.run_coroutine_threadsafe(self._loop.shutdown_asyncgens(), self._loop).result(PATIENCE)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._runner.join(PATIENCE)
        self._loop.close()
        self._threads.shutdown()

    def _plainly(self, call: Callable[[], Any]) -> None:
        try:
            call()
        except Exception as raised:  # noqa: BLE001 - what it was is looked at
            self._failed(raised)
        else:
            self.outcomes["answered"] += 1

    async def _all(self, calls: Iterator[Callable[[], Awaitable[Any]]]) -> None:
        await asyncio.gather(*(self._one_by_one(calls) for _ in range(AT_ONCE)))

    async def _one_by_one(self, calls: Iterator[Callable[[], Awaitable[Any]]]) -> None:
        for call in calls:
            try:
                await call()
            except Exception as raised:  # noqa: BLE001 - what it was is looked at
                self._failed(raised)
            else:
                self.outcomes["answered"] += 1

    def _failed(self, raised: Exception) -> None:
        self.outcomes[type(raised).__name__] += 1
        if not isinstance(raised, WorkersAIError):
            self.broken.append(raised)


def complaints(first: Held, then: Held, growth: float) -> list[str]:
    """What `then` holds that `first` did not. growth: MiB that it may."""
    found = [
        f"{name}: {getattr(first, name)} became {getattr(then, name)}"
        for name in ("descriptors", "threads", "tasks")
        if getattr(first, name) != getattr(then, name)
    ]
    if first.memory is not None and then.memory is not None:
        more = (then.memory - first.memory) / 2**20
        found += [f"memory: {more:.1f} MiB more"] if more > growth else []
    return found


def run(calls: int, *, warm_up: int, looks: int, growth: float) -> list[str]:
    """Makes the calls and says what is held; gives what is wrong with it."""
    workers_ai.pool.KEEP_ALIVE_SECONDS = 1.0  # so that idle connections need not be waited for
    log, requests = logging.getLogger("workers_ai.transport"), Requests()
    log.addHandler(requests)
    log.setLevel(logging.DEBUG)
    log.propagate = False
    emulator = Emulator.start()
    began, wrong, soak = time.monotonic(), [], Soak(emulator.told())
    try:
        soak.call(warm_up)
        first = soak.quiet()
        print(f"{warm_up:>6} calls: {first}", flush=True)
        done = warm_up
        for look in range(1, looks + 1):
            upto = warm_up + (calls - warm_up) * look // looks
            soak.call(upto - done)
            done, then = upto, soak.quiet()
            print(f"{done:>6} calls: {then}", flush=True)
            wrong += complaints(first, then, growth)
        made, seen = requests.made, emulator.seen()
        print(f"requests: {made} made, {seen} seen by the emulator; {time.monotonic() - began:.0f} s")
        print("calls: " + ", ".join(f"{count} {name}" for name, count in soak.outcomes.most_common()))
    finally:
        soak.close()
        emulator.stop()
    if made != seen:
        wrong.append(f"{made} requests were made and {seen} were seen")
    if not 0 < calls - soak.outcomes["answered"] < calls / 10:
        wrong.append("the share of calls that failed is not what the faults make it")
    return wrong + [f"no error of the family: {raised!r}" for raised in soak.broken[:5]]


def main() -> int:
    """0 where nothing is wrong."""
    parser = argparse.ArgumentParser(description="Many calls in one process, and what they leave behind.")
    parser.add_argument("calls", type=int, nargs="?", default=CALLS)
    parser.add_argument("--warm-up", type=int, default=WARM_UP)
    parser.add_argument("--looks", type=int, default=LOOKS)
    parser.add_argument("--growth", type=float, default=GROWTH, help="MiB of memory, %(default)s")
    arguments = parser.parse_args()
    if not 0 < arguments.warm_up < arguments.calls:
        parser.error("fewer calls to warm up than calls")
    wrong = run(arguments.calls, warm_up=arguments.warm_up, looks=arguments.looks, growth=arguments.growth)
    for line in wrong:
        print(f"WRONG: {line}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
