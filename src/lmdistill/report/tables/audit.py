"""Tables of an audit of a student in use: agreement by slice, and the inputs, beside the certificate's."""

from collections.abc import Sequence

from lmdistill.analysis.answer_slices import ALL, ANSWERED, CLASS, CONFIDENCE, LENGTH, UNKNOWN
from lmdistill.analysis.drift import LEAST_TEXTS, PROMISE, WEEK, InputTest, SliceTest
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

HEADER = ("alarm", "agreement [95 %]", "compared with", "adjusted p", "texts")
"""Titles of the columns behind the name of the slice."""

WEEKS = ((WEEK,), "By week")
PARTS = (
    ((PROMISE, ALL, ANSWERED), "Overall"),
    ((CLASS,), "By answer of the student"),
    ((LENGTH,), "By length"),
    ((CONFIDENCE,), "By confidence of the student"),
)
"""Kinds of slices that share a table of the page, and its title."""

NOTES = (
    "Agreement is compared with that on the certificate's texts of the same slice; that of a week with all "
    "of its texts, and the promise with what was promised.",
    "Adjusted p: Fisher's exact test of a fall, of the promise the exact binomial test, with Holm's "
    f"correction over all tests. A dash: fewer than {LEAST_TEXTS} texts on either side, so not tested.",
)
"""What the columns mean."""

INPUTS = {
    LENGTH: "length in tokens",
    CONFIDENCE: "confidence of the student",
    UNKNOWN: "texts with an unknown piece",
}
"""Names of the histograms."""


def agreement_grid(report: AuditReport) -> Grid:
    """All slices in one table."""
    rows = [_row(report, one, slice_text(one.kind, one.name)) for one in report.drift.slices]
    return _grid(f"Agreement with {judge_text(report.certificate.against)}", rows, "agreement", NOTES)


def week_grid(report: AuditReport) -> Grid:
    """A table of the weeks."""
    kinds, title = WEEKS
    return _part(report, kinds, title)


def agreement_grids(report: AuditReport) -> tuple[Grid, ...]:
    """A table for each other kind of slice, for the page, which shows `NOTES` once."""
    return tuple(_part(report, kinds, title) for kinds, title in PARTS)


def _part(report: AuditReport, kinds: tuple[str, ...], title: str) -> Grid:
    """A table of some kinds of slices; names stand without their kind if there is only one."""
    rows = [
        _row(report, one, slice_text(one.kind, one.name) if len(kinds) > 1 else one.name)
        for kind in kinds
        for one in report.slices_of(kind)
    ]
    return _grid(title, rows, f"agreement-{kinds[-1]}", ())


def _grid(caption: str, rows: Sequence[tuple[str, ...]], name: str, notes: tuple[str, ...]) -> Grid:
    """A table of slices."""
    return Grid(caption=caption, header=("", *HEADER), rows=tuple(rows), notes=notes, alarms=(), name=name)


def _alarm(report: AuditReport, one: SliceTest | InputTest) -> str:
    """Whether a test is an alarm."""
    return "yes" if one in report.drift.alarms else ""


def _row(report: AuditReport, one: SliceTest, name: str) -> tuple[str, ...]:
    """The line of one slice."""
    before = percent_text(one.expected)
    if one.reference is None:
        before = f"{before} promised"
    elif one.expected is not None:
        before = f"{before} of {one.reference[0]:,}"
    return (
        name,
        _alarm(report, one),
        share_text(one) if one.texts else NONE,
        before,
        p_text(one.adjusted),
        f"{one.texts:,}",
    )


def inputs_grid(report: AuditReport) -> Grid:
    """The histograms: where they differ most, and their tests."""
    rows = []
    for one in report.drift.inputs:
        name, now, before = changed_most(one)
        rows.append(
            (
                INPUTS[one.kind],
                _alarm(report, one),
                name,
                percent_text(now),
                percent_text(before),
                p_text(one.adjusted),
            )
        )
    return Grid(
        caption=f"Inputs: {report.rows:,} texts beside those of the certificate",
        header=("", "alarm", "differs most in", "share now", "in the certificate", "adjusted p"),
        rows=tuple(rows),
        notes=("Lengths and confidences by the chi-square test of homogeneity, unknown pieces by Fisher's.",),
        alarms=(),
        name="inputs",
    )
