"""lmdistill prune: save a model that has only its most important attention heads and neurons."""

from pathlib import Path
from typing import Annotated

import typer

from lmdistill.cli.console import say
from lmdistill.cli.distill import Overrides
from lmdistill.cli.path_arguments import run_or_model, writable
from lmdistill.cli.threads import Threads


def prune(
    target: Annotated[str, typer.Argument(help="Run folder, model folder or hub id.", callback=run_or_model)],
    keep: Annotated[float, typer.Option(help="Fraction of the heads and neurons to keep, in (0, 1].")],
    out: Annotated[
        Path, typer.Option(help="Folder of the pruned model; it must not exist.", callback=writable)
    ],
    score: Annotated[
        str | None,
        typer.Option(
            help="Importance score: gradient or activation, measured on the data of the run or on --set task "
            "and data, or texts; or magnitude, which needs no data. Default: gradient if there is data, else "
            "magnitude."
        ),
    ] = None,
    scope: Annotated[
        str | None,
        typer.Option(
            help="global ranks the units of all layers together, layer those of each layer alone. Default: "
            "layer for language models, else global."
        ),
    ] = None,
    multiple: Annotated[
        int, typer.Option(help="The number of neurons of each layer is a multiple of this, >= 1.")
    ] = 8,
    set_: Overrides = None,
    threads: Threads = None,
) -> None:
    """Save a model with only its most important attention heads and neurons, without training it."""
    from lmdistill.cli.print_pruning import how_to_load, show_sizes
    from lmdistill.commands.prune import prune as run_pruning

    pruned = run_pruning(
        target, out, keep=keep, score=score, scope=scope, multiple=multiple, overrides=set_ or []
    )
    show_sizes(pruned, keep)
    say(f"{out}: {pruned.model}{how_to_load(pruned)}")
