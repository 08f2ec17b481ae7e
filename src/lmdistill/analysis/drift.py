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
    Holm, "A simple sequentially rejective multiple test procedure", 1979; `count_tests` names those of the
    tests.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from scipy.stats import binom

from lmdistill.analysis.answer_slices import ALL, ANSWERED, BIN_NAMES, CLASS, CONFIDENCE, LENGTH, UNKNOWN
from lmdistill.analysis.count_tests import exact_interval, fall_p_values, homogeneity_p_value, rise_p_value
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
    """Length, confidence and unknown pieces, each beside the certificate's."""

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


def _input_test(kind: str, texts: Sequence[int], reference: Sequence[int]) -> InputTest:
    """The test of one histogram."""
    p_value: float | None = None
    if kind != UNKNOWN:
        p_value = homogeneity_p_value(texts, reference)
    elif min(sum(texts), sum(reference)) >= LEAST_TEXTS:
        p_value = rise_p_value((sum(texts), texts[1]), (sum(reference), reference[1]))
    return InputTest(kind=kind, texts=tuple(texts), reference=tuple(reference), p_value=p_value)
