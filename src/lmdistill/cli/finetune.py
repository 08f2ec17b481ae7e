"""lmdistill finetune: fine-tune only the teacher of a recipe."""

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from lmdistill.cli.console import say
from lmdistill.cli.distill import Overrides
from lmdistill.cli.threads import Threads


def finetune(
    recipe: Annotated[str, typer.Argument(help="Name of a built-in recipe, or path of a YAML file.")],
    out: Annotated[
        Path,
        typer.Option(help="Folder for teachers. With runs/teachers, later runs in runs/NAME reuse them."),
    ],
    set_: Overrides = None,
    threads: Threads = None,
) -> None:
    """Fine-tune the teacher of a recipe, unless it exists, and print its folder."""
    from lmdistill.recipes.files import read_recipe_without_code  # a teacher needs no method

    chosen = read_recipe_without_code(recipe, set_ or [])
    command = shlex.join(["lmdistill", *sys.argv[1:]])
    from lmdistill.runs.run_recipe import train_teacher

    say(str(train_teacher(chosen, out, command=command)))
