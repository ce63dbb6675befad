"""Build the shipped catalogue from a folder of gathered model data.

    python scripts/build_catalog.py FOLDER [--out workers_ai/catalog] [--overlay scripts/catalog_overlay.json]
                                    [--live [FILE]] [--as-of DATE]

FOLDER holds `models.json` (the official listing), `models-docs.json` (a second reading of the
documentation), `forms.json` (input and output forms by the published types) and `schemas/`. Facts that none
of them states stand in the overlay, each with its source. Written are `models.json` (an entry a line, keys
sorted, what is empty or false left out) and `rate_limits.json`. The same input gives the same bytes.

--live lays the listing of an account (`GET /ai/models/search`, all pages) over FOLDER's: of FILE, the saved answer or a
list of its entries; without FILE of the account that CLOUDFLARE_ACCOUNT_ID and CLOUDFLARE_API_TOKEN name. Otherwise
nothing is fetched.
"""

from __future__ import annotations

import argparse
import datetime
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Json = dict[str, Any]

HERE = Path(__file__).parent
CHAT = "Text Generation"
ASK = "the account"
LIVE = "live-listing"
LIVE_ORIGIN = {"source": "an account's own listing, GET /ai/models/search"}
# Weakest first; a level outside the list goes to the end.
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
# Which form of the input a call of ours uses, where a schema has several.
FORM_KEYS = ("messages", "text", "prompt")
# The form of queued work, as the listing names it.
BATCH = "requests(batch)"
# Flags whose False says more than their absence.
TRISTATE = {
    "function_calling",
    "tools_in_schema",
    "vision",
    "json_mode",
    "lora",
    "async_queue",
    "reasoning",
    "reasoning_can_be_off",
}
TOKEN_UNITS = {
    "per M input tokens": "input",
    "per M cached input tokens": "cached_input",
    "per M output tokens": "output",
}


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = argparse.ArgumentParser(description="Build the shipped model catalogue.")
    parser.add_argument("folder", type=Path, help="models.json, models-docs.json, forms.json, schemas/")
    parser.add_argument("--out", type=Path, default=HERE.parent / "workers_ai" / "catalog")
    parser.add_argument("--overlay", type=Path, default=HERE / "catalog_overlay.json")
    parser.add_argument("--live", nargs="?", const=ASK, metavar="FILE", help="a listing saved, or the account's own")
    parser.add_argument("--as-of", default=str(datetime.date.today()), metavar="DATE", help="of --live; default: today")
    options = parser.parse_args(argv)
    overlay = read(options.overlay)
    live = None if options.live is None else live_entries(options.live)
    catalog = build(options.folder, overlay, live, options.as_of)
    for model in sorted(named_in(overlay) - catalog["models"].keys()):
        print(f"overlay names a model that the folder lacks: {model}", file=sys.stderr)
    write(options.out / "models.json", catalog)
    write(options.out / "rate_limits.json", overlay["rate_limits"])
    print(f"{len(catalog['models'])} models written to {options.out}")
    return 0


def live_entries(where: str) -> list[Json]:
    """The entries of a listing: of a file, or of the account that the environment names."""
    if where == ASK:
        from workers_ai import Client

        with Client() as client:
            return [dict(model.raw) for model in client.models.list()]
    content: Any = json.loads(Path(where).read_text(encoding="utf-8"))
    entries: list[Json] = content["result"] if isinstance(content, dict) else content
    return entries


def refreshed(listing: Json, live: list[Json], as_of: str) -> Json:
    """FOLDER's listing with the live one over it.

    What an entry states goes before; what it does not say stays as it was. A model that was in service and is listed
    no more becomes "unlisted", a new one is added with what its entry says.
    """
    entries = {entry["name"]: entry for entry in live}
    known = {
        model: {**told, "status": "unlisted"} if told["status"] == "current" and model not in entries else told
        for model, told in listing.items()
    }
    return known | {name: live_entry(known.get(name) or blank(), entry, as_of) for name, entry in entries.items()}


