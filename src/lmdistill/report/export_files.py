"""Export of all tables and plots of a page as separate files: CSV, Markdown and SVG."""

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
"""Longest file name without suffix, in bytes; file systems allow 255, including a temporary suffix."""


def file_name(*parts: str) -> str:
    """Parts joined to one lower-case file name without spaces, valid on all file systems.

    Examples:
        >>> file_name("sst2", "Quality and latency"), file_name("rte", "Loss by term", "SM+TMKD, seed 0")
        ('sst2-latency', 'rte-loss-by-term-sm+tmkd-seed-0')
    """
    words = (part.lower().removeprefix("quality and ") for part in parts if part)
    name = re.sub(r"[^\w+=.]+", "-", "-".join(words)).strip("-.")
    return name.encode()[:LONGEST].decode(errors="ignore")


def write_files(
    folder: Path,
    runs: Sequence[RecordedRun],
    *,
    baseline: str | None = None,
    order: Sequence[str] = (),
) -> tuple[Path, ...]:
    """Write the tables and plots of the page about the runs into `folder`.

    File names consist of the task and the content, such as `sst2-quality.csv` and `sst2-latency.svg`. Tables
    are written as Markdown, rounded as on the page, and as CSV. The CSV files of quality, details, seeds,
    costs and of all tasks have unrounded numbers, with columns for standard deviation and number of seeds;
    other CSV files have the text of the page. Plots are written as SVG with legend and title, and as CSV with
    their data. The same records give the same bytes. Files with the same names are replaced.

    Args:
        folder: Output folder; it is created if necessary.
        runs: Result of `find_records`, at least one run.
        baseline: See `compare.compare`.
        order: See `compare.compare`.

    Returns:
        Paths of the written files.
    """
    texts: dict[str, str] = {}
    for name, files in page_files(page_of(runs, baseline=baseline, order=order), runs):
        used = {path.rpartition(".")[0] for path in texts}
        number = next(n for n in range(1, len(used) + 2) if _numbered(name, n) not in used)
        texts |= {f"{_numbered(name, number)}.{ending}": text for ending, text in files.items()}
    for path, text in texts.items():
        write_text(folder / path, text)
    return tuple(folder / path for path in texts)


def _numbered(name: str, number: int) -> str:
    """The name, followed by the number if it is not 1."""
    return name if number == 1 else f"{name}-{number}"


def page_files(page: Page, runs: Sequence[RecordedRun]) -> Iterator[tuple[str, dict[str, str]]]:
    """The files of a page in its order.

    Yields:
        Name without suffix, which may repeat, and content by suffix for each table and plot.
    """
    if page.overview is not None:
        yield "overview", _table(page.overview.grid, overview_sheet(page.overview))
    if page.costs is not None:
        yield "costs", _table(page.costs, costs_sheet(runs))
    for table, section in zip(page.tables, page.sections, strict=True):
        task = table.task.name
        for grid in _grids(section):
            yield file_name(task, grid.name), _table(grid, _sheet(grid, table))
        for label, plot in _plots(section):
            yield file_name(task, plot.title, label), _picture(plot, task, label)


def _grids(section: Section) -> Iterator[Grid]:
    """All tables of a section."""
    yield from (*section.tables, *section.certainty, *section.slices, *section.schedules)
    if section.benchmarks is not None:
        yield section.benchmarks
    if section.pictures.maps is not None:
        yield section.pictures.maps.grid
    for _, account, _ in section.accounts:
        if account.table is not None:
            yield account.table


def _plots(section: Section) -> Iterator[tuple[str, Plot]]:
    """All plots of a section with the label of their row, which is empty for plots about all rows."""
    yield from (("", plot) for plot in section.pictures.trades)
    yield from ((label, plot) for label, _, plot in section.accounts if plot is not None)
    if section.pictures.maps is not None:
        yield from section.pictures.maps.plots
    yield from section.pictures.curves


def _sheet(grid: Grid, table: Comparison) -> Sheet:
    """The unrounded numbers of a table, or the text of the page if there is no function for them."""
    unrounded = {"quality": quality_sheet, "details": details_sheet, "seeds": seeds_sheet}
    return unrounded[grid.name](table) if grid.name in unrounded else grid_sheet(grid)


def _table(grid: Grid, sheet: Sheet) -> dict[str, str]:
    """Contents of the files of a table, by suffix."""
    return {"csv": sheet.text, "md": markdown(grid)}


def _picture(plot: Plot, task: str, label: str) -> dict[str, str]:
    """Contents of the files of a plot, by suffix."""
    title = ", ".join(part for part in (plot.title, task, label) if part)
    return {"svg": standalone(plot, title), "csv": picture_sheet(plot.table).text}
