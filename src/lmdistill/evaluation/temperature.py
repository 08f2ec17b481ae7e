"""The temperature of a classifier, fitted on held-out examples."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import brentq

from lmdistill.core.errors import ConfigError
from lmdistill.evaluation.calibration import negative_log_likelihood
from lmdistill.metrics.probabilities import softmax

LOWEST, HIGHEST = 0.01, 100.0
"""Smallest and largest temperature."""


@dataclass(frozen=True, kw_only=True)
class FittedTemperature:
    """A temperature, and what it does to the loss on the examples that it was fitted on."""

    value: float
    """The temperature T, in [`LOWEST`, `HIGHEST`]; logits are divided by it."""

    nll_before: float
    """Mean negative log-likelihood of the examples with T = 1, in nats."""

    nll_after: float
    """The same with the fitted temperature; never larger."""

    rows: int
    """Number of the examples, >= 1."""

    @property
    def is_at_limit(self) -> bool:
        """Whether the loss would be lower still beyond the smallest or the largest temperature."""
        return self.value in (LOWEST, HIGHEST)


def fit_temperature(labels: Int[np.ndarray, " n"], logits: Float[np.ndarray, "n v"]) -> FittedTemperature:
    """The temperature that minimises the negative log-likelihood of some labels.

    The loss is convex in b = 1/T: its derivative, the mean over examples of sum_j p_j(b) z_j minus z_label,
    does not fall. So the minimum is its only zero, or a limit where it has none.

    Args:
        labels: Class numbers in [0, v).
        logits: One row per example, v >= 2.

    Raises:
        ConfigError: The network is a regression (v = 1).
        DataError: There are no examples, a label is missing, or a logit is not finite.

    References:
        Guo et al., "On Calibration of Modern Neural Networks", 2017, section 4.2 (temperature scaling).
        Deviation: the root of the derivative is searched, where their code runs a gradient method, and T is
        limited to [0.01, 100].

    Examples:
        >>> logits = np.log([[0.9, 0.1]] * 4)  # 90 % sure, and right in three of four
        >>> fitted = fit_temperature(np.array([0, 0, 0, 1]), logits)
        >>> round(float(softmax(logits[0] / fitted.value)[0]), 6)
        0.75
    """
    if logits.shape[1] == 1:
        raise ConfigError("a temperature needs at least 2 classes, got 1 output; skip it for regressions.")
    before = negative_log_likelihood(labels, logits)
    wide = logits.astype(np.float64)
    given = wide[np.arange(len(labels)), labels]

    def slope(inverse: float) -> float:
        return float(((softmax(wide * inverse) * wide).sum(axis=1) - given).mean())

    low, high = 1 / HIGHEST, 1 / LOWEST
    if slope(low) >= 0:
        value = HIGHEST
    elif slope(high) <= 0:
        value = LOWEST
    else:
        value = 1 / float(brentq(slope, low, high, xtol=1e-12, rtol=1e-12))
    after = negative_log_likelihood(labels, wide / value)
    return FittedTemperature(value=value, nll_before=before, nll_after=after, rows=len(labels))