def live_entry(told: Json, entry: Json, as_of: str) -> Json:
    """One model of FOLDER's listing with its live entry over it."""
    properties = {each["property_id"]: each["value"] for each in entry.get("properties") or ()}
    can = told["capabilities"] | {name: True for name in told["capabilities"] if properties.get(name) == "true"}
    stated = {name: int(properties[name]) for name in ("context_window", "max_input_tokens") if name in properties}
    if "output_dimensions" in properties:
        stated["embedding_dimensions"] = int(properties["output_dimensions"])
    for name in ("price", "planned_deprecation_date", "terms"):
        stated |= {name: properties[name]} if properties.get(name) else {}
    flags = ("beta", "partner", "realtime", "require_workers_paid")
    stated |= {name: True for name in flags if properties.get(name) == "true"}
    ends = stated.get("planned_deprecation_date") or told["planned_deprecation_date"]
    ended = entry.get("deprecated") is True or (ends is not None and str(ends)[:10] <= as_of)
    return {
        **told,
        **stated,
        "task": entry["task"]["name"],
        "status": "deprecated" if ended else "current",
        "capabilities": can,
        "planned_deprecation_date": str(ends)[:10] if ends else None,
        "provenance": {"properties": LIVE, "as_of": as_of, "commit": None},
    }


def blank() -> Json:
    """A model of which FOLDER knows nothing."""
    flags = ("function_calling", "vision", "reasoning", "lora", "async_queue", "response_format")
    return {
        **dict.fromkeys(("context_window", "max_input_tokens", "price", "reasoning_effort", "embedding_dimensions")),
        **dict.fromkeys(("planned_deprecation_date", "replacement", "terms", "schema_file", "param_defaults")),
        **dict.fromkeys(("beta", "partner", "realtime", "require_workers_paid"), False),
        **{name: [] for name in ("input_forms", "output_forms", "input_forms_docs", "output_forms_docs")},
        "capabilities": dict.fromkeys(flags, False) | {"tools_in_schema": None, "batch_in_schema": None},
    }


def build(folder: Path, overlay: Json, live: list[Json] | None = None, as_of: str = "") -> Json:
    """The content of the shipped `models.json`: "models", "options" and "sources", each by name.

    live: an account's listing, laid over the folder's. as_of: its ISO date.
    """
    listing, docs = read(folder / "models.json"), read(folder / "models-docs.json")
    listing = listing if live is None else refreshed(listing, live, as_of)
    forms = read(folder / "forms.json")
    sources: Json = dict(overlay["sources"])
    options: dict[str, list[str]] = {}
    models = {}
    for model, listed in sorted(listing.items()):
        schema = read(folder / listed["schema_file"])["input"] if listed["schema_file"] else None
        entry = Entry(listed, docs.get(model, {}), forms.get(model, {}), schema).fields()
        entry["options"] = shared(options, model, entry["options"])
        entry |= prices_of(model, listed, overlay, sources)
        entry |= facts_of(model, overlay) | replacement_of(model, listed, overlay)
        models[model] = {name: value for name, value in entry.items() if stated(name, value)}
    return {"models": models, "options": options, "sources": used(sources, models)}


