"""lmdistill prune: a network in, its most important heads and neurons out."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from lmdistill.analysis.number_format import millions, milliseconds
from lmdistill.cli.console import say
from lmdistill.cli.distill import Overrides
from lmdistill.cli.print_tables import results
from lmdistill.cli.threads import Threads
from lmdistill.commands.prune import Pruned
from lmdistill.commands.prune import prune as run_pruning


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
    found = run_pruning(
        target, out, keep=keep, score=score, scope=scope, multiple=multiple, overrides=set_ or []
    )
    _show(found, keep)
    say(f"{out}: {found.model}{_loading(found)}")


def _show(found: Pruned, keep: float) -> None:
    """Print both networks, a line each."""
    ranked = "all layers together" if found.pruning.scope == "global" else "each layer alone"
    table = Table(
        show_edge=False,
        title=f"keep {keep:g} by {found.pruning.score}, {ranked}; a text of {found.tokens} tokens",
        title_justify="left",
    )
    for title in ("", "heads", "neurons", "parameters", "of the layers", "latency p50, batch 1"):
        table.add_column(title, justify="right" if title else "left")
    for name, size in {"before": found.before, "after": found.after}.items():
        table.add_row(
            name,
            str(size.heads),
            str(size.neurons),
            millions(size.parameters),
            millions(size.encoder),
            milliseconds(size.latency_ms),
        )
    results().print(table)


def _loading(found: Pruned) -> str:
    """What loads it."""
    if not found.is_carried:
        return f", a class of transformers: {found.auto}.from_pretrained loads it"
    return (
        f", a class of its own, carried in the folder: {found.auto}.from_pretrained loads it with "
        "trust_remote_code=True, or after import lmdistill"
    )
