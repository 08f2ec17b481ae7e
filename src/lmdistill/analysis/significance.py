"""Numbers with their spread, and whether two of them differ by more than chance."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lmdistill.analysis.metric_format import Value
from lmdistill.analysis.student_t import quantile

ALPHA = 0.05
"""A difference with a smaller p-value counts as found."""


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


def mean_of(values: Iterable[Value]) -> float | None:
    """Mean of the values that exist; None if none does.

    Examples:
        >>> mean_of([1.0, 3.0, None])
        2.0
    """
    found = spread(list(values))
    return None if found is None else found.mean


def seeds_interval(found: Spread) -> tuple[float, float] | None:
    """95 % interval of the mean over all seeds, on these examples (Student's t); None for a single value.

    Examples:
        >>> low, high = seeds_interval(Spread(mean=2.0, sd=1.0, count=3))
        >>> round(low, 3), round(high, 3)  # 4.303 / sqrt(3) on both sides
        (-0.484, 4.484)
    """
    if found.sd is None:
        return None
    reach = quantile(0.975, float(found.count - 1)) * found.sd / math.sqrt(found.count)
    return found.mean - reach, found.mean + reach


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
        on the same examples. It says nothing of other seeds; `seed_and_example_variance.estimate` does.
    """
    difference = ours.sum(axis=0) - theirs.sum(axis=0)
    sizes, counts = np.unique(np.abs(difference[difference != 0]), return_counts=True)
    chances = np.ones(1)  # of the sums -reach, -reach + 1, ..., reach
    for size, count in zip(sizes.tolist(), counts.tolist(), strict=True):
        steps = np.zeros(2 * size * count + 1)
        steps[:: 2 * size] = fair_coin_chances(count)
        chances = np.convolve(chances, steps)
    reach = (len(chances) - 1) // 2
    sums = np.abs(np.arange(-reach, reach + 1))
    return float(min(1.0, chances[sums >= abs(difference.sum())].sum()))


def fair_coin_chances(count: int) -> list[float]:
    """The probabilities of 0, 1, ..., `count` heads in `count` tosses of a fair coin, correctly rounded.

    Examples:
        >>> fair_coin_chances(3)
        [0.125, 0.375, 0.375, 0.125]
    """
    ways, found = 1, []  # whole numbers: nothing is rounded before the division
    for heads in range(count + 1):
        found.append(ways / 2**count)
        ways = ways * (count - heads) // (heads + 1)
    return found


def holm(values: Sequence[Value]) -> list[float | None]:
    """p-values of comparisons that stand in one table, each as large as it must be for all to hold together.

    With m of them the smallest is multiplied by m, the next by m - 1 and so on; none falls below one that was
    smaller before. The chance that any comparison of equal methods falls below 0.05 is then at most 5 %.

    Args:
        values: In [0, 1]; None stays None and does not count.

    Examples:
        >>> holm([0.01, None, 0.04, 0.03])
        [0.03, None, 0.06, 0.06]

    References:
        Holm, "A simple sequentially rejective multiple test procedure", 1979.
    """
    known = sorted((value, place) for place, value in enumerate(values) if value is not None)
    found: list[float | None] = [None] * len(values)
    floor = 0.0
    for rank, (value, place) in enumerate(known):
        floor = max(floor, min(1.0, value * (len(known) - rank)))
        found[place] = floor
    return found


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
