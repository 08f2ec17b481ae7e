"""lmdistill generate: complete the prompts of a file with a language model."""

from pathlib import Path
from typing import Annotated

import typer

from lmdistill.cli.console import say
from lmdistill.cli.path_arguments import run_or_model, writable
from lmdistill.cli.threads import Threads


def generate(
    target: Annotated[
        str,
        typer.Argument(help="Run folder of a language model, model folder or hub id.", callback=run_or_model),
    ],
    source: Annotated[
        Path,
        typer.Argument(help="File of prompts: JSON lines, CSV, TSV, Parquet, or text with one per line."),
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="Output file. Default: NAME.completed.jsonl beside the source.", callback=writable),
    ] = None,
    max_new: Annotated[int, typer.Option(help="Maximum length of a completion in tokens, >= 1.")] = 256,
    temperature: Annotated[
        float, typer.Option(help="Sampling temperature, >= 0; 0 always takes the most likely token.")
    ] = 0.0,
    template: Annotated[
        str | None,
        typer.Option(help="Template of the prompt with {column} fields. Default: chosen by the columns."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Random seed of the sampling.")] = 0,
    threads: Threads = None,
) -> None:
    """Complete every prompt of a file, in order. The same command continues an interrupted run."""
    from lmdistill.commands.generate import generate as run_generation

    chosen = out or source.with_name(f"{source.name.split('.')[0]}.completed.jsonl")
    count = run_generation(
        target, source, chosen, max_new=max_new, temperature=temperature, template=template, seed=seed
    )
    say(f"{count} rows: {chosen}")
