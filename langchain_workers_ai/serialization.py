"""What `dumps` writes of our classes, and the entry that lets `load` find them."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from workers_ai.connection import ConnectionFields

SECRETS = {"api_token": "CLOUDFLARE_API_TOKEN", "rate_limit_store": "WORKERS_AI_RATE_LIMIT_STORE"}
"""Field -> the variable that `load(..., secrets_from_env=True)` or `secrets_map` fills it from."""


def plain_fields(fields: ConnectionFields) -> dict[str, Any]:
    """The arguments that JSON cannot hold as they are, in the form that the constructor takes back."""
    dumped = fields.model_dump(include={"gateway", "timeout"}, mode="json")
    return {name: value for name, value in dumped.items() if value is not None}


def register_for_load(module: str, name: str) -> None:
    """Enters a class where `load(..., allowed_objects="all")` looks: a closed table of core's.

    The table is private. Where it is gone this does nothing, and `load(..., allowed_objects=[...])` works as before.
    """
    try:
        load = import_module("langchain_core.load.load")
        path = (*module.split("."), name)
        load.ALL_SERIALIZABLE_MAPPINGS[path] = path
        load._default_class_paths_cache.clear()
    except (ImportError, AttributeError, TypeError):
        return
