"""Which model answers a call that names none: dynamic routes, and the Auto Router."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from . import errors, ids, vendors
from .families import MODELS, VENDOR_MODELS, ChatFamily, facts, lookup

AUTO = "cloudflare/auto"
_DYNAMIC = "dynamic/"
_MAX_PINNED = 1_000


@dataclass(frozen=True, slots=True)
class Choice:
    """The models to try, in their order, and the headers that tell of the choice."""

    models: Sequence[str]
    headers: Mapping[str, str] = field(default_factory=dict)


class Routes:
    """The routes of one gateway. `dynamic`: name -> the models to try, in their order."""

    def __init__(self, dynamic: Mapping[str, Sequence[str]]) -> None:
        self._dynamic = dynamic
        self._pinned: dict[tuple[str, str], str] = {}

    def choose(self, model: str, headers: Mapping[str, str]) -> Choice | None:
        """What a routed id comes to, None for an id that names a model; `ServiceError` for a route nobody knows."""
        if model == AUTO:
            return self._auto(headers)
        if not model.startswith(_DYNAMIC):
            return None
        found = self._dynamic.get(model.removeprefix(_DYNAMIC))
        if not found:
            raise errors.gateway(404, 7003, f"Model not found: {model}")
        return Choice(found)

    def _auto(self, headers: Mapping[str, str]) -> Choice:
        pool = _pool(headers.get("cf-aig-allowed-models"), headers.get("cf-aig-allowed-providers"))
        turn = headers.get("cf-aig-session-id"), headers.get("cf-aig-turn-id", "")
        model = min(pool, key=_price)
        reason = "forced_by_candidate_pool" if len(pool) == 1 else "cost_optimal_within_pool"
        if turn[0] is not None and headers.get("cf-aig-no-session-affinity") != "true":
            pinned = self._pinned.setdefault((turn[0], turn[1]), model)
            while len(self._pinned) > _MAX_PINNED:
                del self._pinned[next(iter(self._pinned))]
            model, reason = (pinned, "pinned_by_turn") if pinned in pool and pinned != model else (model, reason)
        told = {
            "cf-aig-routed-model": model,
            "cf-aig-routing-reason": reason,
            "cf-aig-routing-decision-id": ids.uuid7(),
        }
        return Choice((model,), told)


def _pool(models: str | None, providers: str | None) -> list[str]:
    """The models to choose from. Without a word from the request none of Workers AI is among them."""
    named = [entry.strip() for entry in models.split(",")] if models is not None else None
    vendor_names = [entry.strip() for entry in providers.split(",")] if providers is not None else None
    every = [*VENDOR_MODELS, *(model for model in MODELS if isinstance(lookup(model), ChatFamily))]
    for entry in named or ():
        if not any(_fits(model, entry) for model in every):
            raise errors.gateway(400, 7003, f"No model matches {entry}")
    found = [
        model
        for model in (every if named or vendor_names else VENDOR_MODELS)
        if (named is None or any(_fits(model, entry) for entry in named))
        and (vendor_names is None or vendors.vendor_of(model) in vendor_names)
    ]
    if not found:
        raise errors.gateway(400, 7003, "No model is allowed")
    return found


def _fits(model: str, entry: str) -> bool:
    """`*` stands for anything but a slash."""
    return re.fullmatch("[^/]*".join(map(re.escape, entry.split("*"))), model) is not None


def _price(model: str) -> tuple[float, str]:
    price = facts(model).price
    return price.input + price.output, model
