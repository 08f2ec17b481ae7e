"""lmdistill finetune: the teacher of a recipe alone."""

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from lmdistill.cli.console import say
from lmdistill.cli.distill import Overrides
from lmdistill.cli.threads import Threads


def finetune(
    recipe: Annotated[str, typer.Argument(help="Name of a built-in recipe, or path to your own YAML file.")],
    out: Annotated[
        Path, typer.Option(help="Folder that keeps teachers; recipes that write beside it find them.")
    ],
    set_: Overrides = None,
    threads: Threads = None,
) -> None:
    """Fine-tune the teacher of a recipe, once, and say where it is."""
    from lmdistill.recipes.files import read_recipe

    chosen, command = read_recipe(recipe, set_ or []), shlex.join(["lmdistill", *sys.argv[1:]])
    from lmdistill.runs.run_recipe import train_teacher

    say(str(train_teacher(chosen, out, command=command)))
