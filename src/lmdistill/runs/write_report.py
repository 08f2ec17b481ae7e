"""The pages of a folder of runs: report.html, and the README of a single run."""

from collections.abc import Sequence
from pathlib import Path

from lmdistill.analysis.compare import compare
from lmdistill.core.atomic_io import write_text
from lmdistill.core.printable import one_line
from lmdistill.core.progress import announce
from lmdistill.export.hugging_face import has_modeling_file
from lmdistill.records.record import RECORD, find_records, read_record
from lmdistill.report.grid import markdown
from lmdistill.report.html import write_report
from lmdistill.report.model_card import run_readme
from lmdistill.report.tables.quality import grid
from lmdistill.runs.run_folder import RunFolder


def write_pages(folder: Path, order: tuple[str, ...] = (), inside: Sequence[Path] | None = None) -> None:
    """Write `folder/report.html` and `folder/README.md` from the records at or below `folder`.

    Args:
        folder: A run, or a folder of runs.
        order: Labels of rows in the order of the table; other rows follow.
        inside: Run folders that the pages show; all at or below `folder` unless given.
    """
    runs = find_records([folder] if inside is None else inside)
    announce(f"writing {folder / 'report.html'}")
    write_report(folder, runs, order=order)
    if (folder / RECORD).is_file():
        carried = has_modeling_file(folder / "student")
        text = run_readme(read_record(folder), folder.name, carried=carried)
    else:
        tables = "\n\n".join(markdown(grid(table)) for table in compare(runs, order=order))
        text = (
            f"# {one_line(folder.name)}\n\n{tables}\n\nA folder for each run; `report.html` has the curves.\n"
        )
    write_text(folder / "README.md", text)


def complete(folder: Path) -> None:
    """Do what is left of a recorded run whose process was killed: its pages, and removing its checkpoints."""
    if not (folder / "README.md").is_file():  # the last one that `write_pages` writes
        write_pages(folder)
    RunFolder(path=folder).clean()
