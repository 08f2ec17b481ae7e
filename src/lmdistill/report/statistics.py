"""Numbers with their spread, and whether two of them differ by more than chance."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from scipy import stats

RESAMPLES = 2000

Value = float | int | None
"""A number that may not exist."""


@dataclass(frozen=True, kw_only=True)
class Spread:
    """A mean over seeds and how far the seeds lie apart."""

    mean: float
    """Of the values that exist."""

    sd: float | None
    """Sample standard deviation (divided by count - 1), None for a single value."""

    count: int
    """How many values, >= 1."""


def spread(values: Sequence[Value]) -> Spread | None:
    """Mean and sample standard deviation of the values that exist; None if none does.

    Examples:
        >>> spread([1.0, 3.0, None])
        Spread(mean=2.0, sd=1.4142135623730951, count=2)
    """
    known = [value for value in values if value is not None and math.isfinite(value)]
    if not known:
        return None
    sd = float(np.std(known, ddof=1)) if len(known) > 1 else None
    return Spread(mean=float(np.mean(known)), sd=sd, count=len(known))


def mcnemar(ours: NDArray[np.bool_], theirs: NDArray[np.bool_]) -> float:
    r"""Exact two-sided p-value of McNemar's test, for one seed or several.

    Let :math:`d_i` be how many more seeds of ours than of theirs answer example i rightly. If the two were
    equally good, :math:`d_i` and :math:`-d_i` would be equally likely, independently over examples; the
    p-value is the probability that random signs give a sum at least as far from 0 as the one seen. It is
    computed exactly, by convolving one binomial distribution for each size of :math:`|d_i|`.

    Args:
        ours: Whether seed s answered example n rightly, (s, n).
        theirs: The same for the baseline, (s, n).

    Returns:
        A number in (0, 1].

    Examples:
        >>> round(mcnemar(np.array([[True] * 6]), np.array([[True] + [False] * 5])), 6)
        0.0625

    References:
        McNemar, "Note on the sampling error of the difference between correlated proportions", 1947, in its
        exact form. Deviation: with several seeds the answers of all of them to one example stay together.
        Pooling them as if they were so many more examples would make p too small, since seeds tend to fail
        on the same examples. Like every test on one dev set, it says nothing of other training sets.
    """
    difference = ours.sum(axis=0) - theirs.sum(axis=0)
    sizes, counts = np.unique(np.abs(difference[difference != 0]), return_counts=True)
    chances = np.ones(1)  # of the sums -reach, -reach + 1, ..., reach
    for size, count in zip(sizes.tolist(), counts.tolist(), strict=True):
        steps = np.zeros(2 * size * count + 1)
        steps[:: 2 * size] = stats.binom.pmf(np.arange(count + 1), count, 0.5)
        chances = np.convolve(chances, steps)
    reach = (len(chances) - 1) // 2
    sums = np.abs(np.arange(-reach, reach + 1))
    return float(min(1.0, chances[sums >= abs(difference.sum())].sum()))


Metric = Callable[[np.ndarray, np.ndarray], float]


def _pearson(labels: np.ndarray, scores: np.ndarray) -> float:
    """Correlation of the values; 0 where it is undefined."""
    if np.ptp(labels) == 0 or np.ptp(scores) == 0:
        return 0.0
    return float(np.corrcoef(labels, scores)[0, 1])


def _spearman(labels: np.ndarray, scores: np.ndarray) -> float:
    """Correlation of the ranks; 0 where it is undefined."""
    return _pearson(stats.rankdata(labels), stats.rankdata(scores))


def _nats(counts: np.ndarray, sums: np.ndarray) -> float:
    """Nats a token of passages, from their tokens and their sums of nats."""
    return float(sums.sum() / counts.sum())


RESAMPLED: Mapping[str, Metric] = MappingProxyType(
    {"nats": _nats, "pearson": _pearson, "spearman": _spearman}
)
"""Metrics that are no mean over examples and are tested by resampling."""


def paired_bootstrap(
    metric: Metric,
    labels: np.ndarray,
    ours: np.ndarray,
    theirs: np.ndarray,
    *,
    resamples: int = RESAMPLES,
) -> float:
    """Two-sided p-value of a difference in a metric: examples are drawn again and again, with replacement.

    Both sides and all seeds see the same draw. The p-value is twice the smaller share of draws in which the
    difference of the means over seeds has either sign, with one added to both counts so that it is never 0.

    Args:
        metric: Of labels and scores.
        labels: Gold scores, (n,).
        ours: Scores of seed s for example n, (s, n).
        theirs: The same for the baseline, (s, n).
        resamples: Draws, >= 1. The generator is always seeded alike: the same input gives the same p-value.

    Returns:
        A number in (0, 1].

    References:
        Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 15 for the added one.
    """
    generator = np.random.default_rng(0)

    def difference(rows: np.ndarray) -> float:
        """Mean of ours minus mean of theirs on the drawn rows."""
        means = [np.mean([metric(labels[rows], scores[rows]) for scores in side]) for side in (ours, theirs)]
        return float(means[0] - means[1])

    draws = np.array(
        [difference(generator.integers(len(labels), size=len(labels))) for _ in range(resamples)]
    )
    smaller = min((draws <= 0).sum(), (draws >= 0).sum())
    return float(min(1.0, 2 * (smaller + 1) / (resamples + 1)))


def share_kept(student: Value, teacher: Value) -> float | None:
    """What the student has of the teacher's quality; None if the teacher's is not positive.

    Examples:
        >>> share_kept(0.45, 0.9)
        0.5
    """
    return None if student is None or teacher is None or teacher <= 0 else student / teacher


def gap_closed(student: Value, baseline: Value, teacher: Value) -> float | None:
    """How far the student is on the way from the baseline (0) to the teacher (1).

    None if the teacher is not better than the baseline: then there is no way to go.

    Examples:
        >>> gap_closed(0.75, 0.5, 1.0)
        0.5
        >>> gap_closed(0.75, 0.9, 0.9) is None
        True
    """
    if student is None or baseline is None or teacher is None or teacher <= baseline:
        return None
    return (student - baseline) / (teacher - baseline)


def majority_alarms(
    who: str, scores: Mapping[str, Mapping[str, Value]], majority: Mapping[str, Mapping[str, Value]]
) -> tuple[str, ...]:
    """One sentence for every score that always giving the same answer would reach.

    Args:
        who: Subject of the sentence, "the student" say.
        scores: Split, then metric.
        majority: The same of the constant answer; what it lacks is not compared.

    Examples:
        >>> majority_alarms("the student", {"dev": {"accuracy": 0.5}}, {"dev": {"accuracy": 0.5}})
        ('the student is not above a constant answer: dev accuracy 50.00 % against 50.00 %.',)
    """
    return tuple(
        f"{who} is not above a constant answer: "
        f"{split} {metric} {100 * value:.2f} % against {100 * floor:.2f} %."
        for split, values in scores.items()
        for metric, value in values.items()
        if value is not None and (floor := majority.get(split, {}).get(metric)) is not None and value <= floor
    )
