"""What users do with embeddings in LlamaIndex: ingestion, caches, batches and connections, against the emulator.

The numbers are those of the behaviours that the package promises; `test_llama_index_behaviours.py` has the first ones.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from llama_index.core import Document, VectorStoreIndex
from llama_index.core.ingestion import IngestionCache, IngestionPipeline
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.schema import NodeWithScore, TextNode
from llama_index.core.storage.kvstore import SimpleKVStore

from llama_index_workers_ai import InvalidResponseError, WorkersAI, WorkersAIEmbedding, WorkersAIRerank
from workers_ai.local import LocalServer

ROOT = Path(__file__).parents[2]
FACTS = ["The lighthouse was built in 1871.", "Rye bread keeps for eleven days.", "The ferry leaves at seven."]
QWEN = "@cf/qwen/qwen3-embedding-0.6b"

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the framework's own


@pytest.fixture
def connection(emulator: LocalServer) -> dict[str, Any]:
    emulator.clear()
    return {"account_id": emulator.account_id, "api_token": emulator.api_token, "base_url": emulator.base_url}


def sizes(emulator: LocalServer) -> list[int]:
    """Texts in each embedding request so far."""
    bodies = [request.json for request in emulator.requests]
    return [len(body.get("text") or body.get("documents")) for body in bodies if "messages" not in body]


# 15: retrieve ten, keep three


@pytest.mark.parametrize("way", ["plain", "async"])
async def test_ten_are_retrieved_and_the_best_three_kept_by_one_request_more(connection, emulator, way):
    embedding, reranker = WorkersAIEmbedding(**connection), WorkersAIRerank(top_n=3, **connection)
    texts = [*FACTS, *(f"Page {number} of the harbour's rules." for number in range(12))]
    index = VectorStoreIndex([TextNode(text=text) for text in texts], embed_model=embedding)
    retriever, question = index.as_retriever(similarity_top_k=10), "When was the lighthouse built?"
    found = retriever.retrieve(question) if way == "plain" else await retriever.aretrieve(question)
    before = [(each.node_id, each.score) for each in found]
    emulator.clear()
    if way == "plain":
        best = reranker.postprocess_nodes(found, query_str=question)
    else:
        best = await reranker.apostprocess_nodes(found, query_str=question)
    assert (len(found), len(best), len(emulator.requests)) == (10, 3, 1)
    assert best[0].text == FACTS[0]
    assert [each.score for each in best] == sorted((each.score for each in best), reverse=True)
    assert [(each.node_id, each.score) for each in found] == before, "what was retrieved is as it was"


# 16: worker processes


def test_a_pipeline_embeds_in_two_processes_without_a_word_of_complaint(emulator):
    """Plain and async, both by spawn: the token goes to the workers in the pickle, and nothing else has it."""
    account = {"CLOUDFLARE_ACCOUNT_ID": emulator.account_id, "CLOUDFLARE_BASE_URL": emulator.base_url}
    environment = {**os.environ, **account, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, str(Path(__file__).parent / "ingest_in_workers.py"), emulator.api_token],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=150,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["plain"] == told["async"] == told["expected"]
    assert len(told["texts"]) == 6
    ours = [line for line in done.stderr.splitlines() if "workers_ai" in line or "WARNING" in line]
    assert ours == []


# 17: the ingestion cache


@pytest.mark.parametrize("way", ["run", "arun"])
async def test_a_second_run_makes_no_request_though_the_token_is_new(connection, emulator, tmp_path, way):
    """The cache is saved and read again by another program, which has another token."""
    documents = [Document(text=f"The ferry number {number} leaves at seven.") for number in range(5)]

    async def ingest(pipeline: IngestionPipeline) -> list[Any]:
        found = getattr(pipeline, way)(documents=documents)
        nodes = await found if way == "arun" else found
        return [node.embedding for node in nodes]

    first = IngestionPipeline(
        transformations=[SentenceSplitter(), WorkersAIEmbedding(**connection)], cache=IngestionCache()
    )
    rows = await ingest(first)
    assert sizes(emulator) == [5]
    first.persist(str(tmp_path))

    other = {**connection, "api_token": "a token that the service would refuse"}
    second = IngestionPipeline(transformations=[SentenceSplitter(), WorkersAIEmbedding(**other)])
    second.load(str(tmp_path))
    assert await ingest(second) == rows
    assert sizes(emulator) == [5]


def test_another_pooling_is_not_answered_from_the_cache(connection, emulator):
    """What the model itself decides is a part of the key: its own pooling, said or unsaid, is one."""
    cache, nodes = IngestionCache(), [TextNode(text="The ferry.", id_="one")]
    base = {"model": "@cf/baai/bge-base-en-v1.5", **connection}
    for arguments in ({}, {"pooling": "cls"}, {"pooling": "cls"}):
        embedding = WorkersAIEmbedding(**base, **arguments)
        IngestionPipeline(transformations=[embedding], cache=cache).run(nodes=[node.model_copy() for node in nodes])
    assert sizes(emulator) == [1, 1]


def test_a_cache_of_vectors_serves_after_the_token_has_changed(connection, emulator):
    store = SimpleKVStore()
    rows = WorkersAIEmbedding(embeddings_cache=store, **connection).get_text_embedding_batch(["one", "two"])
    other = WorkersAIEmbedding(embeddings_cache=store, **{**connection, "api_token": "another"})
    assert other.get_text_embedding_batch(["one", "two"]) == rows
    assert sizes(emulator) == [2]


# 18: batches


@pytest.mark.parametrize("way", ["get", "aget"])
@pytest.mark.parametrize(("model", "cut"), [("@cf/baai/bge-m3", [100, 100, 50]), (QWEN, [32] * 7 + [26])])
async def test_250_texts_go_out_in_the_fewest_requests_and_come_back_in_order(connection, emulator, way, model, cut):
    texts = [f"text number {number}" for number in range(250)]
    embedding = WorkersAIEmbedding(model=model, **connection)
    rows = await embedded(embedding, texts, way)
    assert sorted(sizes(emulator), reverse=True) == cut
    assert [rows[place] for place in (0, 120, 249)] == [
        embedding.get_text_embedding(texts[place]) for place in (0, 120, 249)
    ]


@pytest.mark.parametrize("way", ["get", "aget"])
async def test_texts_that_are_too_many_together_are_halved_and_come_back_in_order(connection, emulator, way):
    texts = [f"{number} " + "1a" * 1400 for number in range(30)]  # more tokens than one would think
    embedding = WorkersAIEmbedding(**connection)
    rows = await embedded(embedding, texts, way)
    assert sorted(sizes(emulator)) == [15, 15, 30]
    assert rows[29] == embedding.get_text_embedding(texts[29])


@pytest.mark.parametrize("way", ["get", "aget"])
async def test_a_wrong_count_of_vectors_is_an_error(way):
    def short(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"success": True, "result": {"data": [[1.0, 0.0]]}})

    embedding = WorkersAIEmbedding(
        account_id="0" * 32,
        api_token="x",
        http_client=httpx.Client(transport=httpx.MockTransport(short)),
        http_async_client=httpx.AsyncClient(transport=httpx.MockTransport(short)),
    )
    with pytest.raises(InvalidResponseError, match="2 vectors"):
        await embedded(embedding, ["a", "b"], way)


async def embedded(embedding: WorkersAIEmbedding, texts: list[str], way: str) -> list[list[float]]:
    found = getattr(embedding, f"{way}_text_embedding_batch")(texts)
    return await found if way == "aget" else found


# 19: connections


class Proxy:
    """Between a client and the emulator: counts connections, and how many requests are under way."""

    def __init__(self, upstream: str) -> None:
        self.upstream = httpx.URL(upstream)
        self.connections = 0

    async def __aenter__(self) -> Proxy:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    @property
    def base_url(self) -> str:
        port = self._server.sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}{self.upstream.path}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        out, back = await asyncio.open_connection(self.upstream.host, self.upstream.port)
        await asyncio.gather(_pump(reader, back), _pump(out, writer))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while piece := await asyncio.wait_for(reader.read(65536), 60):
            writer.write(piece)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


async def test_twenty_async_calls_in_a_row_share_one_connection(connection):
    async with asyncio.timeout(60), Proxy(connection["base_url"]) as proxy:
        embedding = WorkersAIEmbedding(**{**connection, "base_url": proxy.base_url})
        for number in range(20):
            await embedding.aget_text_embedding(f"text {number}")
        assert proxy.connections == 1


async def test_model_embedding_and_reranker_share_one_pool(connection):
    async with asyncio.timeout(60), Proxy(connection["base_url"]) as proxy:
        told = {**connection, "base_url": proxy.base_url}
        embedding, llm, reranker = WorkersAIEmbedding(**told), WorkersAI(**told), WorkersAIRerank(**told)
        await embedding.aget_text_embedding("The ferry leaves at seven.")
        await llm.acomplete("Hello")
        nodes = [NodeWithScore(node=TextNode(text=text)) for text in FACTS]
        await reranker.apostprocess_nodes(nodes, query_str="When does the ferry leave?")
        assert proxy.connections == 1


async def test_many_requests_use_as_many_connections_as_may_be_in_flight(connection):
    async with asyncio.timeout(60), Proxy(connection["base_url"]) as proxy:
        told = {**connection, "base_url": proxy.base_url}
        embedding = WorkersAIEmbedding(embed_batch_size=2, num_workers=4, **told)
        await embedding.aget_text_embedding_batch([f"text {number}" for number in range(60)])
        assert proxy.connections <= 4


# An index of both


async def test_an_index_is_built_and_asked_plain_and_async(connection):
    embedding = WorkersAIEmbedding(**connection)
    nodes = [TextNode(text=text) for text in FACTS]
    index = VectorStoreIndex(nodes, embed_model=embedding, show_progress=True)
    retriever = index.as_retriever(similarity_top_k=1)
    assert retriever.retrieve("When was the lighthouse built?")[0].text == FACTS[0]
    assert (await retriever.aretrieve("How long does bread keep?"))[0].text == FACTS[1]
