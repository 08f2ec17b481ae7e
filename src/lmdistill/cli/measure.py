"""lmdistill measure: size, latency and memory of networks."""

from typing import Annotated

import typer

from lmdistill.cli.path_arguments import runs_or_models
from lmdistill.cli.threads import Threads


def measure(
    targets: Annotated[
        list[str],
        typer.Argument(
            help="Run folders (their teachers are measured too), model folders or hub ids.",
            callback=runs_or_models,
        ),
    ],
    tokens: Annotated[int, typer.Option(help="Length of each text in tokens.", min=1)] = 64,
    runs: Annotated[
        int, typer.Option(help="Number of timed forward passes per network and batch size.", min=1)
    ] = 30,
    threads: Threads = None,
) -> None:
    """Print parameters, operations, disk size, latency and memory of networks, timed alternately."""
    from lmdistill.cli.print_measurements import show_measurements
    from lmdistill.commands.measure import measure as run_measurement

    show_measurements(run_measurement(targets, tokens=tokens, runs=runs), tokens)
