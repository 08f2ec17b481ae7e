"""lmdistill measure: size, latency and memory of networks."""

from pathlib import Path
from typing import Annotated

import typer

from lmdistill.cli.path_arguments import runs_or_models
from lmdistill.cli.threads import Threads


def measure(
    targets: Annotated[
        list[str],
        typer.Argument(
            help="Run folders (their teachers are measured too), model folders, exported folders or hub ids.",
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
    from lmdistill.serving.manifest import is_exported

    if all(is_exported(Path(target)) for target in targets):
        from lmdistill.commands.measure_exported import measure_exported

        show_measurements(measure_exported(targets, tokens=tokens, runs=runs), tokens)
        return
    from lmdistill.commands.measure import measure as run_measurement

    show_measurements(run_measurement(targets, tokens=tokens, runs=runs), tokens)
