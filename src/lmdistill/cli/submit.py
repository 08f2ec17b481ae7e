"""lmdistill submit: write the zip file for the GLUE test server."""

from pathlib import Path
from typing import Annotated

import typer

from lmdistill.cli.console import say
from lmdistill.cli.path_arguments import runs_or_models, writable
from lmdistill.cli.threads import Threads


def submit(
    runs: Annotated[
        list[str], typer.Argument(help="Finished runs, one for each task.", callback=runs_or_models)
    ],
    data: Annotated[str, typer.Option(help="Folder glue_data with the official test files, or hub.")],
    out: Annotated[Path, typer.Option(help="Zip file to write.", callback=writable)],
    fill: Annotated[
        bool,
        typer.Option(
            help="Add constant predictions for tasks without a run; the server rejects incomplete files."
        ),
    ] = False,
    threads: Threads = None,
) -> None:
    """Predict the official GLUE test files with the students of runs, and write the zip file to submit."""
    from lmdistill.commands.submit import submit as run_submission

    filled = run_submission(runs, data, out, fill=fill)
    note = f" (constant answers for {', '.join(filled)})" if filled else ""
    say(f"{out}{note}")
