"""Every table and every picture of a page as a file of its own: CSV, Markdown, SVG."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from lmdistill.analysis.result_table import Comparison
from lmdistill.core.atomic_io import write_text
from lmdistill.records.record import RecordedRun
from lmdistill.report.grid import Grid, markdown
from lmdistill.report.page import Page, Section, page_of
from lmdistill.report.plots.standalone_svg import standalone
from lmdistill.report.plots.svg import Plot
from lmdistill.report.tables.csv_export import (
    Sheet,
    costs_sheet,
    details_sheet,
    grid_sheet,
    overview_sheet,
    picture_sheet,
    quality_sheet,
    seeds_sheet,
)

LONGEST = 100
"""Bytes of a name without its ending: file systems take 255, with what a half-written one has around it."""


def file_name(*parts: str) -> str:
    """Parts as one name that every file system takes: lower case, no spaces.

    Examples:
        >>> file_name("sst2", "Quality and latency"), file_name("rte", "Loss by term", "SM+TMKD, seed 0")
        ('sst2-latency', 'rte-loss-by-term-sm+tmkd-seed-0')
    """
    said = (part.lower().removeprefix("quality and ") for part in parts if part)
    name = re.sub(r"[^\w+=.]+", "-", "-".join(said)).strip("-.")
    return name.encode()[:LONGEST].decode(errors="ignore")


def write_files(
    folder: Path,
    runs: Sequence[RecordedRun],
    *,
    baseline: str | None = None,
    order: Sequence[str] = (),
) -> tuple[Path, ...]:
    """Write the tables and pictures of the page about the runs into `folder`; return their paths.

    Names begin with the task and end in what the file holds: `sst2-quality.csv`, `sst2-latency.svg`. A table
    is Markdown, as the page rounds it, and CSV. The CSV of quality, details, seeds, costs and of all tasks
    holds unrounded numbers, with deviation and number of seeds in columns of their own; other ones hold what
    the page shows. A picture is SVG that needs no page, and a CSV of what it draws. The same records give the
    same bytes. A file of the same name is replaced, others in the folder stay.

    Args:
        folder: Made if it is missing.
        runs: What `find_records` found, at least one.
        baseline: See `comparison.compare`.
        order: See `comparison.compare`.
    """
    texts: dict[str, str] = {}
    for name, files in page_files(page_of(runs, baseline=baseline, order=order), runs):
        taken = {path.rpartition(".")[0] for path in texts}
        number = next(n for n in range(1, len(taken) + 2) if _numbered(name, n) not in taken)
        texts |= {f"{_numbered(name, number)}.{ending}": text for ending, text in files.items()}
    for path, text in texts.items():
        write_text(folder / path, text)
    return tuple(folder / path for path in texts)


def _numbered(name: str, number: int) -> str:
    """A name that is taken gets a number."""
    return name if number == 1 else f"{name}-{number}"


def page_files(page: Page, runs: Sequence[RecordedRun]) -> Iterator[tuple[str, dict[str, str]]]:
    """Name and text by ending of each table and picture of a page, in its order; names may repeat."""
    if page.overview is not None:
        yield "overview", _table(page.overview.grid, overview_sheet(page.overview))
    if page.costs is not None:
        yield "costs", _table(page.costs, costs_sheet(runs))
    for table, section in zip(page.tables, page.sections, strict=True):
        task = table.task.name
        for grid in _grids(section):
            yield file_name(task, grid.name), _table(grid, _sheet(grid, table))
        for who, plot in _plots(section):
            yield file_name(task, plot.title, who), _picture(plot, task, who)


def _grids(section: Section) -> Iterator[Grid]:
    """All tables of a task."""
    yield from (*section.tables, *section.certainty, *section.slices, *section.schedules)
    if section.benchmarks is not None:
        yield section.benchmarks
    if section.pictures.maps is not None:
        yield section.pictures.maps.grid
    for _, account, _ in section.accounts:
        if account.table is not None:
            yield account.table


def _plots(section: Section) -> Iterator[tuple[str, Plot]]:
    """All pictures of a task, with the row that they are about."""
    yield from (("", plot) for plot in section.pictures.trades)
    yield from ((who, plot) for who, _, plot in section.accounts if plot is not None)
    if section.pictures.maps is not None:
        yield from section.pictures.maps.plots
    yield from section.pictures.curves


def _sheet(grid: Grid, table: Comparison) -> Sheet:
    """The numbers of a table, unrounded where they are known."""
    known = {"quality": quality_sheet, "details": details_sheet, "seeds": seeds_sheet}
    return known[grid.name](table) if grid.name in known else grid_sheet(grid)


def _table(grid: Grid, sheet: Sheet) -> dict[str, str]:
    """A table by ending."""
    return {"csv": sheet.text, "md": markdown(grid)}


def _picture(plot: Plot, task: str, who: str) -> dict[str, str]:
    """A picture by ending."""
    title = ", ".join(part for part in (plot.title, task, who) if part)
    return {"svg": standalone(plot, title), "csv": picture_sheet(plot.table).text}
