"""What a call used: tokens, neurons, and the account's running totals."""

from collections import defaultdict, deque
from dataclasses import dataclass, field

from .families import Price

USD_PER_NEURON = 0.000011


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens in and out of one call, or of one frame, and their price in neurons (a thousand cost 0.011 USD).

    cached_tokens: of the prompt's, those found in the prompt cache; they cost the same here, what they cost there is
        not known. reasoning_tokens: of the completion's; None where the model does not think.
    """

    prompt_tokens: int
    completion_tokens: int
    price: Price
    cached_tokens: int = 0
    reasoning_tokens: int | None = None

    @property
    def total_tokens(self) -> int:
        """Prompt and completion together."""
        return self.prompt_tokens + self.completion_tokens

    @property
    def usd(self) -> float:
        """The price in USD."""
        return (self.prompt_tokens * self.price.input + self.completion_tokens * self.price.output) / 1_000_000

    @property
    def neurons(self) -> float:
        """The price in neurons; 0 where the price is not told in them."""
        return self.usd / USD_PER_NEURON if self.price.in_neurons else 0.0

    def counts(self) -> dict[str, object]:
        """The three token counts, and nothing else."""
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.total_tokens,
        }

    def short(self) -> dict[str, object]:
        """The counts, with the details only where the prompt cache had a part of the prompt."""
        return self.with_details() if self.cached_tokens else self.counts()

    def with_details(self) -> dict[str, object]:
        """The counts, the cached part of the prompt, and of a model that thinks the part that is reasoning."""
        details: dict[str, object] = {"prompt_tokens_details": {"cached_tokens": self.cached_tokens}}
        if self.reasoning_tokens is not None:
            details["completion_tokens_details"] = {"reasoning_tokens": self.reasoning_tokens}
        return {**self.counts(), **details}

    def full(self) -> dict[str, object]:
        """Counts, cached part, and neurons where the price is told in them."""
        return {**self.with_details(), **({"neurons": self.neurons} if self.price.in_neurons else {})}


@dataclass(slots=True)
class Totals:
    """Sums over calls."""

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    neurons: float = 0.0

    @property
    def total_tokens(self) -> int:
        """Prompt and completion together."""
        return self.prompt_tokens + self.completion_tokens

    def add(self, usage: Usage) -> None:
        """Count one call more."""
        self.calls += 1
        self.prompt_tokens += usage.prompt_tokens
        self.completion_tokens += usage.completion_tokens
        self.neurons += usage.neurons


@dataclass(frozen=True, slots=True)
class Charge:
    """What one answer was charged."""

    model: str
    prompt_tokens: int
    completion_tokens: int
    neurons: float


@dataclass(slots=True)
class Ledger(Totals):
    """What an account used, in all and by model id. A stream counts when it ends, with the tokens it produced.

    charges: the latest ones, oldest first.
    """

    charges: deque[Charge] = field(default_factory=lambda: deque(maxlen=10_000))
    by_model: dict[str, Totals] = field(default_factory=lambda: defaultdict(Totals))

    def charge(self, model: str, usage: Usage) -> None:
        """Count one call of `model`."""
        self.add(usage)
        self.charges.append(Charge(model, usage.prompt_tokens, usage.completion_tokens, usage.neurons))
        self.by_model[model].add(usage)
