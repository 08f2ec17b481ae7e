"""Mean and deviation over seeds, McNemar's test, Holm's correction, and shares of the teacher's score."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lmdistill.analysis.metric_format import Value
from lmdistill.analysis.student_t import quantile

ALPHA = 0.05
"""Level of significance: a difference with a smaller p-value is significant."""


@dataclass(frozen=True, kw_only=True)
class Spread:
    """Mean and standard deviation over seeds."""

    mean: float
    """Mean of the finite values."""

    sd: float | None
    """Sample standard deviation (divided by count - 1), None for a single value."""

    count: int
    """Number of finite values, >= 1."""


def spread(values: Sequence[Value]) -> Spread | None:
    """Mean and sample standard deviation of the values that are finite; None if there are none.

    Examples:
        >>> spread([1.0, 3.0, None])
        Spread(mean=2.0, sd=1.4142135623730951, count=2)
    """
    known = [value for value in values if value is not None and math.isfinite(value)]
    if not known:
        return None
    sd = float(np.std(known, ddof=1)) if len(known) > 1 else None
    return Spread(mean=float(np.mean(known)), sd=sd, count=len(known))


def mean_of(values: Iterable[Value]) -> float | None:
    """Mean of the values that are finite; None if there are none.

    Examples:
        >>> mean_of([1.0, 3.0, None])
        2.0
    """
    over_values = spread(list(values))
    return None if over_values is None else over_values.mean


def seeds_interval(scores: Spread) -> tuple[float, float] | None:
    """95 % confidence interval of the mean over seeds (Student's t), for these examples.

    Args:
        scores: Mean and standard deviation over seeds.

    Returns:
        Lower and upper end; None for a single value.

    Examples:
        >>> low, high = seeds_interval(Spread(mean=2.0, sd=1.0, count=3))
        >>> round(low, 3), round(high, 3)  # 4.303 / sqrt(3) on both sides
        (-0.484, 4.484)
    """
    if scores.sd is None:
        return None
    half_width = quantile(0.975, float(scores.count - 1)) * scores.sd / math.sqrt(scores.count)
    return scores.mean - half_width, scores.mean + half_width


def mcnemar(ours: NDArray[np.bool_], theirs: NDArray[np.bool_]) -> float:
    r"""Exact two-sided p-value of McNemar's test, for one seed or several.

    Let :math:`d_i` be the number of seeds of ours that predict example i correctly minus that of theirs. If
    both were equally good, :math:`d_i` and :math:`-d_i` would be equally likely, independently over examples.
    The p-value is the probability that random signs give a sum at least as far from 0 as the observed one.
    It is computed exactly, by convolving one binomial distribution for each size of :math:`|d_i|`.

    Args:
        ours: Whether seed s predicts example n correctly, (s, n).
        theirs: The same for the baseline, (s, n).

    Returns:
        A number in (0, 1].

    Examples:
        >>> round(mcnemar(np.array([[True] * 6]), np.array([[True] + [False] * 5])), 6)
        0.0625

    References:
        McNemar, "Note on the sampling error of the difference between correlated proportions", 1947, in its
        exact form. Deviation: with several seeds, their predictions for one example count together. Treating
        them as separate examples would make p too small, because seeds tend to fail on the same examples. The
        test does not account for variation between seeds; `seed_and_example_variance.estimate` does.
    """
    difference = ours.sum(axis=0) - theirs.sum(axis=0)
    sizes, counts = np.unique(np.abs(difference[difference != 0]), return_counts=True)
    probabilities = np.ones(1)  # of the sums -largest, -largest + 1, ..., largest
    for size, count in zip(sizes.tolist(), counts.tolist(), strict=True):
        steps = np.zeros(2 * size * count + 1)
        steps[:: 2 * size] = fair_coin_chances(count)
        probabilities = np.convolve(probabilities, steps)
    largest = (len(probabilities) - 1) // 2
    sums = np.abs(np.arange(-largest, largest + 1))
    return float(min(1.0, probabilities[sums >= abs(difference.sum())].sum()))


def fair_coin_chances(count: int) -> list[float]:
    """The probabilities of 0, 1, ..., `count` heads in `count` tosses of a fair coin, correctly rounded.

    Examples:
        >>> fair_coin_chances(3)
        [0.125, 0.375, 0.375, 0.125]
    """
    sequences, probabilities = 1, []  # integers, so that only the division rounds
    for heads in range(count + 1):
        probabilities.append(sequences / 2**count)
        sequences = sequences * (count - heads) // (heads + 1)
    return probabilities


def holm(values: Sequence[Value]) -> list[float | None]:
    """p-values with Holm's correction for several comparisons.

    With m p-values, the smallest is multiplied by m, the next by m - 1 and so on, and none becomes smaller
    than its predecessor. The probability that any comparison of equally good methods has p < 0.05 is then at
    most 5 %.

    Args:
        values: p-values in [0, 1]; None stays None and does not count.

    Returns:
        Corrected p-values in [0, 1], in the same order.

    Examples:
        >>> holm([0.01, None, 0.04, 0.03])
        [0.03, None, 0.06, 0.06]

    References:
        Holm, "A simple sequentially rejective multiple test procedure", 1979.
    """
    known = sorted((value, position) for position, value in enumerate(values) if value is not None)
    corrected: list[float | None] = [None] * len(values)
    largest = 0.0
    for rank, (value, position) in enumerate(known):
        largest = max(largest, min(1.0, value * (len(known) - rank)))
        corrected[position] = largest
    return corrected


def share_kept(student: Value, teacher: Value) -> float | None:
    """The student's score divided by the teacher's; None if the teacher's is not positive.

    Examples:
        >>> share_kept(0.45, 0.9)
        0.5
    """
    return None if student is None or teacher is None or teacher <= 0 else student / teacher


def gap_closed(student: Value, baseline: Value, teacher: Value) -> float | None:
    """The share of the gap between baseline (0) and teacher (1) that the student closes.

    Scores must be larger for better. The result is None if the teacher is not better than the baseline.

    Examples:
        >>> gap_closed(0.75, 0.5, 1.0)
        0.5
        >>> gap_closed(0.75, 0.9, 0.9) is None
        True
    """
    if student is None or baseline is None or teacher is None or teacher <= baseline:
        return None
    return (student - baseline) / (teacher - baseline)