class Entry:
    """One model as the files of the folder describe it, and how each field follows from them."""

    def __init__(self, listed: Json, docs: Json, forms: Json, schema: Json | None) -> None:
        self.listed, self.docs, self.schema = listed, docs, schema
        self.can: Json = listed["capabilities"]
        self.names = None if schema is None else top_level_names(schema)
        self.inputs = merged(listed["input_forms"], listed["input_forms_docs"])
        # The answers by the types and the newest listing: an older reading of the documentation says
        # otherwise for granite-4.0-h-micro, so it counts only where nothing else is there.
        self.outputs = listed["output_forms"] or listed["output_forms_docs"] or []
        answers = forms.get("output", "")
        self.openai = "openai-chat-completion" in self.outputs or answers.startswith("chat-completion")
        # Clef and Clairic are "Text Generation" too, but take neither messages nor a prompt.
        self.chats = listed["task"] == CHAT and ("messages" in self.inputs or not self.inputs)

    def fields(self) -> Json:
        """Everything but price, overlay and replacement; a tri-state field is None where nothing is known."""
        return self.identity() | self.input_side() | self.capabilities() | self.sizes() | self.embedding()

    def identity(self) -> Json:
        """What the listing says of the model as a whole, and the API that `api="auto"` takes."""
        listed = self.listed
        return {
            "task": listed["task"],
            "status": listed["status"],
            "api": "openai" if listed["task"] == CHAT and self.openai else "native",
            "requires_paid_plan": listed["require_workers_paid"],
            "beta": listed["beta"],
            "partner": listed["partner"],
            "realtime": listed["realtime"],
            "terms_url": listed["terms"],
            "deprecated_on": listed["planned_deprecation_date"],
        }

    def input_side(self) -> Json:
        """What /ai/run takes; for a chat model of which no form is known both text forms are assumed."""
        assumed = self.chats and not self.inputs
        parts = self.chats and (self.openai or bool(self.vision()) or self.takes_picture_parts())
        return {
            "takes_messages": "messages" in self.inputs or assumed,
            "takes_prompt": "prompt" in self.inputs or assumed,
            "takes_content_parts": parts,
            "takes_stop": "stop" in (self.names or ()),
            "takes_n": "n" in (self.names or ()),
            "takes_stream": self.chats if self.names is None else "stream" in self.names,
            "options": self.names,
            "input_forms": self.inputs,
            "output_forms": self.outputs,
        }

    def capabilities(self) -> Json:
        """What the model can do, True, False or None for not known."""
        effort: Json = self.listed["reasoning_effort"] or {}
        return {
            "function_calling": self.flag("function_calling", surely_not=self.can["tools_in_schema"] is False),
            "tools_in_schema": self.can["tools_in_schema"],
            "vision": self.vision(),
            "data_urls_only": "HTTP URL will not be accepted" in json.dumps(self.schema),
            "json_mode": self.can["response_format"] or (None if self.chats else False),
            "lora": self.flag("lora", surely_not=self.schema is not None and not has_key(self.schema, "lora")),
            "async_queue": self.flag("async_queue", surely_not=self.takes_no_batch()),
            "reasoning": self.flag("reasoning", surely_not=self.schema is not None),
            "reasoning_effort_levels": sorted(effort.get("values", ()), key=strength),
            "reasoning_effort_default": effort.get("default"),
            "reasoning_can_be_off": can_be_off(effort),
        }

    def sizes(self) -> Json:
        """Windows and defaults, in tokens."""
        listed = self.listed
        # A listing with a date goes before the documentation's file, that before an undated reading of it.
        windows = (listed["context_window"], self.docs.get("context_window"))
        dated = listed["provenance"]["as_of"] is not None
        return {
            "context_window": next(filter(None, windows if dated else windows[::-1]), None),
            "max_input_tokens": listed["max_input_tokens"],
            "default_max_tokens": self.default("max_tokens"),
            "max_temperature": self.property("temperature").get("maximum"),
        }

    def embedding(self) -> Json:
        """What only an embedding model has."""
        if self.listed["task"] != "Text Embeddings":
            return {}
        return {
            "dimensions": self.listed["embedding_dimensions"],
            "embedding_input": "documents" if "documents" in self.inputs else None,
            "takes_pooling": "pooling" in (self.names or ()),
            "default_pooling": self.default("pooling"),
            "query_instruction": self.default("instruction"),
        }

    def flag(self, name: str, *, surely_not: bool) -> bool | None:
        """True where the listing has the property; False needs a reason, and the two readings to agree."""
        if self.can[name]:
            return True
        return False if (surely_not or self.listed["task"] != CHAT) and not self.docs.get(name) else None

    def takes_no_batch(self) -> bool:
        """Whether no schema lists a batch: the property alone is no proof, as models without it have the form."""
        return self.can["batch_in_schema"] is False and BATCH not in self.inputs

    def vision(self) -> bool | None:
        """No property, but a place for pictures in the model's own schema: not known (qwq-32b)."""
        if self.listed["task"] == "Image-to-Text":
            return True
        return self.flag("vision", surely_not=self.schema is not None and not self.has_place_for_pictures())

    def has_place_for_pictures(self) -> bool:
        """Whether the model's own schema has an `image` or picture parts."""
        # The schema of every OpenAI-like model lists picture parts; there only the property counts.
        return "image" in self.inputs or self.takes_picture_parts()

    def takes_picture_parts(self) -> bool:
        """Whether a native chat model's schema lists picture parts in a message."""
        return self.chats and not self.openai and has_key(self.schema, "image_url")

    def default(self, name: str) -> Any:
        """The default of an input: as seen in the listing, else in the schema."""
        seen = (self.listed["param_defaults"] or {}).get(name)
        return self.property(name).get("default") if seen is None else seen

    def property(self, name: str) -> Json:
        """The schema of one input, empty where there is none."""
        found: Json = {} if self.schema is None else form_of(self.schema)["properties"].get(name, {})
        return found


