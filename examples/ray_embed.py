"""Embed a file of texts with Ray Data, on two workers that keep one limit of requests together.

    pip install "workers-ai[ray]"
    python examples/ray_embed.py pages.jsonl pages-embedded

The credentials come from the environment (CLOUDFLARE_ACCOUNT_ID, CLOUDFLARE_API_TOKEN), which local workers inherit;
on a cluster of several machines hand them over: ray.init(runtime_env={"env_vars": {...}}).
"""

from __future__ import annotations

import sys

import ray

from workers_ai import BulkEmbedder


def embedded(texts: ray.data.Dataset, *, workers: int = 2, rows: int = 1000, **options) -> ray.data.Dataset:
    """The dataset with the columns `embedding` and `key`.

    rows: that a worker takes at a time; a thousand make ten requests, eight of them in flight. options: of
    `BulkEmbedder`.
    """
    given = {"key": "key", "rate_limit": "catalog", "rate_limit_store": "ray", **options}
    return texts.map_batches(
        BulkEmbedder,  # the class: each worker makes its own
        fn_constructor_kwargs=given,
        compute=ray.data.ActorPoolStrategy(size=workers),
        batch_size=rows,
        batch_format="pyarrow",  # so that the vectors are list<float>, as in any other Parquet file
        num_cpus=0.5,  # a worker waits most of its time
    )


def main(source: str, destination: str) -> None:
    """Read JSON lines with a column `text`, and write Parquet files."""
    ray.init(include_dashboard=False)
    try:
        embedded(ray.data.read_json(source)).write_parquet(destination)
    finally:
        ray.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
