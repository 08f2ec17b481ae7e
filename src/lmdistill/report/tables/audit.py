"""Tables of an audit of a student in use: agreement by slice, and the inputs, beside the certificate's."""

from collections.abc import Iterator

from lmdistill.analysis.answer_slices import ALL, ANSWERED, CLASS, CONFIDENCE, LENGTH, UNKNOWN
from lmdistill.analysis.drift import LEAST_TEXTS, PROMISE, WEEK, SliceTest
from lmdistill.analysis.metric_format import NONE
from lmdistill.analysis.number_format import p_text
from lmdistill.report.audit_report import (
    AuditReport,
    changed_most,
    judge_text,
    percent_text,
    share_text,
    slice_text,
)
from lmdistill.report.grid import Grid

HEADER = ("texts", "agreement [95 %]", "compared with", "p (Holm)", "")
"""Titles of the columns behind the name of the slice."""

PARTS = (
    ((PROMISE, ALL, ANSWERED), "All texts"),
    ((WEEK,), "By week"),
    ((CLASS,), "By answer of the student"),
    ((LENGTH,), "By length"),
    ((CONFIDENCE,), "By confidence"),
)
"""Kinds of slices that share a table of the page, and its title."""

INPUTS = {
    LENGTH: "length in tokens",
    CONFIDENCE: "confidence of the student",
    UNKNOWN: "texts with an unknown piece",
}
"""Names of the histograms."""


def agreement_grid(report: AuditReport) -> Grid:
    """All slices in one table."""
    rows = tuple(_row(report, one, slice_text(one.kind, one.name)) for one in report.drift.slices)
    return _grid(f"Agreement with {judge_text(report.certificate.against)}", rows, "agreement")


def agreement_grids(report: AuditReport) -> Iterator[Grid]:
    """A table for each kind of slice that there are texts of."""
    for kinds, title in PARTS:
        several = len(kinds) > 1
        rows = tuple(
            _row(report, one, slice_text(one.kind, one.name) if several else one.name)
            for kind in kinds
            for one in report.slices_of(kind)
        )
        if rows:
            yield _grid(title, rows, f"agreement-{kinds[-1]}")


def _grid(caption: str, rows: tuple[tuple[str, ...], ...], name: str) -> Grid:
    """A table of slices with its explanations."""
    notes = [
        "Compared with the agreement on the certificate's texts of the same slice; weeks with that on all of "
        "them, and the promise with what was promised."
    ]
    if any(NONE in (row[2], row[3], row[4]) for row in rows):
        notes.append(f"A dash: not tested, since there are fewer than {LEAST_TEXTS} texts on either side.")
    return Grid(caption=caption, header=("", *HEADER), rows=rows, notes=tuple(notes), alarms=(), name=name)


def _row(report: AuditReport, one: SliceTest, name: str) -> tuple[str, ...]:
    """The line of one slice."""
    before = percent_text(one.expected)
    if one.reference is None:
        before = f"{before} promised"
    elif one.expected is not None:
        before = f"{before} of {one.reference[0]:,}"
    return (
        name,
        f"{one.texts:,}",
        share_text(one) if one.texts else NONE,
        before,
        p_text(one.adjusted),
        "alarm" if one in report.drift.alarms else "",
    )


def inputs_grid(report: AuditReport) -> Grid:
    """The histograms: where they differ most, and their tests."""
    rows = []
    for one in report.drift.inputs:
        name, now, before = changed_most(one)
        rows.append(
            (
                INPUTS[one.kind],
                name,
                percent_text(now),
                percent_text(before),
                p_text(one.adjusted),
                "alarm" if one in report.drift.alarms else "",
            )
        )
    return Grid(
        caption=f"Inputs: {report.rows:,} texts beside those of the certificate",
        header=("", "differs most in", "share now", "in the certificate", "p (Holm)", ""),
        rows=tuple(rows),
        notes=("Lengths and confidences by the chi-square test of homogeneity, unknown pieces by Fisher's.",),
        alarms=(),
        name="inputs",
    )
