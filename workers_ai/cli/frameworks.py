"""The two frameworks that the demo can show, and which of them are installed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from typing import Any

from workers_ai.cli.failure import CommandError


class Framework(StrEnum):
    """A framework, by the name of its extra."""

    LANGCHAIN = "langchain"
    LLAMA_INDEX = "llama-index"


NAMES = {Framework.LANGCHAIN: "LangChain", Framework.LLAMA_INDEX: "LlamaIndex"}
Modules = Mapping[Framework, str]
HALVES: Modules = {Framework.LANGCHAIN: "demo_langchain", Framework.LLAMA_INDEX: "demo_llama_index"}
AGENTS: Modules = {Framework.LANGCHAIN: "agent_langchain", Framework.LLAMA_INDEX: "agent_llama_index"}


@dataclass(frozen=True, slots=True)
class Loaded:
    """The halves of the demo that can run, and a line about each that cannot."""

    halves: dict[Framework, Any]
    absent: Sequence[str]


def load(wanted: Sequence[Framework], modules: Modules = HALVES) -> Loaded:
    """Import the half of each framework; importing one loads nothing of the other.

    modules: the halves of which command; what they hold, `answering.Half` and `acting.Agent` say.

    Raises CommandError, naming what to install, when none of them can be imported.
    """
    halves: dict[Framework, Any] = {}
    absent: list[str] = []
    for framework in wanted:
        try:
            halves[framework] = import_module(f"workers_ai.cli.{modules[framework]}")
        except ImportError as error:
            absent.append(_absence(framework, error))
    if not halves:
        raise CommandError("; ".join(absent))
    return Loaded(halves, absent)


def _absence(framework: Framework, error: ImportError) -> str:
    package = (error.name or "").partition(".")[0]
    reason = f"{package} is not installed" if isinstance(error, ModuleNotFoundError) and package else str(error)
    wanted = "numpy" if package == "numpy" else f'"workers-ai[{framework.value}]"'
    return f"{NAMES[framework]} is left out ({reason}): pip install {wanted}"
