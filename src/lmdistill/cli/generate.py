"""lmdistill generate: prompts in, completions out."""

from pathlib import Path
from typing import Annotated

import typer

from lmdistill.cli.console import say
from lmdistill.cli.threads import Threads


def generate(
    target: Annotated[str, typer.Argument(help="A run of a language model, a model folder, a hub id.")],
    source: Annotated[Path, typer.Argument(help="JSON lines, CSV, TSV, Parquet, or a prompt a line.")],
    out: Annotated[Path | None, typer.Option(help="Where to write; beside the source unless given.")] = None,
    max_new: Annotated[int, typer.Option(help="Longest completion in tokens.")] = 256,
    temperature: Annotated[float, typer.Option(help="0 always takes the most likely token.")] = 0.0,
    template: Annotated[str | None, typer.Option(help="Wording of the prompt with {column} fields.")] = None,
    seed: Annotated[int, typer.Option(help="Of what is sampled.")] = 0,
    threads: Threads = None,
) -> None:
    """Complete every prompt of a file; the order is kept, and an interrupted call goes on."""
    from lmdistill.commands.generate import generate as run_generation

    chosen = out or source.with_name(f"{source.name.split('.')[0]}.completed.jsonl")
    count = run_generation(
        target, source, chosen, max_new=max_new, temperature=temperature, template=template, seed=seed
    )
    say(f"{count} rows: {chosen}")
