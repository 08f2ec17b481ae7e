"""Exact promises about the agreement of a student with its judge on the texts that it answers itself.

A promise is that among the texts with at least a threshold's confidence the share that the student answers as
its judge does is at least `agreement`. The thresholds are a fixed grid, tested from strict to lax until the
first one fails; the last one that passes is promised.

Why the promise is broken with probability 1 - confidence at most, over the draw of n independent texts:

1. For a fixed threshold t, let q be the share of agreement among all texts with at least its confidence.
   Given that N of the n texts have it, the number K of them that agree is Binomial(N, q), since each agrees
   or does not, independently of the others. If q < agreement, then P(Binomial(N, agreement) >= K) is at most
   1 - confidence with probability 1 - confidence at most, since Binomial(N, q) is stochastically smaller.
2. Grid, order and start are fixed before the texts are drawn. So the first threshold of the sequence with
   q < agreement, if there is one, is not random: call it t*.
3. A threshold with q < agreement can only be promised if t* passes, since the sequence stops at the first
   failure. By 1 this has probability 1 - confidence at most. The number of thresholds needs no correction.

So the grid must not come from the certification texts, and no threshold may be skipped because few of these
texts reach it. Given all their confidences, K is a sum of trials with unequal probabilities, not
Binomial(N, q); and which false threshold is tested first would depend on the draw. Both break step 2.

References:
    Clopper and Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial",
    1934 (the exact test). Maurer, Hothorn and Lehmacher, "Multiple comparisons in drug clinical trials and
    preclinical assays: a-priori ordered hypotheses", 1995, and Wiens, "A fixed sequence Bonferroni procedure
    for testing multiple endpoints", 2003 (a fixed sequence). Angelopoulos, Bates, Candes, Jordan and Lei,
    "Learn then Test", arXiv 2110.01052, section 2 (fixed sequences for the thresholds of a model). Geifman
    and El-Yaniv, "Selective classification for deep neural networks", arXiv 1705.08500 (a bound for a
    threshold of confidence).
    Deviation: the sequence does not begin at the strictest threshold, see `first_tested`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.stats import beta, binom

from lmdistill.core.errors import ConfigError

LEAST_FACTOR, USUAL_FACTOR = 1.2, 5
"""Expected number of answered texts at the first threshold, as multiples of `fewest_texts`: at least, and
where there are enough texts. Chosen by simulations of nine students with 300 to 20,000 texts: a stricter
start allows hardly an error and often fails by chance, a laxer one is beyond what a weak student keeps."""

USUAL_SHARE = 0.5
"""Share of the texts that the first threshold is expected to answer at most, unless that is too few."""


@dataclass(frozen=True, kw_only=True)
class Promise:
    """What is to hold of the answered texts, and how surely."""

    agreement: float
    """Least share of the answered texts that the student answers as the judge does, in (0, 1)."""

    confidence: float = 0.95
    """Share of draws of the certification texts in which the promise must hold, in (0, 1)."""

    def __post_init__(self) -> None:
        for name, value in (("agreement", self.agreement), ("confidence", self.confidence)):
            if not 0 < value < 1:
                raise ConfigError(f"--{name} must be between 0 and 1, got {value:g}. 0.95 is 95 %.")


@dataclass(frozen=True, kw_only=True)
class Tested:
    """A sequence of thresholds with the certification texts that reach each of them."""

    thresholds: tuple[float, ...]
    """From strict to lax."""

    answered: Int[np.ndarray, " t"]
    """Texts with at least each threshold's confidence."""

    agreed: Int[np.ndarray, " t"]
    """Of these, the texts that student and judge answer alike."""

    start: int
    """Number of the threshold that is tested first."""

    last: int | None
    """Number of the laxest threshold that passed; None if the first one failed."""


def upper_p_value(
    agreed: Int[np.ndarray, "*t"], answered: Int[np.ndarray, "*t"], agreement: float
) -> Float[np.ndarray, "*t"]:
    """P(Binomial(answered, agreement) >= agreed): small if the true agreement is larger.

    Args:
        agreed: Texts that student and judge answer alike, in [0, answered].
        answered: Texts that the student answers.
        agreement: Largest agreement of the hypothesis, in (0, 1).
    """
    return np.asarray(binom.sf(np.asarray(agreed) - 1, answered, agreement))


