"""lmdistill demo: train a teacher and students on a built-in task, offline."""

from pathlib import Path
from typing import Annotated

import typer

from lmdistill.cli.distill import Overrides, distill
from lmdistill.cli.path_arguments import writable
from lmdistill.cli.threads import Threads


def demo(
    language: Annotated[
        bool, typer.Option("--language", help="Train language models instead of text classifiers.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="Output folder. Default: runs/NAME of the recipe.", callback=writable)
    ] = None,
    set_: Overrides = None,
    threads: Threads = None,
) -> None:
    """Run the built-in recipe demo or demo-language: train a teacher and students, and write a report."""
    name = "demo-language" if language else "demo"
    distill(name, out or Path("runs") / name, set_)
