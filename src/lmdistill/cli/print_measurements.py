"""What `lmdistill measure` has found, as a table on stdout."""

from collections.abc import Sequence

from lmdistill.cli.console import results
from lmdistill.cli.print_tables import print_grid
from lmdistill.commands.measure import BATCHES, Measured
from lmdistill.report.grid import Grid

MILLION, BILLION = 1e6, 1e9


def show_measurements(found: Sequence[Measured], tokens: int) -> None:
    """Print a line for each network, whose texts had so many `tokens`."""
    sizes = [f"{what} ms, batch {size}" for size in BATCHES for what in ("p50", "p95")]
    weights = ("embeddings M", "encoder M", "head M")
    grid = Grid(
        caption=f"texts of {tokens} tokens",
        header=("", "layers", *weights, "GFLOPs", "disk MB", *sizes, "memory MB"),
        rows=tuple(map(_cells, found)),
        notes=(),
        alarms=(),
    )
    print_grid(results(), grid)


def _cells(found: Measured) -> tuple[str, ...]:
    """One row of the table."""
    parts = found.parameters
    times = [
        f"{value:.1f}"
        for size in BATCHES
        for value in (found.latency[size].p50_ms, found.latency[size].p95_ms)
    ]
    return (
        found.name,
        str(found.layers),
        *(f"{part / MILLION:.2f}" for part in (parts.embeddings, parts.encoder, parts.head)),
        f"{found.flops / BILLION:.2f}",
        "–" if found.disk_bytes is None else f"{found.disk_bytes / MILLION:.1f}",
        *times,
        f"{found.peak_mb:.0f}",
    )
