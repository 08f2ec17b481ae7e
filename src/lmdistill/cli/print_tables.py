"""Comparison tables in the terminal, and how students came to their teachers."""

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
from lmdistill.report.tables.quality import grid
from lmdistill.report.tables.schedules import schedule_grids

BETWEEN = 3
"""Characters between two columns."""


def show(
    paths: Sequence[Path],
    *,
    baseline: str | None = None,
    order: tuple[str, ...] = (),
    as_markdown: bool = False,
    reports: Sequence[Path] | None = None,
    apart: bool = True,
) -> None:
    """Print the comparison of all runs at or below `paths` to stdout, then how they were scheduled.

    Args:
        paths: Runs, or folders of runs.
        baseline: Label of the row that all are tested against; see `comparison.compare`.
        order: Labels in the order of the table.
        as_markdown: As Markdown has tables, and nothing else, instead of as a terminal shows them.
        reports: Folders whose page is named at the end; those in `paths` unless given, so that a run or a
            study tells where its page is.
        apart: Whether runs of one task may have been judged on different dev examples.

    Raises:
        MismatchError: If they may not, and were; before anything is printed.
        UnknownNameError: If no row is called `baseline`.
    """
    console, runs = results(), find_records(paths)
    tables = compare(runs, baseline=baseline, order=order)
    if not apart:
        require_alike(tables)
    for table in tables:
        _show(console, grid(table), as_markdown=as_markdown)
    _show_schedules(console, runs, as_markdown=as_markdown)
    for path in paths if reports is None else reports:
        if (path / REPORT).is_file() and not as_markdown:
            say(f"report: {path / REPORT}")


def _show_schedules(console: Console, runs: Sequence[RecordedRun], *, as_markdown: bool) -> None:
    """The candidates and the cost of a single run; of several, a line each."""
    if len(runs) > 1:
        several = accounts(runs)
        for table in (*schedule_grids(runs), *([] if several is None else [several])):
            console.print()
            _show(console, table, as_markdown=as_markdown)
        return
    found = account(runs[0].record)
    if found is None:
        return
    console.print()
    if found.table is not None:
        _show(console, found.table, as_markdown=as_markdown)
    for sentence in found.sentences:
        console.print(Text(sentence), soft_wrap=as_markdown)


def _show(console: Console, table: Grid, *, as_markdown: bool) -> None:
    """One table, as a terminal or as Markdown has it."""
    if as_markdown:
        console.print(markdown(table), markup=False, soft_wrap=True)
    else:
        print_grid(console, table)


def _parts(widths: Sequence[int], room: int) -> list[list[int]]:
    """The columns beside the first one, in groups that fit into a line with it, at least one in each.

    Examples:
        >>> _parts([8, 10, 10, 10], 40)  # with three more for each bar and its spaces
        [[1, 2], [3]]
    """
    first = min(widths[0], room // 2)
    found: list[list[int]] = [[]]
    for place in range(1, len(widths)):
        taken = first + sum(widths[other] + BETWEEN for other in (*found[-1], place))
        if taken + BETWEEN > room and found[-1]:
            found.append([])
        found[-1].append(place)
    return found


def print_grid(console: Console, table: Grid) -> None:
    """One table with its caption, alarms and notes; in parts below each other where a terminal is narrow."""
    widths = [
        max(cell_len(text) for text in (*title.split(), *(row[place] for row in table.rows), ""))
        for place, title in enumerate(table.header)
    ]
    parts = _parts(widths, console.width) if console.is_terminal else [range(1, len(widths))]
    for number, part in enumerate(parts):
        title = Text(table.caption) if number == 0 else None
        shown = Table(title=title, title_justify="left", header_style="bold", show_edge=False)
        shown.add_column(Text(table.header[0]), overflow="fold")
        for place in part:
            shown.add_column(Text(table.header[place]), justify="right", min_width=widths[place])
        for row in table.rows:
            shown.add_row(*(Text(row[place]) for place in (0, *part)))
        console.print(shown)
    for alarm in table.alarms:
        console.print(Text(f"alarm: {alarm}", style="bold red"))
    for note in table.notes:
        console.print(Text(note, style="dim"))
