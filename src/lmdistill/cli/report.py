"""lmdistill report: records to a table and a page."""

from pathlib import Path
from typing import Annotated

import typer

from lmdistill.cli.console import say


def report(
    runs: Annotated[list[Path], typer.Argument(help="Runs, or folders of runs.")],
    out: Annotated[
        Path | None, typer.Option(help="The page, or a folder for report.html; only the table without it.")
    ] = None,
    files: Annotated[
        Path | None, typer.Option(help="A folder for each table and picture as CSV, Markdown and SVG.")
    ] = None,
    baseline: Annotated[
        str | None, typer.Option(help="The row that all are tested against; FT of their size unless given.")
    ] = None,
    apart: Annotated[
        bool, typer.Option(help="Runs of one task on different dev examples have tables of their own.")
    ] = False,
    markdown: Annotated[bool, typer.Option(help="Print the table as Markdown.")] = False,
) -> None:
    """Compare runs: a table here, a page that needs nothing but itself, and files for papers and programs."""
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
