"""What cards and the command line say of certificates: a table, the promise, the cost of deferring."""

from collections.abc import Mapping

from lmdistill.analysis.agreement_bound import lower_bound
from lmdistill.report.grid import Grid
from lmdistill.serving.certificate import Certificate

THOUSAND = 1000
"""Texts whose cost is told."""


def certificate_grid(certificates: Mapping[str, Certificate]) -> Grid:
    """A table of certificates, by the name of their graph."""
    header = (
        "graph",
        "threshold",
        "answered, %",
        "agreement of these, %",
        "promised, %",
        "texts",
        "against",
        "made",
    )
    return Grid(
        caption="Certified graphs",
        header=header,
        rows=tuple(_row(graph, one) for graph, one in certificates.items()),
        notes=(
            "answered: share of the texts that the graph answers itself, with its exact 95 % interval. "
            "agreement: observed, and what these numbers promise with the confidence of the certificate.",
        ),
        alarms=(),
        name="certificates",
    )


def _row(graph: str, one: Certificate) -> tuple[str, ...]:
    """The cells of one certificate."""
    low, high = (_percent(end) for end in (one.coverage.low, one.coverage.high))
    observed = one.agreed / one.answered
    least = lower_bound(one.agreed, one.answered, one.confidence)
    return (
        graph,
        f"{one.threshold:.6g}",
        f"{_percent(one.coverage.value)} [{low}, {high}]",
        f"{_percent(observed)} (at least {_percent(least, digits=2)})",
        f"{100 * one.agreement:g}",
        f"{one.texts:,} ({one.answered:,} answered)",
        one.against,
        one.made,
    )


def promise_text(graph: str, one: Certificate) -> str:
    """What is promised, how surely, and under which conditions; three sentences."""
    judge = "the teacher" if one.against == "teacher" else "the label"
    seen = (
        "None of them is known to have trained or chosen the student."
        if one.unseen
        else "Whether they trained or chose the student could not be checked; if they did, it does not hold."
    )
    return (
        f"Where {graph} is confident from {one.threshold:.6g} on, it agrees with {judge} on at least "
        f"{100 * one.agreement:g} % of the texts. This holds for {100 * one.confidence:g} of 100 draws of "
        f"{one.texts:,} certification texts, if the texts of production are drawn as these were. {seen}"
    )


def deferral_text(one: Certificate, price: float | None) -> str:
    """How many of 1,000 texts the teacher is asked about, and what that costs.

    Args:
        one: The certificate.
        price: Price of one answer of the teacher, in any currency; None if it is not known.
    """
    share, least, most = (1 - end for end in (one.coverage.value, one.coverage.high, one.coverage.low))
    asked = (
        f"of {THOUSAND:,} texts {THOUSAND * share:.0f} are left to the teacher "
        f"({THOUSAND * least:.0f} to {THOUSAND * most:.0f})"
    )
    if price is None:
        return asked
    return (
        f"{asked}, which costs {THOUSAND * share * price:.4g} in place of {THOUSAND * price:.4g} for all of "
        "them"
    )


def _percent(share: float, digits: int = 1) -> str:
    """A share in percent, rounded; what is below 100 % is not shown as 100."""
    rounded = f"{100 * share:.{digits}f}"
    return rounded if share == 1 or not rounded.startswith("100") else f"{100 - 10**-digits:.{digits}f}"
