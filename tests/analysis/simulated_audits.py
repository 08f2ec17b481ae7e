"""A population of texts that a student answers, from which certificates and audits are drawn."""

from dataclasses import dataclass

import numpy as np

from lmdistill.analysis.answer_slices import reference_counts
from lmdistill.analysis.drift import WEEK, find_drift

CLASSES, SHARES = np.array(["red", "green", "blue", "grey"]), (0.4, 0.3, 0.2, 0.1)
THRESHOLD, PROMISED = 0.8, 0.95
WEEKS = 6


@dataclass(frozen=True, kw_only=True)
class Texts:
    """Texts in numbers, (n,) each."""

    classes: np.ndarray
    confidence: np.ndarray
    tokens: np.ndarray
    unknown: np.ndarray
    weeks: np.ndarray
    agreed: np.ndarray

    def counts(self):
        """Slices, weeks among them, and histograms."""
        slices, histograms = reference_counts(
            agreed=self.agreed,
            answered=self.confidence >= THRESHOLD,
            classes=self.classes.tolist(),
            confidence=self.confidence,
            tokens=self.tokens,
            unknown=self.unknown,
        )
        weeks = {
            f"2026-W{week:02}": (int(inside.sum()), int(self.agreed[inside].sum()))
            for week in range(WEEKS)
            if (inside := self.weeks == week).any()
        }
        return {**slices, WEEK: weeks}, histograms


def drawn(generator, number, *, wrong=None, longer=0.0, surer=0.0, unknown=0.05):
    """Texts of the population; `wrong` makes the student wrong on most texts of a mask that it gives."""
    confidence = 1 / (1 + np.exp(-np.abs(generator.normal(2.5 + surer, 1.6, number))))
    texts = Texts(
        classes=generator.choice(CLASSES, p=SHARES, size=number),
        confidence=confidence,
        tokens=np.maximum(3, generator.lognormal(2.9 + longer, 0.7, number).astype(int)),
        unknown=generator.random(number) < unknown,
        weeks=generator.integers(0, WEEKS, number),
        agreed=generator.random(number) < 0.55 + 0.45 * np.sqrt(2 * (confidence - 0.5)),
    )
    if wrong is not None:
        texts.agreed[wrong(texts) & (generator.random(number) < 0.3)] = False
    return texts


def audited(generator, reference, audit, **drift):
    """The tests of an audit against a certificate, both drawn; arguments of `drawn` change the audit."""
    before, histograms_before = drawn(generator, reference).counts()
    after, histograms_after = drawn(generator, audit, **drift).counts()
    return find_drift(
        after,
        histograms_after,
        reference_slices=before,
        reference_bins=histograms_before,
        promised=PROMISED,
    )
