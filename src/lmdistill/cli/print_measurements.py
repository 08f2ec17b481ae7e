"""Table of the results of `lmdistill measure`, on stdout."""

from collections.abc import Sequence

from lmdistill.cli.console import results
from lmdistill.cli.print_tables import print_grid
from lmdistill.commands.measure import Measured
from lmdistill.report.grid import Grid

MILLION, BILLION = 1e6, 1e9


def show_measurements(networks: Sequence[Measured], tokens: int) -> None:
    """Print one row for each network.

    Args:
        networks: Measurements of one network or more, with latencies of the same batch sizes.
        tokens: Length of the timed texts.
    """
    batch_sizes = networks[0].latency
    latency_columns = [f"{quantile} ms, batch {size}" for size in batch_sizes for quantile in ("p50", "p95")]
    parameter_columns = ("embeddings M", "encoder M", "head M")
    grid = Grid(
        caption=f"texts of {tokens} tokens",
        header=("", "layers", *parameter_columns, "GFLOPs", "disk MB", *latency_columns, "memory MB"),
        rows=tuple(map(_cells, networks)),
        notes=(),
        alarms=(),
    )
    print_grid(results(), grid)


def _cells(network: Measured) -> tuple[str, ...]:
    """The row of one network."""
    parts = network.parameters
    latencies = [
        f"{value:.1f}" for latency in network.latency.values() for value in (latency.p50_ms, latency.p95_ms)
    ]
    return (
        network.name,
        str(network.layers) if network.layers else "–",
        *(f"{part / MILLION:.2f}" for part in (parts.embeddings, parts.encoder, parts.head)),
        "–" if network.flops is None else f"{network.flops / BILLION:.2f}",
        "–" if network.disk_bytes is None else f"{network.disk_bytes / MILLION:.1f}",
        *latencies,
        f"{network.peak_mb:.0f}",
    )
