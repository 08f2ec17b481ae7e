"""lmdistill trim-vocabulary: save a classifier with only the word pieces that texts need."""

from pathlib import Path
from typing import Annotated

import typer

from lmdistill.cli.console import say
from lmdistill.cli.path_arguments import run_or_model, writable
from lmdistill.cli.threads import Threads


def _size(text: str) -> str:
    """A number of word pieces, or the word texts."""
    if text == "texts" or text.removeprefix("-").isdecimal():
        return text
    raise typer.BadParameter(f"{text!r} is neither a number nor texts.")


def trim_vocabulary(
    target: Annotated[str, typer.Argument(help="Run folder, model folder or hub id.", callback=run_or_model)],
    out: Annotated[
        Path, typer.Option(help="Folder of the smaller model; it must not exist.", callback=writable)
    ],
    texts: Annotated[
        list[Path] | None,
        typer.Option(
            help="File of texts (CSV, TSV, JSON lines, Parquet or plain text) that must stay as they are; "
            "can be given several times. Default: the training data of the run."
        ),
    ] = None,
    text: Annotated[
        list[str] | None,
        typer.Option(help="Column of the texts; give it twice for pairs. Default: inferred."),
    ] = None,
    size: Annotated[
        str,
        typer.Option(
            help="Number of word pieces to keep, or texts for those that the texts need.", callback=_size
        ),
    ] = "texts",
    threads: Threads = None,
) -> None:
    """Save a classifier with only the word pieces that texts need; they give the same logits as before."""
    from lmdistill.cli.print_vocabulary import show_vocabulary
    from lmdistill.commands.trim_vocabulary import trim_vocabulary as run_trimming

    facts = run_trimming(
        target, out, files=texts or (), text=text or (), size="texts" if size == "texts" else int(size)
    )
    show_vocabulary(facts)
    say(f"{out}: {facts.pieces:,} word pieces")
