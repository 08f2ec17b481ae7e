"""lmdistill monitor: texts of a student in use beside those that it was certified on."""

import logging
from pathlib import Path
from typing import Annotated

import typer

from lmdistill.cli.console import results, say
from lmdistill.cli.graph_option import GraphName
from lmdistill.cli.path_arguments import writable
from lmdistill.cli.threads import Threads

log = logging.getLogger("lmdistill")

ALARM = 3
"""Exit code of an alarm, for a scheduler."""


def monitor(
    folder: Annotated[Path, typer.Argument(help="Folder of an exported model that is certified.")],
    audit: Annotated[
        Path,
        typer.Argument(
            help="A uniform sample of all texts, deferred ones too, with dates and the judge's answers: CSV, "
            "TSV, JSON lines or Parquet."
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(help="Page to write, a single HTML file.", callback=writable)
    ] = None,
    json: Annotated[
        Path | None,
        typer.Option("--json", help="File for the same numbers, for other programs.", callback=writable),
    ] = None,
    text: Annotated[
        list[str] | None,
        typer.Option(help="Column of the text; give it twice for pairs. Default: as in the run."),
    ] = None,
    date: Annotated[str | None, typer.Option(help="Column of the dates. Default: time, then date.")] = None,
    answer: Annotated[
        str | None,
        typer.Option(
            help="Column of the judge's answers. Default: answer, then teacher and label, the certificate's "
            "judge first."
        ),
    ] = None,
    alpha: Annotated[
        float, typer.Option(help="Largest chance of an alarm if nothing has changed, in (0, 1).")
    ] = 0.05,
    graph: GraphName = None,
    threads: Threads = None,
) -> None:
    """Compare texts in use with those of the certificate; exit code 3 is an alarm."""
    from lmdistill.cli.print_tables import print_grid
    from lmdistill.commands.dated_answers import Columns
    from lmdistill.commands.monitor import monitor as run_monitoring
    from lmdistill.report.tables.audit import agreement_grid, inputs_grid

    columns = Columns(text=tuple(text or ()), answer=answer, date=date)
    report = run_monitoring(folder, audit, columns=columns, graph=graph, alpha=alpha, out=out, json=json)
    for table in (agreement_grid(report), inputs_grid(report)):
        print_grid(results(), table)
    for path in (out, json):
        if path is not None:
            say(f"written: {path}")
    say(report.headline)
    for alarm in report.alarms:
        log.warning("alarm: %s", alarm)
    if report.alarms:
        raise typer.Exit(ALARM)
