"""Tests whether later texts are answered worse than those of a certificate, or are other texts.

All tests of an audit are one family with Holm's correction. If nothing has changed, the chance of any alarm
is at most the level:

1. The promise: the number of agreed among the answered texts is Binomial with a rate of at least the promised
   one, so that P(Binomial(n, promise) <= agreed) is a valid p-value (the exact binomial test).
2. A slice: given the texts of both sides and the agreed ones of both together, the agreed ones of the audit
   are hypergeometric if the rates are equal, and more if the audit's is higher. Fisher's exact test takes
   their lower tail; it is conservative, since counts are discrete.
3. The inputs: the share of texts with an unknown piece by Fisher's test of a rise, and histograms by the
   chi-square test of homogeneity. That one is an approximation; bins are merged until 5 texts are expected in
   each.
4. Which slices are tested depends on numbers of texts and not on agreement, and given these each test is
   valid. Holm's correction needs no independence, and the slices overlap.

5. The threshold of the certificate was chosen on its texts, so that their agreement above it is too high by
   chance. Where hardly any draw can be certified, Fisher's test of the answered texts rejects about twice as
   often as it should; the family as a whole stayed below its level in simulations of this.

The level is that of one audit file. Who looks every week has more chances of a false alarm: on average one in
1 / level looks. Texts are taken as independent draws.

References:
    Holm, "A simple sequentially rejective multiple test procedure", 1979. Fisher, "The logic of inductive
    inference", 1935. Clopper and Pearson, "The use of confidence or fiducial limits illustrated in the case
    of the binomial", 1934 (the intervals). Cochran, "Some methods for strengthening the common chi-square
    tests", 1954 (at least 5 expected).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import binom, binomtest, chi2, hypergeom

from lmdistill.analysis.answer_slices import ALL, ANSWERED, BIN_NAMES, CLASS, CONFIDENCE, LENGTH, UNKNOWN
from lmdistill.analysis.significance import holm

PROMISE, WEEK = "promise", "week"
"""Kinds of tests of an audit beside the slices of a certificate."""

KINDS = (ALL, ANSWERED, CLASS, LENGTH, CONFIDENCE, WEEK)
"""Kinds of slices, in the order of tables."""

HISTOGRAMS = (LENGTH, CONFIDENCE, UNKNOWN)
"""Kinds of histograms, in the order of tables."""

LEAST_TEXTS = 10
"""Texts on either side from which on a slice is tested; fewer could hardly show anything, and would cost
others power."""

LEAST_EXPECTED = 5
"""Texts that each bin of a histogram is expected to have on either side; smaller ones are merged."""

LEVEL = 0.95
"""Confidence of the intervals."""

Slices = Mapping[str, Mapping[str, tuple[int, int]]]
"""Texts and agreed texts, by kind and name of the slice."""

Histograms = Mapping[str, Sequence[int]]
"""Texts in each bin, by quantity."""


@dataclass(frozen=True, kw_only=True)
class SliceTest:
    """Agreement of a slice beside that of the certificate's texts."""

    kind: str
    """One of `KINDS`, or `PROMISE`."""

    name: str
    """Name of the slice."""

    texts: int
    """Texts of the audit."""

    agreed: int
    """Of these, the texts that student and judge answer alike."""

    reference: tuple[int, int] | None
    """Texts and agreed texts of the certificate; None for the promise."""

    expected: float | None
    """Agreement that the audit's is compared with, in [0, 1]: the promised one, or the certificate's; None
    without texts."""

    p_value: float | None = None
    """Chance of an agreement as low if it had not fallen; None if there are too few texts."""

    adjusted: float | None = None
    """The same with Holm's correction."""

    @property
    def rate(self) -> float | None:
        """Share of agreed texts, in [0, 1]; None without texts."""
        return self.agreed / self.texts if self.texts else None

    @property
    def interval(self) -> tuple[float, float]:
        """Exact 95 % interval of that share, in [0, 1]."""
        return exact_interval(self.agreed, self.texts)


@dataclass(frozen=True, kw_only=True)
class InputTest:
    """A histogram of the texts beside that of the certificate's texts."""

    kind: str
    """`length`, `confidence` or `unknown`."""

    texts: tuple[int, ...]
    """Texts of the audit in each bin."""

    reference: tuple[int, ...]
    """Texts of the certificate in each bin."""

    p_value: float | None = None
    """Chance of histograms as different, or of a share of unknown pieces as high, if both sides had been
    drawn alike; None if there are too few texts."""

    adjusted: float | None = None
    """The same with Holm's correction."""

    @property
    def shares(self) -> list[tuple[str, float, float]]:
        """Name of each bin, with its share of the audit's texts and of the certificate's, in [0, 1]."""
        sides = [[count / max(1, sum(side)) for count in side] for side in (self.texts, self.reference)]
        return list(zip(BIN_NAMES[self.kind], *sides, strict=True))


