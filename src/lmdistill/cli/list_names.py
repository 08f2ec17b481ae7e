"""lmdistill list: what there is."""

from enum import StrEnum
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from lmdistill.cli.console import results


class What(StrEnum):
    """Kinds of things with names."""

    recipes = "recipes"
    studies = "studies"
    methods = "methods"
    tasks = "tasks"
    augmenters = "augmenters"


def listing(what: Annotated[What, typer.Argument(help="Which names to list.")]) -> None:
    """List what a recipe can name, with one line each."""
    from lmdistill.commands.catalog import catalog

    table = Table(show_header=False, box=None)
    for name, line in catalog(what.value).items():
        table.add_row(Text(name), Text(line))
    results().print(table)
