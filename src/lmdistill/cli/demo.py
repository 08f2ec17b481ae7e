"""lmdistill demo: the whole job on an embedded task, offline."""

from pathlib import Path
from typing import Annotated

import typer

from lmdistill.cli.distill import Overrides, distill
from lmdistill.cli.threads import Threads


def demo(
    language: Annotated[
        bool, typer.Option("--language", help="Language models instead of text classifiers.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Folder of the runs; runs/NAME unless given.")] = None,
    set_: Overrides = None,
    threads: Threads = None,
) -> None:
    """Run the built-in recipe demo, or demo-language: a teacher, students, a table and a report."""
    name = "demo-language" if language else "demo"
    distill(name, out or Path("runs") / name, set_)
