"""One answer, as a meter counts it: who made it, who pays for it, what it used and cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from workers_ai.catalog import lookup

if TYPE_CHECKING:
    from workers_ai.answers import Facts
    from workers_ai.gateway import Gateway

WORKERS_AI = "workers-ai"
UNIFIED_BILLING = "unified-billing"
OWN_KEY = "own-key"

Identity = tuple[object, ...]
Source = Literal["service", "catalog", "estimate"]


@dataclass(frozen=True, slots=True)
class Counted:
    """One answer.

    model: the one that worked, as it is billed. payer: "workers-ai"; "unified-billing" for another vendor's model;
    "own-key" for one that a stored key of yours pays ("own-key:name" where its alias was named).
    neurons, usd: None where neither service nor catalogue know. source: whose figures they are.
    cached: the gateway had the answer already: nothing was used and nothing is paid (quirk 92).
    identity: what tells this answer from every other, so that none counts twice.
    """

    model: str
    payer: str
    input_tokens: int = 0
    output_tokens: int = 0
    neurons: float | None = None
    usd: float | None = None
    source: Source | None = None
    cached: bool = False
    identity: Identity = ()

    @classmethod
    def of(cls, facts: Facts, gateway: Gateway | None, *, source: Source | None = None) -> Counted:
        """An answer of our own transport. gateway: the one that its request passed. source: in place of the cost's."""
        cost, usage = facts.cost, facts.usage
        return cls._made(
            facts.metadata(),
            gateway,
            input_tokens=usage.input_tokens if usage is not None else 0,
            output_tokens=usage.output_tokens if usage is not None else 0,
            neurons=cost.neurons if cost is not None else None,
            usd=cost.usd if cost is not None else None,
            source=source or (cost.source if cost is not None else None),
        )

    @classmethod
    def of_metadata(cls, told: Mapping[str, Any], *, input_tokens: int, output_tokens: int) -> Counted:
        """An answer by what both frameworks carry of it (`Facts.metadata`)."""
        return cls._made(
            told,
            None,
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            neurons=told.get("neurons"),
            usd=told.get("cost_usd"),
            source=told.get("cost_source"),
        )

    @classmethod
    def _made(cls, told: Mapping[str, Any], gateway: Gateway | None, **figures: Any) -> Counted:
        passed: Mapping[str, Any] = told.get("gateway") or {}
        answering = str(told.get("model_name"))
        model = _billed(str(told.get("model_requested") or answering), answering)
        cached = str(passed.get("cache_status", "")).upper() == "HIT"
        if cached:
            figures |= {"input_tokens": 0, "output_tokens": 0, "neurons": 0.0, "usd": 0.0, "source": "service"}
        # One request has one answer. Without the service's id of it, the gateway's or the answer's own must do.
        known = (told.get("request_id"), passed.get("request_id"), passed.get("log_id"), told.get("id"))
        identity = next(((each,) for each in known if each), (model, told.get("created"), *figures.values()))
        return cls(model, _payer(model, passed.get("provider"), gateway), cached=cached, identity=identity, **figures)


def _billed(requested: str, answering: str) -> str:
    """The model to put an answer down to: the service names some by what runs behind them (quirk 9)."""
    found = lookup(answering)
    if found.known:
        return found.id
    return requested if requested.startswith("@") else answering


def _payer(model: str, provider: object, gateway: Gateway | None) -> str:
    if model.startswith("@") or provider == WORKERS_AI:
        return WORKERS_AI
    if gateway is not None and gateway.byok_alias is not None:
        return f"{OWN_KEY}:{gateway.byok_alias}"
    return OWN_KEY if gateway is not None and gateway.no_wholesale else UNIFIED_BILLING
