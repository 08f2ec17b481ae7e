"""Comparison tables on stdout, and tables of the schedules of runs."""

from collections.abc import Sequence
from pathlib import Path

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from lmdistill.analysis.compare import compare, require_alike
from lmdistill.cli.console import results, say
from lmdistill.records.record import REPORT, RecordedRun, find_records
from lmdistill.report.grid import Grid, markdown
from lmdistill.report.tables.assistants import account, accounts
from lmdistill.report.tables.classes import class_tables
from lmdistill.report.tables.quality import grid
from lmdistill.report.tables.schedules import schedule_grids

BETWEEN = 3
"""Characters between two columns: a line and a space on either side of it."""


def show(
    paths: Sequence[Path],
    *,
    baseline: str | None = None,
    order: tuple[str, ...] = (),
    as_markdown: bool = False,
    reports: Sequence[Path] | None = None,
    apart: bool = True,
) -> None:
    """Print the comparison of all runs at or below `paths`, then their schedules, to stdout.

    Scores by class are printed where macro_f1 is one of the metrics.

    Args:
        paths: Run folders, or folders that contain runs.
        baseline: Label of the row that all others are compared with; see `analysis.compare.compare`.
        order: Labels in the order of the rows.
        as_markdown: Print Markdown tables and nothing else.
        reports: Folders whose `report.html` is named at the end if it exists; None takes `paths`.
        apart: Whether runs of one task with different dev examples are allowed; they get separate tables.

    Raises:
        MismatchError: Runs of one task have different dev examples and `apart` is off; nothing is printed.
        UnknownNameError: No row is called `baseline`.
    """
    console, runs = results(), find_records(paths)
    tables = compare(runs, baseline=baseline, order=order)
    if not apart:
        require_alike(tables)
    for table in tables:
        _show(console, grid(table), as_markdown=as_markdown)
        for of_classes in class_tables(table) if "macro_f1" in table.task.metrics else ():
            console.print()
            _show(console, of_classes, as_markdown=as_markdown)
    _show_schedules(console, runs, as_markdown=as_markdown)
    for path in paths if reports is None else reports:
        if (path / REPORT).is_file() and not as_markdown:
            say(f"report: {path / REPORT}")


def _show_schedules(console: Console, runs: Sequence[RecordedRun], *, as_markdown: bool) -> None:
    """Print the candidate assistants and the cost of a single run, or one row for each of several runs."""
    if len(runs) > 1:
        several = accounts(runs)
        for table in (*schedule_grids(runs), *([] if several is None else [several])):
            console.print()
            _show(console, table, as_markdown=as_markdown)
        return
    single = account(runs[0].record)
    if single is None:
        return
    console.print()
    if single.table is not None:
        _show(console, single.table, as_markdown=as_markdown)
    for sentence in single.sentences:
        console.print(Text(sentence), soft_wrap=as_markdown)


def _show(console: Console, table: Grid, *, as_markdown: bool) -> None:
    """Print one table, drawn with lines or as Markdown."""
    if as_markdown:
        console.print(markdown(table), markup=False, soft_wrap=True)
    else:
        print_grid(console, table)


def _column_groups(widths: Sequence[int], line_width: int) -> list[list[int]]:
    """Divide the columns after the first one into groups that fit, with the first one, into a line.

    Args:
        widths: Width of each column in characters.
        line_width: Width of a line in characters.

    Returns:
        Column numbers of each group; a group has one column at least, even if it does not fit.

    Examples:
        >>> _column_groups([8, 10, 10, 10], 40)  # plus three characters between columns
        [[1, 2], [3]]
    """
    first = min(widths[0], line_width // 2)
    groups: list[list[int]] = [[]]
    for column in range(1, len(widths)):
        used = first + sum(widths[other] + BETWEEN for other in (*groups[-1], column))
        if used + BETWEEN > line_width and groups[-1]:
            groups.append([])
        groups[-1].append(column)
    return groups


def print_grid(console: Console, table: Grid) -> None:
    """Print a table with its caption, alarms and notes; a narrow terminal gets several narrower tables."""
    widths = [
        max(cell_len(text) for text in (*title.split(), *(row[column] for row in table.rows), ""))
        for column, title in enumerate(table.header)
    ]
    groups = _column_groups(widths, console.width) if console.is_terminal else [range(1, len(widths))]
    for number, group in enumerate(groups):
        title = Text(table.caption) if number == 0 else None
        shown = Table(title=title, title_justify="left", header_style="bold", show_edge=False)
        shown.add_column(Text(table.header[0]), overflow="fold")
        for column in group:
            shown.add_column(Text(table.header[column]), justify="right", min_width=widths[column])
        for row in table.rows:
            shown.add_row(*(Text(row[column]) for column in (0, *group)))
        console.print(shown)
    for alarm in table.alarms:
        console.print(Text(f"alarm: {alarm}", style="bold red"))
    for note in table.notes:
        console.print(Text(note, style="dim"))
