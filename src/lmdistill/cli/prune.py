"""lmdistill prune: a network in, its most important heads and neurons out."""

from pathlib import Path
from typing import Annotated

import typer

from lmdistill.cli.console import say
from lmdistill.cli.distill import Overrides
from lmdistill.cli.threads import Threads


def prune(
    target: Annotated[str, typer.Argument(help="A run, a model folder, a hub id.")],
    keep: Annotated[float, typer.Option(help="Fraction of the heads and neurons, in (0, 1].")],
    out: Annotated[Path, typer.Option(help="Folder of the pruned model; it must not exist.")],
    score: Annotated[
        str | None,
        typer.Option(
            help="gradient or activation, on the rows of a run or of --set task and data, or texts; or "
            "magnitude, which needs none."
        ),
    ] = None,
    scope: Annotated[
        str | None,
        typer.Option(help="global ranks all layers together, layer each alone; layer for language models."),
    ] = None,
    multiple: Annotated[int, typer.Option(help="Numbers of neurons are multiples of this.")] = 8,
    set_: Overrides = None,
    threads: Threads = None,
) -> None:
    """Save the most important heads and neurons of a model, which learns nothing meanwhile."""
    from lmdistill.cli.print_pruning import how_to_load, show_sizes
    from lmdistill.commands.prune import prune as run_pruning

    found = run_pruning(
        target, out, keep=keep, score=score, scope=scope, multiple=multiple, overrides=set_ or []
    )
    show_sizes(found, keep)
    say(f"{out}: {found.model}{how_to_load(found)}")
