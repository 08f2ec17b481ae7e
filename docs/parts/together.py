"""The papers' tables from one folder of records: all tasks, what networks take, how far seeds lie apart."""

from docs.parts.places import LATER, runs_of, tables_of
from lmdistill.report.costs import costs_grid
from lmdistill.report.maps import maps
from lmdistill.report.overview import overview as overview_of
from lmdistill.report.seeds import seeds_grid
from lmdistill.report.tables import markdown


def overview(name: str) -> str:
    """Rows are methods, columns are tasks."""
    tables = tables_of(name)
    return markdown(overview_of(tables).grid) if tables else LATER


def costs(name: str) -> str:
    """A line for each shape of network."""
    runs = runs_of(name)
    found = costs_grid(runs) if runs else None
    return LATER if found is None else markdown(found)


def seeds(name: str) -> str:
    """A line for each score of each row that has several seeds."""
    grids = [seeds_grid(table) for table in tables_of(name)]
    return "\n".join(markdown(grid) for grid in grids if grid is not None) or LATER


def separation(name: str) -> str:
    """How far apart each network puts the classes."""
    found = [maps(table) for table in tables_of(name)]
    return "\n".join(markdown(one.grid) for one in found if one is not None) or LATER
