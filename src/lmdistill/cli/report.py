"""lmdistill report: compare runs in a table, on an HTML page and in files."""

from pathlib import Path
from typing import Annotated

import typer

from lmdistill.cli.console import say
from lmdistill.cli.path_arguments import writable


def report(
    runs: Annotated[list[Path], typer.Argument(help="Run folders, or folders that contain runs.")],
    out: Annotated[
        Path | None,
        typer.Option(
            help="HTML file, or folder for report.html. Without it, only a table is printed.",
            callback=writable,
        ),
    ] = None,
    files: Annotated[
        Path | None,
        typer.Option(
            help="Folder for the tables as CSV and Markdown and the figures as SVG.", callback=writable
        ),
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(
            help="Label of the row that all others are tested against. Default: fine-tuning of the same size "
            "(FT)."
        ),
    ] = None,
    apart: Annotated[
        bool,
        typer.Option(help="Allow runs of one task with different dev examples; they get separate tables."),
    ] = False,
    markdown: Annotated[bool, typer.Option(help="Print the table as Markdown.")] = False,
) -> None:
    """Compare runs: print a table, and write a self-contained HTML page and data files if asked for."""
    from lmdistill.cli.print_tables import show
    from lmdistill.records.record import REPORT, find_records
    from lmdistill.studies.row_order import row_order

    order = row_order(runs)
    show(runs, baseline=baseline, order=order, as_markdown=markdown, apart=apart, reports=())
    if out is not None:
        from lmdistill.report.html import write_report

        is_page = out.suffix == ".html" and not out.is_dir()
        folder, name = (out.parent, out.name) if is_page else (out, REPORT)
        page = write_report(folder, find_records(runs), baseline=baseline, order=order, name=name)
        say(f"report: {page}")
    if files is not None:
        from lmdistill.report.export_files import write_files

        written = write_files(files, find_records(runs), baseline=baseline, order=order)
        say(f"files: {len(written)} in {files}")
