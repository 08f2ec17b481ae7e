"""The page of an audit: one HTML file without scripts and without anything from elsewhere."""

from pathlib import Path

from lmdistill.core.atomic_io import write_text
from lmdistill.core.printable import printable
from lmdistill.core.version import VERSION
from lmdistill.report.audit_report import AuditReport, judge_text, percent_text
from lmdistill.report.html import require_no_folder, template
from lmdistill.report.plots.audit import input_plot, week_plot
from lmdistill.report.tables.audit import INPUTS, NOTES, agreement_grids, inputs_grid, week_grid


def audit_html(report: AuditReport) -> str:
    """The HTML of an audit: headline, alarms, agreement by week and by slice, and the inputs.

    Like the report of runs it makes no request, runs no script, and has a light and a dark theme.

    Args:
        report: The audit.
    """
    plots = [
        input_plot(one, title=INPUTS[one.kind], name=f"input{number}")
        for number, one in enumerate(report.drift.inputs)
        if len(one.texts) > 2  # two shares need no plot
    ]
    text = template("audit.html.j2").render(
        title=f"Audit of {Path(report.folder).name}",
        report=report,
        facts=_facts(report),
        week_plot=week_plot(report, name="weeks"),
        weeks=week_grid(report),
        grids=agreement_grids(report),
        notes=NOTES,
        inputs=inputs_grid(report),
        plots=plots,
        version=VERSION,
    )
    return printable(text)


def _facts(report: AuditReport) -> dict[str, str]:
    """What was compared with what, by title."""
    certificate = report.certificate
    return {
        "audit": f"{Path(report.audit).name}, {report.rows:,} rows, {report.overall.texts:,} with an answer",
        "days": f"{report.days[0]} to {report.days[1]}, in UTC",
        "answers": f"column {report.answer_column}, compared as {judge_text(certificate.against)}",
        "graph": report.graph,
        "promise": f"{percent_text(certificate.agreement)} agreement on texts with a confidence from "
        f"{certificate.threshold:.4g} on",
        "certificate": f"{certificate.made}, {certificate.texts:,} texts of {certificate.source}",
        "level": f"an alarm in at most {percent_text(report.drift.alpha)} of audits without a change",
    }


def write_audit_page(path: Path, report: AuditReport) -> None:
    """Write the page of an audit, which is replaced if it exists.

    Raises:
        RunError: If the path is a folder.
    """
    require_no_folder(path)
    write_text(path, audit_html(report))
