"""The page of a search for a student: one HTML file without scripts and without anything from elsewhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lmdistill.core.atomic_io import write_text
from lmdistill.core.printable import printable
from lmdistill.core.version import VERSION
from lmdistill.report.grid import Grid
from lmdistill.report.html import template
from lmdistill.report.plots.svg import Plot


@dataclass(frozen=True, kw_only=True)
class SearchPage:
    """The content of the page."""

    title: str
    """Heading of the page, as plain text."""

    lead: str
    """The choice and its reason, in a sentence or two."""

    alarms: Sequence[str]
    """What speaks against the numbers."""

    plots: Sequence[Plot]
    """Quality against latency and size."""

    grids: Sequence[tuple[str, Grid]]
    """Headings and tables."""

    facts: Mapping[str, str]
    """Limits, hours and conditions, by title."""

    command: str
    """Command line that trains another shape."""


def search_html(page: SearchPage) -> str:
    """The HTML of a search; like the report of runs it makes no request and runs no script."""
    return printable(template("search.html.j2").render(**vars(page), version=VERSION))


def write_search_page(path: Path, page: SearchPage) -> None:
    """Write the page of a search, which is replaced if it exists."""
    write_text(path, search_html(page))
