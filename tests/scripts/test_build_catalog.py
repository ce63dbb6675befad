"""The script that builds the shipped catalogue, over a small folder of its own."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"

CHAT, OLD, VECTORS = "@cf/acme/chat-1", "@cf/acme/chat-0", "@cf/acme/vectors-1"

OVERLAY: dict[str, Any] = {
    "sources": {"pricing": {"source": "the pricing page", "as_of": "2026-11-24"}},
    "origins": {"listing": {"source": "the listing"}, "docs": {"source": "the docs", "as_of": "2026-11-01"}},
    "rate_limits": {"by_task": {"Text Generation": 300}, "by_model": {}, "paid_plan": 20},
    "facts": [{"models": [VECTORS], "set": {"dimensions": 8}, "source": "the model card"}],
    "neurons": {"rates": {CHAT: [9091, None, 27273]}},
    "prices": {VECTORS: {"seen": "pricing", "units": {"per picture": 0.5}}},
    "successors": {"source": "us", "of": {OLD: CHAT}},
}


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_catalog", SCRIPTS / "build_catalog.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


build_catalog = load()


def listed(**changes: Any) -> dict[str, Any]:
    """An entry of the folder's models.json, as plain as it can be."""
    flags = ("function_calling", "vision", "reasoning", "lora", "async_queue", "response_format")
    entry: dict[str, Any] = dict.fromkeys(
        (
            "context_window",
            "max_input_tokens",
            "price",
            "reasoning_effort",
            "embedding_dimensions",
            "planned_deprecation_date",
            "replacement",
            "terms",
            "schema_file",
            "param_defaults",
            "input_forms_docs",
            "output_forms_docs",
        )
    )
    entry |= {"task": "Text Generation", "status": "current", "input_forms": [], "output_forms": []}
    entry |= dict.fromkeys(("beta", "partner", "realtime", "require_workers_paid"), False)
    entry["capabilities"] = dict.fromkeys(flags, False) | {"tools_in_schema": None, "batch_in_schema": None}
    entry["provenance"] = {"properties": "listing", "as_of": "2026-08-20", "commit": "0123456789abcdef"}
    return entry | changes


