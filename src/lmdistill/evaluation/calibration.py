"""Calibration of classifiers: whether predictions with 80 % confidence are correct 80 % of the time."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from lmdistill.core.errors import ConfigError
from lmdistill.evaluation.classification import check_labelled
from lmdistill.evaluation.generalization_gap import empirical_risk
from lmdistill.metrics.probabilities import softmax

NUM_BINS = 15
"""Default number of confidence bins, as in Guo et al., 2017."""


@dataclass(frozen=True, kw_only=True)
class Bin:
    """The examples with a confidence in (low, high]: one bar of a reliability diagram."""

    low: float
    """Lower edge (excluded), in [0, 1)."""

    high: float
    """Upper edge (included), in (0, 1]."""

    count: int
    """Number of examples in the bin, >= 0."""

    confidence: float | None
    """Mean probability of the predicted class, in [0, 1]; None in an empty bin."""

    accuracy: float | None
    """Share of correct predictions, in [0, 1]; None in an empty bin."""


def reliability_bins(
    labels: Int[np.ndarray, " b"], logits: Float[np.ndarray, "b v"], *, num_bins: int = NUM_BINS
) -> tuple[Bin, ...]:
    """Confidence and accuracy in bins of equal width, from labels and logits.

    Args:
        labels: Class numbers in [0, v).
        logits: One row per example, v >= 2.
        num_bins: Number of bins that divide [0, 1], >= 1.

    Returns:
        `num_bins` bins by ascending confidence, including empty ones.

    Raises:
        ConfigError: The network is a regression (v = 1), or `num_bins` is below 1.
        DataError: There are no examples, a label is missing, or a logit is not finite.

    Examples:
        >>> reliability_bins(np.array([0, 1]), np.log([[0.75, 0.25]] * 2), num_bins=2)[1].accuracy
        0.5
    """
    probabilities = _probabilities(labels, logits)
    correct = probabilities.argmax(axis=1) == labels
    return confidence_bins(probabilities.max(axis=1), correct, num_bins=num_bins)


def confidence_bins(
    confidence: Float[np.ndarray, " b"], right: Bool[np.ndarray, " b"], *, num_bins: int = NUM_BINS
) -> tuple[Bin, ...]:
    """Confidence and accuracy in bins of equal width, from the confidence of each prediction.

    Args:
        confidence: Probability of the predicted class, in [0, 1].
        right: Whether the prediction is correct.
        num_bins: Number of bins that divide [0, 1], >= 1.

    Returns:
        `num_bins` bins by ascending confidence, including empty ones.

    Raises:
        ConfigError: `num_bins` is below 1.
    """
    if num_bins < 1:
        raise ConfigError(f"num_bins must be at least 1, got {num_bins}.")
    edges = np.arange(num_bins + 1) / num_bins
    bin_of = np.searchsorted(edges[1:-1], confidence, side="left")  # a value on an edge goes to the lower bin
    bins = []
    for number in range(num_bins):
        inside = bin_of == number
        count = int(inside.sum())
        bins.append(
            Bin(
                low=float(edges[number]),
                high=float(edges[number + 1]),
                count=count,
                confidence=float(confidence[inside].mean()) if count else None,
                accuracy=float(right[inside].mean()) if count else None,
            )
        )
    return tuple(bins)


def calibration_error(bins: Sequence[Bin]) -> float:
    """Mean of |accuracy - confidence| over bins, weighted by examples, in [0, 1]; 0 if all bins are empty."""
    gaps = [
        bin_.count * abs(bin_.accuracy - bin_.confidence)
        for bin_ in bins
        if bin_.accuracy is not None and bin_.confidence is not None
    ]
    return float(sum(gaps) / max(1, sum(bin_.count for bin_ in bins)))


def expected_calibration_error(
    labels: Int[np.ndarray, " b"], logits: Float[np.ndarray, "b v"], *, num_bins: int = NUM_BINS
) -> float:
    """Expected calibration error (ECE): sum over bins of count/b * |accuracy - confidence|.

    Args:
        labels: Class numbers in [0, v).
        logits: One row per example, v >= 2.
        num_bins: Number of bins that divide [0, 1], >= 1.

    Returns:
        The error, in [0, 1]; 0 for perfect calibration.

    Raises:
        ConfigError: The network is a regression (v = 1), or `num_bins` is below 1.
        DataError: There are no examples, a label is missing, or a logit is not finite.

    Examples:
        >>> logits = np.log([[0.75, 0.25]] * 4)
        >>> round(expected_calibration_error(np.array([0, 0, 0, 1]), logits), 12)  # 3 of 4 are correct
        0.0
        >>> round(expected_calibration_error(np.array([0, 0, 1, 1]), logits), 12)
        0.25

    References:
        Guo et al., "On Calibration of Modern Neural Networks", 2017, equation 3, with the bins of their
        experiments. Deviation: none.
    """
    return calibration_error(reliability_bins(labels, logits, num_bins=num_bins))


def brier(labels: Int[np.ndarray, " b"], logits: Float[np.ndarray, "b v"]) -> float:
    """Brier score: mean squared Euclidean distance between the probabilities and the one-hot label.

    Args:
        labels: Class numbers in [0, v).
        logits: One row per example, v >= 2.

    Returns:
        The score, in [0, 2], lower is better. For two classes it is twice the default of scikit-learn, which
        sums over one class only.

    Raises:
        ConfigError: The network is a regression (v = 1).
        DataError: There are no examples, a label is missing, or a logit is not finite.

    Examples:
        >>> round(brier(np.array([0]), np.log([[0.75, 0.25]])), 12)  # (1/4)^2 + (1/4)^2
        0.125

    References:
        Brier, "Verification of forecasts expressed in terms of probability", 1950. Deviation: none.
    """
    probabilities = _probabilities(labels, logits)
    return float(np.square(probabilities - np.eye(logits.shape[1])[labels]).sum(axis=1).mean())


def negative_log_likelihood(labels: Int[np.ndarray, " b"], logits: Float[np.ndarray, "b v"]) -> float:
    """Mean of -log p(label) in nats, >= 0.

    Args:
        labels: Class numbers in [0, v).
        logits: One row per example, v >= 2.

    Raises:
        ConfigError: The network is a regression (v = 1).
        DataError: There are no examples, a label is missing, or a logit is not finite.
    """
    _check_classes(logits)
    return empirical_risk(labels, logits)


def calibration(labels: Int[np.ndarray, " b"], logits: Float[np.ndarray, "b v"]) -> dict[str, float]:
    """All calibration metrics by name, as stored in records.

    Args:
        labels: Class numbers in [0, v).
        logits: One row per example, v >= 2.

    Returns:
        `expected_calibration_error` (15 bins, [0, 1]), `brier` ([0, 2]) and `negative_log_likelihood` (nats).

    Raises:
        ConfigError: The network is a regression (v = 1).
        DataError: There are no examples, a label is missing, or a logit is not finite.
    """
    return {
        "expected_calibration_error": expected_calibration_error(labels, logits),
        "brier": brier(labels, logits),
        "negative_log_likelihood": negative_log_likelihood(labels, logits),
    }


def _check_classes(logits: Float[np.ndarray, "b v"]) -> None:
    """Raise if the network is a regression."""
    if logits.shape[1] == 1:
        raise ConfigError("calibration needs at least 2 classes, got 1 output; skip it for regressions.")


def _probabilities(
    labels: Int[np.ndarray, " b"], logits: Float[np.ndarray, "b v"]
) -> Float[np.ndarray, "b v"]:
    """Class probabilities in float64, after the labels and logits have been checked."""
    _check_classes(logits)
    check_labelled(labels, logits)
    return softmax(logits)
