"""lmdistill list: the names that a recipe or a command accepts."""

import logging
from enum import StrEnum
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from lmdistill.cli.console import results

log = logging.getLogger("lmdistill")


class What(StrEnum):
    """Kinds of names that can be listed."""

    recipes = "recipes"
    studies = "studies"
    methods = "methods"
    tasks = "tasks"
    augmenters = "augmenters"


def listing(what: Annotated[What, typer.Argument(help="Kind of names to list.")]) -> None:
    """List built-in recipes or studies, or the methods, tasks or augmenters that a recipe can name."""
    from lmdistill.commands.catalog import catalog

    table = Table(show_header=False, box=None)
    for name, line in catalog(what.value).items():
        table.add_row(Text(name), Text(line))
    results().print(table)
    if what is What.studies:
        log.info("lmdistill study NAME --list says what differs from the publication at each scale")
