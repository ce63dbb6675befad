"""`models/search`: a small list of models, in pages."""

import uuid
from collections.abc import Mapping
from typing import Any

from .families import MODELS, ChatFamily, EmbeddingFamily, Model, lookup

_TASKS = {ChatFamily: "Text Generation", EmbeddingFamily: "Text Embeddings"}
_MAX_PER_PAGE = 100


def search(query: Mapping[str, str]) -> dict[str, Any]:
    """The envelope for `search`, `task` (a name), `author`, `page` (from 1) and `per_page` (default 50)."""
    entries = [_entry(name, model) for name, model in sorted(MODELS.items())]
    found = [entry for entry in entries if _fits(entry, query)]
    page, per_page = _number(query.get("page"), 1), min(_number(query.get("per_page"), 50), _MAX_PER_PAGE)
    shown = found[(page - 1) * per_page : page * per_page]
    info = {"count": len(shown), "page": page, "per_page": per_page, "total_count": len(found)}
    return {"success": True, "result": shown, "errors": [], "messages": [], "result_info": info}


def _fits(entry: Mapping[str, Any], query: Mapping[str, str]) -> bool:
    name, author = entry["name"], entry["name"].split("/")[1]
    return (
        query.get("search", "").lower() in name.lower()
        and query.get("task", entry["task"]["name"]) == entry["task"]["name"]
        and query.get("author", author) == author
    )


def _entry(name: str, model: Model) -> dict[str, Any]:
    """One model: `name` is the id to call, `id` only a number of the listing; values are texts or lists (quirk 74)."""
    family = lookup(name)
    properties: list[dict[str, Any]] = []
    if model.context_window is not None:
        properties.append({"property_id": "context_window", "value": str(model.context_window)})
    if model.queues:
        properties.append({"property_id": "async_queue", "value": "true"})
    if isinstance(family, EmbeddingFamily):
        properties.append({"property_id": "output_dimensions", "value": str(family.dimensions)})
    properties.append({"property_id": "price", "value": _prices(model)})
    return {
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, name)),
        "source": 1,
        "name": name,
        "description": f"{name.rpartition('/')[2]}, as the local emulator plays it",
        "task": {"id": "", "name": _TASKS.get(type(family), "Text Classification"), "description": ""},
        "created_at": "2026-01-01 00:00:00.000",
        "tags": [],
        "properties": properties,
    }


def _prices(model: Model) -> list[dict[str, Any]]:
    prices = {"per M input tokens": model.price.input, "per M output tokens": model.price.output}
    return [{"unit": unit, "price": price, "currency": "USD"} for unit, price in prices.items() if price]


def _number(text: str | None, default: int) -> int:
    return max(int(text), 1) if text and text.isdecimal() else default
