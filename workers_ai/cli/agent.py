"""`workers-ai demo --agent`: in each framework an agent with two tools that must both run, on each family of models."""

from __future__ import annotations

from workers_ai.cli.acting import Agent
from workers_ai.cli.agent_tools import QUESTION
from workers_ai.cli.answering import Models
from workers_ai.cli.environment import changed
from workers_ai.cli.frameworks import AGENTS, NAMES, Framework, load
from workers_ai.cli.printing import Printer
from workers_ai.cli.service import NO_TRACES, chosen_service
from workers_ai.embedding_fields import DEFAULT_EMBEDDING_MODEL

FAMILIES = (
    "@cf/meta/llama-3.3-70b-instruct-fp8-fast",
    "@cf/openai/gpt-oss-20b",
    "@cf/google/gemma-4-26b-a4b-it",
    "@cf/meta/llama-4-scout-17b-16e-instruct",
)
"""One model of each family whose wire differs."""


def run(model: str | None = None, only: Framework | None = None, printer: Printer | None = None) -> None:
    """Let the agents answer, on `model` or on one of each family.

    Raises CommandError for what cannot be done, WorkersAIError for what the service refuses.
    """
    printer = printer or Printer()
    with changed(NO_TRACES):  # LangChain looks when it is loaded
        loaded = load([only] if only else list(Framework), AGENTS)
        with chosen_service() as service:
            printer.line("Agents with two tools, in LangChain and LlamaIndex (unofficial)", style="bold")
            printer.line(service.told)
            for line in loaded.absent:
                printer.line(line, style="yellow")
            printer.line(f"Question: {QUESTION}", style="cyan")
            for chosen in [model] if model else FAMILIES:
                models = Models(chosen, DEFAULT_EMBEDDING_MODEL, service.connection)
                for framework, agent in loaded.halves.items():
                    _show(printer, framework, agent, models)


def _show(printer: Printer, framework: Framework, agent: Agent, models: Models) -> None:
    printer.line()
    printer.line(f"{NAMES[framework]}, {models.chat}", style="bold")
    try:
        acted = agent.act(QUESTION, models, printer.piece)
    finally:
        printer.line()  # the answer's line ends, and an error begins a line of its own
    ran = ", ".join(acted.tools) or "none"
    printer.line(f"   Tools that ran: {ran}. Streamed in {acted.pieces} pieces.", style="dim")
