"""Table of the results of `lmdistill measure`, on stdout."""

from collections.abc import Sequence

from lmdistill.analysis.metric_format import NONE
from lmdistill.cli.console import results
from lmdistill.cli.print_tables import print_grid
from lmdistill.commands.measured import Measured
from lmdistill.report.grid import Grid

MILLION, BILLION = 1e6, 1e9

PARTS = ("embeddings", "encoder", "head")
"""Parts of a network, in parameters and in bytes on disk."""


def show_measurements(networks: Sequence[Measured], tokens: int) -> None:
    """Print a table of speed and one of sizes, with a row for each network or graph.

    Args:
        networks: Measurements of one network or more, with latencies of the same batch sizes.
        tokens: Length of the timed texts.
    """
    batch_sizes = networks[0].latency
    latency_columns = [f"{quantile} ms, batch {size}" for size in batch_sizes for quantile in ("p50", "p95")]
    print_grid(
        results(),
        Grid(
            caption=f"texts of {tokens} tokens",
            header=("", "layers", *(f"{part} M" for part in PARTS), "GFLOPs", *latency_columns, "memory MB"),
            rows=tuple(map(_speed_cells, networks)),
            notes=(),
            alarms=(),
        ),
    )
    results().print()
    print_grid(
        results(),
        Grid(
            caption="MB on disk, and of the weights",
            header=("", "folder", *PARTS),
            rows=tuple(map(_size_cells, networks)),
            notes=(),
            alarms=(),
        ),
    )


def _speed_cells(network: Measured) -> tuple[str, ...]:
    """Size, latency and memory of one network or graph."""
    shape = network.shape
    counts = [getattr(shape.parameters, part, None) for part in PARTS]
    latencies = [
        f"{value:.1f}" for latency in network.latency.values() for value in (latency.p50_ms, latency.p95_ms)
    ]
    return (
        network.name,
        str(shape.layers) if shape.layers else NONE,
        *(_in_units(count, MILLION, 2) for count in counts),
        _in_units(shape.flops, BILLION, 2),
        *latencies,
        f"{network.peak_mb:.0f}",
    )


def _size_cells(network: Measured) -> tuple[str, ...]:
    """Bytes on disk of one network or graph."""
    parts = network.shape.parts
    return (
        network.name,
        _in_units(network.shape.disk_bytes, MILLION, 1),
        *(_in_units(parts.get(part), MILLION, 1) for part in PARTS),
    )


def _in_units(value: int | None, unit: float, digits: int) -> str:
    """A number in millions or billions; a dash if it is not known."""
    return NONE if value is None else f"{value / unit:.{digits}f}"