def lower_bound(agreed: int, answered: int, confidence: float) -> float:
    """Largest agreement that these numbers promise with this confidence, in [0, 1]; 0 if nothing agreed.

    Examples:
        >>> round(lower_bound(149, 149, 0.95), 4)
        0.9801
    """
    return 0.0 if agreed == 0 else float(beta.ppf(1 - confidence, agreed, answered - agreed + 1))


def fewest_texts(promise: Promise) -> int:
    """Fewest texts n that can pass, all of them with agreement: agreement^n <= 1 - confidence.

    Examples:
        >>> fewest_texts(Promise(agreement=0.98, confidence=0.95))
        149
    """
    texts = max(0, math.floor(math.log1p(-promise.confidence) / math.log(promise.agreement)) - 1)
    while promise.agreement**texts > 1 - promise.confidence:
        texts += 1
    return texts


def texts_at_rate(agreed: int, answered: int, promise: Promise) -> int | None:
    """Answered texts from which on the same rate of agreement passes; None if it is not above the promise.

    Args:
        agreed: Texts that student and judge answered alike.
        answered: Texts that the student answered, >= 1.
        promise: What is to hold.
    """
    rate = agreed / answered
    if rate <= promise.agreement:
        return None
    number = answered
    while upper_p_value(np.array(math.floor(rate * number)), np.array(number), promise.agreement) > (
        1 - promise.confidence
    ):
        number = math.ceil(number * 1.05)
    return number


def first_tested(texts: int, promise: Promise, thresholds: int) -> int:
    """Number of the threshold that is tested first, from the number of texts and the promise alone.

    Threshold i is taken to be reached by a share (i + 1) / thresholds of the texts, as on the texts that the
    grid comes from. The first one is expected to be reached by five times `fewest_texts`, or by half of the
    texts if these are fewer, or by 1.2 times `fewest_texts` if that is more.

    Args:
        texts: Certification texts, >= 1.
        promise: What is to hold.
        thresholds: Number of thresholds; the last one is reached by all texts.

    Examples:
        >>> [first_tested(n, Promise(agreement=0.98), 100) for n in (150, 300, 1000, 10_000)]
        [99, 59, 49, 7]
    """
    fewest = fewest_texts(promise)
    wanted = max(LEAST_FACTOR * fewest, min(USUAL_FACTOR * fewest, USUAL_SHARE * texts))
    return min(thresholds, math.ceil(thresholds * wanted / texts)) - 1


def last_passed(
    answered: Int[np.ndarray, "*d t"], agreed: Int[np.ndarray, "*d t"], promise: Promise, start: int
) -> Int[np.ndarray, "*d"]:
    """Number of the last threshold before the first failure, for each draw of texts; -1 if the first fails.

    Args:
        answered: Texts that reach each threshold, from strict to lax.
        agreed: Of these, the texts that student and judge answer alike.
        promise: What is to hold.
        start: Number of the threshold that is tested first.
    """
    values = upper_p_value(agreed[..., start:], answered[..., start:], promise.agreement)
    passed = np.cumprod(values <= 1 - promise.confidence, axis=-1).sum(axis=-1)
    return np.asarray(np.where(passed > 0, start - 1 + passed, -1))


def thresholds_tested(
    thresholds: Sequence[float],
    confidence: Float[np.ndarray, " n"],
    agreed: Bool[np.ndarray, " n"],
    promise: Promise,
) -> Tested:
    """Test thresholds of confidence from strict to lax, until the first one fails.

    Args:
        thresholds: A grid that the texts had no part in, from high to low; the last one is reached by all.
        confidence: The student's confidence on each certification text, in [0, 1].
        agreed: Whether student and judge answer the text alike.
        promise: What is to hold.
    """
    order = np.argsort(confidence, kind="stable")
    answered = len(order) - np.searchsorted(confidence[order], thresholds, side="left")
    alike = np.concatenate([[0], np.cumsum(agreed[order][::-1])])[answered]
    start = first_tested(len(order), promise, len(thresholds))
    last = int(last_passed(answered, alike, promise, start))
    return Tested(
        thresholds=tuple(thresholds),
        answered=answered,
        agreed=alike,
        start=start,
        last=None if last < 0 else last,
    )
