"""Results of `lmdistill prune`: a table of sizes on stdout, and how to load the pruned model."""

from rich.table import Table

from lmdistill.analysis.number_format import millions, milliseconds
from lmdistill.cli.console import results
from lmdistill.commands.prune import Pruned


def show_sizes(pruned: Pruned, keep: float) -> None:
    """Print one row for the network before and one for the network after pruning."""
    ranking = "all layers together" if pruned.pruning.scope == "global" else "each layer alone"
    table = Table(
        show_edge=False,
        title=f"keep {keep:g} by {pruned.pruning.score}, {ranking}; a text of {pruned.tokens} tokens",
        title_justify="left",
    )
    for title in ("", "heads", "neurons", "parameters", "of the layers", "latency p50, batch 1"):
        table.add_column(title, justify="right" if title else "left")
    for name, size in {"before": pruned.before, "after": pruned.after}.items():
        table.add_row(
            name,
            str(size.heads),
            str(size.neurons),
            millions(size.parameters),
            millions(size.encoder),
            milliseconds(size.latency_ms),
        )
    results().print(table)


def how_to_load(pruned: Pruned) -> str:
    """How to load the pruned model with transformers; continues a sentence after the name of its class."""
    if not pruned.is_carried:
        return f", a class of transformers: {pruned.auto}.from_pretrained loads it"
    return (
        f", a custom class whose code is in the folder: {pruned.auto}.from_pretrained loads it with "
        "trust_remote_code=True, or after import lmdistill"
    )
