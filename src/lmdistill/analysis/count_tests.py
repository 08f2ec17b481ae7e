"""Exact and approximate tests of counts: shares that have fallen or risen, and histograms that differ.

References:
    Fisher, "The logic of inductive inference", 1935. Clopper and Pearson, "The use of confidence or fiducial
    limits illustrated in the case of the binomial", 1934. Cochran, "Some methods for strengthening the common
    chi-square tests", 1954 (at least 5 expected).
"""

from collections.abc import Sequence

import numpy as np
from scipy.stats import binomtest, chi2, hypergeom

LEAST_EXPECTED = 5
"""Texts that each bin of a histogram is expected to have on either side; smaller ones are merged."""

LEVEL = 0.95
"""Confidence of the intervals."""


def fall_p_values(after: Sequence[tuple[int, int]], before: Sequence[tuple[int, int]]) -> list[float]:
    """P-value of Fisher's exact test of a fall, for pairs of (texts, agreed texts).

    It is the chance of as few agreed texts after, given all agreed ones, if both rates were equal.

    Args:
        after: Texts and agreed texts of each pair, where the rate may have fallen.
        before: The same, where it had not.

    Examples:
        >>> [round(value, 6) for value in fall_p_values([(4, 1)], [(4, 3)])]  # 17 / 70
        [0.242857]
    """
    texts, agreed = np.array(after).reshape(-1, 2).T
    texts_before, agreed_before = np.array(before).reshape(-1, 2).T
    chances = hypergeom.cdf(agreed, texts + texts_before, agreed + agreed_before, texts)
    found: list[float] = np.where(texts + texts_before > 0, chances, 1.0).tolist()  # else not a number
    return found


def rise_p_value(after: tuple[int, int], before: tuple[int, int]) -> float:
    """P-value of Fisher's exact test of a rise, for two pairs of (texts, texts with the property)."""
    (value,) = fall_p_values([(after[0], after[0] - after[1])], [(before[0], before[0] - before[1])])
    return value


def homogeneity_p_value(one: Sequence[int], other: Sequence[int]) -> float | None:
    """P-value of the chi-square test of homogeneity of two histograms with the same bins.

    Neighbouring bins are merged from the first on until `LEAST_EXPECTED` texts are expected in each on either
    side; what is left joins the last one. Only the sums of both sides decide on that.

    Returns:
        None if that leaves fewer than two bins.

    Examples:
        >>> round(homogeneity_p_value([30, 20, 1], [20, 30, 1]), 4)  # 50, 52 texts in two bins: 3.923
        0.0476
    """
    table = np.array([one, other], dtype=np.int64)
    sizes = table.sum(axis=1)
    if sizes.min() == 0:
        return None
    needed = LEAST_EXPECTED * sizes.sum() / sizes.min()
    ends, filled = [], 0
    for number, count in enumerate(table.sum(axis=0).tolist(), 1):
        filled += count
        if filled >= needed:
            ends.append(number)
            filled = 0
    if len(ends) < 2:
        return None
    merged = np.add.reduceat(table, [0, *ends[:-1]], axis=1)
    expected = np.outer(sizes, merged.sum(axis=0)) / sizes.sum()
    statistic = float((np.square(merged - expected) / expected).sum())
    return float(chi2.sf(statistic, len(ends) - 1))


def exact_interval(agreed: int, texts: int) -> tuple[float, float]:
    """Clopper-Pearson 95 % interval of a share, in [0, 1]; (0, 1) without texts.

    Examples:
        >>> [round(end, 4) for end in exact_interval(9, 10)]
        [0.555, 0.9975]
    """
    if not texts:
        return 0.0, 1.0
    interval = binomtest(agreed, texts).proportion_ci(LEVEL, method="exact")
    return float(interval.low), float(interval.high)
