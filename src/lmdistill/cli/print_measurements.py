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
    """Print one row for each network.

    Args:
        networks: Measurements of one network or more, with latencies of the same batch sizes.
        tokens: Length of the timed texts.
    """
    batch_sizes = networks[0].latency
    latency_columns = [f"{quantile} ms, batch {size}" for size in batch_sizes for quantile in ("p50", "p95")]
    grid = Grid(
        caption=f"texts of {tokens} tokens",
        header=(
            "",
            "layers",
            *(f"{part} M" for part in PARTS),
            "GFLOPs",
            "disk MB",
            *(f"{part} MB" for part in PARTS),
            *latency_columns,
            "memory MB",
        ),
        rows=tuple(map(_cells, networks)),
        notes=(),
        alarms=(),
    )
    print_grid(results(), grid)


def _cells(network: Measured) -> tuple[str, ...]:
    """The row of one network or graph."""
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
        _in_units(shape.disk_bytes, MILLION, 1),
        *(_in_units(shape.parts.get(part), MILLION, 1) for part in PARTS),
        *latencies,
        f"{network.peak_mb:.0f}",
    )


def _in_units(value: int | None, unit: float, digits: int) -> str:
    """A number in millions or billions; a dash if it is not known."""
    return NONE if value is None else f"{value / unit:.{digits}f}"
