"""How far a mean over seeds and dev examples may lie from that of other seeds and other examples."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lmdistill.analysis.student_t import quantile, upper_tail

LEVEL = 0.95
"""Of the intervals."""

EQUAL = 1e-12
"""Share of a variance below which another one is nothing but rounding."""


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A number and where it may lie."""

    value: float
    """What was measured."""

    low: float
    """Lower end at `LEVEL`."""

    high: float
    """Upper end."""

    @property
    def ends(self) -> tuple[float, float] | None:
        """Both ends; None where nothing scatters, since that tells not how far others may lie."""
        return (self.low, self.high) if self.low < self.high else None


@dataclass(frozen=True, kw_only=True)
class Estimate(Interval):
    """A mean with its error."""

    error: float
    """Standard error, >= 0."""

    freedom: float
    """Degrees of freedom of the error, > 0."""

    p_value: float
    """Two-sided, of the mean being 0; in [0, 1]."""


def estimate(values: NDArray[np.float64]) -> Estimate | None:
    r"""Mean of seeds times examples, with an error that counts the luck of both.

    Seeds and examples are crossed: every seed answers every example. With :math:`x_{si} = \mu + a_s + b_i +
    e_{si}`, s seeds and n examples, the variance of the mean is

    .. math:: V = V_b + \max(0, V_a - V_e), \quad V_b = \frac{var_i(\bar x_{\cdot i})}{n}, \quad
       V_a = \frac{var_s(\bar x_{s \cdot})}{s}, \quad V_e = \frac{MS_e}{sn}

    since :math:`V_a` and :math:`V_b` both contain :math:`V_e`, which is taken where nothing else is left.
    Degrees of freedom are Satterthwaite's,
    :math:`V^2 / (V_a^2 / (s - 1) + V_b^2 / (n - 1))`, and interval and p-value are Student's.

    The teacher, the training data and the dev set's kind of examples are given. A single seed leaves the
    luck of seeds unknown: what is said then holds for the runs that were made, and is the t test over
    examples. Two or three seeds tell little of it, so few degrees of freedom are left, and power is low.

    Measured on comparisons of equal methods, 872 examples at 86 %, whose seeds lie a standard deviation of
    0, 0.5, 1 or 2 points apart; so many in 100 had p < 0.05, and in brackets by a test over examples alone:

    === =========== =========== =========== ===========
    s   0           0.5         1           2
    === =========== =========== =========== ===========
    1   3 (3)       12 (12)     29 (29)     55 (55)
    2   2 (3)       4 (10)      8 (28)      11 (54)
    3   2 (5)       5 (13)      5 (25)      8 (54)
    5   2 (4)       4 (11)      5 (24)      5 (51)
    8   3 (5)       5 (8)       6 (23)      8 (46)
    === =========== =========== =========== ===========

    Where the methods were two points apart, three seeds found it in 74, 53 and 30 trials of 100 (0, 0.5 and
    1), five seeds in 95, 86 and 57.

    Args:
        values: Contributions of example i under seed s, or differences of them, (s, n).

    Returns:
        None below two examples.

    Examples:
        >>> found = estimate(np.array([[0.0, 1.0, 1.0, 2.0]]))
        >>> found.value, round(found.p_value, 4)
        (1.0, 0.0917)

    References:
        Clark, "The language-as-fixed-effect fallacy", 1973, the quasi-F of crossed random effects;
        Satterthwaite, "An approximate distribution of estimates of variance components", 1946. Deviation: the
        variance is never below that over examples alone, and the small term of the residual is left out of
        the degrees of freedom.
    """
    seeds, size = values.shape
    if size < 2:
        return None
    mean = float(values.mean())
    over_seeds, over_examples, shared = _parts(values)
    variance = max(_variances(values))
    freedom = float(size - 1)
    # examples have equal means, and so have seeds, though cells scatter
    if shared > 0 and variance <= EQUAL * shared:
        variance, freedom = shared, 1.0
    elif variance > 0:
        noise = over_examples**2 / (size - 1) + over_seeds**2 / max(1, seeds - 1)
        freedom = min(max(variance**2 / noise, 1.0), freedom)
    error = math.sqrt(variance)
    reach = _reach(freedom) * error
    distance = abs(mean) / error if error > 0 else np.inf
    return Estimate(
        value=mean,
        low=mean - reach,
        high=mean + reach,
        error=error,
        freedom=freedom,
        p_value=1.0 if mean == 0 else 2 * upper_tail(distance, freedom),
    )


def _reach(freedom: float) -> float:
    """Standard errors on each side of a mean."""
    return quantile((1 + LEVEL) / 2, freedom)


def _parts(values: NDArray[np.float64]) -> tuple[float, float, float]:
    """V_a, V_b and V_e of `estimate`; 0 for what a single seed does not tell."""
    seeds, size = values.shape
    of_seeds, of_examples = values.mean(axis=1), values.mean(axis=0)
    over_examples = float(of_examples.var(ddof=1)) / size
    if seeds < 2:
        return 0.0, over_examples, 0.0
    rest = values - of_seeds[:, None] - of_examples + values.mean()
    residual = float((rest**2).sum()) / ((seeds - 1) * (size - 1))
    return float(of_seeds.var(ddof=1)) / seeds, over_examples, residual / (seeds * size)


def _variances(values: NDArray[np.float64]) -> tuple[float, float]:
    """The variance of the mean is the larger of the two; each is a square in the values."""
    over_seeds, over_examples, shared = _parts(values)
    return over_examples, over_examples + over_seeds - shared


def share(part: NDArray[np.float64], whole: NDArray[np.float64]) -> Interval | None:
    r"""What the mean of `part` is of the mean of `whole`, and every share that the examples do not refute.

    A share w is refuted where the mean of :math:`part - w \cdot whole` lies farther from 0 than its error
    allows, with the degrees of freedom that `estimate` has at the share itself. For each of the variances
    whose largest counts this is a quadratic in w; the interval is what any of them allows.

    Args:
        part: Contributions by seed and example, (s, n).
        whole: The same of what is 1, (s, n).

    Returns:
        None where the whole may be 0, since then any share may be true.

    References:
        Fieller, "Some problems in interval estimation", 1954.
    """
    base = estimate(whole)
    if base is None or base.low <= 0:
        return None
    value = float(part.mean()) / base.value
    here = estimate(part - value * whole)
    assert here is not None  # the whole has as many examples
    reach = _reach(here.freedom) ** 2
    ends: list[float] = []
    for below, at, above in zip(*(_variances(part - w * whole) for w in (-1.0, 0.0, 1.0)), strict=True):
        square = base.value**2 - reach * ((below + above) / 2 - at)
        slope = value * base.value**2 + reach * (above - below) / 4
        rest = (value * base.value) ** 2 - reach * at
        if square <= 0:
            return None
        centre, within = slope / square, (slope / square) ** 2 - rest / square
        if within >= 0 or not ends:  # the first variance is no difference, so the share itself is allowed
            width = math.sqrt(max(0.0, within))
            ends += [centre - width, centre + width]
    return Interval(value=value, low=min(ends), high=max(ends))
