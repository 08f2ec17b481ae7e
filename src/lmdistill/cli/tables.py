"""Comparison tables in the terminal."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lmdistill.cli.messages import SILENT, say
from lmdistill.report.comparison import compare
from lmdistill.report.html import REPORT
from lmdistill.report.record import find_records
from lmdistill.report.tables import Grid, grid, markdown

NO_TERMINAL_WIDTH = 200


def results() -> Console:
    """Standard output; wide enough for whole tables where it is no terminal."""
    console = Console(highlight=False, emoji=False, quiet=SILENT)
    if not console.is_terminal:
        console.width = NO_TERMINAL_WIDTH
    return console


def show(paths: Sequence[Path], *, order: tuple[str, ...] = (), as_markdown: bool = False) -> None:
    """Print the comparison of all runs at or below `paths` to stdout."""
    console = results()
    for table in compare(find_records(paths), order=order):
        if as_markdown:
            console.print(markdown(grid(table)), markup=False, soft_wrap=True)
        else:
            _print(console, grid(table))
    for path in paths:
        if (path / REPORT).is_file():
            say(f"report: {path / REPORT}")


def _print(console: Console, table: Grid) -> None:
    """One table with its caption, alarms and notes."""
    shown = Table(title=Text(table.caption), title_justify="left", header_style="bold", show_edge=False)
    for number, title in enumerate(table.header):
        shown.add_column(Text(title), justify="left" if number == 0 else "right")
    for row in table.rows:
        shown.add_row(*(Text(cell) for cell in row))
    console.print(shown)
    for alarm in table.alarms:
        console.print(Text(f"alarm: {alarm}", style="bold red"))
    for note in table.notes:
        console.print(Text(note, style="dim"))