def branches(schema: Json) -> Iterator[Json]:
    """The objects a schema allows as the whole input."""
    if "properties" in schema:
        yield schema
    for key in ("oneOf", "anyOf"):
        for branch in schema.get(key, ()):
            yield from branches(branch)


def form_of(schema: Json) -> Json:
    """The form of the input that we use: with messages, else text, else the first that is no queue."""
    forms = [form for form in branches(schema) if "requests" not in form["properties"]]
    for key in FORM_KEYS:
        for form in forms:
            if key in form["properties"]:
                return form
    return forms[0] if forms else {"properties": {}}


def top_level_names(schema: Json) -> list[str]:
    """The inputs of the form that is used, sorted."""
    return sorted(form_of(schema)["properties"])


def has_key(schema: Any, key: str) -> bool:
    """Whether a property of that name stands anywhere in the schema."""
    if isinstance(schema, dict):
        return key in schema or any(has_key(value, key) for value in schema.values())
    return isinstance(schema, list) and any(has_key(value, key) for value in schema)


def strength(level: str) -> int:
    """Place of a reasoning effort in the order from weak to strong."""
    return EFFORTS.index(level) if level in EFFORTS else len(EFFORTS)


def can_be_off(effort: Json) -> bool | None:
    """By the published types: a fixed switch never, a level "none" or a switch with a default yes."""
    switch: Json = effort.get("enable_thinking") or {}
    if switch.get("fixed") is not None:
        return False
    return True if "none" in effort.get("values", ()) or switch.get("default") is not None else None


def prices_of(model: str, listed: Json, overlay: Json, sources: Json) -> Json:
    """`price` by tokens and `prices` by other measures, each with the name of the place where it was seen."""
    tokens: Json = {}
    others: list[Json] = []
    for price in listed["price"] or ():
        if price["unit"] in TOKEN_UNITS:
            tokens[TOKEN_UNITS[price["unit"]]] = float(price["price"])
        else:
            others.append({"unit": price["unit"], "usd": float(price["price"])})
    seen = overlay["prices"].get(model, {})
    tokens = trio(seen["tokens"]) if "tokens" in seen else tokens
    others = [{"unit": unit, "usd": usd} for unit, usd in seen.get("units", {}).items()] or others
    source = seen.get("seen") or (source_of(listed, overlay, sources) if tokens or others else "")
    if tokens:
        tokens = {"seen": source} | tokens | neurons_of(model, overlay)
    return {"price": tokens, "prices": [{"seen": source} | price for price in others]}