def chat_schema() -> dict[str, Any]:
    text, number = {"type": "string"}, {"type": "number", "default": 256}
    prompt = {"properties": {"prompt": text, "lora": text}}
    messages = {"properties": {"messages": {"items": {}}, "stop": text, "stream": {}, "max_tokens": number}}
    return {"input": {"anyOf": [prompt, messages, {"properties": {"requests": {}}}]}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a chat model, an older one and an embedding model."""
    price = [
        {"unit": "per M input tokens", "price": 0.1, "currency": "USD"},
        {"unit": "per M output tokens", "price": 0.3, "currency": "USD"},
    ]
    chat = listed(
        price=price,
        input_forms=["prompt", "messages"],
        output_forms=["openai-chat-completion"],
        schema_file="schemas/chat-1.json",
        context_window=1000,
    )
    chat["capabilities"] |= {"function_calling": True, "tools_in_schema": True, "response_format": True}
    undated = {"properties": "docs", "as_of": None, "commit": None}
    old = listed(
        status="deprecated",
        planned_deprecation_date="2026-05-30",
        provenance=undated,
        context_window=10,
        price=price[:1],
    )
    vectors = listed(task="Text Embeddings", input_forms=["documents"], output_forms=["data/shape"])
    docs = {CHAT: {"context_window": 2000}, OLD: {"context_window": 20}, VECTORS: {}}
    save(tmp_path / "models.json", {VECTORS: vectors, CHAT: chat, OLD: old})
    save(tmp_path / "models-docs.json", docs)
    save(tmp_path / "forms.json", {OLD: {"input": "text-generation-classic", "output": "response-string"}})
    save(tmp_path / "schemas" / "chat-1.json", chat_schema())
    return tmp_path


def save(path: Path, content: object) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")


def built(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = build_catalog.build(folder, OVERLAY)
    return content


def test_building_twice_gives_the_same_bytes(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    save(tmp_path / "overlay.json", OVERLAY)
    for out in ("one", "two"):
        command = [str(folder), "--out", str(tmp_path / out), "--overlay", str(tmp_path / "overlay.json")]
        assert build_catalog.main(command) == 0
    assert "3 models written" in capsys.readouterr().out
    for name in ("models.json", "rate_limits.json"):
        first = (tmp_path / "one" / name).read_bytes()
        assert first == (tmp_path / "two" / name).read_bytes()
        assert first.endswith(b"}\n")
        assert str(tmp_path).encode() not in first


def test_an_overlay_that_names_a_model_the_folder_lacks_is_told(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    save(tmp_path / "overlay.json", OVERLAY | {"prices": {"@cf/acme/gone": {"seen": "pricing", "units": {}}}})
    build_catalog.main([str(folder), "--out", str(tmp_path), "--overlay", str(tmp_path / "overlay.json")])
    assert "@cf/acme/gone" in capsys.readouterr().err


def test_a_chat_model_is_read_from_listing_and_schema(folder: Path):
    entry = built(folder)["models"][CHAT]
    assert entry["api"] == "openai"
    assert [entry[name] for name in ("takes_messages", "takes_prompt", "takes_stop", "takes_stream")] == [True] * 4
    assert entry["default_max_tokens"] == 256
    assert (entry["function_calling"], entry["json_mode"], entry["vision"]) == (True, True, False)
    assert "lora" not in entry  # in the schema of prompts, not in the listing: not known
    assert built(folder)["options"][entry["options"]] == ["max_tokens", "messages", "stop", "stream"]


def test_a_chat_model_without_a_schema_takes_both_text_forms_and_its_flags_are_not_known(folder: Path):
    entry = built(folder)["models"][OLD]
    assert (entry["api"], entry["takes_messages"], entry["takes_prompt"]) == ("native", True, True)
    assert not entry.keys() & {"function_calling", "vision", "lora", "json_mode", "options", "takes_stop"}
    assert (entry["replacement"], entry["replacement_source"]) == (CHAT, "us")


def test_a_dated_listing_goes_before_the_docs_and_the_docs_before_an_undated_one(folder: Path):
    models = built(folder)["models"]
    assert (models[CHAT]["context_window"], models[OLD]["context_window"]) == (1000, 20)


def test_each_price_names_its_source_and_date(folder: Path):
    content = built(folder)
    price = content["models"][CHAT]["price"]
    assert price == {
        "input": 0.1,
        "input_neurons": 9091.0,
        "output": 0.3,
        "output_neurons": 27273.0,
        "seen": "listing-2026-08-20-01234567",
    }
    assert content["sources"] == {
        "docs-2026-11-01": {"source": "the docs", "as_of": "2026-11-01"},
        "listing-2026-08-20-01234567": {"source": "the listing, at 01234567", "as_of": "2026-08-20"},
        "pricing": {"source": "the pricing page", "as_of": "2026-11-24"},
    }


def test_the_overlay_adds_facts_and_prices(folder: Path):
    entry = built(folder)["models"][VECTORS]
    assert (entry["dimensions"], entry["embedding_input"]) == (8, "documents")
    assert entry["prices"] == [{"seen": "pricing", "unit": "per picture", "usd": 0.5}]
    assert "price" not in entry


def live(name: str, *, task: str = "Text Generation", **properties: Any) -> dict[str, Any]:
    """An entry as `models/search` has it."""
    told = [{"property_id": key, "value": value} for key, value in properties.items()]
    return {"id": "57fbd08a", "name": name, "task": {"name": task}, "properties": told}


LIVE = [
    live(CHAT, context_window="5000", price=[{"unit": "per M input tokens", "price": 0.2, "currency": "USD"}]),
    live("@cf/acme/new-1", function_calling="true", context_window="700", planned_deprecation_date="2027-01-31"),
]


def test_a_live_listing_goes_before_the_folder_and_the_rest_stays(folder: Path):
    models = build_catalog.build(folder, OVERLAY, LIVE, "2026-11-25")["models"]
    before = built(folder)["models"]
    assert (models[CHAT]["context_window"], models[CHAT]["price"]["input"]) == (5000, 0.2)
    assert models[CHAT]["price"]["seen"] == "live-listing-2026-11-25"
    kept = ("takes_messages", "options", "json_mode", "function_calling", "api")
    assert [models[CHAT][name] for name in kept] == [before[CHAT][name] for name in kept]


def test_a_model_that_is_new_is_added_and_one_that_is_gone_is_unlisted(folder: Path):
    models = build_catalog.build(folder, OVERLAY, LIVE, "2026-11-25")["models"]
    new = models["@cf/acme/new-1"]
    assert (new["status"], new["context_window"], new["function_calling"]) == ("current", 700, True)
    assert new["deprecated_on"] == "2027-01-31"
    assert (models[VECTORS]["status"], models[OLD]["status"]) == ("unlisted", "deprecated")
    later = build_catalog.build(folder, OVERLAY, LIVE, "2027-02-01")["models"]
    assert later["@cf/acme/new-1"]["status"] == "deprecated"


@pytest.mark.parametrize("saved", [LIVE, {"result": LIVE, "success": True}], ids=["entries", "the whole answer"])
def test_a_saved_listing_is_read_from_its_file(folder: Path, tmp_path: Path, saved: Any):
    save(tmp_path / "overlay.json", OVERLAY)
    save(tmp_path / "live.json", saved)
    command = [str(folder), "--out", str(tmp_path / "out"), "--overlay", str(tmp_path / "overlay.json")]
    assert build_catalog.main([*command, "--live", str(tmp_path / "live.json"), "--as-of", "2026-11-25"]) == 0
    assert "@cf/acme/new-1" in (tmp_path / "out" / "models.json").read_text()


def test_without_a_file_the_account_is_asked(folder: Path, tmp_path: Path, emulator, monkeypatch):
    for name, value in emulator.environment().items():
        monkeypatch.setenv(name, value)
    save(tmp_path / "overlay.json", OVERLAY)
    command = [str(folder), "--out", str(tmp_path / "out"), "--overlay", str(tmp_path / "overlay.json"), "--live"]
    assert build_catalog.main(command) == 0
    models = json.loads((tmp_path / "out" / "models.json").read_text())["models"]
    assert models["@cf/baai/bge-m3"]["context_window"] == 60_000
    assert models["@cf/baai/bge-m3"]["task"] == "Text Embeddings"


def test_a_fact_without_a_source_is_refused(folder: Path):
    bare = OVERLAY | {"facts": [{"models": [CHAT], "set": {"beta": True}}]}
    with pytest.raises(ValueError, match="no source"):
        build_catalog.build(folder, bare)


def test_the_overlay_of_the_repository_gives_every_fact_a_source():
    overlay = json.loads((SCRIPTS / "catalog_overlay.json").read_text(encoding="utf-8"))
    assert all(fact["source"] and fact["models"] and fact["set"] for fact in overlay["facts"])
    assert all(price["seen"] in overlay["sources"] for price in overlay["prices"].values())
    assert overlay["rate_limits"]["source"]
    assert overlay["neurons"]["source"]
    assert overlay["successors"]["source"]


@pytest.mark.parametrize(
    ("property_", "in_schema", "forms", "expected"),
    [
        (True, None, [], True),
        (False, False, ["messages"], False),
        (False, True, ["messages"], None),
        (False, False, ["messages", "requests(batch)"], None),
    ],
)
def test_a_queue_is_denied_only_where_no_schema_has_its_form(
    folder: Path, property_: bool, in_schema: bool | None, forms: list[str], expected: bool | None
):
    listing = json.loads((folder / "models.json").read_text())
    listing[CHAT] |= {"input_forms": forms}
    listing[CHAT]["capabilities"] |= {"async_queue": property_, "batch_in_schema": in_schema}
    save(folder / "models.json", listing)
    assert built(folder)["models"][CHAT].get("async_queue") is expected
