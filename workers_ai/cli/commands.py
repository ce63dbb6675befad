"""The commands and their options. What they do stands in a module each, loaded when it is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from workers_ai.cli.failure import CommandError, told_in_one_line
from workers_ai.cli.frameworks import Framework
from workers_ai.cli.model_rows import Capability
from workers_ai.cli.pooling import Pooling

app = typer.Typer(
    name="workers-ai",
    help="Cloudflare Workers AI for LangChain and LlamaIndex. Unofficial.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        from workers_ai.version import version

        typer.echo(f"workers-ai {version()}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


@app.command()
def demo(
    corpus: Annotated[
        Path | None, typer.Option(help="Folder of .md and .txt files to answer from.", show_default="a shipped one")
    ] = None,
    question: Annotated[
        list[str] | None, typer.Option("--question", help="What to ask; may be given several times.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="Id of the chat model.")] = None,
    embedding_model: Annotated[str | None, typer.Option(help="Id of the embedding model.")] = None,
    only: Annotated[Framework | None, typer.Option(help="Show one framework alone.")] = None,
    agent: Annotated[bool, typer.Option("--agent", help="Show agents with two tools instead.")] = False,
) -> None:
    """Let both frameworks answer questions over a small corpus, and show what it cost.

    With --agent: an agent with two tools in each framework, on a model of each family.
    Runs on Cloudflare when CLOUDFLARE_ACCOUNT_ID and CLOUDFLARE_API_TOKEN are set, else on a local emulator.
    """
    with told_in_one_line():
        from workers_ai.cli import agent as agents
        from workers_ai.cli.demo import Demo, run

        if agent:
            if corpus or question or embedding_model:
                raise CommandError("--agent has a question of its own: it goes with --model and --only alone")
            agents.run(model, only)
            return
        run(Demo(corpus, tuple(question or ()), model, embedding_model, only))


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 8787,
    backend: Annotated[
        str | None,
        typer.Option(metavar="URL", help="OpenAI-compatible server that generates: Ollama, vLLM, llama.cpp."),
    ] = None,
) -> None:
    """Run the local emulator of Workers AI and AI Gateway until Ctrl+C."""
    with told_in_one_line():
        from workers_ai.cli.serve import run

        run(host, port, backend)


@app.command()
def models(
    text: Annotated[
        str | None, typer.Argument(help="Part of an id, e.g. llama or @cf/qwen.", show_default=False)
    ] = None,
    task: Annotated[str | None, typer.Option(help='Task, or a part of it: "text generation", embeddings.')] = None,
    can: Annotated[
        list[Capability] | None, typer.Option("--can", help="What it must be able to do; may be given several times.")
    ] = None,
    max_price: Annotated[
        float | None, typer.Option(min=0, metavar="USD", help="For a million tokens in and a million out together.")
    ] = None,
    min_context: Annotated[int | None, typer.Option(min=0, metavar="TOKENS", help="Least context window.")] = None,
    ended: Annotated[bool, typer.Option("--all", help="Also those that have ended or are not listed.")] = False,
    live: Annotated[bool, typer.Option("--live", help="Ask the account, and mark what only one side knows.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON list instead of tables.")] = False,
) -> None:
    """List the models by task, with context window, price and what they can do.

    From the shipped catalogue, without the network; with --live merged with the listing of the account that
    CLOUDFLARE_ACCOUNT_ID and CLOUDFLARE_API_TOKEN name.
    """
    with told_in_one_line():
        from workers_ai.cli.model_rows import Wanted
        from workers_ai.cli.models import run

        wanted = Wanted(text, task, frozenset(can or ()), max_price, min_context, ended)
        run(wanted, live=live, as_json=as_json)


@app.command()
def embed(
    input: Annotated[Path, typer.Argument(help="JSON lines, CSV or Parquet: the ending says which.")],
    output: Annotated[Path, typer.Argument(help="Parquet file to make: all columns and one more, the vectors.")],
    column: Annotated[str, typer.Option(help="Column of the texts.")] = "text",
    output_column: Annotated[str, typer.Option(help="Column to add.")] = "embedding",
    model: Annotated[
        str | None, typer.Option(help="Id of the embedding model.", show_default="@cf/baai/bge-m3")
    ] = None,
    pooling: Annotated[Pooling | None, typer.Option(help="Unset, the model decides.")] = None,
    dimensions: Annotated[int | None, typer.Option(min=1, help="Where the model lets one choose.")] = None,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Texts in a request.", show_default="the model's limit")
    ] = None,
    max_concurrency: Annotated[int | None, typer.Option(min=1, help="Requests in flight.", show_default="8")] = None,
    rate_limit: Annotated[
        str | None, typer.Option(help='Requests a minute, "catalog" or "adaptive".', show_default="none")
    ] = None,
    checkpoint_rows: Annotated[
        int | None, typer.Option(min=1, help="Rows between two checkpoints.", show_default="4 requests x in flight")
    ] = None,
    max_neurons: Annotated[float | None, typer.Option(min=0, help="Stop before the job has cost more.")] = None,
    max_usd: Annotated[float | None, typer.Option(min=0, help="Stop before the job has cost more.")] = None,
    free_only: Annotated[
        bool, typer.Option("--free-only", help="Stop before the job has used up a day's free 10,000 neurons.")
    ] = False,
    skip_empty: Annotated[
        bool, typer.Option("--skip-empty", help="Rows without a text get no vector, instead of an error.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it would cost, and send nothing.")] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an output, and remove checkpoints, of other options.")
    ] = False,
) -> None:
    """Embed a file of texts, however many. Killed at any moment, the same command goes on where it was.

    Exit codes: 0 all is done; 1 something failed; 3 stopped by a limit, with rows left to do.
    """
    with told_in_one_line():
        from workers_ai.bulk_files.budget import Budget
        from workers_ai.bulk_files.job import EmbedJob
        from workers_ai.cli.embed import Embed, embedder, main

        made = embedder(
            column=column,
            output=output_column,
            model=model,
            pooling=pooling,
            dimensions=dimensions,
            batch_size=batch_size,
            max_concurrency=max_concurrency,
            rate_limit=int(rate_limit) if rate_limit and rate_limit.isdigit() else rate_limit,
        )
        job = EmbedJob(input, output, made, skip_empty=skip_empty, checkpoint_rows=checkpoint_rows)
        main(Embed(job, Budget(max_neurons, max_usd, free_only), dry_run, overwrite))


@app.command()
def doctor(
    model: Annotated[
        list[str] | None, typer.Option("--model", help="A model you use; may be given several times.")
    ] = None,
    gateway: Annotated[
        str | None, typer.Option(metavar="ID", help="An AI Gateway, in place of the environment's.")
    ] = None,
    calls: Annotated[bool, typer.Option("--calls/--no-calls", help="Make one small chat and one embedding.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="A JSON object instead of lines.")] = False,
) -> None:
    """Look at account, token, network, gateway and models, make a real call, and say what to do.

    Everything comes from the environment, models too: any variable whose value is a model id. The exit code is 0 where
    all is well and 1 otherwise. The calls are billed as any others: less than a neuron.
    """
    with told_in_one_line():
        from workers_ai.cli.doctor import Doctor, run

        raise typer.Exit(run(Doctor(tuple(model or ()), gateway, calls), as_json=as_json))