def trio(values: Iterable[float | None], ending: str = "") -> Json:
    """Figures for input, cached input and output under their names."""
    named = zip(TOKEN_UNITS.values(), values, strict=False)
    return {name + ending: float(value) for name, value in named if value is not None}


def neurons_of(model: str, overlay: Json) -> Json:
    """The pricing page's neurons per million tokens."""
    return trio(overlay["neurons"]["rates"].get(model, ()), "_neurons")


def source_of(listed: Json, overlay: Json, sources: Json) -> str:
    """The name of the listing's entry in `sources`, which is made at the first model that needs it."""
    seen = listed["provenance"]
    kind = seen["properties"].partition(":")[0]
    origin = LIVE_ORIGIN if kind == LIVE else overlay["origins"][kind]
    as_of = seen["as_of"] or origin["as_of"]
    commit = (seen["commit"] or "")[:8]
    name = "-".join(filter(None, (kind, as_of, commit)))
    sources[name] = {"source": origin["source"] + (f", at {commit}" if commit else ""), "as_of": as_of}
    return name


def facts_of(model: str, overlay: Json) -> Json:
    """The overlay's facts of one model; a fact without a source is refused."""
    facts: Json = {}
    for fact in overlay["facts"]:
        if not fact.get("source"):
            raise ValueError(f"a fact of the overlay has no source: {fact}")
        facts |= fact["set"] if model in fact["models"] else {}
    return facts


def replacement_of(model: str, listed: Json, overlay: Json) -> Json:
    """The successor by the notice, else the one chosen in the overlay."""
    if listed["replacement"]:
        return {"replacement": listed["replacement"], "replacement_source": "Cloudflare"}
    chosen = overlay["successors"]["of"].get(model)
    return {"replacement": chosen, "replacement_source": overlay["successors"]["source"]} if chosen else {}


def shared(options: dict[str, list[str]], model: str, names: list[str] | None) -> str | None:
    """Sets of names are stored once, under the last part of the first model that has them."""
    if names is None:
        return None
    for known, stored in options.items():
        if stored == names:
            return known
    key = model.rpartition("/")[2]
    options[key] = names
    return key


def stated(name: str, value: Any) -> bool:
    """Empty values and plain flags that are false are what `ModelInfo` assumes anyway."""
    return name in TRISTATE if value is False else value not in (None, "", [], {})


def used(sources: Json, models: Json) -> Json:
    """The sources that some price names."""
    text = json.dumps(models)
    return {name: source for name, source in sources.items() if f'"seen": "{name}"' in text}


def named_in(overlay: Json) -> set[str]:
    """Every model the overlay speaks of."""
    facts = (fact["models"] for fact in overlay["facts"])
    return set().union(*facts, overlay["prices"], overlay["neurons"]["rates"], overlay["successors"]["of"])


def merged(*lists: list[str] | None) -> list[str]:
    """All of the lists, each item once, in order."""
    return list(dict.fromkeys(item for items in lists for item in items or ()))


def read(path: Path) -> Json:
    """A JSON file."""
    content: Json = json.loads(path.read_text(encoding="utf-8"))
    return content


def write(path: Path, content: Json) -> None:
    """A JSON file, with the same bytes on every system."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(one_a_line(content) + "\n", encoding="utf-8", newline="\n")


def one_a_line(content: Json) -> str:
    """JSON with each entry of a section on a line of its own: small, and a change is a changed line."""
    sections = []
    for name, section in sorted(content.items()):
        if isinstance(section, dict):
            lines = [f"{json.dumps(key)}: {compact(value)}" for key, value in sorted(section.items())]
            sections.append(f"{json.dumps(name)}: {{\n" + ",\n".join(lines) + "\n}")
        else:
            sections.append(f"{json.dumps(name)}: {compact(section)}")
    return "{\n" + ",\n".join(sections) + "\n}"


def compact(value: Any) -> str:
    """One line of JSON, keys sorted."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


if __name__ == "__main__":
    sys.exit(main())
