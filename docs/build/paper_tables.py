"""The papers' tables from one folder of records: all tasks, what networks take, how far seeds lie apart."""

import types
from collections.abc import Callable, Iterable, Mapping

from docs.build import paths
from docs.build.csv_rounding import same_table
from docs.build.paths import LATER, runs_of, tables_of
from lmdistill.core.atomic_io import write_text
from lmdistill.report.export_files import file_name
from lmdistill.report.grid import Grid, markdown
from lmdistill.report.plots.representations import maps
from lmdistill.report.tables.costs import costs_grid
from lmdistill.report.tables.csv_export import Sheet, costs_sheet, overview_sheet, seeds_sheet
from lmdistill.report.tables.overview import overview as overview_of
from lmdistill.report.tables.seeds import seeds_grid

UNROUNDED = "tables"
"""Folder of the same tables as CSV, beside the page that shows them."""

Tables = list[tuple[str, Grid, Sheet]]
"""The name of the file, the table as the page shows it, and its numbers."""


def _of_tasks(name: str) -> Tables:
    """Rows are methods, columns are tasks."""
    tables = tables_of(name)
    if not tables:
        return []
    found = overview_of(tables)
    return [(file_name(name, "overview"), found.grid, overview_sheet(found))]


def _of_sizes(name: str) -> Tables:
    """A line for each shape of network."""
    runs = runs_of(name)
    found = costs_grid(runs) if runs else None
    return [] if found is None else [(file_name(name, "costs"), found, costs_sheet(runs))]


def _of_seeds(name: str) -> Tables:
    """A line for each score of each row that has several seeds, a table for each task."""
    return [
        (file_name(name, table.task.name, "seeds"), found, seeds_sheet(table))
        for table in tables_of(name)
        if (found := seeds_grid(table)) is not None
    ]


WRITTEN: Mapping[str, Callable[[str], Tables]] = types.MappingProxyType(
    {"overview": _of_tasks, "costs": _of_sizes, "seeds": _of_seeds}
)
"""The tables that are files too."""


def _shown(kind: str, name: str) -> str:
    """Each table of a kind, and where its numbers are."""
    return (
        "\n".join(
            f"{markdown(grid)}\nUnrounded: [{stem}.csv]({UNROUNDED}/{stem}.csv)\n"
            for stem, grid, _ in WRITTEN[kind](name)
        )
        or LATER
    )


def overview(name: str) -> str:
    """Rows are methods, columns are tasks."""
    return _shown("overview", name)


def costs(name: str) -> str:
    """A line for each shape of network."""
    return _shown("costs", name)


def seeds(name: str) -> str:
    """A line for each score of each row that has several seeds."""
    return _shown("seeds", name)


def separation(name: str) -> str:
    """How far apart each network puts the classes."""
    found = [maps(table) for table in tables_of(name)]
    return "\n".join(markdown(one.grid) for one in found if one is not None) or LATER


def write_tables(asked: Iterable[tuple[str, str]]) -> None:
    """Write the file of each table that pages ask for, by kind and folder, and remove all others.

    A file whose numbers differ only by rounding stays as it is, so that another processor changes nothing.
    """
    texts = {f"{stem}.csv": sheet.text for kind, name in asked for stem, _, sheet in WRITTEN[kind](name)}
    for name, text in texts.items():
        path = paths.TABLES / name
        if not (path.exists() and same_table(path.read_text(encoding="utf-8"), text)):
            write_text(path, text)
    for old in paths.TABLES.glob("*.csv"):
        if old.name not in texts:
            old.unlink()
