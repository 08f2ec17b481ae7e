"""lmdistill measure: what networks weigh and take."""

from typing import Annotated

import typer

from lmdistill.cli.print_tables import print_grid, results
from lmdistill.cli.threads import Threads
from lmdistill.commands.measure import BATCHES, Measured
from lmdistill.commands.measure import measure as run_measurement
from lmdistill.report.grid import Grid

MILLION, BILLION = 1e6, 1e9


def measure(
    targets: Annotated[
        list[str], typer.Argument(help="Runs (their teachers are added), model folders, hub ids.")
    ],
    tokens: Annotated[int, typer.Option(help="Length of the texts.", min=1)] = 64,
    runs: Annotated[int, typer.Option(help="Timed passes.", min=1)] = 30,
    threads: Threads = None,
) -> None:
    """Print parameters, operations, disk, latency and memory, all networks timed in turn."""
    sizes = [f"{what} ms, batch {size}" for size in BATCHES for what in ("p50", "p95")]
    weights = ("embeddings M", "encoder M", "head M")
    found = run_measurement(targets, tokens=tokens, runs=runs)
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
