"""`workers-ai demo`: both frameworks answer the same questions over a small corpus."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from workers_ai.cli.answering import Answered, Half, Models, tell
from workers_ai.cli.corpus_files import SHIPPED, Corpus, read_corpus
from workers_ai.cli.environment import changed
from workers_ai.cli.failure import CommandError
from workers_ai.cli.frameworks import NAMES, Framework, load
from workers_ai.cli.printing import Printer
from workers_ai.cli.service import NO_TRACES, Service, chosen_service
from workers_ai.embedding_fields import DEFAULT_EMBEDDING_MODEL
from workers_ai.meter import NeuronMeter
from workers_ai.text_fields import DEFAULT_MODEL

QUESTIONS = (
    "When does the last ferry to Orrin Island leave on Sundays?",
    "Who discovered the comet Tamsin?",
    "What does the tide mill grind?",
)
"""Asked of the shipped corpus, whose files alone hold the answers."""


@dataclass(frozen=True, slots=True)
class Demo:
    """What is to be shown. corpus, model, embedding_model: the shipped corpus and the default ids when None."""

    corpus: Path | None = None
    questions: Sequence[str] = ()
    model: str | None = None
    embedding_model: str | None = None
    only: Framework | None = None


def run(demo: Demo, printer: Printer | None = None) -> None:
    """Answer the questions with each framework and tell what it used.

    Raises CommandError for what cannot be done, WorkersAIError for what the service refuses.
    """
    printer = printer or Printer()
    questions = _questions(demo)
    corpus = read_corpus(demo.corpus or SHIPPED)
    with changed(NO_TRACES):  # LangChain looks when it is loaded
        loaded = load([demo.only] if demo.only else list(Framework))
        with chosen_service() as service:
            models = Models(
                demo.model or DEFAULT_MODEL, demo.embedding_model or DEFAULT_EMBEDDING_MODEL, service.connection
            )
            _introduce(printer, service, corpus, models)
            for line in loaded.absent:
                printer.line(line, style="yellow")
            with NeuronMeter() as meter:
                for framework, half in loaded.halves.items():
                    with meter.tag(NAMES[framework]):
                        _show(printer, framework, half, corpus, models, questions)
            printer.line()
            printer.line("What all of it cost, embeddings too (NeuronMeter)", style="bold")
            printer.line(meter.table())
            if service.emulated:
                printer.line("Counted by the emulator at Cloudflare's list prices; nothing was sent there or billed.")


def _questions(demo: Demo) -> Sequence[str]:
    asked = [question.strip() for question in demo.questions]
    if not all(asked):
        raise CommandError("a --question is empty")
    if demo.corpus and not asked:
        raise CommandError('--corpus needs a question about it: --question "..."')
    return asked or QUESTIONS


def _introduce(printer: Printer, service: Service, corpus: Corpus, models: Models) -> None:
    printer.line("Cloudflare Workers AI in LangChain and LlamaIndex (unofficial)", style="bold")
    printer.line(service.told)
    name = "Velmouth, an invented town" if corpus.folder == SHIPPED else str(corpus.folder)
    printer.line(f"Corpus: {name}; files: {corpus.files}, passages: {len(corpus.passages)}.")
    if corpus.empty:
        printer.line(f"Empty, passed over: {', '.join(corpus.empty)}.")
    printer.line(f"Models: {models.chat} answers, {models.embedding} embeds.")


def _show(
    printer: Printer, framework: Framework, half: Half, corpus: Corpus, models: Models, questions: Sequence[str]
) -> None:
    """One framework's answers, and the table of what they used."""
    printer.line()
    printer.line(NAMES[framework], style="bold")
    engine = half.build(corpus.passages, models)
    answers: list[Answered] = []
    for number, question in enumerate(questions, 1):
        printer.line()
        printer.line(f"{number}. {question}", style="cyan")
        try:
            answered = tell(engine.ask(question), printer.piece)
        finally:
            printer.line()  # the answer's line ends, and an error begins a line of its own
        printer.line(f"   Sources: {', '.join(answered.sources)}. Streamed in {answered.pieces} pieces.", style="dim")
        if answered.log_id or answered.cache_status:
            told = f"log {answered.log_id or 'not kept'}, cache {answered.cache_status or 'unknown'}"
            printer.line(f"   Gateway: {told}.", style="dim")
        answers.append(answered)
    printer.table(answers)
