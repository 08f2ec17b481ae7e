"""lmdistill measure: what networks weigh and take."""

from typing import Annotated

import typer

from lmdistill.cli.threads import Threads


def measure(
    targets: Annotated[
        list[str], typer.Argument(help="Runs (their teachers are added), model folders, hub ids.")
    ],
    tokens: Annotated[int, typer.Option(help="Length of the texts.", min=1)] = 64,
    runs: Annotated[int, typer.Option(help="Timed passes.", min=1)] = 30,
    threads: Threads = None,
) -> None:
    """Print parameters, operations, disk, latency and memory, all networks timed in turn."""
    from lmdistill.cli.print_measurements import show_measurements
    from lmdistill.commands.measure import measure as run_measurement

    show_measurements(run_measurement(targets, tokens=tokens, runs=runs), tokens)
