"""What `lmdistill prune` has made, as a table on stdout and in words."""

from rich.table import Table

from lmdistill.analysis.number_format import millions, milliseconds
from lmdistill.cli.console import results
from lmdistill.commands.prune import Pruned


def show_sizes(found: Pruned, keep: float) -> None:
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


def how_to_load(found: Pruned) -> str:
    """What loads it."""
    if not found.is_carried:
        return f", a class of transformers: {found.auto}.from_pretrained loads it"
    return (
        f", a class of its own, carried in the folder: {found.auto}.from_pretrained loads it with "
        "trust_remote_code=True, or after import lmdistill"
    )
