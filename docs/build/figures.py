"""Pictures of records, as files beside the pages."""

from collections.abc import Iterator
from itertools import count

from docs.build import paths
from docs.build.paths import LATER, runs_of, tables_of
from lmdistill.analysis.result_table import Comparison
from lmdistill.core.atomic_io import write_text
from lmdistill.report.export_files import file_name
from lmdistill.report.plots.gallery import trades
from lmdistill.report.plots.representations import maps
from lmdistill.report.plots.standalone_svg import standalone
from lmdistill.report.plots.svg import Plot

FIRST = "figures"
"""Folder of the files, beside the page that shows them."""


def pictures(asked: str) -> dict[str, tuple[str, Plot]]:
    """The pictures of a folder of records whose name begins as asked, by the name of their file.

    Args:
        asked: Folder and beginning, as in `mixkd-figure1 training-rows`.
    """
    folder, _, beginning = asked.partition(" ")
    names = (f"{folder}-{number}" for number in count())
    found: dict[str, tuple[str, Plot]] = {}
    for table in tables_of(folder):
        for name, plot in _drawn(table, names):
            if file_name(name).startswith(beginning):
                stem = file_name(folder, table.task.name, name.removeprefix("Quality and "))
                title = f"{name}, {table.task.name}"
                found[f"{stem}{f'-{len(found)}' if f'{stem}.svg' in found else ''}.svg"] = title, plot
    return found


def _drawn(table: Comparison, names: Iterator[str]) -> Iterator[tuple[str, Plot]]:
    """Pictures of one task with what each is called."""
    yield from ((plot.title, plot) for plot in trades(table, names))
    mapped = maps(table)
    yield from () if mapped is None else ((f"{plot.title}: {who}", plot) for who, plot in mapped.plots)


def figures(asked: str) -> str:
    """Each picture with its words below."""
    parts = [
        f"![{title}]({FIRST}/{name})\n\n{title}. {plot.alt}\n"
        for name, (title, plot) in pictures(asked).items()
    ]
    return "\n".join(parts) or (LATER if not runs_of(asked.split()[0]) else "Too few runs for a picture.\n")


def write_figures(asked: list[str]) -> None:
    """Write the files of all pictures that pages ask for, and remove those that none asks for any more."""
    texts = {name: standalone(plot, title) for one in asked for name, (title, plot) in pictures(one).items()}
    for name, text in texts.items():
        write_text(paths.FIGURES / name, text)
    for old in paths.FIGURES.glob("*.svg"):
        if old.name not in texts and old.name.startswith(tuple(f"{one.split()[0]}-" for one in asked)):
            old.unlink()
