"""A program that embeds nodes in two worker processes, twice: run by `test_llama_index_ingestion.py`.

Prints what came out as JSON. Whatever it, its workers or a log has to complain of stands on stderr.
"""

from __future__ import annotations

import asyncio
import json
import logging
import multiprocessing
import sys
import warnings

from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.schema import TextNode

from llama_index_workers_ai import WorkersAIEmbedding


def main() -> None:
    """The account is the environment's; the token, which the environment has not, is the first argument."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    warnings.simplefilter("always")
    embedding = WorkersAIEmbedding(api_token=sys.argv[1])
    embedding.get_text_embedding("used before it is sent to the workers")
    pipeline = IngestionPipeline(transformations=[embedding], disable_cache=True)
    texts = [f"text number {number} of a small corpus" for number in range(6)]

    def nodes() -> list[TextNode]:
        return [TextNode(text=text) for text in texts]

    plain = pipeline.run(nodes=nodes(), num_workers=2)
    found = asyncio.run(pipeline.arun(nodes=nodes(), num_workers=2))
    told = {
        "expected": embedding.get_text_embedding_batch(texts),
        "plain": [node.embedding for node in plain],
        "async": [node.embedding for node in found],
        "texts": [node.text for node in plain],
    }
    json.dump(told, sys.stdout)


if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")  # as `run` does in any case, and `arun` where the system does
    main()
