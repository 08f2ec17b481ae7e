"""lmdistill distill: run a recipe and print the table of its results."""

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from lmdistill.cli.threads import Threads

Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", help="Set a field of the recipe, as in training.epochs=3. Can be repeated."),
]

AllowCode = Annotated[
    bool,
    typer.Option(
        "--allow-code",
        help="Run the Python files of classes that the recipe names as file.py:Class. Read them first.",
    ),
]


def distill(
    recipe: Annotated[str, typer.Argument(help="Name of a built-in recipe, or path of a YAML file.")],
    out: Annotated[
        Path,
        typer.Option(help="Output folder. The same command continues an interrupted run in this folder."),
    ],
    set_: Overrides = None,
    allow_code: AllowCode = False,
    threads: Threads = None,
) -> None:
    """Run a recipe: fine-tune the teacher, train the students, evaluate them and write a report."""
    from lmdistill.recipes.files import read_recipe
    from lmdistill.studies.parent_watchdog import follow

    follow()
    # errors are reported before slower modules than torch are imported
    chosen = read_recipe(recipe, set_ or [], allow_code=allow_code)
    from lmdistill.cli.print_tables import show
    from lmdistill.runs.run_recipe import run_recipe

    command = shlex.join(["lmdistill", *sys.argv[1:]])
    run_recipe(chosen, out, command=command)
    show([out], order=tuple(chosen.methods))
