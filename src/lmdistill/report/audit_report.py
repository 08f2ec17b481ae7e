"""What an audit of a student in use found, and its sentences."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lmdistill.analysis.answer_slices import ALL, ANSWERED, CONFIDENCE, UNKNOWN
from lmdistill.analysis.drift import PROMISE, WEEK, Drift, InputTest, SliceTest
from lmdistill.analysis.number_format import p_text
from lmdistill.serving.certificate import Certificate, Judge


@dataclass(frozen=True, kw_only=True)
class AuditReport:
    """An audit of a student in use."""

    folder: str
    """Exported folder of the student."""

    graph: str
    """Name of the graph that answered."""

    certificate: Certificate
    """What was promised of it."""

    audit: str
    """File of the audit."""

    answer_column: str
    """Column of the judge's answers."""

    rows: int
    """Rows of the file, with an answer of the judge or without."""

    days: tuple[str, str]
    """First and last day, as 2026-11-30."""

    drift: Drift
    """All tests."""

    answered_weeks: Mapping[str, tuple[int, int]]
    """Texts that the student answers itself, and the agreed ones of these, by week."""

    notes: tuple[str, ...]
    """What limits the audit, in whole sentences."""

    def slices_of(self, kind: str) -> tuple[SliceTest, ...]:
        """The tests of one kind of slice."""
        return tuple(one for one in self.drift.slices if one.kind == kind)

    @property
    def overall(self) -> SliceTest:
        """The test of all texts with an answer."""
        return self.slices_of(ALL)[0]

    @property
    def promise(self) -> SliceTest:
        """The test of the promise."""
        return self.slices_of(PROMISE)[0]

    @property
    def alarms(self) -> tuple[str, ...]:
        """A sentence for each alarm, from the smallest p-value on."""
        return tuple(alarm_text(one, self.certificate.against) for one in self.drift.alarms)

    @property
    def headline(self) -> str:
        """In one sentence, whether there is an alarm, and the agreement."""
        count, tests = len(self.drift.alarms), self.drift.tests
        found = f"{count} alarm{'s' * (count != 1)}" if count else "no alarm"
        shown = share_text(self.overall)
        return (
            f"{found} in {tests} tests: the student agrees with {judge_text(self.certificate.against)} on "
            f"{shown} of {self.overall.texts:,} texts from {self.days[0]} to {self.days[1]}"
        )


def judge_text(judge: Judge) -> str:
    """Whose answers they are, in words."""
    return "the teacher" if judge == "teacher" else "the labels"


def percent_text(share: float | None) -> str:
    """A share in percent with one decimal; a dash if there is none.

    Examples:
        >>> percent_text(0.9612), percent_text(None)
        ('96.1 %', '–')
    """
    return "–" if share is None else f"{100 * share:.1f} %"


def share_text(one: SliceTest) -> str:
    """The agreement of a slice in percent, with its interval in brackets."""
    low, high = one.interval
    return f"{percent_text(one.rate)} [{100 * low:.1f}, {100 * high:.1f}]"


def slice_text(kind: str, name: str) -> str:
    """Name of a slice in words.

    Examples:
        >>> slice_text("class", "pos"), slice_text("confidence", "0.9 to 0.95"), slice_text("all", "all")
        ('class pos', 'confidence 0.9 to 0.95', 'all texts')
    """
    whole = {
        ALL: "all texts",
        ANSWERED: "texts that the student answers itself",
        PROMISE: "promise for the texts that the student answers itself",
    }
    return whole.get(kind, f"{kind} {name}")


def alarm_text(one: SliceTest | InputTest, judge: Judge) -> str:
    """What an alarm says, with the slice, both numbers and the p-value."""
    p_value = f"adjusted p {_equal(p_text(one.adjusted))}"
    if isinstance(one, InputTest):
        return f"{_input_text(one)} ({p_value})"
    said = (
        f"{slice_text(one.kind, one.name)}: the student agrees with {judge_text(judge)} on "
        f"{percent_text(one.rate)} of {one.texts:,} texts"
    )
    if one.reference is None:
        return f"{said}, and at least {percent_text(one.expected)} were promised ({p_value})"
    which = "certification texts" if one.kind in (ALL, WEEK) else "certification texts of this slice"
    return f"{said}, and on {percent_text(one.expected)} of {one.reference[0]:,} {which} ({p_value})"


def _equal(text: str) -> str:
    """A p-value with the sign before it."""
    return text if text.startswith("<") else f"= {text}"


def _input_text(one: InputTest) -> str:
    """Which histogram differs, and where most."""
    name, now, before = changed_most(one)
    shares = f"{percent_text(now)} of the texts, and {percent_text(before)} of the certification texts"
    if one.kind == UNKNOWN:
        return f"more texts have a piece that the student does not know: {shares}"
    what = "confidences of the student" if one.kind == CONFIDENCE else "lengths of the texts"
    return f"the {what} have changed, most of all {name}: {shares}"


def changed_most(one: InputTest) -> tuple[str, float, float]:
    """The bin whose share differs most: its name, its share of the audit, and that of the certificate."""
    bins = one.shares[1:] if one.kind == UNKNOWN else one.shares
    return max(bins, key=lambda shares: abs(shares[1] - shares[2]))


def as_json(report: AuditReport) -> dict[str, Any]:
    """The report for other programs: plain values, shares in [0, 1], None where a number is not known."""
    certificate = report.certificate
    return {
        "alarm": bool(report.alarms),
        "alarms": list(report.alarms),
        "headline": report.headline,
        "folder": report.folder,
        "graph": report.graph,
        "audit": report.audit,
        "answers": report.answer_column,
        "against": certificate.against,
        "promised": certificate.agreement,
        "threshold": certificate.threshold,
        "certified": certificate.made,
        "alpha": report.drift.alpha,
        "rows": report.rows,
        "first_day": report.days[0],
        "last_day": report.days[1],
        "notes": list(report.notes),
        "slices": [_slice_json(one, one in report.drift.alarms) for one in report.drift.slices],
        "inputs": [_input_json(one, one in report.drift.alarms) for one in report.drift.inputs],
    }


def _slice_json(one: SliceTest, alarm: bool) -> dict[str, Any]:
    """A test of a slice."""
    reference = one.reference or (None, None)
    low, high = one.interval
    return {
        "kind": one.kind,
        "name": one.name,
        "texts": one.texts,
        "agreed": one.agreed,
        "agreement": one.rate,
        "low": low,
        "high": high,
        "reference_texts": reference[0],
        "reference_agreed": reference[1],
        "expected": one.expected,
        "p": one.p_value,
        "p_holm": one.adjusted,
        "alarm": alarm,
    }


def _input_json(one: InputTest, alarm: bool) -> dict[str, Any]:
    """A test of a histogram."""
    shares = [
        {"bin": name, "texts": texts, "reference_texts": before}
        for (name, _, _), texts, before in zip(one.shares, one.texts, one.reference, strict=True)
    ]
    return {"kind": one.kind, "bins": shares, "p": one.p_value, "p_holm": one.adjusted, "alarm": alarm}
