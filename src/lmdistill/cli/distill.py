"""lmdistill distill: a recipe in, a run folder and a table out."""

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from lmdistill.cli.threads import Threads

Overrides = Annotated[
    list[str] | None, typer.Option("--set", help="a.b=value reaches every field of the recipe.")
]


def distill(
    recipe: Annotated[str, typer.Argument(help="Name of a built-in recipe, or path to your own YAML file.")],
    out: Annotated[
        Path, typer.Option(help="Folder of the run; the same command continues an interrupted one.")
    ],
    set_: Overrides = None,
    threads: Threads = None,
) -> None:
    """Do what a recipe says: teacher, students, evaluation, report."""
    from lmdistill.recipes.files import read_recipe
    from lmdistill.studies.parent_watchdog import follow

    follow()
    chosen = read_recipe(recipe, set_ or [])  # refused before anything heavier than torch is imported
    from lmdistill.cli.print_tables import show
    from lmdistill.runs.run_recipe import run_recipe

    command = shlex.join(["lmdistill", *sys.argv[1:]])
    run_recipe(chosen, out, command=command)
    show([out], order=tuple(chosen.methods))
