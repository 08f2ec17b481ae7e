"""lmdistill submit: the zip for the GLUE test server."""

from pathlib import Path
from typing import Annotated

import typer

from lmdistill.cli.console import say
from lmdistill.cli.threads import Threads


def submit(
    runs: Annotated[list[str], typer.Argument(help="One finished run for each task.")],
    data: Annotated[str, typer.Option(help="The official glue_data folder, or hub.")],
    out: Annotated[Path, typer.Option(help="The zip to write.")],
    fill: Annotated[bool, typer.Option(help="Constant answers for tasks without a run.")] = False,
    threads: Threads = None,
) -> None:
    """Answer the official test files and write the zip that the server takes."""
    from lmdistill.commands.submit import submit as run_submission

    filled = run_submission(runs, data, out, fill=fill)
    note = f" (constant answers for {', '.join(filled)})" if filled else ""
    say(f"{out}{note}")
