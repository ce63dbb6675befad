"""Import and construction, each time in a fresh interpreter.

What the adapter adds to the names of its framework that any integration needs, imported before it. They are asked for
by name: newer langchain-core packages load nothing until a name is. Twice over: as a user has it, and with the garbage
collector off. A framework leaves so many objects that one full collection takes 20 to 60 ms, and on whose import it
falls is chance.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

GOAL = 1.10
CONSTRUCT_GOALS = (3.0, 0.5)
"""Milliseconds of CPU for the first object of a process, and for the second."""

_LANGCHAIN = (
    "from langchain_core.language_models import BaseChatModel; from langchain_core.embeddings import Embeddings; "
    "from langchain_core.messages import AIMessage; from langchain_core.tools import BaseTool"
)

_PROGRAM = """
import gc, json, time
if not {collector}:
    gc.disable()
begin = time.process_time()
try:
    {statement}
except ImportError as missing:
    print(json.dumps({{"absent": str(missing)}}))
    raise SystemExit
told = {{"import": time.process_time() - begin, "construct": []}}
for _ in range({objects}):
    begin = time.process_time()
    {model}(account_id="0" * 32, api_token="bench-token")
    told["construct"].append(time.process_time() - begin)
print(json.dumps(told))
"""


@dataclass(frozen=True, slots=True)
class Pair:
    """An adapter, and the part of its framework that it is measured against."""

    name: str
    framework: str
    adapter: str
    model: str


PAIRS = (
    Pair("LangChain", _LANGCHAIN, "from langchain_workers_ai import ChatWorkersAI", "ChatWorkersAI"),
    Pair(
        "LlamaIndex",
        "import llama_index.core.llms.function_calling",
        "from llama_index_workers_ai import WorkersAI",
        "WorkersAI",
    ),
)


@dataclass(frozen=True, slots=True)
class Weight:
    """What importing one adapter costs. Times are CPU milliseconds, medians over the rounds.

    framework, adapter: as a user has them. ratios: adapter to framework in each round; own_ratios: the same with the
    collector off. construct: the first object and the second. absent: why nothing was measured.
    """

    name: str
    framework: float = 0.0
    adapter: float = 0.0
    ratios: tuple[float, ...] = ()
    own_ratios: tuple[float, ...] = ()
    construct: tuple[float, float] = (0.0, 0.0)
    absent: str | None = None

    @property
    def ratio(self) -> float:
        """Adapter to framework, as a user has it."""
        return median(self.ratios)

    @property
    def own_ratio(self) -> float:
        """Adapter to framework, without a collection that falls into either."""
        return median(self.own_ratios)


@dataclass(frozen=True, slots=True)
class _Told:
    """What one interpreter told: CPU milliseconds."""

    imported: float
    construct: list[float]


class _MissingError(Exception):
    """Something is not installed, or not written yet."""


def weigh(
    environment: Mapping[str, str], *, rounds: int, warm_up: bool = True, pairs: Sequence[Pair] = PAIRS
) -> list[Weight]:
    """The weight of each adapter; framework and adapter take turns.

    warm_up: import each once unmeasured: what has to be compiled is compiled then, and the files are in memory.
    """
    return [_weigh(pair, environment, rounds, warm_up=warm_up) for pair in pairs]


def _weigh(pair: Pair, environment: Mapping[str, str], rounds: int, *, warm_up: bool) -> Weight:
    def framework(*, collector: bool) -> _Told:
        return _fresh(pair.framework, None, environment, collector=collector)

    def adapter(*, collector: bool) -> _Told:
        return _fresh(f"{pair.framework}; {pair.adapter}", pair.model, environment, collector=collector)

    try:
        if warm_up:
            framework(collector=True), adapter(collector=True)
        as_it_is = [(framework(collector=True), adapter(collector=True)) for _ in range(rounds)]
        without = [(framework(collector=False), adapter(collector=False)) for _ in range(rounds)]
    except _MissingError as missing:
        return Weight(pair.name, absent=str(missing))
    first, second = (median(each) for each in zip(*(full.construct for _, full in as_it_is), strict=True))
    return Weight(
        pair.name,
        framework=median(bare.imported for bare, _ in as_it_is),
        adapter=median(full.imported for _, full in as_it_is),
        ratios=tuple(full.imported / bare.imported for bare, full in as_it_is),
        own_ratios=tuple(full.imported / bare.imported for bare, full in without),
        construct=(first, second),
    )


def _fresh(statement: str, model: str | None, environment: Mapping[str, str], *, collector: bool) -> _Told:
    program = _PROGRAM.format(statement=statement, model=model, objects=2 if model else 0, collector=collector)
    run = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        raise _MissingError(run.stderr.strip().splitlines()[-1])
    told = json.loads(run.stdout)
    if "absent" in told:
        raise _MissingError(told["absent"])
    return _Told(told["import"] * 1e3, [seconds * 1e3 for seconds in told["construct"]])