@dataclass(frozen=True, kw_only=True)
class Drift:
    """All tests of an audit."""

    slices: tuple[SliceTest, ...]
    """The promise, then the slices by kind."""

    inputs: tuple[InputTest, ...]
    """The histograms."""

    alpha: float
    """Largest chance of any alarm if nothing has changed, in (0, 1)."""

    @property
    def tests(self) -> int:
        """Number of tests that were made."""
        return sum(one.p_value is not None for one in self._all())

    @property
    def alarms(self) -> tuple[SliceTest | InputTest, ...]:
        """The tests that reject, from the smallest p-value on; of equal ones, slices come first."""
        found = [one for one in self._all() if one.adjusted is not None and one.adjusted <= self.alpha]
        return tuple(sorted(found, key=lambda one: one.p_value or 0.0))

    def _all(self) -> tuple[SliceTest | InputTest, ...]:
        return (*self.slices, *self.inputs)


def find_drift(
    slices: Slices,
    bins: Histograms,
    *,
    reference_slices: Slices,
    reference_bins: Histograms,
    promised: float,
    alpha: float = 0.05,
) -> Drift:
    """Compare the texts of an audit with those of a certificate.

    Args:
        slices: Of the audit, as `answer_slices.reference_counts` counts them, and by week.
        bins: Histograms of the audit's texts, those without the judge's answer too.
        reference_slices: Of the certificate.
        reference_bins: Of the certificate.
        promised: Agreement on the answered texts that the certificate promises, in (0, 1).
        alpha: Largest chance of any alarm if nothing has changed, in (0, 1).
    """
    of_slices = [_promise(slices[ANSWERED][ANSWERED], promised), *_slice_tests(slices, reference_slices)]
    of_inputs = [_input_test(kind, bins[kind], reference_bins[kind]) for kind in HISTOGRAMS]
    adjusted = holm([*(one.p_value for one in of_slices), *(one.p_value for one in of_inputs)])
    return Drift(
        slices=tuple(replace(one, adjusted=value) for one, value in zip(of_slices, adjusted, strict=False)),
        inputs=tuple(
            replace(one, adjusted=value)
            for one, value in zip(of_inputs, adjusted[len(of_slices) :], strict=True)
        ),
        alpha=alpha,
    )


def _promise(answered: tuple[int, int], promised: float) -> SliceTest:
    """The test of the promise, with the audit's texts that the student answers itself."""
    texts, agreed = answered
    return SliceTest(
        kind=PROMISE,
        name=PROMISE,
        texts=texts,
        agreed=agreed,
        reference=None,
        expected=promised,
        p_value=float(binom.cdf(agreed, texts, promised)) if texts >= LEAST_TEXTS else None,
    )


def _slice_tests(slices: Slices, reference: Slices) -> list[SliceTest]:
    """The test of every slice of either side; all weeks are compared with all texts of the certificate."""
    compared = []
    for kind in KINDS:
        ours, theirs = slices.get(kind, {}), reference.get(kind, {})
        for name in _ordered(kind, {*ours, *theirs}):
            before = reference[ALL][ALL] if kind == WEEK else theirs.get(name, (0, 0))
            compared.append((kind, name, ours.get(name, (0, 0)), before))
    p_values = fall_p_values([one for *_, one, _ in compared], [one for *_, one in compared])
    return [
        SliceTest(
            kind=kind,
            name=name,
            texts=texts,
            agreed=agreed,
            reference=before,
            expected=before[1] / before[0] if before[0] else None,
            p_value=p_value if min(texts, before[0]) >= LEAST_TEXTS else None,
        )
        for (kind, name, (texts, agreed), before), p_value in zip(compared, p_values, strict=True)
    ]


def _ordered(kind: str, names: set[str]) -> list[str]:
    """Names of slices from low to high, or from A to Z."""
    known = BIN_NAMES.get(kind, ())
    return sorted(names, key=lambda name: (known.index(name) if name in known else len(known), name))


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


def _input_test(kind: str, texts: Sequence[int], reference: Sequence[int]) -> InputTest:
    """The test of one histogram."""
    p_value: float | None = None
    if kind != UNKNOWN:
        p_value = homogeneity_p_value(texts, reference)
    elif min(sum(texts), sum(reference)) >= LEAST_TEXTS:
        p_value = rise_p_value((sum(texts), texts[1]), (sum(reference), reference[1]))
    return InputTest(kind=kind, texts=tuple(texts), reference=tuple(reference), p_value=p_value)


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
