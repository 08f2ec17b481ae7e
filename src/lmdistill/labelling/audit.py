"""An audit: the teacher's labels beside human ones, with exact intervals and a verdict."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import binomtest

from lmdistill.core.errors import ConfigError, DataError
from lmdistill.evaluation.calibration import calibration_error, confidence_bins

ENOUGH = 0.8
"""Agreement with human labels below which a teacher is called not good enough, in [0, 1], by default."""

CONFIDENCE = 0.95
"""Confidence of all intervals."""

CALIBRATION_ROWS = 100
"""Answered rows that a calibration error needs; with fewer it is mostly noise."""

CALIBRATION_BINS = 10
"""Bins of the calibration error."""


@dataclass(frozen=True, kw_only=True)
class Share:
    """A share of rows with its exact interval."""

    hits: int
    """Rows that count, >= 0."""

    total: int
    """Rows that could count, >= 0."""

    low: float
    """Lower end of the interval, in [0, 1]."""

    high: float
    """Upper end of the interval, in [0, 1]."""

    @property
    def value(self) -> float:
        """The share, in [0, 1]; NaN of no rows."""
        return self.hits / self.total if self.total else math.nan


@dataclass(frozen=True, kw_only=True)
class ClassAudit:
    """One label in an audit."""

    label: str
    """Name of the class."""

    precision: Share
    """Of the rows that the teacher gives this label, those that people give it too."""

    recall: Share
    """Of the rows that people give this label, those that the teacher gives it too."""


@dataclass(frozen=True, kw_only=True)
class Audit:
    """The teacher beside human labels."""

    agreement: Share
    """Answered rows on which the teacher and people give the same label."""

    rejected: int
    """Rows without an answer of the teacher; they count in none of the shares."""

    classes: tuple[ClassAudit, ...]
    """Each label, in order."""

    confusion: tuple[tuple[int, ...], ...]
    """Rows by human label (outer) and label of the teacher (inner), of the answered ones."""

    majority: float
    """Share of the most common human label among the answered rows, in [0, 1]."""

    calibration_error: float | None
    """Expected calibration error of the probabilities, in [0, 1]; None for fewer than `CALIBRATION_ROWS`."""

    enough: float
    """Agreement that is good enough, in [0, 1]."""

    @property
    def is_good_enough(self) -> bool:
        """Whether the interval of the agreement lies above the majority class, and not below `enough`."""
        return self.agreement.low >= self.enough and self.agreement.low > self.majority

    @property
    def verdict(self) -> str:
        """In one sentence, whether the teacher is good enough, and why."""
        share, low = _percent(self.agreement.value), _percent(self.agreement.low)
        said = f"the teacher agrees with people on {share} of {self.agreement.total} texts, at least {low}"
        if self.agreement.low <= self.majority:
            return (
                f"not good enough: {said}, which is no better than always answering the most common label "
                f"({_percent(self.majority)}). Improve the prompt, take another model, or audit more texts."
            )
        if self.agreement.low < self.enough:
            return (
                f"not good enough: {said}, and --enough is {_percent(self.enough)}. Improve the prompt, take "
                "another model, or audit more texts."
            )
        return f"good enough: {said} (--enough {_percent(self.enough)})"


def share_of(hits: int, total: int) -> Share:
    """A share with its Clopper-Pearson interval of `CONFIDENCE`; (0, 1) of no rows.

    Args:
        hits: Rows that count, in [0, total].
        total: Rows that could count, >= 0.

    References:
        Clopper and Pearson, "The use of confidence or fiducial limits illustrated in the case of the
        binomial", 1934, through `scipy.stats.binomtest`. Deviation: none.

    Examples:
        >>> found = share_of(9, 10)
        >>> round(found.low, 4), round(found.high, 4)
        (0.555, 0.9975)
    """
    if total == 0:
        return Share(hits=0, total=0, low=0.0, high=1.0)
    interval = binomtest(hits, total).proportion_ci(CONFIDENCE, method="exact")
    return Share(hits=hits, total=total, low=float(interval.low), high=float(interval.high))


def require_share(enough: float) -> None:
    """Check an agreement that is good enough.

    Raises:
        ConfigError: It is not in [0, 1].
    """
    if not 0 <= enough <= 1:
        raise ConfigError(f"--enough must be between 0 and 1, got {enough:g}. 0.8 is 80 % agreement.")


def audit_of(
    human: Sequence[int],
    probabilities: Sequence[Sequence[float] | None],
    labels: Sequence[str],
    *,
    enough: float = ENOUGH,
) -> Audit:
    """Compare the teacher with people.

    The teacher's label is the most probable one, the first of equal ones. All intervals are exact, hold for
    one share each, and take the rows as independent.

    Args:
        human: Number of the human label of each row.
        probabilities: The teacher's probabilities for each row; None for a row without an answer.
        labels: Names of the labels.
        enough: Agreement that is good enough, in [0, 1].

    Raises:
        ConfigError: `enough` is not in [0, 1].
        DataError: No row has an answer.
    """
    require_share(enough)
    answered = [
        (label, given) for label, given in zip(human, probabilities, strict=True) if given is not None
    ]
    if not answered:
        raise DataError(f"none of the {len(human)} audited texts has an answer. Improve the prompt.")
    truth = np.array([label for label, _ in answered])
    scores = np.array([given for _, given in answered])
    guess = scores.argmax(axis=1)
    confusion = np.zeros((len(labels), len(labels)), dtype=int)
    np.add.at(confusion, (truth, guess), 1)
    ece = None
    if len(answered) >= CALIBRATION_ROWS:
        bins = confidence_bins(scores.max(axis=1), guess == truth, num_bins=CALIBRATION_BINS)
        ece = calibration_error(bins)
    return Audit(
        agreement=share_of(int(np.trace(confusion)), len(answered)),
        rejected=len(human) - len(answered),
        classes=tuple(
            ClassAudit(
                label=name,
                precision=share_of(int(confusion[number, number]), int(confusion[:, number].sum())),
                recall=share_of(int(confusion[number, number]), int(confusion[number].sum())),
            )
            for number, name in enumerate(labels)
        ),
        confusion=tuple(tuple(int(count) for count in row) for row in confusion),
        majority=float(confusion.sum(axis=1).max() / len(answered)),
        calibration_error=ece,
        enough=enough,
    )


def _percent(share: float) -> str:
    """A share in percent."""
    return f"{100 * share:.1f} %"
