"""`NeuronMeter`: what the calls in a block cost, and where they stop."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from threading import Lock
from typing import TYPE_CHECKING, Any, Self

from workers_ai.catalog import lookup
from workers_ai.counted import WORKERS_AI, Counted, Identity
from workers_ai.counting import enter, leave
from workers_ai.errors import BudgetExceededError
from workers_ai.tally import Tally
from workers_ai.warning import warn

if TYPE_CHECKING:
    from types import TracebackType

FREE_NEURONS_A_DAY = 10_000
"""Of an account (pricing page, 2026). The documented reset is 00:00 UTC; it was seen to come later (quirk 100)."""

_REMEMBERED = 10_000
"""Answers that are known again when a handler tells of them once more."""


class BudgetWarning(UserWarning):
    """A budget is spent, or cannot be kept because a price is unknown."""


class NeuronMeter:
    """Counts what the calls made in its block used and cost, whichever class makes them.

    ```python
    from workers_ai import NeuronMeter

    with NeuronMeter(budget_neurons=500) as meter:
        ...  # chats, streams, embeddings, of either framework or of none
    print(meter.neurons, meter.usd, meter.by_model)
    print(meter.table())
    ```

    It counts where a request is sent: in the tasks and the threads of this package and of both frameworks too. Threads
    that you start yourself inherit it with `contextvars.copy_context().run`; where that cannot be, each adapter's
    `NeuronMeterHandler` feeds the same meter from the framework's events, and an answer counts once. Meters can be
    nested and used again: all that run count.

    A call counts when its answer has come: refused attempts cost nothing and count for nothing, unless the service
    says that it charged for one. An answer from the gateway's cache counts as a call and costs nothing. A stream that
    is left early counts with the usage that it had told, else with an estimate. Figures are the service's own, else by
    the catalogue's list prices; where neither is known the answer counts as `unknown`, and its cost as nothing.

    budget_neurons, budget_usd: once this much is spent, the next call is refused before it is sent. Calls under way
    come to their end: what is spent can be more than the budget.
    on_budget: "raise" refuses with BudgetExceededError; "warn" warns once and goes on; the id of a cheaper model
        puts that in the place of every text model from then on, and the answer shows both, as `model_requested` and
        `model_name`. Embeddings and rankings keep their model (vectors of two do not mix) and go on.

    Raises ValueError for a budget that is no number of 0 or more, and for an `on_budget` that is neither.
    """

    def __init__(
        self, budget_neurons: float | None = None, *, budget_usd: float | None = None, on_budget: str = "raise"
    ) -> None:
        _check_budget("budget_neurons", budget_neurons)
        _check_budget("budget_usd", budget_usd)
        _check_on_budget(on_budget)
        self.budget_neurons = budget_neurons
        self.budget_usd = budget_usd
        self.on_budget = on_budget
        self._lock = Lock()
        self._total = Tally()
        self._groups: dict[str, dict[str, Tally]] = {"model": {}, "tag": {}, "payer": {}}
        self._recent: OrderedDict[Identity, tuple[Counted, set[str]]] = OrderedDict()
        self._warned: set[str] = set()

    def __enter__(self) -> Self:
        enter(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        leave(self)

    async def __aenter__(self) -> Self:
        enter(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        leave(self)

    @contextmanager
    def tag(self, *names: str) -> Iterator[Self]:
        """A block whose answers count under these names in `by_tag` too, and under those of the blocks around it.

        The meter runs in it, whether or not it did before.
        """
        enter(self, *names)
        try:
            yield self
        finally:
            leave(self)

    @property
    def total(self) -> Tally:
        """Everything together, as it stands now."""
        with self._lock:
            return copy(self._total)

    @property
    def calls(self) -> int:
        """Answers, those from a gateway's cache among them."""
        return self.total.calls

    @property
    def tokens(self) -> int:
        """Tokens in and out."""
        return self.total.tokens

    @property
    def neurons(self) -> float:
        """Neurons, as far as they are known; `total.unknown` tells of how many answers they are not."""
        return self.total.neurons

    @property
    def usd(self) -> float:
        """US dollars at list price, the free allocation not taken off."""
        return self.total.usd

    @property
    def by_model(self) -> Mapping[str, Tally]:
        """By the id of the model that answered."""
        return self._grouped("model")

    @property
    def by_tag(self) -> Mapping[str, Tally]:
        """By tag; an answer with several counts under each."""
        return self._grouped("tag")

    @property
    def by_payer(self) -> Mapping[str, Tally]:
        """By who pays: "workers-ai", "unified-billing", "own-key" or "own-key:alias".

        A key that the gateway keeps by itself is not seen here: such calls stand under "unified-billing".
        """
        return self._grouped("payer")

    @property
    def share_of_free_day(self) -> float:
        """What Workers AI's part is of the 10,000 neurons that an account has free each day: 1.0 for all of it.

        Other programs of the account use the same ones, and nothing is promised about when they return.
        """
        return self.by_payer.get(WORKERS_AI, Tally()).neurons / FREE_NEURONS_A_DAY

    def table(self) -> str:
        """All of it as plain text: models, tags, payers, and how sure the figures are."""
        from workers_ai.meter_table import table_of

        return table_of(self)

    def __repr__(self) -> str:
        total = self.total
        return f"NeuronMeter(calls={total.calls}, neurons={total.neurons:.6g}, usd={total.usd:.6g})"

    def __getstate__(self) -> dict[str, Any]:
        with self._lock:
            return {name: value for name, value in self.__dict__.items() if name != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ |= {**state, "_lock": Lock()}

    def count(self, counted: Counted, *, tags: Iterable[str] = ()) -> None:
        """Takes in an answer of the transport, which tells of each one once."""
        with self._lock:
            self._add(counted, tags)

    def feed(self, told: Mapping[str, Any], *, input_tokens: int, output_tokens: int, tags: Iterable[str] = ()) -> bool:
        """Takes in an answer by its metadata, unless it has been counted already; for the adapters' handlers.

        One that has been gets those of the `tags` that it lacks. Returns whether it was new.
        """
        counted = Counted.of_metadata(told, input_tokens=input_tokens, output_tokens=output_tokens)
        with self._lock:
            held = self._recent.get(counted.identity)
            if held is None:
                self._add(counted, tags)
            else:
                self._put_under(held[0], [tag for tag in tags if tag not in held[1]])
                held[1].update(tags)
            return held is None

    def admit(self, model: str | None) -> None:
        """Called before each request is sent. Raises BudgetExceededError, or warns once, when a budget is spent."""
        if self.budget_neurons is None and self.budget_usd is None:
            return
        if self._total.unknown:
            self._warn_once("unknown", "answers whose price is not known are not held against the budget")
        spent = self._spent()
        if spent is None or self.on_budget not in ("raise", "warn"):
            return
        if self.on_budget == "raise":
            raise BudgetExceededError(
                spent,
                model=model,
                hint="Nothing was sent. Raise the budget, or use a new meter",
                retryable=False,
                maybe_sent=False,
            )
        self._warn_once("spent", f"{spent}; the calls go on")

    def instead_of(self, model: str) -> str:
        """The text model to use where `model` was asked for: the cheaper one once the budget is spent, else itself."""
        return model if self.on_budget in ("raise", "warn") or self._spent() is None else self.on_budget

    def _spent(self) -> str | None:
        """Which budget is spent, in words; None where none is."""
        total = self._total
        for budget, spent, unit in (
            (self.budget_neurons, total.neurons, "neurons"),
            (self.budget_usd, total.usd, "USD"),
        ):
            if budget is not None and spent >= budget:
                return f"The budget of {budget:,.10g} {unit} is spent: {spent:,.6g}"
        return None

    def _grouped(self, by: str) -> dict[str, Tally]:
        with self._lock:
            return {name: copy(tally) for name, tally in self._groups[by].items()}

    def _add(self, counted: Counted, tags: Iterable[str]) -> None:
        self._total.add(counted)
        self._groups["model"].setdefault(counted.model, Tally()).add(counted)
        self._groups["payer"].setdefault(counted.payer, Tally()).add(counted)
        self._put_under(counted, tags)
        self._recent[counted.identity] = (counted, set(tags))
        if len(self._recent) > _REMEMBERED:
            self._recent.popitem(last=False)

    def _put_under(self, counted: Counted, tags: Iterable[str]) -> None:
        for tag in tags:
            self._groups["tag"].setdefault(tag, Tally()).add(counted)

    def _warn_once(self, about: str, message: str) -> None:
        if about not in self._warned:
            self._warned.add(about)
            warn(message, BudgetWarning)


def _check_budget(name: str, value: object) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < math.inf:
        raise ValueError(f"{name}={value!r}: a number, 0 or more")


def _check_on_budget(value: object) -> None:
    if value in ("raise", "warn"):
        return
    if not isinstance(value, str) or "/" not in value:
        raise ValueError(f"on_budget={value!r}: 'raise', 'warn', or the id of a cheaper model")
    if lookup(value).does("text") is False:
        raise ValueError(f"on_budget={value!r}: a text model; embeddings and rankings keep their own")
